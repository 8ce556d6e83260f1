"""Both simulated peers for many practices: one Rupa with a clinic for each, and a Caspio account for each."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from werkzeug.test import Client

from labbridge.simulators import caspio as caspio_simulator
from labbridge.simulators import rupa as rupa_simulator
from labbridge.simulators.rupa import orders, results, seed, tokens
from tests.crash.gate import Gate, Watch
from tests.world import PRACTICE_TOML, SIGNING_SECRET

TESTS = ("Omega-3 Index Basic", "OmegaCheck", "Thyroid Home Test", "TSH")
ZONE = "America/Los_Angeles"  # as PRACTICE_TOML has it
#: Everything at once, for as long as the traffic lasts. Short enough that a late answer is still heard.
STORM: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limit", "probability": 0.02, "retry_after": 1},
    {"kind": "error_before", "probability": 0.04},
    {"kind": "error_after", "probability": 0.04},
    {"kind": "reset_before", "probability": 0.03},
    {"kind": "reset_after", "probability": 0.04},
    {"kind": "slow", "probability": 0.05, "seconds": 0.2},
    {"kind": "expired_token", "probability": 0.02},
    {"kind": "unavailable", "probability": 0.03},
    {"kind": "garbage", "probability": 0.02},
)


class Practice:
    """One clinic at Rupa with its Caspio account."""

    def __init__(self, number: int, folder: Path, rupa: Any, watch: Watch, rate: float) -> None:
        self.slug, self.rupa, self.rate = f"practice-{number}", rupa, rate
        self.caspio = caspio_simulator.create_app(
            folder / f"{self.slug}.sqlite",
            client_id="client",
            client_secret="secret of caspio",
            deliver=False,
        )
        caspio_simulator.seed_practice(self.caspio.account, 0)
        self.gate = Gate(self.slug, watch, threads=4)
        self.gate.app = self.caspio
        self.charts: dict[str, str] = {}  #: the key in Caspio by the patient's id at Rupa
        self.practitioner = seed.practitioner_id(f"Soak{number}")
        self.clinic = seed.add_clinic(rupa.world, f"Clinic {number}", [(f"Soak{number}", "Invented", "MD")])[
            "id"
        ]

    def toml(self) -> str:
        with self.rupa.world.store.transaction():
            pair = tokens.grant(self.rupa.world, self.practitioner)
        text = PRACTICE_TOML.format(caspio=self.gate.url, rate=self.rate, refresh_token=pair["refresh_token"])
        text = text.replace(
            "[sync]\n", "[sync]\nsweep_minutes = 10000\n"
        )  # none by the clock: one sweep sets all right
        return text.replace("willow", self.slug).replace(
            "Willow Functional Medicine", f"Practice {self.slug}"
        )

    def patient(self, number: int) -> str:
        """Somebody new at Rupa; `row` puts them into Caspio. Returns Rupa's id."""
        (made,) = self.rupa.seed([{"practitioner": self.practitioner, **person(number)}])
        self.charts[made["id"]] = f"P-{number}"
        return str(made["id"])

    def row(self, patient: str) -> int:
        """Their chart, put there by an import: no webhook fires. Returns its PK_ID."""
        key = self.charts[patient]
        known = person(int(key.removeprefix("P-")))
        row = {
            "Patient_ID": key, "First_Name": known["first_name"], "Last_Name": known["last_name"],
            "Email": known["email"], "Date_of_Birth": f"{known['birthday']}T00:00:00",
        }  # fmt: skip
        return int(self._control("/_sim/import", {"table": "Patients", "rows": [row]})["keys"][0])

    def tell(self, pk_id: int) -> None:
        """As if somebody had saved that row on a page: Caspio makes a message of it."""
        self._control("/_sim/trigger", {"type": "table.recordInsert", "table": "Patients", "pk": pk_id})

    def _control(self, path: str, body: dict[str, Any]) -> Any:
        answer = Client(self.caspio).post(path, json=body)
        assert answer.status_code < 400, answer.get_data(as_text=True)
        return answer.get_json()

    def messages(self, after: int) -> list[tuple[int, bytes]]:
        with self.caspio.account.store.transaction() as db:
            found = db.execute(
                "SELECT id, payload FROM messages WHERE id > ? ORDER BY id", (after,)
            ).fetchall()
        return [(int(row["id"]), bytes(row["payload"])) for row in found]

    def close(self) -> None:
        self.gate.close()
        self.caspio.close()


class Peers:
    def __init__(self, folder: Path, practices: int, rate: float) -> None:
        self.watch = Watch(lambda: None)
        self.gate = Gate("rupa", self.watch)
        self.rupa = rupa_simulator.create_app(
            folder / "rupa.sqlite",
            client_id="app_soak", client_secret="secret of rupa in the soak", signing_secret=SIGNING_SECRET,
            send=False, file_base_url=self.gate.url, file_url_lifetime=10_000_000,
        )  # fmt: skip
        self.gate.app = self.rupa
        self.practices = [
            Practice(number, folder, self.rupa, self.watch, rate) for number in range(1, practices + 1)
        ]
        self.lab_tests = [
            test["id"] for test in self.rupa.world.store.many("lab_test") if test["name"] in TESTS
        ]
        assert len(self.lab_tests) == len(TESTS)

    def storm(self) -> None:
        """On all of Caspio, and on all of Rupa but its tokens.

        Rupa replaces a refresh token at each use: where the answer to that is lost, or its reader is killed, a person
        must agree anew (docs/peers.md), which no sweep can do.
        """
        for rule in STORM:
            for practice in self.practices:
                practice.caspio.faults.add(rule)
            if rule["kind"] != "expired_token":
                self.rupa.faults.add({**rule, "match": {"path": "^/(?!oauth)"}})

    def struck(self) -> int:
        """How many requests met the storm so far."""
        everyone = (self.rupa, *(practice.caspio for practice in self.practices))
        return sum(rule["hits"] for one in everyone for rule in one.faults.rules())

    def calm(self) -> None:
        for one in (self.rupa, *(practice.caspio for practice in self.practices)):
            one.faults.clear()

    def calls(self) -> dict[str, int]:
        """Requests that reached each kind of peer."""
        seen = [one.peer for one in self.watch.seen]
        rupa = seen.count("rupa")
        return {"rupa": rupa, "caspio": len(seen) - rupa}

    def events(self, after: int) -> list[tuple[int, str, str, bytes]]:
        """Number, clinic, order and body of each event since that number, oldest first."""
        found = self.rupa.world.store.run(
            "SELECT seq, clinic, object_id, body FROM events WHERE seq > ? ORDER BY seq", after
        )
        return [
            (int(row["seq"]), str(row["clinic"]), str(row["object_id"]), str(row["body"]).encode())
            for row in found
        ]

    def close(self) -> None:
        for practice in self.practices:
            practice.close()
        self.gate.close()
        self.rupa.close()


def person(number: int) -> dict[str, str]:
    """Nobody's double: no two of 17,010 share a birthday, for names that differ by a number are alike.

    Nobody is born on the first of January, which programs fill in for a day that they do not know: it links nobody.
    """
    return {
        "first_name": f"Testa{number}",
        "last_name": f"Sampleperson{number}",
        "email": f"testa{number}@patients.example",
        "birthday": f"19{30 + number % 70}-0{1 + number % 9}-{2 + number // 630 % 27:02}",
    }


class Life:
    """One order from the cart to its end, a step at a time. Roughly eight events."""

    def __init__(self, peers: Peers, practice: Practice, number: int, dice: random.Random) -> None:
        self.world, self.practice, self.number = peers.rupa.world, practice, number
        self.tests = dice.sample(peers.lab_tests, 2)
        self.ends = dice.choices(("complete", "canceled", "one result", "late file"), (6, 1, 1, 1))[0]
        self.late_chart = dice.random() < 0.25
        self.order = ""

    def steps(self) -> Iterator[None]:
        patient = self.practice.patient(self.number)
        if not self.late_chart:  # told too: a row that nobody tells of is found by the next sweep only
            self.practice.tell(self.practice.row(patient))
        with self.world.store.transaction():
            made = orders.make(self.world, {"patient": patient, "lab_tests": self.tests})
        self.order = made["id"]
        yield
        for act in (orders.pay, orders.ship, orders.receive_sample):
            self._act(act)
            yield
        if self.late_chart:
            self.practice.tell(self.practice.row(patient))
        if self.ends == "canceled":
            self._act(orders.cancel)
            return
        self._result(0)
        yield
        if self.ends == "late file":
            self._late(1)
            yield
            self._late(1)
        elif self.ends == "complete":
            self._result(1)

    def _act(self, act: Any) -> None:
        with self.world.store.transaction():
            act(self.world, self.world.store.need("order", self.order))

    def _test(self, index: int) -> tuple[Any, Any]:
        order = self.world.store.need("order", self.order)
        return order, orders.ordered_tests(self.world, order)[index]

    def _result(self, index: int) -> None:
        with self.world.store.transaction():
            order, test = self._test(index)
            results.arrive(self.world, order, tests=[test])

    def _late(self, index: int) -> None:
        with self.world.store.transaction():
            results.late_file(self.world, *self._test(index))


def lives(peers: Peers, count: int, dice: random.Random, side_by_side: int = 40) -> Iterator[None]:
    """So many orders, spread over the practices, some under way at a time; yields after each step of any."""
    waiting = (
        Life(peers, peers.practices[number % len(peers.practices)], number, dice).steps()
        for number in range(count)
    )
    under_way = list(itertools.islice(waiting, side_by_side))
    while under_way:
        chosen = dice.randrange(len(under_way))
        try:
            next(under_way[chosen])
        except StopIteration:
            del under_way[chosen]
            under_way += itertools.islice(waiting, 1)
        yield
