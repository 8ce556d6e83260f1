"""What a practice's DataPages load from here: the script, the keys for rupa-js, and the HTML to paste."""

from __future__ import annotations

import re
from typing import Any

import pytest

from labbridge.accounts.roles import Role
from labbridge.ordering.script import script_address, script_for, script_version
from labbridge.practices.models import Practice
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_script_is_kept_by_its_version(practice: Practice, client: Any, deployment: Any) -> None:
    version = script_version("willow")
    current = client.get(f"/embed/willow.js?v={version}")
    assert current["Content-Type"].startswith("text/javascript")
    assert "immutable" in current["Cache-Control"]
    assert "max-age=86400" in current["Cache-Control"]
    assert current["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "set-cookie" not in {name.lower() for name in current.headers}
    for address in ("/embed/willow.js", "/embed/willow.js?v=old"):
        answer = client.get(address)
        assert answer.content == current.content
        assert "immutable" not in answer["Cache-Control"]
        same = client.get(address, headers={"If-None-Match": answer["ETag"]})
        assert (same.status_code, same.content) == (304, b"")
    assert client.get("/embed/nowhere.js").status_code == 404
    deployment(public_url="https://labs.example.org")
    assert script_version("willow") != version
    assert "https://labs.example.org/order/willow" in script_for("willow")
    assert "__ORDER" not in script_for("willow")


def test_the_script_is_small_and_needs_no_exception_from_a_strict_policy(practice: Practice) -> None:
    text = script_for("willow")
    assert len(text) < 6000
    for forbidden in (
        "innerHTML",
        "eval(",
        "Function(",
        "document.write",
        ".style",
        "setTimeout(",
        "onclick",
        "cookie",
    ):
        assert forbidden not in text


def test_a_publishable_key_is_for_a_signed_in_practitioner(
    practice: Practice, client: Any, rupa_sim: Any
) -> None:
    address = "/embed/willow/publishable-key"
    assert client.post(address).status_code in (302, 403), "nobody"
    sign_in(client, member(practice, Role.FRONT_DESK))
    assert client.post(address).status_code == 403
    sign_in(client, member(practice, Role.PRACTITIONER, "ada@willow.example"))
    assert client.get(address).status_code == 405
    answer = client.post(address)
    assert answer.status_code == 200
    key = answer.json()["publishable_key"]
    assert re.fullmatch(r"pk_[0-9a-f]{40}", key)
    assert answer.json()["expires_at"]
    assert "no-store" in answer["Cache-Control"]
    assert client.post("/embed/elm/publishable-key").status_code == 404
    rupa_sim.fault("unavailable", match={"path": "publishable"})
    assert client.post(address).status_code == 503
    rupa_sim.heal()
    rupa_sim.fault("unavailable", match={"path": "publishable"})
    from labbridge.practices.models import Connection, ConnectionState

    Connection.objects.filter(peer="rupa").update(state=ConnectionState.RECONNECT)
    refused = client.post(address)
    assert (refused.status_code, "connect" in refused.json()["detail"]) == (409, True)


def test_a_publishable_key_needs_the_pages_own_token(practice: Practice) -> None:
    """Another site cannot have one made through a signed-in browser."""
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)
    sign_in(browser, member(practice, Role.PRACTITIONER, "ada@willow.example"))
    assert browser.post("/embed/willow/publishable-key").status_code == 403


@pytest.mark.parametrize("kind", ["button", "request", "pending", "results"])
def test_snippets_name_the_practices_tables_and_fields_that_exist(
    kind: str, practice: Practice, caspio_sim: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from labbridge.commands.snippet import snippet
    from labbridge.simulators.caspio.design import find_table

    snippet(kind, "willow", as_json=False)
    said = capsys.readouterr()
    tables = {
        "button": "Patients", "request": "Lab_Order_Requests", "pending": "Lab_Orders", "results": "Lab_Results",
    }  # fmt: skip
    assert tables[kind] in said.err
    listed = {field.name for field in find_table(caspio_sim.app.account.store, tables[kind]).shown}
    named = re.findall(r"\[@field:(\w+)/?\]", said.out)
    assert named
    assert set(named) <= listed
    assert "[@" not in re.sub(r"\[@field:\w+/?\]", "", said.out), (
        "nothing that somebody can type into an address"
    )
    assert not re.findall(r"\son\w+=|style=|javascript:", said.out)
    if "<script" in said.out:
        assert script_address("willow") in said.out
        assert re.findall(r"<script[^>]*>([^<]*)</script>", said.out) == [""], "no inline script"
