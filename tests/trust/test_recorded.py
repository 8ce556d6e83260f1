"""What people and jobs do with patients leaves its entry: who, what, on whom."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from labbridge.accounts import people
from labbridge.accounts.roles import Role
from labbridge.cli import app
from labbridge.mirror.models import Chart, Order, Patient, ReviewCase
from labbridge.practices.models import Practice
from labbridge.trust.audit import pseudonym
from labbridge.trust.models import AuditEntry
from tests.people import PASSWORD, member, sign_in, somebody

pytestmark = pytest.mark.django_db(transaction=True)


def recorded(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action))


def only(action: str) -> AuditEntry:
    (entry,) = recorded(action)
    return entry


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow")


@pytest.fixture
def case(willow: Practice) -> ReviewCase:
    chart = Chart.objects.create(practice=willow, key="P-1", person={"first_name": "Testa"})
    patient = Patient.objects.create(practice=willow, external_id="pat_1", person={"first_name": "Testa"})
    return ReviewCase.objects.create(practice=willow, chart=chart, patient=patient, actions=["not_the_same"])


def test_opening_a_case_is_recorded_with_both_sides(client: Any, case: ReviewCase):
    user = sign_in(client, member(case.practice))
    assert client.get(f"/cases/{case.pk}", REMOTE_ADDR="192.0.2.9").status_code == 200
    entry = only("case.read")
    assert (entry.actor_kind, entry.actor_id, entry.source) == ("person", str(user.pk), "192.0.2.9")
    assert sorted(entry.patients) == sorted([pseudonym(case.chart), pseudonym(case.patient)])


def test_what_cannot_be_recorded_is_not_shown(client: Any, case: ReviewCase, monkeypatch: pytest.MonkeyPatch):
    sign_in(client, member(case.practice))

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(AuditEntry, "save", refuse)
    with pytest.raises(OSError, match="full"):
        client.get(f"/cases/{case.pk}")


def test_a_decision_at_the_command_line_is_recorded_as_the_operators(case: ReviewCase):
    done = CliRunner().invoke(app, ["cases", "show", str(case.pk)])
    assert done.exit_code == 0
    assert only("case.read").actor_kind == "operator"
    told = CliRunner().invoke(app, ["cases", "decide", str(case.pk), "not_the_same", "--seen", "another"])
    assert told.exit_code == 2
    assert "has changed since you saw it" in told.output


def test_signing_in_and_out_and_failing_to(client: Any, willow: Practice):
    user = somebody()
    for name, password in ((user.username, "wrong, on purpose"), (PASSWORD, "in the wrong field")):
        client.post("/sign-in", {"login": name, "password": password}, REMOTE_ADDR="192.0.2.9")
    client.post("/sign-in", {"login": user.username, "password": PASSWORD}, REMOTE_ADDR="192.0.2.9")
    known, unknown = recorded("session.refuse")
    assert (known.detail["name"], known.outcome, known.source) == (user.username, "refused", "192.0.2.9")
    assert unknown.detail["name"] == ""
    assert not any(PASSWORD in str(vars(entry)) for entry in AuditEntry.objects.all())
    assert [entry.actor_name for entry in recorded("session.open")] == [user.username]
    client.post("/sign-out")
    assert [entry.actor_name for entry in recorded("session.close")] == [user.username]


def test_people_and_roles(willow: Practice):
    added = people.add("ada@willow.example", None, generate=True)
    people.grant(added.user, willow, Role.BILLER)
    people.reset(added.user, None, generate=True, second_factor=True)
    people.revoke(added.user, willow)
    assert only("role.grant").detail == {"name": "ada@willow.example", "role": "biller"}
    assert only("role.revoke").practice == "willow"
    assert only("person.reset").detail["second_factor"] == 1
    assert only("person.add").actor_kind == "operator"


def test_a_grant_that_was_only_tried_leaves_no_entry(willow: Practice):
    somebody("ada@willow.example")
    done = CliRunner().invoke(app, ["user", "grant", "ada@willow.example", "--role", "auditor", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert recorded("role.grant") == []


def test_an_orders_life_is_recorded_by_the_jobs_that_carry_it(
    practice: Any, rupa_sim: Any, add_patient: Any, deliver_all: Any, run_jobs: Any
):
    patient = add_patient(1)
    rupa_sim.order(patient["id"])
    deliver_all()
    run_jobs()
    order = Order.objects.get()
    assert order.filed_at is not None
    filed, linked = recorded("order.file"), only("link.make")
    chart = Chart.objects.get(key="P-1")
    both = sorted([pseudonym(chart), pseudonym(order.patient)])
    assert sorted(linked.patients) == both
    assert all(sorted(entry.patients) == both for entry in filed)
    assert {entry.subject for entry in filed} == {f"order:{order.pk}"}
    assert all(entry.count for entry in filed)
    assert all(entry.practice == "willow" for entry in [*filed, linked])
    assert only("practice.apply").practice == "willow"
    before = AuditEntry.objects.count()
    deliver_all()  # everything once more: nothing is written, so nothing is recorded
    run_jobs()
    assert AuditEntry.objects.count() == before


def test_what_caspio_took_is_recorded_though_it_refused_the_rest(
    practice: Any, rupa_sim: Any, caspio_sim: Any, add_patient: Any, deliver_all: Any, run_jobs: Any
):
    patient = add_patient(1)
    rupa_sim.order(patient["id"])
    caspio_sim.fault("unavailable", match={"path": "Lab_Order_Tests"})
    deliver_all()
    run_jobs()
    assert Order.objects.get().filed_at is None
    assert recorded("order.file")[0].count == 1
