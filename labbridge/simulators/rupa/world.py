"""What one running simulator is: its memory, its switches, its clock, its misbehaviour."""

import secrets
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import current_app

from labbridge.simulators.faults import Faults
from labbridge.simulators.rupa.options import Options
from labbridge.simulators.rupa.store import Store

PACIFIC = ZoneInfo("America/Los_Angeles")
LETTERS = string.ascii_letters + string.digits
PREFIXES = {  # rupa-api.md 5; the ones marked there as unknown are invented: cli, labco, li, evt
    "order": "ord",
    "ordered_test": "ordts",
    "patient": "pat",
    "practitioner": "pra",
    "order_intent": "ordin",
    "lab_test": "labts",
    "clinic": "cli",
    "lab_company": "labco",
    "line_item": "li",
    "event": "evt",
}


@dataclass
class World:
    """All that a request needs; Flask keeps it under `app.extensions["rupa"]`."""

    store: Store
    options: Options
    client_id: str
    client_secret: str
    real_time: Callable[[], float] = time.time
    wake: threading.Event = field(default_factory=threading.Event)  # tells the sender that work is due
    faults: Faults | None = None

    @property
    def seconds(self) -> float:
        """Unix time of the simulator's own clock, which `POST /_sim/clock` can put forward."""
        return self.real_time() + float(self.store.setting("clock_offset") or 0)

    def now(self) -> str:
        """Say the time as Rupa does: Pacific offset and microseconds (rupa-api.md 5.11)."""
        return pacific(datetime.fromtimestamp(self.seconds, UTC))

    def change_options(self, raw: dict[str, object]) -> None:
        self.options = self.options.changed(raw)
        self.store.set_setting("options", self.options.as_json())
        self.wake.set()

    def delivery_plan(self, event_type: str) -> list[float]:
        return self.faults.delivery_plan(event_type) if self.faults else [0.0]


def world() -> World:
    """The world of the request at hand."""
    found: World = current_app.extensions["rupa"]
    return found


def pacific(moment: datetime) -> str:
    return moment.astimezone(PACIFIC).isoformat(timespec="microseconds")


def new_id(kind: str) -> str:
    """Prefix, underscore, seven letters or digits (rupa-api.md 4)."""
    return f"{PREFIXES[kind]}_{''.join(secrets.choice(LETTERS) for _ in range(7))}"
