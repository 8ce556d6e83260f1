"""Protocols in the console: list, one, building without a script, what changed, conflicts."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from labbridge.accounts.roles import Role
from labbridge.catalog.protocols import suggestions, touched, whole
from labbridge.engine.queue import jobs_of
from labbridge.filing.models import EditState, ProtocolEdit
from labbridge.filing.protocols import Content, InProtocol
from labbridge.mirror.models import LabTest, LabTestChange, Protocol
from labbridge.practices.models import Practice
from labbridge.reconcile.watch.labs import protocols as look
from labbridge.trust.models import AuditEntry
from tests.console.things import make_practice, text
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def willow() -> Practice:
    practice = make_practice()
    practice.config["rupa"]["price_unit"] = "dollars"
    practice.save()
    for number, name, more in (
        (1, "Gut Zoomer", {"price": Decimal(300), "turnaround_days": 10, "shipping_days_max": 3}),
        (2, "Stool Add-on", {"price": Decimal("49.5"), "turnaround_days": 12, "is_addon": True,
                             "parent_id_external": "labts_1"}),
        (3, "Gut Zoomer Complete", {"price": Decimal(450), "turnaround_days": 12}),
        (4, "DUTCH Plus", {"price": None, "turnaround_days": None}),
    ):  # fmt: skip
        LabTest.objects.create(
            practice=practice, external_id=f"labts_{number}", name=name, lab_company_name="Invented Lab",
            lab_company_id_external="co_1", category="GI" if number != 4 else "Hormones", **more,
        )  # fmt: skip
    return practice


@pytest.fixture
def gut(willow: Practice) -> Protocol:
    tests = [{"key": f"PT-{number}", "test": f"labts_{number}", "sort": number} for number in (2, 1)]
    return Protocol.objects.create(
        practice=willow, external_id="PR-1", name="Gut", notes="After travel", tests=tests, read_at=timezone.now(),
        seen_until=timezone.now() - timedelta(days=9),
    )  # fmt: skip


def as_(role: Role, practice: Practice) -> Client:
    client = Client()
    sign_in(client, member(practice, role))
    return client


def fields(page: str) -> dict[str, Any]:
    """What the builder's form would send."""
    sent: dict[str, Any] = {"row": [], "test": []}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page):
        if name in {"row", "test"}:
            sent[name].append(value)
        else:
            sent[name] = value
    sent["name"] = re.findall(r'id="name" name="name" value="([^"]*)"', page)[0]
    if re.search(r'name="active" checked', page):
        sent["active"] = "on"
    return sent


def of(*numbers: int) -> Content:
    return Content("P", tests=tuple(InProtocol(f"k{one}", f"labts_{one}", one) for one in numbers))


def test_price_and_days_of_the_whole(willow: Practice) -> None:
    made = whole(willow, of(2, 1))
    assert [item.name for item in made.items] == ["Gut Zoomer", "Stool Add-on"], "the add-on under its parent"
    assert (made.price, made.priced, made.days, made.dated) == (Decimal("349.5"), True, 16, True)
    made = whole(willow, of(1, 4, 9))
    assert (made.price, made.priced, made.days, made.dated) == (Decimal(300), False, 16, False)
    assert [item.problem for item in made.problems] == ["The catalogue does not know it."]
    assert "add-on" in whole(willow, of(2)).problems[0].problem
    willow.config["rupa"]["price_unit"] = "unknown"
    assert whole(willow, of(1)).price is None


def test_what_could_take_its_place_is_a_hint_with_its_reason(willow: Practice) -> None:
    LabTest.objects.filter(external_id="labts_1").update(available=False)
    gut = LabTest.objects.get(external_id="labts_1")
    found = suggestions(willow, gut)
    assert [one.test.name for one in found] == ["Gut Zoomer Complete"]
    assert found[0].why == "a similar name, the same lab, the same category"
    assert not suggestions(willow, gut, ["labts_3"])


def test_an_edit_that_did_not_get_through_is_tried_again_from_its_page(
    willow: Practice, gut: Protocol
) -> None:
    client = as_(Role.PRACTITIONER, willow)
    sent = fields(text(client.get(f"/protocols/{gut.pk}/edit")))
    client.post(f"/protocols/{gut.pk}/edit", {**sent, "name": "Gut and more", "do": "save"})
    edit, page = ProtocolEdit.objects.get(), f"/protocols/{gut.pk}"
    assert "Try again" not in text(client.get(page)), "it is under way"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'failed', attempts = 9 WHERE task_name = 'file_protocol'"
        )
    ProtocolEdit.objects.update(problem="Caspio refuses the field Notes.")
    shown = text(client.get(page))
    assert "Caspio refuses the field Notes." in shown
    assert f'action="{page}/again"' in shown
    assert "Try again" not in text(as_(Role.FRONT_DESK, willow).get(page)), "who may not edit may not"
    for _ in range(2):
        assert client.post(f"{page}/again")["Location"] == page
    (one,) = [one for one in jobs_of(["willow:protocols"]) if one.task == "file_protocol"]
    assert (one.state, one.attempts) == ("waiting", 0)
    ProtocolEdit.objects.filter(pk=edit.pk).update(state=EditState.FILED)
    client.post(f"{page}/again")
    assert len(jobs_of(["willow:protocols"])) == 1
    assert AuditEntry.objects.filter(action="job.replay", subject=f"protocol:{gut.pk}").count() == 2


def test_pages_tell_it_by_role(willow: Practice, gut: Protocol) -> None:
    LabTest.objects.filter(external_id="labts_1").update(available=False, unavailable_reason="a recall")
    for role in (Role.FRONT_DESK, Role.PRACTITIONER):
        client, may = as_(role, willow), role == Role.PRACTITIONER
        shown = text(client.get("/protocols"))
        assert "$349.50" in shown
        assert "cannot be ordered as it is" in shown
        assert ("Build a protocol" in shown) == may
        shown = text(client.get(f"/protocols/{gut.pk}"))
        for words in ("a recall", "Gut Zoomer Complete", "Suggestions by name", "After travel", "16 days"):
            assert words in shown, words
        assert ("Choose the tests" in shown, ">Edit</a>" in shown) == (may, may)


def test_building_one_without_a_script(willow: Practice) -> None:
    client, address = as_(Role.PRACTITIONER, willow), "/protocols/new/willow"
    page = text(client.get(address))
    page = text(client.post(address, {**fields(page), "name": "My gut", "q": "zoomer", "do": "search"}))
    assert 'value="add:labts_1"' in page
    page = text(client.post(address, {**fields(page), "do": "add:labts_2"}))
    assert "so Gut Zoomer came with it" in page
    page = text(client.post(address, {**fields(page), "do": "add:labts_3"}))
    page = text(client.post(address, {**fields(page), "do": "up:2"}))
    page = text(client.post(address, {**fields(page), "do": "remove:0"}))
    assert "is not in this protocol" in page, "the add-on lost its parent"
    sent = {**fields(page), "notes": "one\r\ntwo", "do": "save"}
    answers = [client.post(address, sent) for _ in range(2)]
    made = Protocol.objects.get()
    assert [one["Location"] for one in answers] == [f"/protocols/{made.pk}"] * 2
    edit = ProtocolEdit.objects.get()
    wanted = Content.of(edit.wanted)
    assert (wanted.name, wanted.notes, [one.test for one in wanted.tests]) == (
        "My gut", "one\ntwo", ["labts_3", "labts_2"],
    )  # fmt: skip
    assert "is being written to Caspio" in text(client.get(f"/protocols/{made.pk}"))
    assert "being written to Caspio" in text(client.get("/protocols"))


def test_what_the_builder_refuses(willow: Practice, gut: Protocol) -> None:
    client, address = as_(Role.PRACTITIONER, willow), f"/protocols/{gut.pk}/edit"
    sent = fields(text(client.get(address)))
    assert sent["test"] == ["labts_2", "labts_1"]
    assert "Give the protocol a name" in text(client.post(address, {**sent, "name": " ", "do": "save"}))
    assert client.post(address, {**sent, "base": "forged", "do": "save"}).status_code == 404
    assert client.post(address, {**sent, "key": "no", "do": "save"}).status_code == 404
    for deed in ("up:0", "remove:99", "add:nowhere", "up:x", "\0"):
        assert fields(text(client.post(address, {**sent, "do": deed})))["test"], deed
    assert (
        client.post(
            address, {**sent, "test": ["\0", "x" * 900], "row": ["a", "b"], "do": "search"}
        ).status_code
        == 200
    )
    assert not ProtocolEdit.objects.exists()


def test_a_conflict_shows_both_sides(willow: Practice, gut: Protocol) -> None:
    edit = ProtocolEdit.objects.create(
        pk=uuid4(), protocol=gut, state=EditState.CONFLICT, by="ada", base=of(1).as_json(),
        wanted=Content("Mine", tests=of(1).tests).as_json(), theirs=Content("Theirs", tests=of(3).tests).as_json(),
    )  # fmt: skip
    client = as_(Role.PRACTITIONER, willow)
    shown = text(client.get(f"/protocols/{gut.pk}"))
    for words in (
        "Mine",
        "Theirs",
        "changed in Caspio while it was being edited",
        "Write this one to Caspio",
    ):
        assert words in shown, words
    assert "changed in Caspio too" in text(client.get("/protocols"))
    key = re.findall(r'name="key" value="([^"]*)"', shown)[0]
    for _ in range(2):
        client.post(f"/protocols/{gut.pk}/decide", {"whose": "mine", "key": key})
    edit.refresh_from_db()
    assert (edit.state, ProtocolEdit.objects.filter(state="waiting").count()) == (EditState.DROPPED, 1)


def test_what_the_catalogue_changed_is_told_until_it_is_seen(willow: Practice, gut: Protocol) -> None:
    now = timezone.now()
    for test, days, field, before, after in (
        ("labts_1", 2, "price", "300", "320"), ("labts_2", 20, "turnaround_days", "9", "12"),
        ("labts_4", 1, "price", "1", "2"), ("labts_1", 40, "retired", "yes", "no"),
    ):  # fmt: skip
        LabTestChange.objects.create(
            practice=willow,
            external_id=test,
            field=field,
            before=before,
            after=after,
            at=now - timedelta(days=days),
        )
    assert [(one.protocol, len(one.changes), len(one.unseen)) for one in touched([willow], now)] == [
        (gut, 2, 1)
    ]
    finding = look(now)[0]
    assert (finding.rule, dict(finding.params)["count"], finding.practice_id) == (
        "protocols_touched",
        1,
        willow.pk,
    )
    client = as_(Role.PRACTITIONER, willow)
    page = text(client.get("/protocols/news"))
    for words in ("Gut Zoomer", "$300.00 → $320.00", "9 → 12", ">new<"):
        assert words in page, words
    assert ">Seen</button>" in page
    until = re.findall(r'name="until" value="([^"]*)"', page)[0]
    LabTestChange.objects.create(
        practice=willow, external_id="labts_1", field="available", before="yes", after="no", at=timezone.now()
    )
    assert client.post("/protocols/seen", {"until": until}).status_code == 302
    assert dict(look(timezone.now())[0].params)["count"] == 1, (
        "what came after the page was shown is not seen"
    )
    assert client.post("/protocols/seen", {"until": "never"}).status_code == 404
    client.post("/protocols/seen", {"until": (timezone.now() + timedelta(days=9)).isoformat()})
    assert not look(timezone.now())
    LabTestChange.objects.create(
        practice=willow, external_id="labts_1", field="available", before="no", after="yes", at=timezone.now()
    )
    assert look(timezone.now()), "nobody can have seen what was still to come"
    Protocol.objects.update(active=False)
    assert not look(timezone.now())


def test_a_month_of_many_changes_has_pages_and_is_seen_whole(willow: Practice, gut: Protocol) -> None:
    now = timezone.now()
    LabTestChange.objects.bulk_create(
        LabTestChange(practice=willow, external_id="labts_1", field="turnaround_days", before="1",
                      after=str(1000 + number), at=now - timedelta(hours=number))
        for number in range(60)
    )  # fmt: skip
    client = as_(Role.PRACTITIONER, willow)
    first, second = (text(client.get(f"/protocols/news?page={page}")) for page in (1, 2))
    assert ("1 → 1000" in first, "1 → 1050" in first) == (True, False)
    assert ("1 → 1000" in second, "1 → 1050" in second, "Gut Zoomer" in second) == (False, True, True)
    for page in (first, second):
        assert "All 60 are seen</button>" in page
