"""A whole world of real processes: both simulators and the service, as a practice would run them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import stamina
from psycopg.errors import InsufficientPrivilege

ROOT = Path(__file__).resolve().parents[1]
SIGNING_SECRET = "whsec_world"
CALLS_PER_SECOND = 100  # the simulators bear it; tests need not be slow

PRACTICE_TOML = """
[practice]
slug = "willow"
name = "Willow Functional Medicine"
time_zone = "America/Los_Angeles"

[caspio]
url = "{caspio}"
client_id = "client"
client_secret = "secret of caspio"
calls_per_second = {rate}

[caspio.patients]
table = "Patients"
key = "Patient_ID"
first_name = "First_Name"
last_name = "Last_Name"
email = "Email"
phone = "Phone"
birthday = "Date_of_Birth"
gender = "Sex"
street = "Street"
city = "City"
state = "State"
zipcode = "Zip"

[sync]
settle_seconds = 0

[rupa]
price_unit = "dollars"

[[rupa.practitioners]]
email = "ada@willow.example"
refresh_token = "{refresh_token}"
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60, *, every: float = 0.05) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(every)
    raise AssertionError(f"{what} did not happen within {seconds} s")


@dataclass
class World:
    """Start with `up()`, end with `down()`. Ports stay the same over restarts."""

    folder: Path
    rate: float = CALLS_PER_SECOND
    rupa_options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = {name: free_port() for name in ("caspio", "rupa", "web")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.http = httpx2.Client(timeout=30)

    # -- addresses ---------------------------------------------------------------------------------------

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def env(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LABBRIDGE_", "DJANGO_"))
        }
        return {
            **kept,
            "LABBRIDGE_DATA_DIR": str(self.folder / "var"),
            "LABBRIDGE_BIND": f"127.0.0.1:{self.ports['web']}",
            "LABBRIDGE_PUBLIC_URL": self.url("web"),
            "LABBRIDGE_ALLOW_HTTP_PEERS": "1",
            "LABBRIDGE_RUPA_API_URL": self.url("rupa"),
            "LABBRIDGE_RUPA_AUTHORIZE_URL": self.url("rupa") + "/oauth/authorize",
            "LABBRIDGE_RUPA_TOKEN_URL": self.url("rupa") + "/oauth/token",
            "LABBRIDGE_RUPA_CLIENT_ID": "app_world",
            "LABBRIDGE_RUPA_CLIENT_SECRET": "secret of rupa",
            "LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET": SIGNING_SECRET,
            "LABBRIDGE_RUPA_CALLS_PER_SECOND": "100",
            **self.environment,
        }

    # -- life --------------------------------------------------------------------------------------------

    def up(self, *, patients: int = 0) -> World:
        self.start_simulators(patients=patients)
        self.configure()
        self.start_service()
        return self

    def start_simulators(self, *, patients: int = 0) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._start(
            "caspio", "-m", "labbridge.simulators.caspio", "--state", str(self.folder / "caspio.sqlite"),
            "--port", str(self.ports["caspio"]), "--client-id", "client", "--client-secret", "secret of caspio",
            "--quick-retries", "--patients", str(patients),
        )  # fmt: skip
        options = {"time_scale": 0.001, "expires_in": 3600, **self.rupa_options}
        self._start(
            "rupa", "-m", "labbridge.simulators.rupa", "--state", str(self.folder / "rupa.sqlite"),
            "--port", str(self.ports["rupa"]), "--client-id", "app_world", "--client-secret", "secret of rupa",
            "--signing-secret", SIGNING_SECRET, "--webhook-url", self.url("web") + "/webhooks/rupa",
            *[part for name, value in options.items() for part in ("-o", f"{name}={value}")],
        )  # fmt: skip
        for name in ("caspio", "rupa"):
            wait_for(lambda name=name: self._answers(self.url(name) + "/_sim/faults"), f"{name} simulator up")  # type: ignore[misc]

    def configure(self) -> None:
        pair = self.rupa("POST", "/_sim/tokens", {})
        toml = PRACTICE_TOML.format(
            caspio=self.url("caspio"), rate=self.rate, refresh_token=pair["refresh_token"]
        )
        (self.folder / "practice.toml").write_text(toml)
        self.run("practice", "apply", str(self.folder / "practice.toml"))
        self.run("provision")

    def start_service(self) -> None:
        self._start("web", "-m", "labbridge.cli", "serve")
        wait_for(self.ready, "the service ready")

    def _start(self, name: str, *arguments: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, *arguments],
            env=self.env,
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=60)

    def down(self) -> None:
        for name in ("web", "caspio", "rupa"):
            if name in self.processes:
                try:
                    self.stop(name)
                except subprocess.TimeoutExpired:
                    self.kill(name)
        self.http.close()

    # -- talking -----------------------------------------------------------------------------------------

    def _answers(self, url: str) -> bool:
        try:
            return self.http.get(url).status_code < 500
        except httpx2.TransportError:
            return False

    def ready(self) -> bool:
        try:
            return self.http.get(self.url("web") + "/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def run(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "labbridge.cli", *arguments],
            env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        if expect is not None:
            assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def caspio(self, method: str, path: str, body: Any = None) -> Any:
        return self._call("caspio", method, path, body)

    def rupa(self, method: str, path: str, body: Any = None) -> Any:
        return self._call("rupa", method, path, body)

    def _call(self, name: str, method: str, path: str, body: Any) -> Any:
        answer = self.http.request(method, self.url(name) + path, json=body)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return (
            answer.json()
            if answer.content and "json" in answer.headers.get("content-type", "")
            else answer.text
        )

    def settled(self) -> bool:
        """Nothing under way here, nothing waiting to be delivered by Rupa."""
        try:
            state = self.http.get(self.url("web") + "/readyz").json()
        except (httpx2.TransportError, json.JSONDecodeError):
            return False
        deliveries = [
            event for event in self.rupa("GET", "/_sim/events") if event.get("status") not in DELIVERED
        ]
        return not deliveries and state["events_pending"] == 0 and state["jobs_pending"] == 0

    def settle(self, seconds: float = 90) -> None:
        wait_for(self.settled, "everything settled", seconds)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        dump = self.caspio("GET", "/_sim/dump")
        return dict(dump.get("tables", dump).items())

    @property
    def practitioner(self) -> str:
        from labbridge.simulators.rupa import practitioner_id

        return practitioner_id("Ada")

    def order(self, patient: dict[str, Any], *tests: str, paid: bool = True, **more: Any) -> str:
        """An order made at Rupa, submitted and paid. Returns its id."""
        known = (
            {test["name"]: test["id"] for test in self.rupa("GET", "/_sim/state")["lab_tests"]}
            if tests
            else {}
        )
        body = {"patient": patient["id"], "lab_tests": [known[name] for name in tests], **more}
        order = self.rupa("POST", "/_sim/orders", body)
        if paid:
            self.act(order["id"], "pay")
        return str(order["id"])

    def act(self, order: str, action: str, **more: Any) -> Any:
        return self.rupa("POST", f"/_sim/orders/{order}/{action}", more)

    # -- people and orders -------------------------------------------------------------------------------

    def add_patient(self, number: int, **more: Any) -> dict[str, Any]:
        """One invented person on both sides; `Patient_ID` in Caspio, `pat_…` at Rupa."""
        person = {
            "first_name": f"Testa{number}", "last_name": f"Sampleperson{number}",
            "email": f"testa{number}@patients.example", "birthday": f"19{60 + number % 40}-0{1 + number % 9}-15",
        }  # fmt: skip
        patient = self.rupa("POST", "/_sim/patients", {**person, "practitioner": self.practitioner})
        row = {
            "Patient_ID": f"P-{number}", "First_Name": person["first_name"], "Last_Name": person["last_name"],
            "Email": person["email"], "Date_of_Birth": person["birthday"] + "T00:00:00", **more,
        }  # fmt: skip
        self.caspio("POST", "/_sim/import", {"table": "Patients", "rows": [row]})
        return {**person, "key": f"P-{number}", "id": patient["id"]}


DELIVERED = {"delivered", "nowhere"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def drop_database(execute: Callable[[str], object], name: str) -> None:
    """Drop it with whoever is connected; an autovacuum at work there, which is not ours to end, is waited for."""

    def is_vacuum(error: Exception) -> bool:
        return isinstance(error.__cause__ or error, InsufficientPrivilege)

    for attempt in stamina.retry_context(on=is_vacuum, attempts=60, timeout=60, wait_initial=0.2, wait_max=1):
        with attempt:
            execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
