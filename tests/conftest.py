"""What tests of the service share: running simulators, a practice between them, jobs and deliveries.

All of it needs `pytest.mark.django_db(transaction=True)`: peers are called under advisory locks and jobs run in
threads of their own, which see committed rows only.

- `caspio_sim`, `rupa_sim`: both simulators, each with a temporary file, in a thread on a free loopback port.
  `.url`, `.app` (the simulator itself: `.app.faults`, `.app.dump()`), `.call(method, path, json)`,
  `.fault(kind, **rule)`, `.requests()` (the calls received, without those of the test itself).
  `rupa_sim` makes people and orders too: `.patient(1)`, `.order(patient, "DUTCH Complete")`, `.act(order, "pay")`,
  `.events()` (raw bodies, oldest first).
- `deployment(**changed)`: `settings.DEPLOYMENT` with other values until the test ends.
- `practice`: the practice "willow", applied, provisioned and connected to both. `practice_toml` is its file's text.
- `add_patient(1)`: one invented person on both sides, as `{"key": "P-1", "id": "pat_…", …}`.
- `run_jobs()`: run what is due, by the real worker; `run_jobs(waiting=True)` also what waits for its next attempt.
- `deliver(body)`: a signed `POST /webhooks/rupa`; `deliver_all()` delivers every event of the simulator once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import hypothesis
import pytest
import structlog
from typer.testing import CliRunner
from waitress.server import create_server

from labbridge.simulators import caspio as caspio_simulator
from labbridge.simulators import rupa as rupa_simulator
from tests.ear import Ear
from tests.world import PRACTICE_TOML

# How long one example takes tells of the machine, not of the code.
hypothesis.settings.register_profile("labbridge", deadline=None)
hypothesis.settings.load_profile("labbridge")

SIGNING_SECRET = "whsec_tests"  # as tests/settings.py has it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait for real processes first: what the other worker does meanwhile costs no time of its own."""
    items.sort(key=lambda item: item.get_closest_marker("crash") is None)


# -- the database ----------------------------------------------------------------------------------------

KEPT_TABLES = ("django_migrations", "django_content_type", "auth_permission")


@pytest.fixture(scope="session", autouse=True)
def _quick_emptying() -> Iterator[None]:
    """Empty the database after a test that commits by DELETE: for small tables that is 100 times quicker."""
    from django.test import TransactionTestCase

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _self: empty_database())
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[pytest.MonkeyPatch]:
    """Have the tests' database made as on a first start: in one go, then by the migrations that are newer.

    That both ways end the same is what tests/database/test_snapshot.py tells.
    """
    from django.core import management

    from labbridge.database import snapshot

    migrate = management.call_command

    def call(command: str, *arguments: Any, **options: Any) -> Any:
        if command == "migrate":
            snapshot.load()
        return migrate(command, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(management, "call_command", call)
        yield patch


@pytest.fixture(scope="session")
def django_db_setup(django_db_modify_db_settings: pytest.MonkeyPatch, django_db_setup: None) -> None:
    """From here on `migrate` goes step by step again."""
    django_db_modify_db_settings.undo()


@pytest.fixture(autouse=True)
def _logs_to_standard_output() -> Iterator[None]:
    """A command run in this process sends them elsewhere."""
    yield
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())


@pytest.fixture(autouse=True)
def _index_key_without_a_database() -> None:
    """Search hashes are computed in tests of pure functions too."""
    from labbridge.trust.keys import keyring

    keyring().use_first_index_key()


@pytest.fixture(autouse=True)
def _no_data_keys_of_another_test() -> Iterator[None]:
    """A test's rollback takes its data keys back."""
    from labbridge.trust.envelope import data_keys

    data_keys.forget()
    yield
    data_keys.forget()


def empty_database() -> None:
    """Delete every row, the engine's too, in one transaction: foreign keys are looked at when it commits."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = [name for (name,) in cursor.fetchall() if name not in KEPT_TABLES]
        cursor.execute("SET LOCAL labbridge.retention = 'on'")  # the audit lets nobody else remove its rows
        cursor.execute(";".join(f'DELETE FROM "{name}"' for name in tables))


# -- simulators ------------------------------------------------------------------------------------------


class Running:
    """A simulator behind a real socket."""

    def __init__(self, app: Any, url: str) -> None:
        self.app, self.url = app, url
        # Plain HTTP: no certificate authorities to read, which would take as long as the simulator's start.
        self.http = httpx2.Client(base_url=url, timeout=30, verify=False)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        if "json" in answer.headers.get("content-type", ""):
            return answer.json()
        return answer.content

    def fault(self, kind: str, **rule: Any) -> None:
        """Misbehave: see labbridge/simulators/faults.py for kinds and rules."""
        self.call("POST", "/_sim/faults", {"kind": kind, **rule})

    def heal(self) -> None:
        self.call("DELETE", "/_sim/faults")

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/_sim/requests")
        return [one for one in found if not one["path"].startswith("/_sim")]

    def forget_requests(self) -> None:
        self.call("DELETE", "/_sim/requests")


class RunningCaspio(Running):
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = self.app.dump()
        return found

    def add(self, table: str, *rows: dict[str, Any]) -> list[int]:
        """Insert rows the way an import does: no webhook fires. Returns their PK_IDs."""
        keys: list[int] = self.call("POST", "/_sim/import", {"table": table, "rows": list(rows)})["keys"]
        return keys


class RunningRupa(Running):
    def patient(self, number: int, **more: Any) -> dict[str, Any]:
        body = {"practitioner": rupa_simulator.practitioner_id("Ada"), **person(number), **more}
        made: dict[str, Any] = self.call("POST", "/_sim/patients", body)
        return made

    def order(self, patient: str, *tests: str, paid: bool = True, **more: Any) -> str:
        """An order made at Rupa by test names (DUTCH Complete when left out), submitted and paid."""
        known = {test["name"]: test["id"] for test in self.call("GET", "/_sim/state")["lab_tests"]}
        chosen = [known[name] for name in tests or ("DUTCH Complete",)]
        made = str(self.call("POST", "/_sim/orders", {"patient": patient, "lab_tests": chosen, **more})["id"])
        if paid:
            self.act(made, "pay")
        return made

    def act(self, order: str, action: str, **more: Any) -> Any:
        return self.call("POST", f"/_sim/orders/{order}/{action}", more)

    def options(self, **changed: Any) -> None:
        self.call("POST", "/_sim/options", changed)

    def events(self) -> list[bytes]:
        listed = self.call("GET", "/_sim/events")
        return [self.http.get(f"/_sim/events/{event['id']}").content for event in listed]


def person(number: int) -> dict[str, str]:
    """Somebody whom nobody could mistake for a person."""
    return {
        "first_name": f"Testa{number}",
        "last_name": f"Sampleperson{number}",
        "email": f"testa{number}@patients.example",
        "birthday": f"19{60 + number % 40}-0{1 + number % 9}-15",
    }


@contextlib.contextmanager
def _served(app: Any) -> Iterator[str]:
    server = create_server(app, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown()  # workers first: they still tell the loop that they are done
        server.trigger.pull_trigger(server.close)  # closing in the loop's own thread ends it cleanly
        thread.join(5)


@pytest.fixture
def caspio_sim(tmp_path: Path) -> Iterator[RunningCaspio]:
    app = caspio_simulator.create_app(
        tmp_path / "caspio.sqlite",
        client_id="client",
        client_secret="secret of caspio",
        deliver=False,
        retry_seconds=(0.2, 0.5),
    )
    caspio_simulator.seed_practice(app.account, 0)
    with _served(app) as url:
        running = RunningCaspio(app, url)
        yield running
        running.http.close()
    app.close()


@pytest.fixture
def rupa_sim(tmp_path: Path) -> Iterator[RunningRupa]:
    app = rupa_simulator.create_app(
        tmp_path / "rupa.sqlite",
        client_id="app_tests",
        client_secret="secret of the tests",
        signing_secret=SIGNING_SECRET,
        send=False,
        time_scale=0.001,
    )
    with _served(app) as url:
        running = RunningRupa(app, url)
        yield running
        running.http.close()
    app.close()


@pytest.fixture
def labbridge() -> Callable[..., Any]:
    from labbridge.cli import app

    def run(*arguments: str, answer: str | None = None) -> Any:
        """The result of one command; an exception that would have been a traceback fails the test."""
        done = CliRunner().invoke(app, list(arguments), input=answer)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert "Traceback" not in done.output
        return done

    return run


@pytest.fixture
def ear() -> Iterator[Ear]:
    """A channel for alerts: `.url` is its address, `.heard` what it was told."""
    one = Ear()
    yield one
    one.close()


# -- the service between them ----------------------------------------------------------------------------


@pytest.fixture
def deployment(settings: Any) -> Callable[..., Any]:
    def change(**changed: Any) -> Any:
        settings.DEPLOYMENT = settings.DEPLOYMENT.model_copy(update=changed)
        return settings.DEPLOYMENT

    return change


@pytest.fixture
def practice_toml(caspio_sim: RunningCaspio, rupa_sim: RunningRupa) -> str:
    pair = rupa_sim.call("POST", "/_sim/tokens", {})
    return PRACTICE_TOML.format(caspio=caspio_sim.url, rate=100, refresh_token=pair["refresh_token"])


@pytest.fixture
def connected_deployment(rupa_sim: RunningRupa, deployment: Callable[..., Any]) -> Any:
    """The deployment whose Rupa is the simulator."""
    return deployment(
        rupa_api_url=rupa_sim.url,
        rupa_authorize_url=f"{rupa_sim.url}/oauth/authorize",
        rupa_token_url=f"{rupa_sim.url}/oauth/token",
        rupa_calls_per_second=100.0,
        allow_http_peers=True,
    )


@pytest.fixture
def practice(practice_toml: str, connected_deployment: Any) -> Any:
    from labbridge.filing.provision import provision
    from labbridge.handlers.connections import learn_now
    from labbridge.practices.apply import apply
    from labbridge.practices.config import parse

    applied = apply(parse(practice_toml))
    for connection in applied.new_authorisations:
        learn_now(str(connection.pk))
    done = provision(applied.practice)
    assert not done.problems
    return applied.practice


@pytest.fixture
def add_patient(caspio_sim: RunningCaspio, rupa_sim: RunningRupa) -> Callable[..., dict[str, Any]]:
    def add(number: int, **more: Any) -> dict[str, Any]:
        """One person on both sides; `more` are further columns of the Caspio row."""
        known = person(number)
        made = rupa_sim.patient(number)
        row = {
            "Patient_ID": f"P-{number}",
            "First_Name": known["first_name"],
            "Last_Name": known["last_name"],
            "Email": known["email"],
            "Date_of_Birth": f"{known['birthday']}T00:00:00",
            **more,
        }
        (pk_id,) = caspio_sim.add("Patients", row)
        return {**known, "key": f"P-{number}", "id": made["id"], "pk_id": pk_id}

    return add


@pytest.fixture
def run_jobs() -> Callable[..., None]:
    from django.db import connection

    from labbridge.engine.worker import run_until_idle

    def run(*, waiting: bool = False, rounds: int = 20) -> None:
        """Run all jobs that are due, and those they defer; with `waiting` also what is scheduled for later."""
        run_until_idle()
        for _ in range(rounds if waiting else 0):
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE procrastinate_jobs SET scheduled_at = now() "
                    "WHERE status = 'todo' AND scheduled_at > now()"
                )
                if not cursor.rowcount:
                    return
            run_until_idle()

    return run


def signature(body: bytes, secret: str = SIGNING_SECRET, at: float | None = None) -> str:
    moment = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


@pytest.fixture
def deliver(client: Any) -> Callable[..., Any]:
    def post(body: bytes | dict[str, Any], **headers: str) -> Any:
        """Deliver one event as Rupa would; a header given here replaces ours. Returns the answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Rupa-Signature": signature(raw), **headers}
        return client.post("/webhooks/rupa", raw, content_type="application/json", headers=given)

    return post


@pytest.fixture
def deliver_all(rupa_sim: RunningRupa, deliver: Callable[..., Any]) -> Callable[[], int]:
    def post() -> int:
        bodies = rupa_sim.events()
        for body in bodies:
            assert deliver(body).status_code == 200
        return len(bodies)

    return post
