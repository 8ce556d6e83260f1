"""A small day in the practice, played at Rupa's side: what happens to every kind of order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from labbridge.demo.stage import STRANGER, Stage

HORMONES = "DUTCH Complete"
STOOL = "GI Effects Comprehensive Profile - 3 Day"
GUT = "GI-MAP (GI Microbial Assay Plus)"
ACIDS = "Organic Acids Test (OAT)"
FOODS = "Food Sensitivity Complete"
UNKNOWN_STATUS = "Awaiting Lab Director Signature"  # words that nobody has documented

Deed = Callable[[], Any]


@dataclass
class Day:
    """The deeds of one day, to be done in this order. Each is (time on the wall, sentence, deed)."""

    stage: Stage
    orders: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        state = self.stage.rupa("GET", "/_sim/state")
        self._tests = {test["name"]: test["id"] for test in state["lab_tests"]}
        self._patients = {patient["email"]: patient["id"] for patient in state["patients"]}
        rows = self.stage.tables()["Patients"]
        self._emails = {row["Patient_ID"]: row["Email"] for row in rows} | {"": STRANGER["email"]}

    def deeds(self) -> list[tuple[str, str, Deed]]:
        order, act = self._order, self._act
        return [
            ("08:05", "An order for P-1001: hormones", order("hormones", "P-1001", HORMONES)),
            ("08:20", "The patient P-1001 pays", act("hormones", "pay")),
            ("08:40", "An order for P-1002: two tests; the patient pays", order("two", "P-1002", STOOL, ACIDS)),
            ("08:41", "P-1002 pays", act("two", "pay")),
            ("09:00", "An order for P-1003: the practice pays", order("ours", "P-1003", GUT, payer="practitioner")),
            ("09:15", "Its kit is on the way", act("ours", "ship")),
            ("09:30", "An order for P-1004, not paid yet", order("unpaid", "P-1004", ACIDS)),
            ("09:45", "An order for P-1005", order("late", "P-1005", FOODS)),
            ("09:46", "P-1005 pays", act("late", "pay")),
            ("10:10", "An order for P-1006", order("canceled", "P-1006", HORMONES)),
            ("10:30", "An order for P-1007", order("odd", "P-1007", STOOL)),
            ("10:31", "P-1007 pays", act("odd", "pay")),
            ("10:50", "An order for somebody who is not in Caspio", order("stranger", "", GUT)),
            ("10:51", "They pay", act("stranger", "pay")),
            ("11:20", "A training order, which counts nowhere", order("training", "P-1008", ACIDS, is_demo=True)),
            ("11:40", "P-1006 changes their mind: canceled", act("canceled", "cancel")),
            ("12:10", f"Rupa says “{UNKNOWN_STATUS}” of P-1007's order", act("odd", "status", status=UNKNOWN_STATUS)),
            ("13:00", "P-1001's result arrives: PDF and HL7", act("hormones", "result", files="pdf+hl7")),
            ("13:25", "The first of P-1002's two results arrives", act("two", "result", files="pdf+hl7")),
            ("14:00", "P-1005's lab reports a result, without the file", act("late", "late-file")),
            ("14:30", "The lab corrects P-1002's result: amended", act("two", "amend")),
            ("15:10", "P-1003's sample reaches the lab", act("ours", "receive-sample")),
            ("15:40", "The late file of P-1005 arrives", act("late", "late-file")),
            ("16:00", "A result for the one who is not in Caspio", act("stranger", "result")),
            ("16:30", "Rupa delivers the whole day again, backwards", self._redeliver),
        ]  # fmt: skip

    def delivered(self) -> bool:
        """Whether Rupa has nothing left to deliver."""
        return all(
            event["status"] in {"delivered", "not_sent"} for event in self.stage.rupa("GET", "/_sim/events")
        )

    def pdfs(self) -> set[str]:
        """SHA-256 of every PDF that Rupa has for an order whose patient is in Caspio."""
        stranger = self.orders.get("stranger")
        return {
            version["pdf"]["sha256"]
            for order in self.stage.rupa("GET", "/_sim/state")["orders"]
            for test in order["tests"]
            for version in test["versions"]
            if version["pdf"] and order["id"] != stranger
        }

    def _order(self, name: str, key: str, *tests: str, **more: Any) -> Deed:
        def make() -> None:
            body = {
                "patient": self._patients[self._emails[key]],
                "lab_tests": [self._tests[test] for test in tests],
            }
            self.orders[name] = self.stage.rupa("POST", "/_sim/orders", {**body, **more})["id"]

        return make

    def _act(self, name: str, action: str, **more: Any) -> Deed:
        return lambda: self.stage.rupa("POST", f"/_sim/orders/{self.orders[name]}/{action}", more)

    def _redeliver(self) -> None:
        self.stage.rupa("POST", "/_sim/events/redeliver", {"all": True, "reverse": True})
