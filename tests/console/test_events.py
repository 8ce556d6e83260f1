"""Events and jobs: failures together, fields masked, revealing for a reason, and replaying with a preview."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.engine import queue
from labbridge.inbox.models import Event
from labbridge.mirror.models import Order, Patient
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow", time_zone="America/Los_Angeles")


@pytest.fixture
def owner(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow))
    return client


BODY = {
    "id": "evt_1", "type": "order.updated", "created_at": "2026-05-01T10:00:00Z",
    "data": {
        "type": "order", "id": "ord_1",
        "attributes": {"status": "In Progress", "notes_to_patient": "PLANTED note", "novel_field": "PLANTED novelty"},
        "relationships": {"patient": {"data": {"type": "patient", "id": "pat_secret"}}},
    },
    "included": [{"type": "patient", "id": "pat_secret", "attributes": {"first_name": "Plantina"}}],
}  # fmt: skip


def arrived(practice: Practice | None, number: int = 1, *, state: str = "dead", **more: Any) -> Event:
    given = {"reason": "Rupa was away.", "peer": "rupa", "type": "order.updated", "subject": "order:ord_1"}
    body = orjson.dumps({**BODY, "id": f"evt_{number}"})
    return Event.objects.create(
        external_id=f"evt_{number}", body=body, practice=practice, state=state, **{**given, **more}
    )


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def test_nothing_failed(owner: Client) -> None:
    assert "Nothing failed." in text(owner.get("/events"))


def test_all_events_of_one_failure_are_two_clicks_from_today(owner: Client, willow: Practice) -> None:
    for number in range(3):
        arrived(willow, number)
    arrived(willow, 9, state="waiting", reason="Another reason.")
    link = r'href="(/events/replay[^"]*)" aria-label="Replay: 3 events of Rupa \(dead\)"'
    (dead,) = re.findall(link, text(owner.get("/")))
    dead = dead.replace("&amp;", "&")
    assert "3 events of Rupa" in text(owner.get("/events"))
    assert "Replay all 3" in text(owner.get(dead))
    done = text(owner.post(dead, follow=True))
    assert "3 events replayed." in done
    assert Event.objects.filter(state="received").count() == 3
    assert Event.objects.get(external_id="evt_9").state == "waiting"
    assert AuditEntry.objects.get(action="event.replay").count == 3
    assert "mended or replayed meanwhile" in text(owner.get(dead))


def test_the_preview_says_what_would_change_and_changes_nothing(owner: Client, willow: Practice) -> None:
    patient = Patient.objects.create(practice=willow, external_id="pat_secret")
    Order.objects.create(practice=willow, external_id="ord_1", patient=patient, status="Draft", phase="draft")
    event = arrived(willow)
    jobs = queue.by_state()
    shown = text(owner.get(f"/events/replay?event={event.pk}"))
    assert "Rupa&#x27;s status: Draft → In Progress" in shown
    assert "1 of 1 would come further" in shown
    assert "Plant" not in shown
    event.refresh_from_db()
    assert (event.state, event.reason, event.merged_at) == ("dead", "Rupa was away.", None)
    assert Order.objects.get().status == "Draft"
    assert queue.by_state() == jobs


def test_the_preview_says_when_replaying_does_not_help(owner: Client, willow: Practice) -> None:
    event = arrived(willow, state="quarantined")
    Event.objects.filter(pk=event.pk).update(type="labtest.created")
    assert "It would stay quarantined:" in text(owner.get(f"/events/replay?event={event.pk}"))
    event.refresh_from_db()
    assert event.reason == "Rupa was away."


def test_fields_are_masked_also_those_that_nobody_knows(owner: Client, willow: Practice) -> None:
    event = arrived(willow)
    shown = text(owner.get(f"/events/{event.pk}"))
    assert "order.updated" in shown
    assert "In Progress" in shown
    assert "data.attributes.novel_field" in shown
    for secret in ("PLANTED", "Plantina", "pat_secret"):
        assert secret not in shown
    entry = AuditEntry.objects.get(action="event.read")
    assert entry.subject == f"event:{event.pk}"


def test_rows_of_caspio_show_their_key_only(owner: Client, willow: Practice) -> None:
    body = {"objectName": "Patients", "data": [{"PK_ID": 5, "status": "Plantina", "version": "P-1"}]}
    event = Event.objects.create(
        peer="caspio", external_id="m1", type="table.recordUpdate", subject="willow:Patients:5",
        body=orjson.dumps(body), practice=willow,
    )  # fmt: skip
    shown = text(owner.get(f"/events/{event.pk}"))
    assert "Plantina" not in shown
    assert ">P-1<" not in shown
    assert ">5<" in shown


def test_revealing_needs_a_reason_and_is_recorded_before_it_shows(owner: Client, willow: Practice) -> None:
    patient = Patient.objects.create(practice=willow, external_id="pat_secret")
    Order.objects.create(practice=willow, external_id="ord_1", patient=patient)
    event = arrived(willow)
    refused = text(owner.post(f"/events/{event.pk}", {"why": "  "}))
    assert "Say why" in refused
    assert "Plantina" not in refused
    answer = owner.post(f"/events/{event.pk}", {"why": "The lab asks."})
    assert "Plantina" in text(answer)
    assert "no-store" in answer["Cache-Control"]
    entry = AuditEntry.objects.get(action="event.reveal")
    assert (entry.why, entry.subject) == ("The lab asks.", f"event:{event.pk}")
    assert len(entry.patients) == 1


def test_the_auditor_sees_events_and_can_neither_reveal_nor_replay(client: Client, willow: Practice) -> None:
    sign_in(client, member(willow, Role.AUDITOR))
    event = arrived(willow)
    assert "Show it whole" not in text(client.get(f"/events/{event.pk}"))
    assert client.post(f"/events/{event.pk}", {"why": "Curious."}).status_code == 405
    assert client.post(f"/events/replay?event={event.pk}").status_code == 403
    assert "Replay" not in text(client.get("/events")).replace("replayed", "")
    assert not AuditEntry.objects.filter(action="event.reveal").exists()


def dead_job(practice: Practice, task: str = "file_order", **ids: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args, status, attempts) "
            "VALUES ('default', %s, 0, %s, %s, 'failed', 3) RETURNING id",
            [task, f"{practice.slug}:x", orjson.dumps(ids).decode()],
        )
        return int(cursor.fetchone()[0])


def test_dead_jobs_stand_beside_events_and_are_tried_again(owner: Client, willow: Practice) -> None:
    order = Order.objects.create(practice=willow, external_id="ord_1")
    job = dead_job(willow, order_id=str(order.pk))
    queue.note_failure(job, "Caspio refused a field.", surprise=False)
    shown = text(owner.get("/events"))
    assert "1 job: File an order in Caspio" in shown
    assert "Caspio refused a field." in shown
    address = re.findall(r'href="(/events/replay\?failure=[0-9a-f]+)"', shown)[0]
    assert f"Job {job}" in text(owner.get(address))
    assert "1 job will be tried again now." in text(owner.post(address, follow=True))
    assert queue.failed() == []
    assert AuditEntry.objects.get(action="job.replay").count == 1


def test_another_practices_events_and_jobs_are_not_there(owner: Client, willow: Practice) -> None:
    birch = Practice.objects.create(slug="birch", name="Birch")
    theirs, nobodys = arrived(birch, 7), arrived(None, 8, state="quarantined")
    dead_job(birch, practice_id=str(birch.pk))
    shown = text(owner.get("/events"))
    assert "Nothing failed." in shown
    for one in (theirs, nobodys):
        assert owner.get(f"/events/{one.pk}").status_code == 404
        assert "Nothing to replay." in text(
            owner.post(f"/events/replay?event={one.pk}", follow=True)
        ).replace("Nothing to replay: ", "Nothing to replay. ")
    assert not Event.objects.filter(state="received").exists()
    assert "evt_7" not in text(owner.get("/events?state=dead"))
    Membership.objects.create(user=Membership.objects.get().user, practice=birch, role=Role.OWNER)
    assert "1 event of Rupa" in text(owner.get("/events"))
    assert text(owner.get(f"/events/{nobodys.pk}"))


def test_lists_have_pages_an_address_and_a_constant_number_of_queries(
    owner: Client, willow: Practice
) -> None:
    arrived(willow, 0)
    owner.get("/events?state=dead")
    with CaptureQueriesContext(connection) as few:
        owner.get("/events?state=dead")
    for number in range(1, 70):
        arrived(willow, number)
    with CaptureQueriesContext(connection) as many:
        shown = text(owner.get("/events?state=dead"))
    assert len(many) == len(few)
    assert shown.count("<tr>") == 51
    (older,) = re.findall(r'rel="next" href="([^"]+)"', shown)
    assert text(owner.get("/events" + older.replace("&amp;", "&"))).count("<tr>") == 21
    assert text(owner.get("/events?q=evt_42")).count("<tr>") == 2
    with CaptureQueriesContext(connection) as grouped:
        owner.get("/events")
    assert len(grouped) < 15


def test_among_several_practices_a_moment_is_on_the_clock_of_its_own(owner: Client, willow: Practice) -> None:
    birch = Practice.objects.create(slug="birch", name="Birch", time_zone="America/New_York")
    Membership.objects.create(user=Membership.objects.get().user, practice=birch, role=Role.OWNER)
    for number, practice in enumerate((willow, birch)):
        arrived(practice, number, received_at=datetime(2026, 5, 1, 18, tzinfo=UTC))
    shown = text(owner.get("/events?state=dead"))
    assert re.findall(r"May 1,(?: 2026,)? (\d+:00 [ap]m)<", shown) == ["2:00 pm", "11:00 am"]
    assert re.findall(r'data-label="About"><span>order ord_1 <span class="soft">(\w+)<', shown) == [
        "Birch",
        "Willow",
    ]
