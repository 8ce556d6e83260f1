"""What the watch finds, in a state that has it; and the whole look, from the state to the channel."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labbridge.alerts.models import Alert
from labbridge.alerts.observe import found
from labbridge.backup.models import Backup
from labbridge.engine import tally
from labbridge.engine.models import Pulse
from labbridge.engine.rescue import rescue_stalled_jobs
from labbridge.handlers.reviews import mark
from labbridge.inbox.models import Event, EventState
from labbridge.mirror.models import (
    Chart,
    LabCompany,
    LabTest,
    LabTestChange,
    Order,
    OrderedTest,
    Patient,
    Phase,
    Protocol,
    Result,
    ReviewCase,
)
from labbridge.outbox.models import Agreement, Delivery, Destination, Fact
from labbridge.peers.caspio.where import field
from labbridge.practices import clocks
from labbridge.practices.apply import apply
from labbridge.practices.clients import caspio
from labbridge.practices.config import ConfigProblem, parse
from labbridge.practices.models import CallCount, Connection, ConnectionState, PeerClock, Practice
from labbridge.reconcile.models import LedgerEntry, Sweep
from labbridge.reconcile.watch import completeness, labs, machine, peers, work
from labbridge.reconcile.watch.look import Check, all_recipients, look
from labbridge.trust.audit import Actor
from tests.phi import planted
from tests.phi.needles import Search
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 18, 19, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def said(findings: Any) -> list[dict[str, Any]]:
    return [{"rule": one.rule, "subject": one.subject, **dict(one.params)} for one in findings]


@pytest.fixture
def willow() -> Practice:
    """Applied and not connected: nothing here calls a peer."""
    return applied("")


def applied(alerts: str) -> Practice:
    toml = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="")
    return apply(parse(toml + alerts)).practice


# -- the peers -----------------------------------------------------------------------------------------------


def test_forged_deliveries(deliver: Any) -> None:
    tally._written_at.clear()
    tally._unwritten.clear()  # of another test
    for _ in range(3):
        assert deliver(b'{"id": "evt_1"}', **{"Rupa-Signature": "t=1,v1=00"}).status_code == 401
    (one,) = said(peers.signatures(timezone.now()))
    assert (one["rule"], one["peer"]) == ("signature_refused", "rupa")
    assert one["count"] == 1, "a flood costs one statement; the rest is written with the next"
    tally._written_at.clear()
    deliver(b'{"id": "evt_1"}', **{"Rupa-Signature": "t=1,v1=00"})
    assert said(peers.signatures(timezone.now()))[0]["count"] == 4
    assert peers.signatures(timezone.now() + 3 * HOUR) == []


def test_unreadable_deliveries_are_no_forgery(deliver: Any) -> None:
    tally._written_at.clear()
    assert deliver(b"{").status_code == 400
    assert peers.signatures(timezone.now()) == []


def test_connections(willow: Practice) -> None:
    rupa = Connection.objects.create(
        practice=willow, peer="rupa", account="ada@willow.example", credentials={}
    )
    assert peers.connections(NOW) == []
    rupa.credentials = {"access_token": "x", "expires_at": (NOW + 2 * DAY).isoformat()}
    rupa.save()
    (ends,) = said(peers.connections(NOW))
    assert (ends["rule"], ends["until"]) == ("authorisation_ends", (NOW + 2 * DAY).isoformat())
    rupa.credentials = {**rupa.credentials, "refresh_token": "renews itself"}
    rupa.save()
    assert peers.connections(NOW) == []
    Connection.objects.filter(pk=rupa.pk).update(state=ConnectionState.RECONNECT)
    assert said(peers.connections(NOW)) == [
        {"rule": "connection_lost", "subject": str(rupa.pk), "peer": "rupa"}
    ]


@pytest.mark.parametrize(("ahead", "found"), [(5, 0), (-59, 0), (90, 1), (-400, 1)])
def test_clocks(ahead: float, found: int) -> None:
    PeerClock.objects.create(peer="caspio", ahead_seconds=ahead, read_at=NOW)
    assert len(peers.clocks(NOW)) == found
    assert peers.clocks(NOW + 2 * HOUR) == [], "an old reading says nothing"


def test_the_clock_of_a_peer_is_read_from_its_answers(practice: Practice) -> None:
    assert set(PeerClock.objects.values_list("peer", flat=True)) <= {"caspio", "rupa"}
    clocks._noted.clear()
    with caspio(practice, "test") as client:
        client.tables()
    assert abs(PeerClock.objects.get(peer="caspio").ahead_seconds) < 60


def test_the_quota_is_forecast_from_the_last_days() -> None:
    willow = applied("[alerts]\ncalls_per_month = 31000\n")
    for day in range(1, 19):
        CallCount.objects.create(
            account="caspio:c0abc123.caspio.com", purpose="filing", day=date(2026, 3, day), calls=1000
        )
    assert peers.forecast(willow, NOW) == 18_000 + 13 * 1000
    assert peers.quota(NOW) == []
    CallCount.objects.filter(day=date(2026, 3, 18)).update(calls=8000)
    assert said(peers.quota(NOW))[0] == {
        "rule": "quota_forecast", "subject": "", "count": 25_000 + 13 * 2000, "limit": 31_000,
    }  # fmt: skip


# -- our own work --------------------------------------------------------------------------------------------


def job(lock: str, status: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status) "
            "VALUES ('default', 'file_order', %s, '{}', %s)",
            [lock, status],
        )


def test_dead_jobs_belong_to_their_practice(willow: Practice) -> None:
    for lock in ("willow:order:1", "willow:order:2", "clock:tick"):
        job(lock, "failed")
    job("willow:order:3", "todo")
    counts = {one.practice_id: dict(one.params)["count"] for one in work.dead_jobs(NOW)}
    assert counts == {willow.pk: 2, None: 1}


def test_rescued_jobs(willow: Practice) -> None:
    job("willow:order:1", "doing")  # by a worker that is not there
    assert rescue_stalled_jobs() == 1
    assert said(work.rescues(timezone.now())) == [{"rule": "jobs_rescued", "subject": "", "count": 1}]


def test_quarantine_and_held_orders_and_cases(willow: Practice) -> None:
    Event.objects.create(peer="rupa", external_id="e1", type="x", subject="order:1", body=b"{}",
                         received_at=NOW - DAY, state=EventState.QUARANTINED)  # fmt: skip
    (one,) = said(work.quarantine(NOW))
    assert (one["count"], one["since"]) == (1, (NOW - DAY).isoformat())
    Order.objects.create(
        practice=willow, external_id="ord_1", filing_problem="Caspio has no table Lab_Orders."
    )
    Order.objects.create(practice=willow, external_id="ord_2")
    assert said(work.held_up(NOW))[0]["count"] == 1
    for number, age in enumerate((30, 10)):
        chart = Chart.objects.create(practice=willow, key=f"P-{number}")
        ReviewCase.objects.create(practice=willow, chart=chart, opened_at=NOW - age * HOUR)
    (case,) = said(work.old_cases(NOW))
    assert (case["count"], case["since"]) == (1, (NOW - 30 * HOUR).isoformat())


# -- labs ----------------------------------------------------------------------------------------------------


def ordered(
    practice: Practice, number: int, test: str, began: datetime, came: datetime | None, **more: Any
) -> None:
    order = Order.objects.create(
        practice=practice, external_id=f"ord_{test}_{number}", paid_at=began,
        phase=Phase.COMPLETE if came else Phase.IN_PROGRESS, **more,
    )  # fmt: skip
    OrderedTest.objects.create(
        practice=practice, order=order, external_id=f"ot_{test}_{number}", lab_test_id_external=test,
        results_received_at=came,
    )  # fmt: skip


def test_late_by_the_labs_own_usual_time_or_by_the_catalogues(willow: Practice) -> None:
    for lab, name in (("lab_quick", "Quick Lab"), ("lab_new", "New Lab")):
        LabCompany.objects.create(practice=willow, external_id=lab, name=name)
        LabTest.objects.create(
            practice=willow, external_id=f"t_{lab}", lab_company_id_external=lab, turnaround_days=20,
            shipping_days_max=5, price=Decimal(1),
        )  # fmt: skip
    for number in range(labs.ENOUGH):
        began = NOW - (100 + number) * DAY
        ordered(willow, number, "t_lab_quick", began, began + (5 + number % 5) * DAY)
    ordered(willow, 90, "t_lab_quick", NOW - 10 * DAY, None)  # late: nine of ten came within 9 days
    ordered(willow, 91, "t_lab_quick", NOW - 8 * DAY, None)
    ordered(willow, 92, "t_lab_quick", NOW - 40 * DAY, None, is_demo=True)
    ordered(willow, 1, "t_lab_new", NOW - 31 * DAY, None)  # past 20 + 2 * 5 days
    ordered(willow, 2, "t_lab_new", NOW - 29 * DAY, None)
    found = sorted(said(labs.late(NOW)), key=lambda one: one["rule"])
    assert found == [
        {"rule": "orders_late", "subject": "", "count": 1},
        {"rule": "orders_overdue", "subject": "lab_quick", "lab": "Quick Lab", "span": 9 * 86400, "count": 1},
    ]


def test_unreviewed_results_are_counted_in_caspio_and_seldom(
    practice: Practice, add_patient: Any, rupa_sim: Any, caspio_sim: Any, deliver_all: Any, run_jobs: Any
) -> None:
    order = rupa_sim.order(add_patient(1)["id"])
    rupa_sim.act(order, "result")
    assert labs.unreviewed(timezone.now()) == ([], {practice.pk}), "nothing old, no call"
    deliver_all()
    run_jobs()
    later = timezone.now() + 4 * DAY
    findings, known = labs.unreviewed(later)
    (one,) = said(findings)
    assert known == {practice.pk}
    assert (one["rule"], one["count"]) == ("results_unreviewed", 1)
    caspio_sim.forget_requests()
    assert labs.unreviewed(later + HOUR) == ([], set()), "not asked, so it is not known"
    assert caspio_sim.requests() == []
    (row,) = caspio_sim.tables()["Lab_Results"]
    with caspio(practice, "test") as client:
        client.table("Lab_Results").update(field("PK_ID") == row["PK_ID"], {"Review_Status": "reviewed"})
    assert labs.unreviewed(later + DAY) == ([], {practice.pk})
    caspio_sim.fault("unavailable")
    assert labs.unreviewed(later + 2 * DAY) == ([], set())


def test_rows_that_the_console_lets_nobody_review_are_not_counted(
    practice: Practice,
    add_patient: Any,
    rupa_sim: Any,
    caspio_sim: Any,
    deliver_all: Any,
    run_jobs: Any,
    monkeypatch: Any,
) -> None:
    order = rupa_sim.order(add_patient(1)["id"])
    for act in ("result", "amend"):
        rupa_sim.act(order, act)
        deliver_all()
        run_jobs()
    rows = sorted(caspio_sim.tables()["Lab_Results"], key=lambda one: one["PK_ID"])
    assert [(one["Version"], one["Review_Status"]) for one in rows] == [(1, "unreviewed"), (2, "unreviewed")]
    later = timezone.now() + 4 * DAY
    caspio_sim.forget_requests()
    (one,) = said(labs.unreviewed(later)[0])
    assert one["count"] == 1
    assert len([one for one in caspio_sim.requests() if one["path"].endswith("/records")]) == 1
    monkeypatch.setattr(labs, "ROWS", 1)
    (one,) = said(labs.unreviewed(later + DAY)[0])
    assert one["count"] == 1, "it stands behind a page of others"
    newest = Result.objects.get(version=2)
    mark(newest, reviewed=True, by="ada", actor=Actor("person", "1", "ada"))
    run_jobs()
    assert labs.unreviewed(later + 2 * DAY) == ([], {practice.pk})


# -- the machine ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "megabytes", "rule"),
    [
        (50, 200_000, ""),
        (9, 15_000, "disk_low"),
        (9, 90_000, ""),
        (2, 1_500, "disk_full"),
        (40, 250, "disk_full"),
    ],
)
def test_disk(percent: int, megabytes: int, rule: str) -> None:
    assert machine.disk_rule(percent, megabytes) == rule


def test_backups(deployment: Any, tmp_path: Any) -> None:
    assert said(machine.backups(NOW))[0]["rule"] == "backup_missing"
    Backup.objects.create(made_at=NOW - 3 * DAY, size=1, seconds=1)
    assert machine.backups(NOW) == [], "without a schedule nobody promised one a day"
    deployment(backup_dir=tmp_path)
    assert said(machine.backups(NOW)) == [
        {"rule": "backup_old", "subject": "", "since": (NOW - 3 * DAY).isoformat()}
    ]
    Backup.objects.create(made_at=NOW - HOUR, size=1, seconds=1)
    assert machine.backups(NOW) == []


# -- the whole look ------------------------------------------------------------------------------------------


def test_from_a_dead_job_to_the_practices_channel_and_the_outside_watcher(ear: Any, deployment: Any) -> None:
    deployment(alert_ping_url=f"{ear.address}/ping/abc", allow_http_peers=True)
    applied(f'[alerts]\nchannels = ["{ear.url}"]\n')
    job("willow:order:1", "failed")
    look(NOW)
    assert [title for title, _ in ear.heard] == ["Labbridge willow: 1 new"]
    assert ear.paths == ["/ping/abc"]
    assert Pulse.objects.get(name="watch").at == NOW
    look(NOW + HOUR)
    assert len(ear.heard) == 1


def test_practices_without_channels_are_heard_by_the_services(
    ear: Any, deployment: Any, willow: Practice
) -> None:
    deployment(alert_channels=[ear.url])
    (service,) = all_recipients()
    assert (service.name, service.also) == ("service", (willow.pk,))
    job("willow:order:1", "failed")
    look(NOW)
    assert "given up: 1." in ear.heard[0][1]


def test_a_channel_that_fails_is_an_alert_of_its_own_until_it_works(ear: Any, deployment: Any) -> None:
    deployment(alert_channels=[ear.url])
    ear.status = 500
    job("x:1", "failed")
    look(NOW)
    assert Alert.objects.filter(rule="channel_failing", state="open").count() == 1
    ear.status = 200
    look(NOW + 5 * timedelta(minutes=1))
    assert Alert.objects.get(rule="channel_failing").state == "resolved"
    assert [title for title, _ in ear.heard] == ["Labbridge service: 1 new"]


def test_a_practices_channel_leads_outside_only_and_the_services_where_it_likes(
    ear: Any, deployment: Any
) -> None:
    deployment(alert_channels=[ear.url], allow_http_peers=False)
    applied(f'[alerts]\nchannels = ["{ear.url}"]\n')
    job("willow:order:1", "failed")
    job("x:1", "failed")
    look(NOW)
    assert [title for title, _ in ear.heard] == ["Labbridge service: 1 new"]
    assert Alert.objects.get(rule="channel_failing").state == "open"


def test_one_blind_eye_does_not_close_the_others(ear: Any, deployment: Any) -> None:
    deployment(alert_channels=[ear.url])
    job("x:1", "failed")

    def blind(_now: datetime) -> Any:
        raise RuntimeError(planted.PERSON["first_name"])

    checks = (Check(("cases_old",), blind), Check(("jobs_dead",), work.dead_jobs))
    assert look(NOW, checks=checks)["raised"] == 1
    assert len(ear.heard) == 1


def test_a_look_costs_the_same_statements_however_many_practices(willow: Practice) -> None:
    """Practices at rest. One with channels of its own costs a few more, since it is a recipient of its own."""
    look(NOW)
    with CaptureQueriesContext(connection) as one:
        look(NOW + HOUR)
    for number in range(6):
        oak = Practice.objects.create(slug=f"oak-{number}", name="Oak", config=willow.config)
        Connection.objects.create(practice=oak, peer="rupa", account="main", state=ConnectionState.ACTIVE)
        Connection.objects.create(practice=oak, peer="caspio", account=f"oak-{number}", credentials={})
    look(NOW + 2 * HOUR)
    with CaptureQueriesContext(connection) as many:
        look(NOW + 3 * HOUR)
    assert len(many) == len(one), [query["sql"][:150] for query in many.captured_queries]


def test_what_is_looked_at_seldom_stays_as_it_is_in_between(deployment: Any) -> None:
    counted: list[datetime] = []

    def count(now: datetime) -> Any:
        counted.append(now)
        return [found("jobs_dead", count=len(counted))]

    seldom = (Check(("jobs_dead",), count, every=timedelta(minutes=55)),)
    for minutes in (0, 5, 50, 56, 60):
        look(NOW + timedelta(minutes=minutes), checks=seldom)
    assert counted == [NOW, NOW + timedelta(minutes=56)]
    assert Alert.objects.get(rule="jobs_dead").state == "open"


def test_every_practice_is_judged_by_its_own_patience(willow: Practice) -> None:
    oak = Practice.objects.create(
        slug="oak", name="Oak",
        config={**willow.config, "alerts": {"case_hours": 100, "unpaid_days": 30, "calls_per_month": 10}},
    )  # fmt: skip
    Connection.objects.create(practice=oak, peer="caspio", account="c0abc123.caspio.com")
    CallCount.objects.create(account="caspio:c0abc123.caspio.com", purpose="filing", day=NOW.date(), calls=11)
    for practice in (willow, oak):
        chart = Chart.objects.create(practice=practice, key="P-1")
        ReviewCase.objects.create(practice=practice, chart=chart, opened_at=NOW - 50 * HOUR)
        Order.objects.create(practice=practice, external_id=f"ord_{practice.slug}", payer="patient",
                             phase=Phase.AWAITING_PAYMENT, submitted_at=NOW - 5 * DAY)  # fmt: skip
        for seq, body in (
            (1, {"repaired": 2, "difference": 1}),
            (2, {"repaired": 3, "difference": int(practice == oak)}),
        ):
            entry(practice, seq, NOW, **body)
    assert [one.practice_id for one in work.old_cases(NOW)] == [willow.pk]
    assert [one.practice_id for one in work.unpaid(NOW)] == [willow.pk]
    assert [one.practice_id for one in peers.quota(NOW)] == [oak.pk], (
        "they share an account; one says its plan"
    )
    assert sorted(dict(one.params)["count"] for one in completeness.repairs(NOW)) == [5, 5]
    assert completeness.repairs(NOW + DAY) == []
    (differs,) = completeness.differences(NOW)
    assert (differs.practice_id, dict(differs.params)["count"]) == (oak.pk, 1)


def entry(practice: Practice, seq: int, at: datetime, **body: int) -> None:
    """An entry of the ledger, made at that moment."""
    LedgerEntry.objects.create(
        practice=practice, seq=seq, chain="x", date=at.astimezone(practice.zone).date(), previous="", digest="",
        key="", signature="", body={"at": at.isoformat(timespec="seconds"), **body},
    )  # fmt: skip


def test_a_repair_late_in_the_evening_is_told_when_quiet_hours_end_and_counted_in_the_digest(
    ear: Any,
) -> None:
    willow = applied(
        f'[alerts]\nchannels = ["{ear.url}"]\nquiet_from = "20:00"\nquiet_to = "07:00"\ndigest_at = "08:00"\n'
    )
    evening = datetime(2026, 3, 18, 22, 30, tzinfo=willow.zone)
    entry(willow, 1, evening - 15 * HOUR, repaired=4)
    entry(willow, 2, evening, repaired=3)
    checks = (Check(("sweep_repaired",), completeness.repairs),)
    for hours in (0, 2, 8, 9, 10):  # 22:30, 00:30, 06:30, 07:30, 08:30
        look(evening + hours * HOUR, checks=checks)
    _, (told, sentences), (_, letter) = ear.heard
    assert told == "Labbridge willow: 1 new"
    assert "the last time on 2026-03-18, had to repair what events should have brought: 3." in sentences
    assert "Repaired by comparison: 3" in letter.splitlines()
    look(evening + DAY, checks=checks)
    assert Alert.objects.get(rule="sweep_repaired").state == "resolved"


def test_the_digest_of_a_day(ear: Any) -> None:
    willow = applied(f'[alerts]\nchannels = ["{ear.url}"]\ndigest_at = "08:00"\n')
    Event.objects.create(practice=willow, peer="rupa", external_id="e1", type="x", subject="order:1", body=b"{}",
                         received_at=NOW - HOUR)  # fmt: skip
    look(NOW)
    ((title, letter),) = ear.heard
    assert title == "Labbridge willow: 2026-03-18"
    assert letter.splitlines() == [
        "Events received: 1", "Orders brought to Caspio: 0", "Results that arrived: 0", "Repaired by comparison: 0",
        "Calls to the Caspio account: 0", "Open alerts: 0",
    ]  # fmt: skip


def test_the_report_is_told_with_its_address_alone(ear: Any) -> None:
    applied(f'[alerts]\nchannels = ["{ear.url}"]\n[analytics]\nreport_day = 3\n')
    look(NOW)
    look(NOW + HOUR)
    ((title, text),) = ear.heard
    assert title == "Labbridge willow: report of February 2026"
    assert text.splitlines()[0] == "The report of February 2026 can be drawn:"
    assert text.splitlines()[1].endswith("/analytics/report?practice=willow&month=2026-02")


def test_no_alert_and_no_digest_holds_planted_patients(
    ear: Any, add_patient: Any, rupa_sim: Any, caspio_sim: Any, deliver_all: Any, deployment: Any, run_jobs: Any,
    practice: Practice, practice_toml: str,
) -> None:  # fmt: skip
    """Planted in every text that a check may come near: keys, problems, reasons, names, subjects, addresses."""
    apply(parse(practice_toml + f'[alerts]\nchannels = ["{ear.url}"]\ndigest_at = "00:00"\ncase_hours = 1\n'))
    name = f"{planted.PERSON['first_name']} {planted.PERSON['last_name']}"
    made = rupa_sim.patient(1, **planted.PERSON)
    caspio_sim.add("Patients", planted.ROW)
    order = rupa_sim.order(made["id"])
    rupa_sim.act(order, "notes", notes_to_patient=planted.NOTES)
    rupa_sim.act(order, "result")
    deliver_all()
    run_jobs()
    chart, _ = Chart.objects.get_or_create(practice=practice, key=name, defaults={"person": planted.PERSON})
    patient = Patient.objects.first()
    ReviewCase.objects.create(practice=practice, chart=chart, patient=patient, opened_at=timezone.now() - DAY,
                              why=name, reasons=[{"words": name}])  # fmt: skip
    Order.objects.update(filing_problem=name, pull_problem=name, practitioner_name=name)
    Event.objects.update(state=EventState.QUARANTINED, reason=name, subject=f"order:{name}")
    Connection.objects.filter(peer="rupa").update(
        state=ConnectionState.RECONNECT, account=planted.PERSON["email"], problem=name
    )
    job(f"{name}:order:1", "failed")
    job(f"willow:{name}", "failed")
    PeerClock.objects.update_or_create(
        peer="rupa", defaults={"ahead_seconds": 900, "read_at": timezone.now()}
    )
    plant_in_what_is_told_and_swept(practice, name)
    look(timezone.now() + 5 * DAY)
    look(timezone.now() + 6 * DAY)
    rules = set(Alert.objects.values_list("rule", flat=True))
    assert rules >= {
        "jobs_dead", "events_quarantined", "orders_held", "cases_old", "connection_lost", "protocols_touched",
        "feed_failing", "feed_dead", "agreement_ends", "agreement_over", "ledger_late", "sweep_stopped",
    }  # fmt: skip
    assert len(ear.heard) >= 3
    told = b"\n".join(ear.raw) + repr(list(Alert.objects.values())).encode()
    assert Search([*planted.WORDS, "P-1"]).found_in(told) == set()


def plant_in_what_is_told_and_swept(practice: Practice, name: str) -> None:
    """Protocols, destinations, agreements, and a sweep: each in a state that raises its alert."""
    now = timezone.now()
    Protocol.objects.create(
        practice=practice, external_id="pro_1", name=name, tests=[{"key": "1", "test": "labts_x", "sort": 1}],
        seen_until=now - 2 * DAY,
    )  # fmt: skip
    LabTestChange.objects.create(
        practice=practice, external_id="labts_x", field="price", before=name, after=name, at=now - DAY
    )
    Connection.objects.create(practice=practice, peer="rupa", account=name, problem=name, external_id=name)
    Sweep.objects.create(practice=practice, depth="hourly", state="done", finished_at=now, left=[name],
                         counts={"stopped": 1, "for_a_person": 1})  # fmt: skip
    for days in (20, -20):
        agreement = Agreement.objects.create(
            practice=practice, party=f"{name} {days}", signed_on=now.date() - 400 * DAY,
            expires_on=now.date() + days * DAY, sha256="0" * 64, recorded_by=name,
        )  # fmt: skip
        destination = Destination.objects.create(
            practice=practice, name=f"{name} {days}", host="x.example", url=f"https://x.example/{name}", secret=name,
            data_class="phi", agreement=agreement, kinds=["result.filed"], failures=9, failing_since=now,
            closed_until=now + 9 * DAY, problem=name, created_by=name,
        )  # fmt: skip
        fact = Fact.objects.create(
            practice=practice, kind="result.filed", about=name, words={"x": name}, at=now
        )
        Delivery.objects.create(
            destination=destination, fact=fact, about=name, state="dead", next_at=now, problem=name
        )


# -- practice.toml -------------------------------------------------------------------------------------------


def test_channels_are_kept_sealed_and_never_shown(monkeypatch: Any) -> None:
    monkeypatch.setenv("WILLOW_ALERTS", "mailtos://user:hush@mail.example")
    willow = applied('[alerts]\nchannels = ["env:WILLOW_ALERTS"]\n')
    assert Practice.objects.get().alert_channels == ["mailtos://user:hush@mail.example"]
    assert "hush" not in repr(willow.config)
    again = apply(parse(PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="")))
    assert "tell 0 channels of alerts" in again.changes
    assert Practice.objects.get().alert_channels == []


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ('channels = ["env:NOT_THERE"]', "the environment variable NOT_THERE is not set"),
        ('channels = ["desk@willow.example"]', "number 1 is no address such as mailtos://"),
        ('quiet_from = "20:00"', "quiet_from and quiet_to belong together"),
        ('digest_at = "breakfast"', "digest_at"),
        ('digest_at = "08:00Z"', "times are of the practice's own zone"),
    ],
)
def test_what_cannot_be_used_is_said(part: str, sentence: str) -> None:
    with pytest.raises(ConfigProblem, match=sentence):
        applied(f"[alerts]\n{part}\n")
