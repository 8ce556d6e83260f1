"""The directory as identity provider: app connections, access, and what it refuses to answer."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from lxml import etree
from werkzeug.test import Client

from labbridge.simulators import caspio
from labbridge.simulators.caspio import app_connections, saml

REPLY, ENTITY = "https://labs.example/acs", "https://labs.example/metadata"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = caspio.create_app(
        Path(tmp_path_factory.mktemp("idp")) / "state.sqlite", client_id="c", client_secret="s", deliver=False
    )
    caspio.seed_practice(made.account, 0)
    yield made
    made.close()


@pytest.fixture(scope="module")
def links(app: Any) -> dict[str, str]:
    body = {
        "name": "Labs", "sp_entity_id": ENTITY, "reply_url": REPLY,
        "users": [{"email": "ada@willow.example", "password": "phrase"}],
    }  # fmt: skip
    made: dict[str, str] = Client(app).post("/_sim/app-connections", json=body).get_json()
    return made


@pytest.fixture
def browser(app: Any) -> Client:
    return Client(app)


def question(issuer: str = ENTITY, reply: str = REPLY, more: str = "") -> str:
    text = (
        f'<p:AuthnRequest xmlns:p="{saml.SAMLP}" ID="_q1" Version="2.0" AssertionConsumerServiceURL="{reply}" {more}>'
        f'<s:Issuer xmlns:s="{saml.SAML}">{issuer}</s:Issuer></p:AuthnRequest>'
    )
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(text.encode()) + packer.flush()
    return quote(base64.b64encode(packed).decode(), safe="")


def ask(links: dict[str, str], given: str) -> str:
    return f"/saml/{links['id']}/sso?SAMLRequest={given}&RelayState=abc"


def test_the_answer_is_signed_around_everything(browser: Client, links: dict[str, str]) -> None:
    assert b"password" in browser.get(ask(links, question())).data
    page = browser.post(
        ask(links, question()), data={"email": "ADA@willow.example", "password": "phrase"}
    ).text
    fields = dict(re.findall(r'name="(SAMLResponse|RelayState)" value="([^"]*)"', page))
    assert fields["RelayState"] == "abc"
    assert f'action="{REPLY}"' in page
    root = etree.fromstring(base64.b64decode(fields["SAMLResponse"]))
    names = {"s": saml.SAML, "ds": "http://www.w3.org/2000/09/xmldsig#"}
    assert root.get("InResponseTo") == "_q1"
    assert len(root.xpath("./ds:Signature", namespaces=names)) == 1
    assert not root.xpath("./s:Assertion//ds:Signature", namespaces=names)
    assert root.xpath("string(//s:NameID)", namespaces=names) == "ada@willow.example"
    assert not root.xpath("//s:AttributeStatement", namespaces=names)


def test_who_is_signed_in_at_the_directory_is_not_asked_unless_forced(
    browser: Client, links: dict[str, str]
) -> None:
    browser.post(ask(links, question()), data={"email": "ada@willow.example", "password": "phrase"})
    assert "SAMLResponse" in browser.get(ask(links, question())).text
    assert "SAMLResponse" not in browser.get(ask(links, question(more='ForceAuthn="true"'))).text
    browser.post("/saml/sign-out")
    assert "SAMLResponse" not in browser.get(ask(links, question())).text


@pytest.mark.parametrize(
    "given",
    [question(issuer="https://other.example"), question(reply="https://evil.example/"), "rubbish", ""],
)
def test_questions_of_others_are_not_answered(browser: Client, links: dict[str, str], given: str) -> None:
    assert browser.get(ask(links, given)).status_code == 400


def test_only_users_with_application_access(browser: Client, app: Any, links: dict[str, str]) -> None:
    app_connections.set_password(app.account, "finn@willow.example", "other")
    answer = browser.post(ask(links, question()), data={"email": "finn@willow.example", "password": "other"})
    assert answer.status_code == 403
    given = {"email": ["ada@willow.example", "finn@willow.example"]}
    browser.post(f"/app-connections/{links['id']}/access", data=given)
    assert "SAMLResponse" in browser.get(ask(links, question())).text
    browser.post(f"/app-connections/{links['id']}/access", data={"email": ["ada@willow.example"]})
    assert browser.get(ask(links, question())).status_code == 403


def test_inactive_users_do_not_sign_in(browser: Client, app: Any, links: dict[str, str]) -> None:
    app_connections.set_password(app.account, "bella@willow.example", "third")
    assert app_connections.signs_in(app.account, "bella@willow.example", "third")
    with app.account.store.transaction() as db:
        from labbridge.simulators.caspio import design

        table = design.find_table(app.account.store, "Staff")
        db.execute(f"UPDATE {table.rows} SET {table.fields['_status'].column} = 'Suspended' WHERE PK_ID = 3")
    assert app_connections.signs_in(app.account, "bella@willow.example", "third") is None


def test_the_panel_makes_connections(browser: Client) -> None:
    given = {"name": "Other", "sp_entity_id": "urn:other", "reply_url": "https://other.example/acs"}
    page = browser.post("/app-connections", data=given, follow_redirects=True).text
    assert "urn:other" in page
    assert "BEGIN CERTIFICATE" in page
    assert browser.post("/app-connections", data={"name": "half"}).status_code == 400


def test_metadata_names_address_and_certificate(browser: Client, links: dict[str, str]) -> None:
    text = browser.get(f"/saml/{links['id']}/metadata").text
    assert links["sso_url"] in text
    assert links["entity_id"] in text
    assert "".join(links["certificate"].splitlines()[1:-1]) in text


def test_the_same_service_gets_the_same_connection_again(browser: Client, links: dict[str, str]) -> None:
    body = {"name": "Labs", "sp_entity_id": ENTITY, "reply_url": REPLY}
    assert browser.post("/_sim/app-connections", json=body).get_json() == links
