"""A practice with a million orders, as it looks after two years: no list of the console is empty.

`python -m bench.filling FOLDER [ORDERS]` makes a data directory that `LABBRIDGE_BENCH_DATA=FOLDER` lets `million` and
`pages` use again. The many rows are made by SQL from one row of each kind that the models make, so new columns need
no change here. People are sealed as in life; of the values, those are that a measured page opens (`unsealed`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import service

TESTS = 5_000
LABS = 35
PATIENTS = 50_000
FILES = 2_000
REPEATED = 50  #: tests with an interval after which they are due again
DAYS = 730
AT_ONCE = 2_000
SMALL = 300  #: orders of a second practice, which must not wait for the first one's million

#: An order's age in days: orders are numbered as they came, and keys grow with time.
AGE = f"({DAYS}.0 * (%(orders)s - n) / %(orders)s)"
#: A number from 0 to 999 that has nothing to do with the age.
LOT = "((n::bigint * 7919 + 104729) %% 1000)"
NOT_SEALED = "decode('02' || repeat('5a', 219), 'hex')"  #: as long as a sealed value; opens nowhere


def main() -> None:
    folder, orders = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    env = service.environment(folder)
    service.run(service.labbridge("events", "list", "--json"), env)  # makes the database and its tables
    print(service.run(["-m", "bench.filling", "--here", str(orders)], env), end="")


def _here(orders: int) -> None:
    import os

    os.environ["DJANGO_SETTINGS_MODULE"] = "labbridge.settings"
    import django

    django.setup()
    fill(SMALL, "small")
    fill(orders)


def fill(orders: int, slug: str = "million") -> Any:
    """Make a practice with so many orders of the last two years and all that hangs on them. Returns it."""
    practice = _practice(slug)
    _catalogue(practice)
    patients = _people(practice, min(PATIENTS, max(10, orders // 20)))
    _orders(practice, orders, patients)
    _results(practice)
    _filed(practice)
    _told(practice, orders)
    _kept(practice, orders)
    around(practice)
    analyse()
    return practice


def _practice(slug: str) -> Any:
    from labbridge.practices.config import PracticeConfig
    from labbridge.practices.models import CallCount, Connection, Practice, Practitioner

    config = {
        "practice": {"slug": slug, "name": slug.title(), "time_zone": "America/Los_Angeles"},
        "caspio": {"url": "https://c0abc123.caspio.com", "client_id": "c", "client_secret": "s",
                   "patients": {"first_name": "F", "last_name": "L", "email": "E", "birthday": "B"}},
        "rupa": {"price_unit": "dollars"},
        "analytics": {"repeat_months": {f"labts_{number}": 6 for number in range(REPEATED)}},
    }  # fmt: skip
    config = PracticeConfig.model_validate(config).model_dump(mode="json")  # as `practice apply` keeps it
    practice = Practice.objects.create(
        slug=slug, name=slug.title(), time_zone="America/Los_Angeles", config=config
    )
    rupa = Connection.objects.create(practice=practice, peer="rupa", account=f"{slug}-rupa")
    Connection.objects.create(practice=practice, peer="caspio", account=f"{slug}-caspio")
    for number in range(12):
        Practitioner.objects.create(
            practice=practice,
            connection=rupa,
            external_id=f"{slug}_prac_{number}",
            name=f"Dr Invented {number}",
        )
    today = datetime.now(UTC).date()
    CallCount.objects.bulk_create(
        CallCount(account=f"caspio:{slug}-caspio", purpose=f"purpose {kind}", day=today - timedelta(days=day),
                  calls=100 + day)
        for kind in range(12) for day in range(400)
    )  # fmt: skip
    return practice


def _catalogue(practice: Any) -> None:
    from labbridge.mirror.models import LabCompany, LabTest, LabTestChange

    LabCompany.objects.bulk_create(
        LabCompany(practice=practice, external_id=f"co_{number}", name=f"Invented Lab {number}")
        for number in range(LABS)
    )
    many(
        LabTest(practice=practice, external_id="t", category="Invented", price=1, turnaround_days=14),
        f"generate_series(0, {TESTS - 1}) n",
        {
            "external_id": "'labts_' || n",
            "name": "'Invented Test ' || n",
            "lab_company_id_external": f"'co_' || n %% {LABS}",
            "lab_company_name": f"'Invented Lab ' || n %% {LABS}",
            "turnaround_days": "3 + n %% 19",
            "shipping_days_max": "n %% 4",
            "price": "50 + n %% 400",
            "retired": "n %% 10 = 7",
            "available": "n %% 20 <> 3",
        },
    )
    LabCompany.objects.create(practice=practice, external_id="co_none", name="Invented Lab without Orders")
    LabTest.objects.create(
        practice=practice, external_id="labts_none", name="Nobody's", lab_company_id_external="co_none"
    )
    many(
        LabTestChange(practice=practice, external_id="t", field="price", before="100", after="110",
                      at=practice.created_at),
        f"generate_series(1, {TESTS}) n",
        {"external_id": f"'labts_' || n %% {TESTS}", "at": "now() - n * interval '20 minutes'"},
    )  # fmt: skip


def _people(practice: Any, count: int) -> list[Any]:
    """Charts and patients at Rupa, linked but one in twenty. Returns the patients' keys."""
    from labbridge.mirror.models import Chart, Patient, PatientLink, ReviewCase
    from labbridge.mirror.names import index
    from labbridge.mirror.person import Person
    from labbridge.trust.envelope import KEY_LENGTH, data_keys, wrap
    from labbridge.trust.models import DataKey

    ids = []
    for start in range(0, count, AT_ONCE):
        charts, patients = [], []
        for n in range(start, min(count, start + AT_ONCE)):
            person: Person = {
                "first_name": f"Testa{_word(n)}", "last_name": f"Sample{_word(n // 7)}",
                "email": f"testa{n}@{practice.slug}.example", "birthday": f"19{n % 90 + 10}-0{n % 9 + 1}-1{n % 9}",
            }  # fmt: skip
            charts.append(Chart(practice=practice, key=f"P-{n}", pk_id=n, person=person))
            patients.append(Patient(practice=practice, external_id=f"pat_{n}", person=person))
            for row in (charts[-1], patients[-1]):
                index(row, person)
        owners = [one.pk for one in (*charts, *patients)]
        DataKey.objects.bulk_create(DataKey(pk=one, wrapped=wrap(one, bytes(KEY_LENGTH))) for one in owners)
        data_keys.forget()
        data_keys.prepare(owners)
        Chart.objects.bulk_create(charts)
        Patient.objects.bulk_create(patients)
        pairs = list(zip(charts, patients, strict=True))
        PatientLink.objects.bulk_create(
            PatientLink(practice=practice, chart=chart, patient=patient)
            for number, (chart, patient) in enumerate(pairs)
            if number % 20
        )
        rule = [{"field": "rule", "words": "The birthdays differ.", "weight": 0}]
        ReviewCase.objects.bulk_create(
            ReviewCase(practice=practice, chart=chart, patient=patient, reasons=rule, actions=["link"],
                       ways_out=[{"action": "link", "words": "Link them"}])
            for number, (chart, patient) in enumerate(pairs) if not number % 20
        )  # fmt: skip
        ids += [one.pk for one in patients]
    many(
        ReviewCase(practice=practice, reasons=rule, state="decided", decision="link", decided_by="ada"),
        "mirror_patientlink parent",
        {"patient_id": "parent.patient_id", "chart_id": "parent.chart_id",
         "decided_at": "now() - random() * interval '700 days'", "seen": NOT_SEALED},
        where="parent.practice_id = %(practice)s",
        practice=practice.pk,
    )  # fmt: skip
    return ids


def _word(number: int) -> str:
    """Letters for a number, so that names are words."""
    letters = ""
    while True:
        letters += "abcdefghij"[number % 10]
        number //= 10
        if not number:
            return letters


def _orders(practice: Any, orders: int, patients: list[Any]) -> None:
    from labbridge.mirror.models import Order, OrderedTest

    many(
        Order(practice=practice, external_id="t", revision=1, filed_revision=1),
        "generate_series(1, %(orders)s) n",
        {
            "id": f"uuidv7(- {AGE} * interval '1 day')",
            "external_id": "'ord_' || n",
            "patient_id": f"(%(patients)s::uuid[])[(1 + (n::bigint * 7919) %% {len(patients)})::int]",
            "practitioner_id_external": f"'{practice.slug}_prac_' || n %% 12",
            "practitioner_name": "'Dr Invented ' || n %% 12",
            "source": "(ARRAY['caspio','rupa','ehr:Healthie'])[1 + n %% 3]",
            "submitted_at": f"now() - {AGE} * interval '1 day'",
            "first_seen_at": f"now() - {AGE} * interval '1 day'",
            "as_of": f"now() - {AGE} * interval '1 day'",
            "total_price": "100 + n %% 400",
            "payer": "(ARRAY['patient','patient','practitioner','patient'])[1 + n %% 4]",
            "assigned_to": "CASE WHEN n %% 50 = 0 THEN 'ada@million.example' ELSE '' END",
            # One in ten is never paid for and one in a hundred never comes back, as of old.
            "phase": f"CASE WHEN {LOT} < 3 AND {AGE} < 30 THEN 'draft' WHEN {LOT} < 100 THEN 'awaiting_payment' "
                     f"WHEN {LOT} < 127 THEN 'canceled' "
                     f"WHEN {LOT} < 137 OR ({LOT} < 700 AND {AGE} < 21) THEN 'in_progress' "
                     f"WHEN {LOT} < 142 OR ({LOT} < 800 AND {AGE} < 21) THEN 'partial_results' ELSE 'complete' END",
            "paid_at": f"CASE WHEN {LOT} >= 100 AND n %% 4 <> 2 THEN now() - ({AGE} - 0.3) * interval '1 day' END",
            "canceled_at": f"CASE WHEN {LOT} BETWEEN 100 AND 126 THEN now() - ({AGE} - 0.5) * interval '1 day' END",
            "filed_at": f"now() - {AGE} * interval '1 day' + interval '1 minute'",
            "filing_problem": f"CASE WHEN {LOT} = 500 AND n %% 7 = 0 THEN 'Caspio refused a row of this order.' "
                              "ELSE '' END",
        },
        orders=orders, patients=patients,
    )  # fmt: skip
    ids = _column("SELECT id FROM mirror_order WHERE practice_id = %s ORDER BY id", [practice.pk])
    # The trigger would write every order a second time, with all its indexes: most of the time that filling took.
    _run("ALTER TABLE mirror_orderedtest DISABLE TRIGGER expected_new")
    many(
        OrderedTest(practice=practice, order_id=practice.pk, external_id="t"),
        "mirror_order parent CROSS JOIN generate_series(1, 2) k CROSS JOIN LATERAL "
        "(SELECT abs(hashtext(parent.external_id || k)) AS lot) l",
        {
            "order_id": "parent.id",
            "external_id": "replace(parent.external_id, 'ord_', 'ordts_') || '_' || k",
            # A few tests are ordered often, and most of the catalogue seldom.
            "lab_test_id_external": f"'labts_' || floor({TESTS} * power(l.lot %% 10000 / 10000.0, 4))::int",
            "results_received_at": "CASE WHEN parent.phase = 'complete' OR (parent.phase = 'partial_results' "
                                   "AND k = 1) THEN least(now(), parent.submitted_at + "
                                   "(2 + l.lot %% 20) * interval '1 day') END",
            "problem": "CASE WHEN parent.phase = 'complete' AND l.lot %% 5000 = 1 "
                       "THEN 'Rupa gave no file for this result.' ELSE '' END",
        },
        where="parent.practice_id = %(practice)s AND (k = 1 OR hashtext(parent.external_id) %% 2 = 0)",
        practice=practice.pk,
    )  # fmt: skip
    _run("ALTER TABLE mirror_orderedtest ENABLE TRIGGER expected_new")
    _run("ANALYZE mirror_orderedtest")
    _run(
        "UPDATE mirror_order SET expected_at = labbridge_expected_at(id, coalesce(paid_at, submitted_at)) "
        "WHERE practice_id = %s AND phase IN ('awaiting_payment', 'in_progress', 'partial_results')",
        practice.pk,
    )
    assert len(ids) == orders


def _results(practice: Any) -> None:
    """With a report and, one in two, four values; of the last 45 days, and a few older ones, nobody has reviewed."""
    from labbridge.mirror.models import Result, ResultValue, StoredFile

    many(
        StoredFile(practice=practice, sha256="", kind="pdf", size=4096),
        f"generate_series(1, {FILES}) n",
        {"sha256": "md5(n::text) || md5(n::text || 'x')", "content": "decode(repeat('5a', 4096), 'hex')"},
    )
    files = _column("SELECT id FROM mirror_storedfile WHERE practice_id = %s", [practice.pk])
    file = f"(%(files)s::uuid[])[1 + abs(hashtext(parent.external_id)) %% {len(files)}]"
    many(
        Result(practice=practice, ordered_test_id=practice.pk, version=1, as_of=practice.created_at),
        "mirror_orderedtest parent CROSS JOIN LATERAL (SELECT abs(hashtext(parent.external_id || 'r')) AS lot) l",
        {
            "ordered_test_id": "parent.id",
            "received_at": "parent.results_received_at",
            "as_of": "parent.results_received_at",
            "found_at": "parent.results_received_at",
            "pdf_id": file,
            "hl7_id": f"CASE WHEN l.lot %% 2 = 0 THEN {file} END",
            "urgency": "CASE WHEN l.lot %% 100 < 3 THEN 3 WHEN l.lot %% 100 < 25 THEN 2 "
                       "WHEN l.lot %% 2 = 0 THEN 0 ELSE 1 END",
            "reviewed_at": "CASE WHEN parent.results_received_at < now() - interval '45 days' AND l.lot %% 60 <> 7 "
                           "THEN parent.results_received_at + interval '1 day' END",
            "reviewed_by": "CASE WHEN parent.results_received_at < now() - interval '45 days' THEN 'Ada' ELSE '' END",
            "assigned_to": "CASE WHEN l.lot %% 300 = 5 THEN 'ada@million.example' ELSE '' END",
        },
        where="parent.practice_id = %(practice)s AND parent.results_received_at IS NOT NULL",
        practice=practice.pk, files=files,
    )  # fmt: skip
    many(
        ResultValue(result_id=practice.pk, number=1, analyte="Invented analyte"),
        "mirror_result parent JOIN mirror_orderedtest t ON t.id = parent.ordered_test_id "
        "CROSS JOIN generate_series(1, 4) k",
        {"result_id": "parent.id", "number": "k", "reading": NOT_SEALED},
        where="t.practice_id = %(practice)s AND parent.hl7_id IS NOT NULL",
        practice=practice.pk,
    )


def _filed(practice: Any) -> None:
    from labbridge.filing.models import FiledRow
    from labbridge.reconcile.models import Listed, Sweep

    many(
        FiledRow(practice=practice, table="lab_orders", key="t", state="confirmed"),
        "mirror_order parent",
        {"key": "parent.external_id", "group": "'order:' || parent.id"},
        where="parent.practice_id = %(practice)s",
        practice=practice.pk,
    )
    many(
        Listed(practice=practice, external_id="t", listed_at=practice.created_at),
        "mirror_order parent",
        {"external_id": "parent.external_id"},
        where="parent.practice_id = %(practice)s",
        practice=practice.pk,
    )
    many(
        Sweep(practice=practice, state="done", depth="daily"),
        "generate_series(1, 17000) n",  # one an hour
        {"started_at": "now() - n * interval '1 hour'", "finished_at": "now() - n * interval '59 minutes'"},
    )


def _told(practice: Any, orders: int) -> None:
    """Events: one for each order that was handled, and some thousands that came to nothing in a dozen ways."""
    from labbridge.inbox.models import Event

    event = Event(peer="rupa", external_id="t", type="order.updated", practice=practice)
    body = "decode(repeat('5a', 600), 'hex')"
    many(
        event,
        "generate_series(1, %(orders)s) n",
        {
            "id": f"uuidv7(- {AGE} * interval '1 day')",
            "external_id": f"'{practice.slug}_evt_' || n",
            "subject": "'order:ord_' || n",
            "body": body,
            "received_at": f"now() - {AGE} * interval '1 day'",
            "state": "'handled'",
        },
        orders=orders,
    )
    many(
        event,
        "generate_series(1, %(failed)s) n",
        {
            "id": "uuidv7(- n * interval '5 minutes')",
            "external_id": f"'{practice.slug}_evt_f' || n",
            "subject": "'order:ord_' || n",
            "body": body,
            "received_at": "now() - n * interval '5 minutes'",
            "state": "(ARRAY['waiting','waiting','quarantined','dead','received'])[1 + n %% 5]",
            "reason": "CASE WHEN n %% 5 = 4 THEN '' ELSE 'Reason number ' || n %% 12 || ' of the invented ones.' END",
        },
        failed=min(5_000, orders),
    )
    many(
        Event(peer="caspio", external_id="t", type="table.updated", subject="row", practice=practice),
        "generate_series(1, 1000) n",
        {"external_id": f"'{practice.slug}_row_' || n", "body": body, "state": "'handled'",
         "received_at": "now() - n * interval '1 hour'"},
    )  # fmt: skip


def _kept(practice: Any, orders: int) -> None:
    """The audit: one entry for each order, chained as far as the database can tell. And jobs that were given up."""
    from django.db import connection

    from labbridge.trust.models import AuditEntry, AuditHead

    whose = f"(n::bigint * 7919) %% {PATIENTS}"
    many(
        AuditEntry(action="order.read", actor_kind="person", actor_id="1", actor_name="ada@million.example",
                   practice=practice.slug, outcome="done", why="care"),
        "generate_series(1, %(orders)s) n",
        {
            "at": f"now() - {AGE} * interval '1 day'",
            "action": "(ARRAY['order.read','order.file','result.list','patient.read'])[1 + n %% 4]",
            "actor_kind": "CASE WHEN n %% 4 = 1 THEN 'job' ELSE 'person' END",
            "patients": f"ARRAY[md5('a' || {whose}), md5('b' || {whose})]",
            "subject": "'order:' || n",
            "seq": "n",
            "digest": "md5(n::text) || md5(n::text)",
        },
        orders=orders,
    )  # fmt: skip
    AuditHead.objects.create(practice=practice.slug, seq=orders, line="{}")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, attempts) "
            "SELECT 'default', 'file_order', %(slug)s || ':' || n, jsonb_build_object('order_id', o.id), 'failed', 5 "
            "FROM (SELECT id, row_number() OVER () AS n FROM mirror_order "
            "WHERE practice_id = %(practice)s LIMIT 200) o",
            {"slug": practice.slug, "practice": practice.pk},
        )
        cursor.execute(
            "INSERT INTO engine_failure (job_id, reason, surprises, at) SELECT id, 'Caspio refused a row.', 0, now() "
            "FROM procrastinate_jobs WHERE status = 'failed' ON CONFLICT DO NOTHING"
        )


def around(practice: Any) -> None:
    """What lies beside the orders: settings with their history, people, keys, feeds, protocols, alerts, billing."""
    from django.contrib.auth.models import User

    from labbridge.accounts.models import Membership
    from labbridge.alerts.models import Alert
    from labbridge.billing.models import Evidence
    from labbridge.console.models import SavedView
    from labbridge.handover.models import ApiKey
    from labbridge.mirror.models import Order, Protocol
    from labbridge.outbox.models import Agreement, Delivery, Destination, Fact
    from labbridge.practices.models import ConfigVersion
    from labbridge.trust.models import LegalHold

    now = datetime.now(UTC)
    users = User.objects.bulk_create(User(username=f"p{n}@{practice.slug}.example") for n in range(150))
    Membership.objects.bulk_create(
        Membership(user=user, practice=practice, role=("practitioner", "front desk")[number % 2])
        for number, user in enumerate(users)
    )
    SavedView.objects.bulk_create(
        SavedView(user=users[0], name=f"View {n}", query="phase=draft") for n in range(20)
    )
    text = "\n".join(f'field_{line} = "Field_{line}"' for line in range(80))
    ConfigVersion.objects.bulk_create(
        ConfigVersion(practice=practice, number=number, actor_kind="person", actor_name="ada@million.example",
                      why="Invented.", before=text, after=text + f"\nlast = {number}", sentences=["Last: another."],
                      made_at=now - timedelta(days=number))
        for number in range(1, 501)
    )  # fmt: skip
    agreements = Agreement.objects.bulk_create(
        Agreement(practice=practice, party=f"Invented Company {n}", signed_on=now.date() - timedelta(days=n),
                  expires_on=now.date() + timedelta(days=300), sha256="5a" * 32, recorded_by="ada")
        for n in range(30)
    )  # fmt: skip
    ApiKey.objects.bulk_create(
        ApiKey(practice=practice, name=f"Program {n}", digest=f"{practice.slug}{n}".encode().ljust(32, b"."),
               hint="lb_5a", scopes=["orders:read"], expires_at=now + timedelta(days=n - 20), created_by="ada",
               agreement=agreements[0] if n % 2 else None)
        for n in range(100)
    )  # fmt: skip
    LegalHold.objects.bulk_create(
        LegalHold(practice=practice.slug, patients=["5a" * 16], why="Invented.", set_by="ada")
        for _ in range(50)
    )
    Protocol.objects.bulk_create(
        Protocol(practice=practice, external_id=f"proto_{n}", name=f"Invented Protocol {n}", read_at=now,
                 tests=[{"key": f"{n}-{k}", "test": f"labts_{n * 31 + k * 7}", "sort": k} for k in range(8)],
                 seen_until=now - timedelta(days=20))
        for n in range(40)
    )  # fmt: skip
    many(
        Alert(practice=practice, rule="orders_unpaid", params={"count": 3}, state="resolved", first_seen=now,
              last_seen=now, resolved_at=now),
        "generate_series(1, 3000) n",
        {"first_seen": "now() - n * interval '5 hours'", "last_seen": "now() - n * interval '4 hours'",
         "resolved_at": "now() - n * interval '4 hours'", "subject": "'order ' || n"},
    )  # fmt: skip
    many(
        Fact(
            practice=practice, kind="order.phase_changed", about="order", words={"phase": "complete"}, at=now
        ),
        "generate_series(1, 20000) n",
        {"about": "'order:' || n", "at": "now() - n * interval '10 minutes'"},
    )
    for number in range(12):
        one = Destination.objects.create(
            practice=practice, name=f"Receiver {number}", host="receiver.example", url="https://receiver.example/",
            data_class="phi" if number % 2 else "de-identified", agreement=agreements[number], secret="invented",
            kinds=["order.phase_changed"],
        )  # fmt: skip
        many(
            Delivery(destination=one, fact_id=0, about="order", next_at=now),
            "outbox_fact parent",
            {"fact_id": "parent.id", "about": "parent.about",
             "state": "CASE WHEN parent.id %% 40 = 0 THEN 'dead' WHEN parent.id %% 50 = 0 THEN 'pending' "
                      "ELSE 'delivered' END"},
            where="parent.practice_id = %(practice)s", practice=practice.pk,
        )  # fmt: skip
    canceled = Order.objects.filter(practice=practice, phase="canceled")
    canceled.update(hsa_fsa_status="confirmed")
    owed = Order.objects.filter(practice=practice, phase="awaiting_payment").order_by("submitted_at")[:5000]
    Evidence.objects.bulk_create(
        (Evidence(practice=practice, order=order, track="reminder", word="reminded", source="staff",
                  happened_on=now.date(), recorded_by="ada") for order in owed), batch_size=1000,
    )  # fmt: skip


def unsealed(results: Iterable[Any]) -> None:
    """Give these results values that open, a dozen each and three of them out of range, as a page reads them."""
    from labbridge.mirror.models import ResultValue
    from labbridge.trust.envelope import data_keys

    found = [one for one in results if one.hl7_id]
    data_keys.prepare([one.sealed_for for one in found])
    ResultValue.objects.filter(result__in=found).delete()
    ResultValue.objects.bulk_create(
        ResultValue(
            result=one, number=number, analyte=f"Invented analyte {number}", loinc=f"{number}-1",
            reading={"text": str(4 + number), "number": str(4 + number), "units": "mg/dL",
                     "reference_range": "3.5-9.0", "flag": "H" if number % 4 == 0 else "N"},
        )
        for one in found for number in range(1, 13)
    )  # fmt: skip


def many(template: Any, source: str, changed: dict[str, str], where: str = "true", **values: Any) -> None:
    """Insert a row like `template` for each row of `source`, with other values in the columns that are `changed`."""
    from django.db import connection, models

    columns, expressions, bound = [], [], dict(values)
    for one in template._meta.concrete_fields:
        if isinstance(one, models.AutoField):
            continue
        columns.append(f'"{one.column}"')
        if one.column in changed:
            expressions.append(changed[one.column])
        elif one.primary_key:
            expressions.append("gen_random_uuid()")
        else:
            bound[f"v_{one.column}"] = one.get_db_prep_save(one.pre_save(template, add=True), connection)
            expressions.append(
                f"%(v_{one.column})s::{one.rel_db_type(connection) if one.is_relation else one.db_type(connection)}"
            )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {template._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(expressions)} "
            f"FROM {source} WHERE {where}",
            bound,
        )


def _column(sql: str, values: Sequence[Any]) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [row[0] for row in cursor.fetchall()]


def analyse() -> None:
    _run("VACUUM ANALYZE")


def _run(sql: str, *values: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)


if __name__ == "__main__":
    if sys.argv[1] == "--here":
        _here(int(sys.argv[2]))
    else:
        main()
