"""A stage: both simulators behind gates in this process, and the service as real processes that may be killed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import httpx2
import psycopg

from labbridge.database.cluster import Cluster, address
from labbridge.database.server import _processes
from labbridge.simulators import caspio as caspio_simulator
from labbridge.simulators import rupa as rupa_simulator
from tests.crash.gate import Gate, Watch
from tests.crash.nursery import Nursery
from tests.world import PRACTICE_TOML, SIGNING_SECRET, drop_database, free_port, wait_for

ENCRYPTION_KEY = base64.b64encode(b"one key for every stage of tests").decode()
#: Stands for the simulator's own address in recorded events, because every stage has another one.
FILES = "http://files.of.rupa.invalid"
#: CPython 3.11 counts the depth of syntax trees for the whole process, and werkzeug makes its routes from such trees:
#: two stages that open at once fail with "AST constructor recursion depth mismatch" (python/cpython#106905).
_OPENING = threading.Lock()
IGNORED = {"PK_ID", "Synced_At", "Rupa_Synced_At"}  # given by Caspio; the times of the last writes

Tables = dict[str, list[dict[str, Any]]]


class Stage:
    """`database` is the URL of a database (which `restore` makes anew), "" the embedded one in the data dir."""

    def __init__(self, folder: Path, database: str = "", **environment: str) -> None:
        self.folder, self.database = folder, database
        self.data_dir = folder / "var"
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = environment
        self.port = free_port()
        self.watch = Watch(self.kill)
        self.gates = {peer: Gate(peer, self.watch) for peer in ("caspio", "rupa")}
        self.caspio: Any = None
        self.rupa: Any = None
        self.http = httpx2.Client(timeout=30)
        self._pid: int | None = None
        self._nursery: Nursery | None = None
        self._states = 0
        self.delivered: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if not self.database and self.data_dir.exists():
            self.kill_database()
        self._close_simulators()
        if self._nursery is not None:
            self._nursery.close()
        self.http.close()
        for gate in self.gates.values():
            gate.close()

    # -- addresses and environment -------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        rupa = self.gates["rupa"].url
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LABBRIDGE_", "DJANGO_"))}
        return {
            **kept,
            "PYTHONUNBUFFERED": "1",
            "LABBRIDGE_DATA_DIR": str(self.data_dir),
            "LABBRIDGE_DATABASE_URL": self.database,
            "LABBRIDGE_ENCRYPTION_KEYS": ENCRYPTION_KEY,
            "LABBRIDGE_SECRET_KEY": "a secret key for every stage of the tests, and nothing else",
            "LABBRIDGE_BIND": f"127.0.0.1:{self.port}",
            "LABBRIDGE_PUBLIC_URL": self.url,
            "LABBRIDGE_ALLOW_HTTP_PEERS": "1",
            "LABBRIDGE_RUPA_API_URL": rupa,
            "LABBRIDGE_RUPA_AUTHORIZE_URL": rupa + "/oauth/authorize",
            "LABBRIDGE_RUPA_TOKEN_URL": rupa + "/oauth/token",
            "LABBRIDGE_RUPA_CLIENT_ID": "app_stage",
            "LABBRIDGE_RUPA_CLIENT_SECRET": "secret of rupa on stage",
            "LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET": SIGNING_SECRET,
            "LABBRIDGE_RUPA_CALLS_PER_SECOND": "100",
            **self.environment,
        }

    # -- simulators ----------------------------------------------------------------------------------------

    def open_simulators(self, state: Path | None = None, *, recording: bool = False) -> None:
        """Fresh ones, or as they were when their files were kept in `state`.

        `recording`: events are to be delivered on other stages too, so files get a placeholder's address.
        """
        self._close_simulators()
        self._states += 1
        here = self.folder / f"state-{self._states}"
        here.mkdir()
        for name in ("caspio.sqlite", "rupa.sqlite") if state else ():
            shutil.copy(state / name, here / name)  # type: ignore[operator]  # the loop is empty without a state
        with _OPENING:
            self.caspio = caspio_simulator.create_app(
                here / "caspio.sqlite", client_id="client", client_secret="secret of caspio", deliver=False
            )
            caspio_simulator.seed_practice(self.caspio.account, 0)
            self.rupa = rupa_simulator.create_app(
                here / "rupa.sqlite",
                client_id="app_stage",
                client_secret="secret of rupa on stage",
                signing_secret=SIGNING_SECRET,
                send=False,
                file_base_url=FILES if recording else "",
                file_url_lifetime=10_000_000,
            )
        self.gates["caspio"].app, self.gates["rupa"].app = self.caspio, self.rupa

    def _close_simulators(self) -> None:
        for simulator in (self.caspio, self.rupa):
            if simulator is not None:
                simulator.close()
        if self._states:
            shutil.rmtree(self.folder / f"state-{self._states}")

    def keep_simulators(self, state: Path) -> None:
        """Keep a copy of both states, from which `open_simulators` goes on."""
        state.mkdir(parents=True, exist_ok=True)
        for name in ("caspio.sqlite", "rupa.sqlite"):
            (state / name).unlink(missing_ok=True)
            with (
                contextlib.closing(sqlite3.connect(self.folder / f"state-{self._states}" / name)) as source,
                contextlib.closing(sqlite3.connect(state / name)) as kept,
            ):
                source.backup(kept)

    def call(self, peer: str, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, self.gates[peer].url + path, json=body)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.content

    def call_raw(self, peer: str, path: str) -> bytes:
        answer = self.http.get(self.gates[peer].url + path)
        assert answer.status_code == 200
        return answer.content

    def fault(self, peer: str, kind: str, method: str, path: str, **rule: Any) -> None:
        self.call(
            peer, "POST", "/_sim/faults", {"kind": kind, "match": {"method": method, "path": path}, **rule}
        )

    # -- the service ---------------------------------------------------------------------------------------

    @property
    def nursery(self) -> Nursery:
        if self._nursery is None:
            self._nursery = Nursery(self.env)
        return self._nursery

    def log(self, command: str) -> Path:
        return self.folder / f"{command}.log"

    def start(self, *arguments: str) -> int:
        return self.nursery.start(arguments, self.log(arguments[0]))

    def run(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> str:
        """A command to its end. Returns what it printed."""
        log = self.log(arguments[0])
        known = log.stat().st_size if log.exists() else 0
        status = self.nursery.wait(self.start(*arguments))
        said = log.read_bytes()[known:].decode()
        assert status in expect, f"labbridge {' '.join(arguments)}: {status}\n{said[-3000:]}"
        return said

    def serve(self, command: str = "serve") -> None:
        assert self._pid is None, "it runs already"
        self._pid = self.start(command)

    def kill(self) -> None:
        """SIGKILL the service, if it runs, and wait until nothing of it is left."""
        pid, self._pid = self._pid, None
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self.nursery.wait(pid)

    def kill_database(self) -> int:
        """SIGKILL every process of the embedded database. Returns how many there were."""
        postmasters, others = _processes(Cluster(self.data_dir).name)
        for pid in (*postmasters, *others):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(postmasters) + len(others)

    def terminate(self) -> int:
        pid, self._pid = self._pid, None
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        return self.nursery.wait(pid)

    def ready(self) -> bool:
        try:
            return self.http.get(self.url + "/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    @property
    def running(self) -> bool:
        return self._pid is not None

    def wait_until_killed(self) -> None:
        """Until the gate has struck."""
        wait_for(lambda: not self.running, "the boundary", 30)

    # -- the database --------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the database answers, when it runs."""
        return self.database or address(self.data_dir / "postgres")

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.address, autocommit=True) as db:
            cursor = db.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    @property
    def name(self) -> str:
        return urlsplit(self.database).path.strip("/")

    def restore(self, template: str) -> None:
        """Make the stage's database anew as a copy of another one."""
        copy_database(self.database, template, self.name)

    def pass_time(self) -> None:
        """As if a minute had passed since the killed worker's last sign of life."""
        self.query("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'")

    # -- deliveries and the end ----------------------------------------------------------------------------

    def deliver(
        self, body: bytes, to: str = "rupa", *, secret: str = SIGNING_SECRET, patience: float = 60
    ) -> int:
        """Deliver a recorded event as its peer does, again and again until it is answered. Returns the status."""
        content = body.replace(FILES.encode(), self.gates["rupa"].url.encode())
        self.delivered.append(content)
        end = time.monotonic() + patience
        while True:
            headers = {"Rupa-Signature": signature(content, secret), "Content-Type": "application/json"}
            with contextlib.suppress(httpx2.TransportError):
                answer = self.http.post(f"{self.url}/webhooks/{to}", content=content, headers=headers)
                if answer.status_code != 503:
                    return answer.status_code
            assert time.monotonic() < end, "the service does not answer"
            time.sleep(0.05)

    def settle(self, seconds: float = 60, *, impatient: bool = False, all_well: bool = True) -> None:
        """Wait until every event has come to rest and no job is left (but looking again for files, days later).

        `impatient`: jobs that wait for their next attempt get it at once.
        """

        def settled() -> bool:
            if impatient:
                db.execute(_HURRY)
            return _open_work(db) == 0

        with psycopg.connect(self.address, autocommit=True) as db:
            wait_for(settled, "everything settled", seconds)
            dead = db.execute("SELECT task_name FROM procrastinate_jobs WHERE status = 'failed'").fetchall()
        assert not (dead and all_well), f"dead jobs: {dead}"

    def hurry(self) -> None:
        """Give jobs that wait for their next attempt that attempt now."""
        self.query(_HURRY)

    def tables(self) -> Tables:
        """What Caspio holds, without what is Caspio's own, in the order of the rows' keys."""
        return {name: _comparable(rows) for name, rows in self.caspio.dump().items()}

    def hits(self, peer: str) -> list[int]:
        """How often each rule of misbehaviour struck."""
        return [rule["hits"] for rule in self.call(peer, "GET", "/_sim/faults")]

    def writes(self) -> dict[str, int]:
        """How often Caspio was asked, and did, to add a row to a table or to keep a file on a row."""
        counts: dict[str, int] = {}
        for one in self.caspio.faults.requests():
            done = one["status"] is not None and one["status"] < 300 and one["fault"] not in NOT_REACHED
            inserts = one["method"] == "POST" and one["path"].endswith("/records")
            uploads = one["method"] == "PUT" and "/attachments/" in one["path"]
            if (done or one["fault"] in REACHED) and (inserts or uploads):
                name = f"{one['method']} {one['path']}"
                counts[name] = counts.get(name, 0) + 1
        return counts


REACHED = {"error_after", "reset_after", "hang_after"}  # the peer did it, whatever became of its answer
NOT_REACHED = {"garbage"}

_OPEN = """
SELECT (SELECT count(*) FROM inbox_event WHERE state = 'received')
     + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name <> 'poll_order')
"""

_HURRY = """
UPDATE procrastinate_jobs SET scheduled_at = now()
 WHERE status = 'todo' AND attempts > 0 AND scheduled_at > now() AND task_name <> 'poll_order'
"""


def _open_work(db: psycopg.Connection[Any]) -> int:
    row = db.execute(_OPEN).fetchone()
    assert row is not None
    return int(row[0])


def copy_database(url: str, template: str, name: str) -> None:
    parts = urlsplit(url)
    with psycopg.connect(urlunsplit(parts._replace(path="/labbridge")), autocommit=True) as db:
        drop_database(db.execute, name)
        db.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [{name: value for name, value in row.items() if name not in IGNORED} for row in rows]
    return sorted(kept, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def differences(wanted: Tables, found: Tables) -> list[str]:
    """What is missing, too much or other, by table and key."""
    lines = []
    for table in sorted({*wanted, *found}):
        ours = {json.dumps(row, sort_keys=True) for row in wanted.get(table, [])}
        theirs = {json.dumps(row, sort_keys=True) for row in found.get(table, [])}
        lines += [f"{table}: missing {row}" for row in sorted(ours - theirs)]
        lines += [f"{table}: too much {row}" for row in sorted(theirs - ours)]
        if ours == theirs and len(wanted.get(table, [])) != len(found.get(table, [])):
            lines.append(f"{table}: a row is there twice")
    return lines


def signature(body: bytes, secret: str) -> str:
    moment = str(int(time.time()))
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def practice_toml(stage: Stage) -> str:
    pair = stage.call("rupa", "POST", "/_sim/tokens", {})
    return PRACTICE_TOML.format(
        caspio=stage.gates["caspio"].url, rate=100, refresh_token=pair["refresh_token"]
    )
