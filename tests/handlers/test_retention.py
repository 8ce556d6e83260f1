"""Retention and erasure: what is removed, what stays, what nobody can bring back, and what is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone
from typer.testing import CliRunner

from labbridge.cli import app
from labbridge.handlers import results, retention
from labbridge.handlers.connections import replay
from labbridge.handlers.erasure import CannotErase, erase
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import (
    Chart,
    Order,
    Patient,
    Result,
    ResultSource,
    ResultValue,
    ReviewCase,
    StoredFile,
    Take,
)  # fmt: skip
from labbridge.mirror.pseudonyms import sides_of
from labbridge.practices.models import Practice
from labbridge.trust import audit, sealing
from labbridge.trust.envelope import KeyDestroyed, data_keys, open_value
from labbridge.trust.fields import ContentRemoved
from labbridge.trust.models import AuditEntry, DataKey, LegalHold

pytestmark = pytest.mark.django_db(transaction=True)

WHO = audit.Actor("operator", name="ops")


@pytest.fixture(autouse=True)
def _anchor(settings: Any, tmp_path: Any) -> None:
    settings.ANCHOR_PATH = tmp_path / "anchors.jsonl"


@pytest.fixture
def filed(practice: Any, rupa_sim: Any, add_patient: Any, deliver_all: Any, run_jobs: Any) -> Practice:
    """Two patients with one resulted order each, all filed."""
    for number in (1, 2):
        person = add_patient(number)
        order = rupa_sim.order(person["id"])
        rupa_sim.act(order, "result", files="pdf+hl7")
    deliver_all()
    run_jobs()
    assert Order.objects.filter(filed_at=None).count() == 0
    assert StoredFile.objects.count() >= 2
    return practice


def raw(table: str, column: str) -> list[bytes]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
        return [bytes(value) for (value,) in cursor.fetchall()]


def chart(number: int) -> Chart:
    return Chart.objects.select_related("practice").get(key=f"P-{number}")


def run_erase(practice: Practice, number: int, **more: Any) -> Any:
    return erase(practice, sides_of(chart(number)), why="asked by the patient", actor=WHO, **more)


# -- erasure -----------------------------------------------------------------------------------------------------


def test_an_erased_patient_cannot_be_read_any_more_even_from_a_copy(filed: Practice, caspio_sim: Any):
    one = chart(1)
    patient = one.link.patient
    copies = {
        "mirror_chart.person": (raw("mirror_chart", "person"), one.pk),
        "mirror_patient.person": (raw("mirror_patient", "person"), patient.pk),
        "mirror_storedfile.content": (raw("mirror_storedfile", "content"), patient.pk),
    }
    before = caspio_sim.tables()
    counts = run_erase(filed, 1)
    assert counts["charts"] == counts["patients"] == counts["orders"] == 1
    assert counts["events"] > 0
    assert counts["files"] > 0
    for values, owner in copies.values():  # as somebody who kept an old copy of the tables would try
        theirs = [value for value in values if value[1:17] == owner.bytes]
        assert theirs
        with pytest.raises(KeyDestroyed):
            open_value(theirs[0], b"any place: the key is gone")
    assert caspio_sim.tables() == before


def test_nothing_of_an_erased_patient_is_left_and_the_other_one_is_whole(filed: Practice):
    other = chart(2)
    orders = Order.objects.filter(patient=other.link.patient)
    run_erase(filed, 1)
    gone, order = chart(1), Order.objects.exclude(pk__in=orders).get()
    assert gone.person == {}
    assert (
        gone.email_index,
        gone.birthday_index,
        gone.name_tags,
        gone.lookup_keys,
        gone.rupa_patient_id,
    ) == (
        None,
        None,
        None,
        None,
        "",
    )
    assert order.patient.person is None
    assert not ResultValue.objects.filter(result__ordered_test__order=order).exists()
    for result in Result.objects.filter(ordered_test__order=order):
        assert result.named is None
        with pytest.raises(ContentRemoved):
            _ = result.pdf.content
    data_keys.forget()
    assert chart(2).person["first_name"] == "Testa2"
    kept = Result.objects.filter(ordered_test__order__in=orders)
    assert kept.count() > 0
    assert all(result.pdf.content.startswith(b"%PDF") for result in kept)
    assert ResultValue.objects.filter(result__in=kept).first().reading


def test_an_erased_patient_is_not_read_in_again(
    filed: Practice, rupa_sim: Any, caspio_sim: Any, deliver_all: Any, run_jobs: Any
):
    from labbridge.reconcile.orders import pull_orders
    from labbridge.reconcile.patients import pull_patients

    run_erase(filed, 1)
    before = caspio_sim.tables()
    Event.objects.update(deliveries=1)
    deliver_all()
    pull_patients(filed)
    pull_orders(filed)
    run_jobs(waiting=True)
    gone = chart(1)
    assert gone.person == {}
    assert gone.email_index is None
    assert Patient.objects.exclude(erased_at=None).get().person is None
    assert caspio_sim.tables() == before
    assert not Event.objects.exclude(state__in=[EventState.HANDLED]).exists()


def _erased(order: Order) -> None:
    run_erase(order.practice, 1)


def _emptied(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(filed_revision=F("revision"))
    assert retention._empty_order(order.pk, timezone.now())


@pytest.mark.parametrize("removed", [_erased, _emptied])
def test_a_file_that_is_on_its_way_while_contents_are_removed_is_not_kept(
    removed: Callable[[Order], None], filed: Practice, rupa_sim: Any, deliver_all: Any, run_jobs: Any,
    monkeypatch: Any,
):  # fmt: skip
    made = rupa_sim.order(chart(1).link.patient.external_id)
    rupa_sim.act(made, "result", files="pdf+hl7")
    fetch = results.fetch

    def meanwhile(source: ResultSource, rupa: Any) -> results.Content:
        content = fetch(source, rupa)
        order = source.ordered_test.order
        if not Order.objects.get(pk=order.pk).erased_at:
            removed(order)
        return content

    monkeypatch.setattr(results, "fetch", meanwhile)
    deliver_all()
    run_jobs(waiting=True)
    order = Order.objects.get(external_id=made)
    assert order.erased_at
    assert not Result.objects.filter(ordered_test__order=order).exists()
    assert not ResultValue.objects.filter(result__ordered_test__order=order).exists()
    assert not Take.objects.filter(source__ordered_test__order=order).exists()


def test_a_new_order_of_an_erased_patient_waits_for_a_person(
    filed: Practice, rupa_sim: Any, deliver_all: Any, run_jobs: Any
):
    external_id = chart(1).link.patient.external_id
    run_erase(filed, 1)
    made = rupa_sim.order(external_id)
    deliver_all()
    run_jobs()
    order = Order.objects.get(external_id=made)
    assert "erased" in order.filing_problem
    assert Event.objects.filter(state=EventState.WAITING, reason__contains="erased").exists()
    assert order.patient.person is None


def test_an_erasure_is_recorded_with_ids_and_counts_and_no_patient_data(filed: Practice):
    names = sorted(map(audit.pseudonym, sides_of(chart(1))))
    run_erase(filed, 1)
    entry = AuditEntry.objects.get(action="retention.erase")
    assert sorted(entry.patients) == names
    assert entry.why == "asked by the patient"
    assert entry.detail["orders"] == 1
    assert "Testa1" not in str(audit.body_of(entry))
    assert "pat_" not in str(audit.body_of(entry))
    assert sealing.verify().problems == []


def test_a_dry_run_erases_nothing(filed: Practice):
    counts = run_erase(filed, 1, dry_run=True)
    assert counts["orders"] == 1
    data_keys.forget()
    assert chart(1).person["first_name"] == "Testa1"
    assert not AuditEntry.objects.filter(action="retention.erase").exists()
    assert not DataKey.objects.filter(wrapped=None).exists()


def test_nobody_is_erased_twice_and_a_hold_stands_in_the_way(filed: Practice):
    LegalHold.objects.create(
        practice="willow", patients=[audit.pseudonym(chart(1))], why="suit", set_by="ops"
    )
    with pytest.raises(CannotErase, match="legal hold"):
        run_erase(filed, 1)
    LegalHold.objects.update(lifted_at=timezone.now())
    run_erase(filed, 1)
    with pytest.raises(CannotErase, match="already"):
        run_erase(filed, 1)


def test_values_under_the_key_that_belong_to_somebody_else_by_now_are_kept(filed: Practice):
    """A file that two patients share, and an order that moved."""
    mine, theirs = (chart(number).link.patient for number in (1, 2))
    shared = Result.objects.filter(ordered_test__order__patient=mine).exclude(pdf=None).first().pdf
    result = Result.objects.filter(ordered_test__order__patient=theirs).exclude(pdf=None).first()
    result.pdf = shared
    result.save()
    source = ResultSource.objects.filter(ordered_test__order__patient=mine).first()
    source.ordered_test.order.patient = theirs
    source.ordered_test.order.save()
    counts = run_erase(filed, 1)
    assert counts["kept_for_others"] > 0
    data_keys.forget()
    assert StoredFile.objects.get(pk=shared.pk).content.startswith(b"%PDF")
    assert ResultSource.objects.get(pk=source.pk).files


def test_an_open_question_about_an_erased_patient_is_closed(filed: Practice):
    case = ReviewCase.objects.create(
        practice=filed, chart=chart(1), seen={"chart": {"first_name": "Testa1"}}, why="She told us so.",
        candidates=["pat_1"], rows=["P-1"], before={"rupa_patient_id": "pat_1"},
    )  # fmt: skip
    run_erase(filed, 1)
    left = ReviewCase.objects.filter(pk=case.pk, state="decided", decision="erased").defer("seen").get()
    assert (left.why, left.candidates, left.rows, left.before) == ("", [], [], {})
    with pytest.raises(ContentRemoved):
        _ = ReviewCase.objects.get(pk=case.pk).seen


# -- the nightly run ---------------------------------------------------------------------------------------------


def policy(practice: Practice, **changed: int) -> None:
    practice.config = {**practice.config, "retention": changed}
    practice.save()


def years_later(years: float) -> Any:
    return timezone.now() + timedelta(days=366 * years)


def counted(found: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in found if one["practice"] == "willow")


def test_bodies_of_events_that_caspio_holds_are_removed_when_they_are_old(filed: Practice):
    policy(filed, events_days=30)
    assert counted(retention.run(WHO))["events"] == 0
    waiting = Event.objects.first()
    waiting.settle(EventState.WAITING, "for a person")
    there = Event.objects.count()
    would = counted(retention.run(WHO, dry_run=True, now=years_later(1)))
    found = counted(retention.run(WHO, now=years_later(1)))
    assert found["events"] == would["events"] == there - 1
    assert Event.objects.count() == there
    assert Event.objects.get(pk=waiting.pk).body
    emptied = Event.objects.exclude(emptied_at=None).first()
    with pytest.raises(ContentRemoved):
        _ = emptied.body
    replay(emptied.pk)
    assert Event.objects.get(pk=emptied.pk).state == EventState.HANDLED
    assert counted(retention.run(WHO, now=years_later(1)))["events"] == 0


def test_an_event_that_comes_once_more_after_its_body_was_removed_is_recognised(
    filed: Practice, deliver_all: Any, run_jobs: Any
):
    policy(filed, events_days=30)
    retention.run(WHO, now=years_later(1))
    there = Event.objects.count()
    deliver_all()
    run_jobs()
    assert Event.objects.count() == there


def test_files_that_caspio_holds_are_removed_when_the_policy_says_so(filed: Practice, run_jobs: Any):
    assert counted(retention.run(WHO, now=years_later(3)))["files"] == 0  # kept by default
    policy(filed, files_days=30)
    found = counted(retention.run(WHO, now=years_later(3)))
    assert found["files"] == StoredFile.objects.count() > 0
    assert {len(value) for value in raw("mirror_storedfile", "content")} == {0}


def test_a_file_that_is_wanted_again_after_that_is_a_sentence(
    filed: Practice, caspio_sim: Any, run_jobs: Any
):
    from labbridge.filing.models import FiledRow
    from labbridge.handlers.settle import refile

    policy(filed, files_days=30)
    retention.run(WHO, now=years_later(3))
    order = Order.objects.first()
    FiledRow.objects.filter(table="lab_results", group=f"order:{order.pk}").update(
        file_sha256="", file_intended=""
    )
    Order.objects.filter(pk=order.pk).update(revision=order.revision + 1)
    order.refresh_from_db()
    refile(order)
    run_jobs()
    order.refresh_from_db()
    assert "retention policy" in order.filing_problem


def test_contents_of_orders_that_ended_are_removed_and_caspio_keeps_its_rows(
    filed: Practice, caspio_sim: Any, run_jobs: Any
):
    before = caspio_sim.tables()
    policy(filed, mirror_days=30)
    Order.objects.filter(completed_at=None).update(completed_at=timezone.now())
    found = counted(retention.run(WHO, now=years_later(1)))
    assert found["orders"] == Order.objects.filter(phase="complete").count() > 0
    assert not ResultValue.objects.exists()
    run_jobs(waiting=True)
    assert caspio_sim.tables() == before


def test_a_hold_keeps_what_the_policy_would_remove(filed: Practice):
    policy(filed, events_days=30, files_days=30, mirror_days=30)
    hold = LegalHold.objects.create(practice="willow", why="suit", set_by="ops")
    assert counted(retention.run(WHO, now=years_later(2)))["held"] is True
    hold.patients = [audit.pseudonym(chart(1))]
    hold.save()
    retention.run(WHO, now=years_later(2))
    mine = Order.objects.get(patient=chart(1).link.patient)
    theirs = Order.objects.exclude(pk=mine.pk).get()
    assert mine.erased_at is None
    assert all(result.pdf.content for result in Result.objects.filter(ordered_test__order=mine))
    assert Event.objects.filter(subject=f"order:{mine.external_id}", emptied_at=None).exists()
    assert not Event.objects.filter(subject=f"order:{theirs.external_id}", emptied_at=None).exists()


def test_the_oldest_audit_entries_go_after_six_years_and_the_chain_stays_whole(filed: Practice):
    sealing.seal()
    there = AuditEntry.objects.filter(practice="willow").count()
    assert counted(retention.run(WHO, now=years_later(5)))["audit"] == 0
    would = counted(retention.run(WHO, dry_run=True, now=years_later(7)))["audit"]
    found = counted(retention.run(WHO, now=years_later(7)))
    assert found["audit"] >= would == there
    left = AuditEntry.objects.filter(practice="willow").latest("id")
    assert left.detail["removed_through"] == found["audit"]
    assert sealing.verify().problems == []
    with connection.cursor() as cursor:  # somebody removes more than the policy did
        audit.record("practice.apply", actor=WHO, practice="willow")
        sealing.seal()
        cursor.execute("SET labbridge.retention = 'on'")
        cursor.execute("DELETE FROM trust_auditentry WHERE id = %s", [left.pk])
        cursor.execute("RESET labbridge.retention")
    assert "no row says that retention removed them" in " ".join(map(str, sealing.verify().problems))


# -- commands ----------------------------------------------------------------------------------------------------


def command(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["retention", *arguments])
    assert done.exit_code == code, done.output
    return done.stdout


def test_the_commands(filed: Practice):
    assert json.loads(command("run", "--dry-run", "--json"))[0]["practice"] == "willow"
    assert "willow" in command("run")
    command("erase", "--patient", "P-1", code=2)
    command("erase", "--patient", "P-404", "--why", "asked", code=2)
    command("hold", "--why", "suit", code=2)
    assert "Nothing was changed" in command("hold", "--patient", "P-1", "--why", "suit", "--dry-run")
    assert json.loads(command("holds", "--json")) == []
    assert "is set" in command("hold", "--patient", "P-1", "--why", "suit")
    (hold,) = json.loads(command("holds", "--json"))
    assert hold["patients"] == sorted(map(audit.pseudonym, sides_of(chart(1))))
    command("erase", "--patient", "P-1", "--why", "asked", code=1)
    dry = json.loads(command("release", str(hold["id"]), "--dry-run", "--json"))
    assert dry == {"id": hold["id"], "dry_run": True}
    assert len(json.loads(command("holds", "--json"))) == 1
    command("release", str(hold["id"]), "--why", "settled")
    command("release", str(hold["id"]), code=2)
    shown = json.loads(command("erase", "--patient", "P-1", "--why", "asked", "--dry-run", "--json"))
    assert shown["dry_run"] is True
    assert "Erased" in command("erase", "--patient", "P-1", "--why", "asked")
    log = command("log")
    assert [one["action"] for one in json.loads(command("log", "--json"))][-1] == "retention.erase"
    assert "Testa1" not in log
    assert "No hold stands" in command("holds")
