"""A small, complete life of orders and results, in two acts, and the stages prepared for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from labbridge.simulators.rupa import practitioner_id
from tests.crash.stage import Stage, practice_toml

PDF_TEST, HL7_TEST, THIRD_TEST = "Omega-3 Index Basic", "OmegaCheck", "Thyroid Home Test"
VALUES_TEST = "TSH"


def person(number: int) -> dict[str, str]:
    return {
        "first_name": f"Testa{number}",
        "last_name": f"Sampleperson{number}",
        "email": f"testa{number}@patients.example",
        "birthday": f"19{60 + number}-0{number}-15",
    }


def row_of(number: int) -> dict[str, str]:
    known = person(number)
    return {
        "Patient_ID": f"P-{number}",
        "First_Name": known["first_name"],
        "Last_Name": known["last_name"],
        "Email": known["email"],
        "Date_of_Birth": f"{known['birthday']}T00:00:00",
    }


class Director:
    """Makes things happen at the simulators, and hands out the events that they recorded."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._told = 0
        self.lab_tests = {
            one["name"]: one["id"] for one in stage.call("rupa", "GET", "/_sim/state")["lab_tests"]
        }

    def patient(self, number: int, **more: Any) -> str:
        body = {"practitioner": practitioner_id("Ada"), **person(number), **more}
        return str(self.stage.call("rupa", "POST", "/_sim/patients", body)["id"])

    def chart(self, row: dict[str, Any]) -> int:
        """A row of the patients table, put there without any webhook."""
        body = {"table": "Patients", "rows": [row]}
        return int(self.stage.call("caspio", "POST", "/_sim/import", body)["keys"][0])

    def order(self, patient: str, *tests: str) -> str:
        """Submitted and paid."""
        body = {"patient": patient, "lab_tests": [self.lab_tests[name] for name in tests]}
        made = str(self.stage.call("rupa", "POST", "/_sim/orders", body)["id"])
        self.act(made, "pay")
        return made

    def act(self, order: str, action: str, **more: Any) -> None:
        self.stage.call("rupa", "POST", f"/_sim/orders/{order}/{action}", more)

    def events(self) -> list[bytes]:
        """Bodies of the events since the last call, oldest first."""
        listed = self.stage.call("rupa", "GET", "/_sim/events")[self._told :]
        self._told += len(listed)
        return [self.stage.call_raw("rupa", f"/_sim/events/{one['id']}") for one in listed]

    def caspio_messages(self) -> list[bytes]:
        with self.stage.caspio.account.store.transaction() as db:
            return [bytes(row["payload"]) for row in db.execute("SELECT payload FROM messages ORDER BY id")]


@dataclass
class Recorded:
    """Events of each act, and what Caspio sent."""

    first: list[bytes] = field(default_factory=list)
    second: list[bytes] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)


def configure(stage: Stage, state: Path | None = None) -> None:
    """Apply and provision the practice between fresh simulators, or those that were kept in `state`."""
    stage.open_simulators(state)
    (stage.folder / "practice.toml").write_text(practice_toml(stage))
    stage.run("practice", "apply", str(stage.folder / "practice.toml"))
    stage.run("provision")


def first_act(director: Director) -> dict[str, str]:
    """Two paid orders; the second one's patient is not in Caspio yet."""
    director.chart(row_of(1))
    director.chart(row_of(3))
    return {
        "linked": director.order(director.patient(1), PDF_TEST, HL7_TEST),
        "waiting": director.order(director.patient(2), PDF_TEST),
    }


def second_act(director: Director, orders: dict[str, str]) -> None:
    """All results, one of them amended; the missing patient appears; an order of somebody new."""
    director.act(orders["linked"], "result", index=0)
    director.act(orders["linked"], "result", index=1)
    director.act(orders["linked"], "amend", index=0)
    director.act(orders["waiting"], "result")
    director.order(director.patient(3), THIRD_TEST)
    pk_id = director.chart(row_of(2))
    message = {"type": "table.recordInsert", "table": "Patients", "pk": pk_id}
    director.stage.call("caspio", "POST", "/_sim/trigger", message)


def rich_life(director: Director) -> None:
    """Versions of every kind: corrected, with values later, without values later, under the same date."""
    for number in (1, 2, 3):
        director.chart(row_of(number))
    first = director.order(director.patient(1), PDF_TEST, HL7_TEST)
    second = director.order(director.patient(2), VALUES_TEST, THIRD_TEST)
    third = director.order(director.patient(3), PDF_TEST)
    canceled = director.order(director.patient(4), THIRD_TEST)
    director.act(first, "result", index=0)
    director.act(first, "amend", index=0)
    director.act(second, "result", index=0, files="pdf")
    director.act(second, "amend", index=0, files="pdf+hl7")
    director.act(first, "result", index=1)
    director.act(first, "amend", index=1)
    director.act(first, "amend", index=0, keep_received_date=True)
    director.act(second, "result", index=1, files="hl7")
    director.act(second, "amend", index=1, files="pdf")
    director.act(third, "late-file")
    director.act(third, "late-file")
    director.act(canceled, "cancel")
    message = {"type": "table.recordInsert", "table": "Patients", "pk": director.chart(row_of(4))}
    director.stage.call("caspio", "POST", "/_sim/trigger", message)


def move(stage: Stage, template: str, source: Stage) -> None:
    """Give `stage` a copy of a database in which the peer has the address of another stage's gate."""
    stage.restore(template)
    old, new = (urlsplit(one.gates["caspio"].url).netloc for one in (source, stage))
    stage.query("UPDATE practices_practice SET config = replace(config::text, %s, %s)::jsonb", old, new)
    stage.query("UPDATE practices_connection SET account = %s WHERE peer = 'caspio'", new)


def database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
