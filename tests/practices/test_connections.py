"""Where each connection to Rupa stands, which one is read with, and what ending one leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labbridge.handlers.rupa_patients import read_patients
from labbridge.mirror.models import Order, Patient
from labbridge.peers.errors import PeerError
from labbridge.practices.clients import NotConnected, rupa, rupa_connection
from labbridge.practices.connections import (
    connection_of_patient,
    connection_of_practitioner,
    connections_by_clinic,
    end,
    standing,
)
from labbridge.practices.models import Connection, ConnectionState, Practice, Practitioner
from labbridge.trust.audit import operator

pytestmark = pytest.mark.django_db(transaction=True)


def holding(**credentials: str) -> Connection:
    return Connection(peer="rupa", account="ada@willow.example", credentials=credentials)


class TestStanding:
    now = timezone.now()

    def ends_in(self, left: timedelta) -> str:
        return (self.now + left).isoformat()

    def test_one_that_renews_itself_is_active(self) -> None:
        held = holding(refresh_token="r", expires_at=self.ends_in(timedelta(hours=1)))
        assert standing(held, self.now).state == "active"

    def test_one_that_cannot_be_renewed_expires(self) -> None:
        found = standing(holding(access_token="a", expires_at=self.ends_in(timedelta(hours=30))), self.now)
        assert found.state == "expiring"
        assert "30 hours" in found.advice
        assert "labbridge rupa connect" in found.advice

    def test_one_that_is_over_must_be_made_again(self) -> None:
        found = standing(holding(access_token="a", expires_at=self.ends_in(-timedelta(hours=1))), self.now)
        assert found.state == "reconnect"

    def test_one_that_lives_long_is_active(self) -> None:
        found = standing(holding(access_token="a", expires_at=self.ends_in(timedelta(days=30))), self.now)
        assert found.state == "active"


def test_a_refusal_that_outlives_a_new_token_shows_and_passes(practice: Practice, rupa_sim: Any) -> None:
    rupa_sim.fault("expired_token", match={"path": "patients"}, times=2)
    connection = rupa_connection(practice)
    with pytest.raises(PeerError), rupa(connection, "test") as peer:
        list(peer.patients())
    connection.refresh_from_db()
    assert standing(connection).state == "reconnect"
    assert connection.state == ConnectionState.ACTIVE, "it is tried again by itself"
    with rupa(connection, "test") as peer:
        list(peer.patients())
    connection.refresh_from_db()
    assert standing(connection).state == "active"


def test_an_ended_connection_keeps_all_its_data(
    practice: Practice, rupa_sim: Any, add_patient: Any, deliver_all: Any, run_jobs: Any, caspio_sim: Any
) -> None:
    rupa_sim.order(add_patient(1)["id"])
    deliver_all()
    run_jobs()
    orders = caspio_sim.tables()["Lab_Orders"]
    connection = rupa_connection(practice)
    end(connection, "Ended: the practice has moved to Fullscript.", actor=operator())
    connection.refresh_from_db()
    found = standing(connection)
    assert (found.state, connection.credentials) == ("ended", {})
    assert "Fullscript" in found.advice
    with pytest.raises(NotConnected, match="has ended its connection"):
        rupa_connection(practice)
    rupa_sim.forget_requests()
    deliver_all()
    run_jobs()
    assert rupa_sim.requests() == []
    assert (Order.objects.count(), caspio_sim.tables()["Lab_Orders"]) == (1, orders)


@pytest.fixture
def second_clinic(practice: Practice, rupa_sim: Any) -> Connection:
    """Another practitioner of the practice, who works in another clinic at Rupa."""
    from labbridge.handlers.connections import learn_now
    from labbridge.simulators.rupa import practitioner_id

    pair = rupa_sim.call("POST", "/_sim/tokens", {"practitioner": practitioner_id("Dara")})
    made = Connection.objects.create(
        practice=practice, peer="rupa", account="dara@willow.example",
        credentials={"refresh_token": pair["refresh_token"]},
    )  # fmt: skip
    learn_now(str(made.pk))
    made.refresh_from_db()
    return made


def test_two_clinics_are_both_read_and_each_patient_by_its_own(
    practice: Practice, second_clinic: Connection, rupa_sim: Any
) -> None:
    first = rupa_connection(practice)
    assert connections_by_clinic(practice) == [first, second_clinic]
    read_patients(practice, after=timezone.now())
    state = rupa_sim.call("GET", "/_sim/state")
    assert Patient.objects.count() == len(state["patients"])
    for patient in Patient.objects.all():
        with rupa(connection_of_patient(practice, patient.connection), "test") as peer:
            assert peer.patient(patient.external_id).id == patient.external_id


def test_an_order_is_read_with_a_connection_of_its_clinic(
    practice: Practice, second_clinic: Connection
) -> None:
    first = rupa_connection(practice)
    assert connection_of_practitioner(practice, second_clinic.external_id) == second_clinic
    assert connection_of_practitioner(practice, first.external_id) == first
    assert connection_of_practitioner(practice, "pra_unknown") == first
    second_clinic.state = ConnectionState.RECONNECT
    second_clinic.save()
    assert connection_of_practitioner(practice, second_clinic.external_id) == first
    assert Practitioner.objects.filter(connection=second_clinic).exists()
