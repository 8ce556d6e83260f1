"""What Labbridge asks of a place where labs are ordered: the port that the next adapter goes into.

Rupa's client (peers/rupa/client.py) is the one that fills it today. Everything that orders, syncs and compares speaks
with a `LabPeer` (practices/clients.py: `lab`), never with Rupa's client by name. What it gives are snapshots: neutral
readings of patients, orders, tests and results, in which a field that the peer did not state is left out.

An adapter for another peer (rupa-api.md 13 tells what is known of Fullscript's) raises the errors of peers/errors.py,
tells its own clock, and says by NotFound what it does not offer: patients are then made with their first order.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from labbridge.peers.rupa.types import (
    LabCompanySnapshot,
    LabTestSnapshot,
    OrderIntentData,
    OrderIntentSnapshot,
    OrderSnapshot,
    PatientData,
    PatientSnapshot,
    PractitionerSnapshot,
)


class LabPeer(Protocol):
    """One practitioner's view of the peer. Each call may raise PeerError."""

    @property
    def max_file_size(self) -> int:
        """Bytes of a result file, at most."""

    @property
    def sorts_orders(self) -> bool:
        """Whether lists of orders come newest first; if not, they are read to their end."""

    def now(self) -> datetime:
        """The peer's own time of its last answer: what a reading is dated by."""

    # Who works there
    def me(self) -> PractitionerSnapshot:
        """Whose authorisation it is."""

    def practitioners(self) -> Iterator[PractitionerSnapshot]:
        """Everybody whose orders this authorisation shows."""

    # Patients
    def patients(self) -> Iterator[PatientSnapshot]:
        """Every patient that this authorisation shows."""

    def patient(self, key: str) -> PatientSnapshot:
        """One patient, whole."""

    def create_patient(self, data: PatientData) -> PatientSnapshot:
        """Raises NotFound when the peer makes patients with their first order only."""

    def update_patient(self, key: str, data: PatientData) -> PatientSnapshot:
        """Change what `data` states."""

    # Catalogue
    def lab_companies(self) -> Iterator[LabCompanySnapshot]:
        """The labs."""

    def lab_tests(self) -> Iterator[LabTestSnapshot]:
        """The tests, without those that were withdrawn."""

    def lab_test(self, key: str) -> LabTestSnapshot:
        """One test, also when it was withdrawn."""

    # Orders and results
    def order_pages(self) -> Iterator[list[OrderSnapshot]]:
        """Every order of the clinic by pages, wherever it was made."""

    def order(self, key: str) -> OrderSnapshot:
        """One order with its tests and the addresses of their results."""

    def download(self, url: str) -> bytes:
        """A result's file. Credentials go to the peer's own hosts only."""

    # Asking for an order: an intent becomes one when the practitioner finishes it there
    def create_order_intent(self, data: OrderIntentData) -> OrderIntentSnapshot:
        """Not safe to repeat after a lost answer: look it up by its metadata first."""

    def order_intent(self, key: str) -> OrderIntentSnapshot:
        """One intent, with its order once there is one."""

    def find_order_intent(self, name: str, value: str) -> OrderIntentSnapshot | None:
        """The intent whose metadata holds this."""
