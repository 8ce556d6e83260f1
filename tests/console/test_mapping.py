"""The field mapping editor: told at the field, looked at on one record, dry-run on all, saved, undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from labbridge.handlers import mapping
from labbridge.mirror.models import Chart
from labbridge.peers.caspio.types import Field, NewField
from labbridge.practices.apply import change, config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import DryRun, Practice
from labbridge.practices.versions import By, latest
from labbridge.trust.audit import Actor
from labbridge.trust.models import AuditEntry
from tests.conftest import RunningCaspio
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def proposal(practice: Practice, **changed: str) -> dict[str, str]:
    kept = config_of(practice).caspio.patients.model_dump()
    return {name: kept[name] for name in ("table", *mapping.OURS)} | changed


@pytest.fixture
def willow(practice: Practice, add_patient: Callable[..., Any], labbridge: Callable[..., Any]) -> Practice:
    """Three patients of the practice; only one has another phone number in the field Mobile."""
    with caspio(practice, "test") as client:
        client.table("Patients").create_field(NewField(name="Mobile", type="STRING"))
        client.table("Patients").create_field(NewField(name="Visits", type="NUMBER"))
    add_patient(1, Phone="+1 415 555 0101", Mobile="+1 415 555 0199")
    add_patient(2, Phone="+1 415 555 0102", Mobile="+1 415 555 0102")
    add_patient(3, Phone="+1 415 555 0103")
    labbridge("sync", "patients")
    return practice


@pytest.fixture
def owner(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow))
    return client


def test_everything(
    owner: Client, willow: Practice, caspio_sim: RunningCaspio, run_jobs: Callable[..., None]
) -> None:
    page = text(owner.get("/settings/mapping"))
    assert "Visits (NUMBER)" in page

    # one record, looked at before anything is saved
    wanted = proposal(willow, phone="Mobile")
    seen = text(owner.post("/settings/mapping/look", {**wanted, "record": "P-1"}))
    assert "+1 415 555 0101" in seen
    assert "+1 415 555 0199" in seen
    assert "It goes to Rupa." in seen
    entry = AuditEntry.objects.filter(action="mapping.try").latest("id")
    assert (entry.actor_name, len(entry.patients)) == ("owner@willow.example", 2)
    assert "no such record" in text(owner.post("/settings/mapping/look", {**wanted, "record": "P-9"}))

    # told at the field
    for changed, words in (
        ({"phone": "Gone"}, "Caspio has no field Gone in this table."),
        ({"phone": "Visits"}, "Visits is of the type NUMBER; this needs"),
        ({"email": ""}, "Is needed: choose a field."),
        ({"phone": "Email"}, "The field Email is chosen twice."),
        ({"key": "First_Name"}, "First_Name is not unique in Caspio"),
    ):
        told = text(owner.post("/settings/mapping", {**proposal(willow, **changed), "do": "run"}))
        assert words in told, words
    assert not DryRun.objects.exists()
    same = text(owner.post("/settings/mapping", {**proposal(willow), "do": "run"}))
    assert "Nothing is different" in same

    # the dry run: counts, and exactly which
    caspio_sim.forget_requests()
    base = latest(willow)
    away = owner.post("/settings/mapping", {**wanted, "do": "run", "base": base})
    address = away["Location"]
    assert "Reading the patients" in text(owner.get(address))
    assert "cannot be saved" in text(owner.post(address, {"why": "too early"}))
    run_jobs()
    run = DryRun.objects.get()
    assert (run.counts["rows"], run.counts["changed"]) == (3, 2)
    assert run.counts["parts"] == {"phone": {"changed": 1, "emptied": 1}}
    assert run.counts["moves"] == {"phone": {"to_rupa": 1}}
    assert "555" not in repr([run.rows, run.counts]), "no patient data is kept"
    shown = text(owner.get(f"{address}?rows"))
    assert "+1 415 555 0199" in shown
    assert "+1 415 555 0102" not in shown
    assert "Phone: 1 would go to Rupa." in shown
    assert [one["method"] for one in caspio_sim.requests() if one["method"] in {"PUT", "DELETE"}] == []
    assert config_of(Practice.objects.get()).caspio.patients.phone == "Phone"

    # saved, and undone
    done = text(owner.post(address, {"why": "the desk asks for mobiles"}, follow=True))
    assert "Phone is read from the field Mobile; before, it was Phone." in done
    practice = Practice.objects.get()
    assert config_of(practice).caspio.patients.phone == "Mobile"
    assert practice.charts_read_at is None
    version = practice.versions.first()
    assert version
    undo = text(owner.get(f"/settings/history/{version.pk}/undo"))
    assert '<input type="hidden" name="phone" value="Phone">' in undo, "it can be tried in a dry run first"
    owner.post(f"/settings/history/{version.pk}/undo", {"why": "no", "base": version.number})
    assert config_of(Practice.objects.get()).caspio.patients.phone == "Phone"


def test_a_dry_run_of_other_settings_cannot_be_saved(
    owner: Client, willow: Practice, run_jobs: Callable[..., None]
) -> None:
    wanted = {**proposal(willow, gender=""), "do": "run", "base": latest(willow)}
    address = owner.post("/settings/mapping", wanted)["Location"]
    run_jobs()
    change(willow, {"practice.name": "Other"}, by=By(Actor("person", "9", "bob@willow.example")))
    assert "changed since this dry run began" in text(owner.get(address))
    assert "bob@willow.example changed the settings" in text(owner.post(address, {}))
    assert config_of(Practice.objects.get()).caspio.patients.gender == "Sex"


def test_when_caspio_is_away_the_mapping_is_still_shown(
    owner: Client, willow: Practice, caspio_sim: RunningCaspio, run_jobs: Callable[..., None]
) -> None:
    caspio_sim.fault("unavailable", times=20)
    page = text(owner.get("/settings/mapping"))
    assert "Try again" in page
    assert "Date_of_Birth" in page
    assert "problem-box" in text(owner.post("/settings/mapping/look", proposal(willow)))
    caspio_sim.heal()


def test_an_erased_patient_is_not_shown(owner: Client, willow: Practice) -> None:
    from django.utils import timezone

    Chart.objects.filter(key="P-1").update(erased_at=timezone.now())
    seen = text(owner.post("/settings/mapping/look", {**proposal(willow), "record": "P-1"}))
    assert "no such record" in seen


def test_a_type_is_no_fault_of_a_line_that_counts_already() -> None:
    fields = [Field(name=name, type="STRING", unique=name == "ID") for name in ("ID", "A", "B", "C", "D")]
    fields.append(Field(name="N", type="NUMBER"))
    kept = {"key": "ID", "first_name": "A", "last_name": "B", "email": "C", "birthday": "D", "phone": "N"}
    assert mapping.problems(kept, fields, kept) == {}
    assert mapping.problems(kept, fields, {}).keys() == {"phone"}
