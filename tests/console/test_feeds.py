"""Feeds in the console: adding under the gate, one destination's page, sending again, agreements; no address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.utils import timezone

from labbridge.outbox.models import Agreement, Delivery, Destination, Kind
from labbridge.outbox.note import note
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.handover.receiver import Connector, carry_all, destination
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db

DOCUMENT = b"%PDF-1.4 a signed agreement, invented"


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow", time_zone="America/Los_Angeles")


@pytest.fixture
def owner(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow))
    return client


@pytest.fixture
def connector() -> Iterator[Connector]:
    one = Connector()
    yield one
    one.close()


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def on_file(owner: Client, **more: Any) -> Any:
    today = timezone.now().date()
    said = {
        "deed": "add", "party": "Keragon", "signed_on": str(today - timedelta(days=9)),
        "expires_on": str(today + timedelta(days=300)), "document": SimpleUploadedFile("baa.pdf", DOCUMENT), **more,
    }  # fmt: skip
    return owner.post("/feeds/agreements", said, follow=True)


def wish(connector: Connector, **more: Any) -> dict[str, Any]:
    return {
        "name": "keragon",
        "url": connector.url,
        "kind": [Kind.RESULT, Kind.PHASE],
        "class": "de-identified",
        **more,
    }


def test_from_nothing_to_a_destination_with_patient_data(owner: Client, connector: Connector):
    assert "Nobody is told anything yet." in text(owner.get("/feeds"))
    assert "put a BAA on file" in text(owner.get("/feeds/add"))
    phi = {"class": "phi", "party": "Keragon"}
    assert "no BAA in force" in text(owner.post("/feeds/add", wish(connector, **phi)))
    assert "It is on file" in text(on_file(owner))
    assert Agreement.objects.get().sha256 == hashlib.sha256(DOCUMENT).hexdigest()
    shown = text(owner.post("/feeds/add", wish(connector, **phi)))
    made = Destination.objects.get()
    assert made.secret in shown
    assert made.secret not in text(owner.get(f"/feeds/{made.pk}"))
    assert made.agreement is not None
    listed = text(owner.get("/feeds"))
    assert "keragon" in listed
    assert "sEcReT" not in listed + shown  # the address is a password
    assert AuditEntry.objects.filter(action="agreement.record").exists()


def test_zapier_gets_no_patient_data_and_the_page_says_why(owner: Client, connector: Connector):
    on_file(owner, party="Zapier")
    asked = wish(
        connector, url="https://hooks.zapier.com/hooks/catch/1/abc", party="Zapier", **{"class": "phi"}
    )
    shown = text(owner.post("/feeds/add", asked))
    assert "Zapier signs no BAA" in shown
    assert not Destination.objects.exists()
    owner.post("/feeds/add", {**asked, "class": "de-identified"})
    assert Destination.objects.get().data_class == "de-identified"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": []}, "told of"),
        ({"url": "http://example.org"}, "https"),
        ({"name": ""}, "name"),
        ({"class": "x"}, "class"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    owner: Client, connector: Connector, change: Any, says: str
):
    shown = text(owner.post("/feeds/add", wish(connector, **change)))
    assert says in shown
    assert 'value="keragon"' in shown or "name" in change


@pytest.mark.parametrize(
    "change", [{"document": ""}, {"signed_on": "soon"}, {"party": ""}, {"expires_on": "2001-01-01"}]
)  # fmt: skip
def test_an_agreement_that_makes_no_sense(owner: Client, change: dict[str, Any]):
    assert 'role="alert"' in text(on_file(owner, **change))
    assert not Agreement.objects.exists()


def test_ending_an_agreement_holds_its_destinations(owner: Client, willow: Practice, connector: Connector):
    on_file(owner)
    one = destination(willow, connector.url, phi=True, agreement=Agreement.objects.get())
    owner.post("/feeds/agreements", {"deed": "end", "party": "Keragon"})
    shown = text(owner.get("/feeds"))
    assert ">held<" in shown
    answered = owner.post(f"/feeds/{one.pk}/act", {"deed": "test"}, follow=True)
    assert "No BAA with Keragon is in force" in text(answered)
    assert not connector.arrived


def test_a_destination_fails_and_is_helped(owner: Client, willow: Practice, connector: Connector):
    one = destination(willow, connector.url)
    act = f"/feeds/{one.pk}/act"
    connector.answer = lambda _: 500
    with transaction.atomic():
        note(willow.pk, Kind.REVIEW, "case:1", question="identity")
        note(willow.pk, Kind.PHASE, "order:1", phase="draft", demo=False)
    carry_all(one)
    shown = text(owner.get(f"/feeds/{one.pk}"))
    assert "withdrawn" not in shown
    Delivery.objects.filter(fact__kind=Kind.PHASE).update(state="dead", problem="It answered 500.")
    shown = text(owner.get(f"/feeds/{one.pk}"))
    assert "Send what was given up again" in shown
    assert "It answered 500." in shown
    assert "did not take the test. It answered 500." in text(owner.post(act, {"deed": "test"}, follow=True))
    connector.answer = lambda _: 200
    assert "It took the test (answered 200)" in text(owner.post(act, {"deed": "test"}, follow=True))
    assert "1 letters are on their way" in text(owner.post(act, {"deed": "replay-dead"}, follow=True))
    assert "from when" in text(owner.post(act, {"deed": "replay", "hours": "x"}, follow=True))
    assert "cannot be done here" in text(owner.post(act, {"deed": "nonsense"}, follow=True))
    owner.post(act, {"deed": "pause"})
    assert "Paused by" in text(owner.get("/feeds"))
    owner.post(act, {"deed": "resume"})
    assert "told nothing any more" in text(owner.post(act, {"deed": "remove"}, follow=True))
    assert owner.get(f"/feeds/{one.pk}").status_code == 404


def test_another_secret_is_shown_once(owner: Client, willow: Practice, connector: Connector):
    one = destination(willow, connector.url)
    assert "24 hours" in text(owner.get(f"/feeds/{one.pk}/secret"))
    shown = text(owner.post(f"/feeds/{one.pk}/secret"))
    held = Destination.objects.get()
    assert held.secret in shown
    assert held.old_secret == one.secret
    assert "signed with the old secret too" in text(owner.get(f"/feeds/{one.pk}"))
    assert "not over" in text(owner.post(f"/feeds/{one.pk}/secret", follow=True))
    owner.post(f"/feeds/{one.pk}/secret", {"at_once": "1"})
    assert Destination.objects.get().old_secret is None


def test_a_letter_to_map_by_has_the_fields_of_the_class(
    owner: Client, willow: Practice, connector: Connector
):
    one = destination(willow, connector.url)
    shown = text(owner.get(f"/feeds/{one.pk}"))
    assert "<code>data.month</code>" in shown
    sample = shown.split("What a letter looks like")[1].split("Remove it")[0]
    assert "patient_key" not in sample
    assert "rupa" not in sample
