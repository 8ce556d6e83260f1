"""`labbridge audit …`: verified, exported as FHIR and as a chain, reported, and itself recorded. No patient data."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest
from typer.testing import CliRunner

from labbridge.cli import app
from labbridge.mirror.models import Chart, Patient, PatientLink
from labbridge.mirror.pseudonyms import sides_of
from labbridge.practices.models import Practice
from labbridge.trust import audit, verifier
from labbridge.trust.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)

PLANTED = {"first_name": "Testa", "last_name": "Sampleperson", "email": "testa@patients.example"}
TODAY = date.today().isoformat()  # noqa: DTZ011  # a day before and after is asked for as well


@pytest.fixture(autouse=True)
def _anchor(settings: Any, tmp_path: Path) -> None:
    settings.ANCHOR_PATH = tmp_path / "anchors.jsonl"


@pytest.fixture
def chart() -> Chart:
    practice = Practice.objects.create(slug="willow", name="Willow")
    chart = Chart.objects.create(practice=practice, key="P-1", person=PLANTED, rupa_patient_id="pat_1")
    patient = Patient.objects.create(practice=practice, external_id="pat_1", person=PLANTED)
    PatientLink.objects.create(practice=practice, chart=chart, patient=patient)
    eve = audit.Actor("person", "9", "eve@willow.example", "192.0.2.66")
    audit.record("case.read", actor=eve, practice=practice, patient=sides_of(chart), subject="case:1")
    audit.record(
        "order.file",
        actor=audit.job("file_order"),
        practice=practice,
        patient=sides_of(chart),
        why="treatment",
    )
    audit.record("session.open", actor=eve)
    return chart


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["audit", *map(str, arguments)])
    assert done.exit_code == code, done.output
    for value in PLANTED.values():
        assert value not in done.output
    return done.stdout


def actions() -> list[str]:
    return list(AuditEntry.objects.values_list("action", flat=True))


def test_verify_says_whole_and_is_recorded(chart: Chart):
    shown = json.loads(run("verify", "--json"))
    assert (shown["whole"], shown["problems"], shown["late"]) == (True, [], 0)
    assert shown["rows"] == {"audit:": 1, "audit:willow": 2}
    assert "whole" in run("verify", "--practice", "willow")
    assert actions().count("audit.verify") == 2
    run("verify", "--anchor", "/nowhere/anchors", code=2)


def test_verify_names_what_is_wrong_and_ends_with_one(chart: Chart, tmp_path: Path):
    run("verify")
    anchored = (tmp_path / "anchors.jsonl").read_text()
    (tmp_path / "anchors.jsonl").write_text(anchored.replace('"seq":2', '"seq":3'))
    assert "NOT WHOLE" in run("verify", code=1)


def test_the_chain_is_exported_with_a_verifier_that_finds_it_whole(chart: Chart, tmp_path: Path):
    out, program = tmp_path / "chain.jsonl", tmp_path / "verify.py"
    run("export", "--format", "chain", "--out", out, "--with-verifier", program)
    assert out.stat().st_mode & 0o077 == 0
    lines = out.read_bytes().splitlines(keepends=True)
    report = verifier.check(lines, lines, [], json.loads(run("key", "--json")))
    assert report.problems == []
    assert report.rows["audit:willow"] == 2
    compile(program.read_text(), "verify.py", "exec")
    run("export", "--format", "chain", "--from", TODAY, code=2)
    run("export", "--format", "xml", code=2)


#: Elements that FHIR R4 requires of an AuditEvent and its parts (hl7.org/fhir/R4/auditevent.html).
REQUIRED = {"resourceType", "type", "recorded", "agent", "source"}


def test_fhir_audit_events_have_what_r4_requires_and_pseudonyms_only(chart: Chart):
    events = [json.loads(line) for line in run("export").splitlines()]
    assert [event["subtype"][0]["code"] for event in events[:3]] == [
        "case.read",
        "order.file",
        "session.open",
    ]
    for event in events:
        assert event.keys() >= REQUIRED
        assert event["resourceType"] == "AuditEvent"
        assert event["action"] in set("CRUDE")
        assert event["outcome"] in {"0", "4", "8", "12"}
        assert event["recorded"].endswith("+00:00")
        assert isinstance(event["agent"][0]["requestor"], bool)
        assert event["source"]["observer"] == {"display": "Labbridge"}
        assert not any(value in ("", [], {}, None) for value in event.values())
    seen, filed, _ = events[:3]
    assert seen["agent"][0]["who"]["display"] == "eve@willow.example"
    assert seen["agent"][0]["network"] == {"address": "192.0.2.66", "type": "2"}
    assert filed["purposeOfEvent"] == [{"text": "treatment"}]
    named = [one["what"]["identifier"]["value"] for one in seen["entity"] if "role" in one]
    assert sorted(named) == sorted(map(audit.pseudonym, sides_of(chart)))


def test_a_bundle_holds_the_same_resources(chart: Chart):
    bundle = json.loads(run("export", "--format", "bundle", "--practice", "willow"))
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    assert [one["resource"]["source"]["site"] for one in bundle["entry"][:2]] == ["willow", "willow"]


def test_a_breach_report_shows_who_reached_patients(chart: Chart, tmp_path: Path):
    pdf, table = tmp_path / "breach.pdf", tmp_path / "breach.csv"
    run("breach-report", "--from", TODAY, "--actor", "eve@willow.example", "--pdf", pdf, "--csv", table)
    (row,) = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")))
    assert (row["actor"], row["source"], row["action"]) == ("eve@willow.example", "192.0.2.66", "case.read")
    text = "".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
    assert "eve@willow.example" in text
    assert "opened both sides of a review case" in text.replace("\n", " ")
    for value in PLANTED.values():
        assert value not in text
        assert value not in table.read_text(encoding="utf-8")
    assert actions()[-1] == "audit.report"


def test_a_breach_report_by_patient_and_period(chart: Chart):
    for key in ("P-1", "pat_1", audit.pseudonym(chart)):
        found = json.loads(run("breach-report", "--from", TODAY, "--patient", key, "--json"))
        assert {row["action"] for row in found["rows"]} >= {"case.read", "order.file"}
    tomorrow = (date.today() + timedelta(days=2)).isoformat()  # noqa: DTZ011  # any later day
    assert json.loads(run("breach-report", "--from", tomorrow, "--json"))["entries"] == 0
    run("breach-report", code=2)
    run("breach-report", "--from", "yesterday", code=2)
    run("breach-report", "--from", TODAY, "--patient", "P-404", code=2)
    run("breach-report", "--from", tomorrow, "--to", TODAY, code=2)


def test_a_file_that_cannot_be_written_is_named(chart: Chart, tmp_path: Path) -> None:
    nowhere = tmp_path / "absent" / "out"
    for arguments in (("export", "--out", nowhere), ("breach-report", "--from", TODAY, "--pdf", nowhere)):
        done = CliRunner().invoke(app, ["audit", *map(str, arguments)])
        assert (done.exit_code, "nobody foresaw" in done.output) == (2, False)
        assert f"{nowhere} cannot be used: No such file or directory." in done.stderr


def test_disclosures_are_what_left_the_practices_own_people(chart: Chart):
    (one,) = json.loads(run("disclosures", "--patient", "P-1", "--json"))
    assert (one["disclosed_to"], one["why"], one["action"]) == ("Caspio", "treatment", "order.file")
    assert "Caspio" in run("disclosures", "--patient", "pat_1")
    run("disclosures", code=2)


def test_whois_names_the_patient_of_a_pseudonym_and_is_recorded(chart: Chart):
    shown = json.loads(run("whois", audit.pseudonym(chart), "--json"))
    assert shown == {"practice": "willow", "caspio_key": "P-1", "rupa_patient_id": "pat_1"}
    assert actions()[-1] == "patient.read"
    run("whois", "0" * 32, code=1)


def test_a_cell_that_a_spreadsheet_would_run_is_text(chart: Chart):
    audit.record("order.read", actor=audit.Actor("person", "1", "=HYPERLINK(1)"), practice="willow")
    assert "'=HYPERLINK(1)" in run("breach-report", "--from", TODAY)
