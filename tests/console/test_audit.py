"""The audit in the console: filters in the address, no patient, files for those who may, and whether it is whole."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.mirror.models import Chart, Patient
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, pseudonym, record
from labbridge.trust.models import AuditEntry
from labbridge.trust.sealing import seal
from tests.console.things import make_order, make_patient, make_practice, make_result, value
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)
ADA, BO = Actor("person", "1", "ada@willow.example", "203.0.113.7"), Actor("person", "2", "bo@willow.example")


@pytest.fixture
def willow(db: None) -> Practice:
    return Practice.objects.create(slug="willow", name="Willow", time_zone="America/Los_Angeles")


@pytest.fixture
def chart(willow: Practice) -> Chart:
    return Chart.objects.create(practice=willow, key="P-1", person={"first_name": "Plantina"})


@pytest.fixture
def auditor(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow, Role.AUDITOR))
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return (b"".join(answer) if answer.streaming else answer.content).decode()


def rows(shown: str) -> int:
    return shown.count('<tr><th scope="row">')


def test_who_did_what_on_which_pseudonym(auditor: Client, willow: Practice, chart: Chart) -> None:
    record("patient.read", actor=ADA, practice=willow, patient=chart, why="ordering")
    shown = text(auditor.get("/audit"))
    assert "Opened a patient" in shown
    assert "203.0.113.7" in shown
    assert pseudonym(chart) in shown
    assert "P-1" not in shown
    assert "Plantina" not in shown


def test_filters_stand_in_the_address(auditor: Client, willow: Practice, chart: Chart) -> None:
    record("patient.read", actor=ADA, practice=willow, patient=chart)
    record("case.decide", actor=BO, practice=willow, outcome="failed")
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
    for query, found in (
        ("actor=ADA@willow.example", 1), ("action=case.decide", 1), ("outcome=failed", 1), (f"from={today}", 0),
        (f"to={today}", 2), (f"patient={pseudonym(chart)}", 1), ("action=case.decide&actor=ada@willow.example", 0),
    ):  # fmt: skip
        assert rows(text(auditor.get(f"/audit?practice=willow&{query}"))) == found, query


def test_a_name_in_the_address_finds_nothing_more_and_says_so(auditor: Client, willow: Practice) -> None:
    shown = text(auditor.get("/audit?patient=Plantina"))
    assert "names and keys do not belong in an address" in shown
    assert "Plantina" not in shown


def test_another_practices_entries_and_the_services_own(auditor: Client, willow: Practice) -> None:
    Practice.objects.create(slug="birch", name="Birch")
    record("practice.apply", actor=ADA, practice="birch")
    record("session.open", actor=ADA)
    assert rows(text(auditor.get("/audit"))) == 0
    assert auditor.get("/audit?practice=birch").status_code == 404
    assert auditor.get("/audit/export?practice=birch").status_code == 404


def test_files_hold_what_the_filters_find_and_are_recorded(
    auditor: Client, willow: Practice, chart: Chart
) -> None:
    record("patient.read", actor=Actor("person", "3", "=HYPERLINK()"), practice=willow, patient=chart)
    record("case.decide", actor=BO, practice=willow)
    answer = auditor.get("/audit/export?action=patient.read&format=csv")
    (one,) = csv.DictReader(io.StringIO(text(answer)))
    assert one["actor"] == "'=HYPERLINK()"
    assert "attachment" in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]
    (event,) = text(auditor.get("/audit/export?action=case.decide&format=fhir")).splitlines()
    assert json.loads(event)["resourceType"] == "AuditEvent"
    exports = AuditEntry.objects.filter(action="audit.export")
    assert [entry.detail["format"] for entry in exports] == ["csv", "fhir"]


def test_the_breach_report_is_a_pdf_and_needs_its_first_day(
    auditor: Client, willow: Practice, chart: Chart
) -> None:
    record("patient.read", actor=ADA, practice=willow, patient=chart)
    assert "Say the first day" in text(auditor.get("/audit/breach-report", follow=True))
    answer = auditor.get("/audit/breach-report?from=2026-01-01")
    assert answer.content.startswith(b"%PDF")
    assert AuditEntry.objects.get(action="audit.report").detail == {"kind": "breach"}


@pytest.mark.parametrize("address", ["/audit/export", "/audit/breach-report?from=2026-01-01"])
def test_files_ask_for_a_fresh_proof(auditor: Client, address: str) -> None:
    session = auditor.session
    session["account_authentication_methods"] = [
        {**one, "at": time.time() - 301} for one in session["account_authentication_methods"]
    ]
    session.save()
    assert auditor.get(address)["Location"].startswith("/accounts/confirm?")
    assert not AuditEntry.objects.filter(action__in=("audit.export", "audit.report")).exists()


def test_an_administrator_sees_and_takes_nothing_away(client: Client, willow: Practice) -> None:
    sign_in(client, member(willow, Role.ADMINISTRATOR))
    assert "Breach report" not in text(client.get("/audit"))
    assert client.get("/audit/export").status_code == 403


def test_several_practices_without_the_rest_choose_one_for_the_report(
    client: Client, willow: Practice
) -> None:
    birch = Practice.objects.create(slug="birch", name="Birch")
    Practice.objects.create(slug="cedar", name="Cedar")
    user = member(willow)
    Membership.objects.create(user=user, practice=birch, role=Role.OWNER)
    sign_in(client, user)
    address = "/audit/breach-report?from=2026-01-01"
    assert "Choose one practice" in text(client.get(address, follow=True))
    assert client.get(f"{address}&practice=birch").content.startswith(b"%PDF")


def test_whether_the_record_is_whole(
    auditor: Client, willow: Practice, settings: Any, tmp_path: Path
) -> None:
    settings.ANCHOR_PATH = tmp_path / "anchors.jsonl"
    record("practice.apply", actor=ADA, practice=willow)
    seal()
    assert "The record is whole" in text(auditor.get("/audit?verify"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trust_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE trust_auditentry SET actor_name = 'nobody'")
        cursor.execute("ALTER TABLE trust_auditentry ENABLE TRIGGER USER")
    assert "tell the compliance officer" in text(auditor.get("/audit?verify"))


def test_pages_and_a_constant_number_of_queries(auditor: Client, willow: Practice) -> None:
    record("practice.apply", actor=ADA, practice=willow)
    auditor.get("/audit")
    with CaptureQueriesContext(connection) as few:
        auditor.get("/audit")
    for _ in range(60):
        record("practice.apply", actor=ADA, practice=willow)
    with CaptureQueriesContext(connection) as many:
        shown = text(auditor.get("/audit"))
    assert len(many) == len(few)
    assert rows(shown) == 50
    (older,) = re.findall(r'rel="next" href="([^"]+)"', shown)
    assert rows(text(auditor.get("/audit" + older.replace("&amp;", "&")))) == 11


# -- looks across several practices --------------------------------------------------------------------------------


@pytest.fixture
def places(client: Client) -> list[Practice]:
    """Three practices of one owner, who is signed in: with two patients, with one, with none."""
    places = [make_practice(slug) for slug in ("willow", "birch", "cedar")]
    user = member(places[0])
    for other in places[1:]:
        Membership.objects.create(user=user, practice=other, role=Role.OWNER)
    sign_in(client, user)
    for place, number in ((places[0], 1), (places[0], 2), (places[1], 3)):
        order = make_order(place, number, make_patient(place, number), phase="complete")
        make_result(order, value(flag="H"))
    return places


@pytest.mark.parametrize(
    ("action", "address", "words", "counts"),
    [
        ("result.list", "/results", "", {"willow": 2, "birch": 1}),
        ("money.list", "/billing?show=all", "", {"willow": 2, "birch": 1}),
        ("patient.search", "/pipeline/search", "sampleperson", {"willow": 2, "birch": 1, "cedar": 0}),
        ("data.export", "/pipeline/orders.csv", "", {"willow": 2, "birch": 1, "cedar": 0}),
    ],
)  # fmt: skip
def test_a_look_across_several_practices_is_in_the_audit_of_each(
    client: Client, places: list[Practice], action: str, address: str, words: str, counts: dict[str, int]
) -> None:
    text(client.post(address, {"words": words}) if words else client.get(address))
    entries = AuditEntry.objects.filter(action=action)
    assert {one.practice: one.count for one in entries} == counts
    assert len(entries) == len(counts)
    if action in {"result.list", "patient.search"}:
        for entry in entries:
            sides = [*Chart.objects.filter(practice__slug=entry.practice),
                     *Patient.objects.filter(practice__slug=entry.practice)]  # fmt: skip
            assert sorted(entry.patients) == sorted(map(pseudonym, sides))
    birch = Client()
    sign_in(birch, member(places[1], Role.AUDITOR))
    assert rows(text(birch.get(f"/audit?action={action}"))) == 1
