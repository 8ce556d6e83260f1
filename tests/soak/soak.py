"""The soak: many practices, lost deliveries, killed processes and misbehaving peers; one sweep must set all right.

What happens at the peers is played by `peers.py`; three of ten deliveries are lost for good, some come twice, and
none waits for another. When all was said, one `labbridge sweep` runs. Then every row of every practice is compared
with what `expected.py` works out from the simulated Rupa's own state.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from labbridge.database import EmbeddedServer
from tests.crash.stage import ENCRYPTION_KEY, signature
from tests.soak.expected import Expectation, differences, held
from tests.soak.peers import ZONE, Peers, lives
from tests.soak.service import PATIENCE, Service
from tests.world import CALLS_PER_SECOND, SIGNING_SECRET, wait_for

EVENTS_PER_ORDER = 7.7  #: of peers.Life, on average
#: Of all deliveries three in ten are lost for good: all of every fifth order, and an eighth of the others.
SILENT, LOST, TWICE = 0.2, 0.125, 0.1


@dataclass(frozen=True)
class Size:
    events: int
    practices: int
    seed: int = 20261126
    pauses: tuple[float, float] = (1.5, 4.0)  #: seconds between two kills
    webs: int = 2
    workers: int = 3
    rate: float = CALLS_PER_SECOND  #: calls a second that each Caspio account allows
    lossy: bool = True
    under_fire: bool = False  #: storm and kills last until nearly all is done, not only until all is told

    @property
    def orders(self) -> int:
        return max(1, round(self.events / EVENTS_PER_ORDER))


@dataclass
class Report:
    """What is printed: every figure of it was measured."""

    size: Size
    made: int = 0  #: events of Rupa and messages of Caspio
    told: int = 0  #: of those, delivered
    kills: int = 0
    struck: int = 0  #: requests that met the storm
    calls: dict[str, int] = field(default_factory=dict)
    metered: dict[str, int] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    connections: int = 0  #: to the database, at their peak
    seconds: float = 0.0  #: from the first delivery until nothing was under way
    latency: tuple[float, float, float] = (0, 0, 0)  #: median, 95th and 99th percentile, seconds
    sweep_seconds: float = 0.0
    sweep: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        half, most, nearly_all = self.latency
        memory = ", ".join(f"{name} {size:.0f}" for name, size in sorted(self.memory.items()))
        metered = ", ".join(f"{purpose} {calls}" for purpose, calls in sorted(self.metered.items()))
        return (
            f"Soak: {self.size.practices} practices, {self.made} events, {self.told} of them told, "
            f"{self.kills} processes killed, {self.struck} requests misanswered.\n"
            f"  Throughput: {self.told / self.seconds:.1f} events/s over {self.seconds:.0f} s, until none was left.\n"
            f"  From event to Caspio: median {half:.1f} s, 95 % {most:.1f} s, 99 % {nearly_all:.1f} s.\n"
            f"  Memory at its peak (MB): {memory}. Connections to the database: {self.connections}.\n"
            f"  Requests that reached the peers: Rupa {self.calls['rupa']}, Caspio {self.calls['caspio']} "
            f"(calls by purpose: {metered}).\n"
            f"  One sweep of {self.sweep_seconds:.0f} s: listed {self.sweep['listed']}, repaired "
            f"{self.sweep['repaired']}, ledger difference {self.sweep['difference']}.\n"
            f"  Rows compared with what they should be: {self.rows}, {len(self.differences)} differ."
        )


class Soak:
    SAY_EVERY = 30.0  #: seconds
    LOOK_EVERY = 0.5  #: seconds
    LOOK_SHARE = 0.02  #: of the time: to count a hundred thousand jobs takes half a second itself

    def __init__(
        self, folder: Path, database: str, size: Size, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        self.folder, self.database, self.size, self._progress = folder, database, size, progress
        self._said = time.monotonic()
        self.dice = random.Random(size.seed)
        self.report = Report(size)
        self.peers = Peers(folder, size.practices, size.rate)
        self.service = Service(folder, self._environment(), webs=size.webs, workers=size.workers)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="deliver")
        self._http = httpx2.Client(timeout=30)
        self._answers: list[Any] = []
        self._seq = 0
        self._seen = {practice.slug: 0 for practice in self.peers.practices}
        self._clinics = {practice.clinic for practice in self.peers.practices}
        self._counted, self._count_again = 0, 0.0
        self._silent: dict[str, bool] = {}  # by order: whether nothing is ever told of it

    def _environment(self) -> dict[str, str]:
        rupa = self.peers.gate.url
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LABBRIDGE_", "DJANGO_"))}
        return {
            **kept,
            "PYTHONUNBUFFERED": "1",
            "LABBRIDGE_DATA_DIR": str(self.folder / "var"),
            "LABBRIDGE_DATABASE_URL": self.database,
            "LABBRIDGE_ENCRYPTION_KEYS": ENCRYPTION_KEY,
            "LABBRIDGE_SECRET_KEY": "a secret key for every process of a soak, and nothing else",
            "LABBRIDGE_ALLOW_HTTP_PEERS": "1",
            "LABBRIDGE_RUPA_API_URL": rupa,
            "LABBRIDGE_RUPA_AUTHORIZE_URL": rupa + "/oauth/authorize",
            "LABBRIDGE_RUPA_TOKEN_URL": rupa + "/oauth/token",
            "LABBRIDGE_RUPA_CLIENT_ID": "app_soak",
            "LABBRIDGE_RUPA_CLIENT_SECRET": "secret of rupa in the soak",
            "LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET": SIGNING_SECRET,
            "LABBRIDGE_RUPA_CALLS_PER_SECOND": "100",
        }

    # -- its parts, in order -------------------------------------------------------------------------------

    def configure(self) -> None:
        for practice in self.peers.practices:
            path = self.folder / f"{practice.slug}.toml"
            path.write_text(practice.toml())
            self.service.run("practice", "apply", str(path))
            self.service.run("provision", "--practice", practice.slug)

    def traffic(self, patience: float) -> None:
        """Everything happens at the peers and is told, in a storm, while processes are killed."""
        over = threading.Event()
        killer = self.service.killer(random.Random(self.size.seed + 1), over, self.size.pauses)
        self.peers.storm()
        killer.start()
        self.live()
        if self.size.under_fire:
            few = self.report.told / 20
            wait_for(lambda: self._left() <= few, "nearly all done", patience, every=self.LOOK_EVERY)
        over.set()
        killer.join(PATIENCE)
        assert not killer.is_alive()
        self.report.struck = self.peers.struck()
        self.peers.calm()

    def live(self, between: Callable[[], None] = lambda: None) -> None:
        """Play all orders, and tell what happens until all of it is told; `between` is called now and then."""
        for number, _ in enumerate(lives(self.peers, self.size.orders, self.dice)):
            if number % 20 == 0:
                self._tell_news()
                self._count_connections()
                self._say(f"{number} steps of orders played")
                between()
        self._tell_news()
        self._wait_for_answers()

    def settle(self, seconds: float) -> None:
        """Until nothing is under way; who waits for the next attempt gets it now, since the storm is over."""

        def settled() -> bool:
            self.query("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' AND attempts > 0 "
                        "AND scheduled_at > now() AND task_name <> 'poll_order'")  # fmt: skip
            return self._left() == 0

        wait_for(settled, "everything settled", seconds, every=self.LOOK_EVERY)

    def _left(self) -> int:
        """Events and jobs that are not done yet, or were not a moment ago."""
        if (began := time.monotonic()) < self._count_again and self._counted:
            return self._counted
        ((self._counted,),) = self.query(
            "SELECT (SELECT count(*) FROM inbox_event WHERE state = 'received') + (SELECT count(*) FROM "
            "procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name <> 'poll_order')"
        )
        self._count_again = began + (time.monotonic() - began) / self.LOOK_SHARE
        self._say(f"{self._counted} events and jobs left")
        return self._counted

    def _say(self, what: str) -> None:
        if time.monotonic() - self._said >= self.SAY_EVERY:
            self._said = time.monotonic()
            self._progress(f"{self.report.told} told, {self.service.deaths} killed, {what}")

    def _count_connections(self) -> None:
        ((count,),) = self.query(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        self.report.connections = max(self.report.connections, count - 1)  # but this one

    def measure(self) -> None:
        ((self.report.seconds, *latency),) = self.query(
            "SELECT extract(epoch FROM max(settled_at) - min(received_at))::float, "
            "percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM settled_at - "
            "received_at)::float) FILTER (WHERE peer = 'rupa' AND state = 'handled') FROM inbox_event"
        )
        self.report.latency = tuple(latency[0])  # type: ignore[assignment]  # an array of three

    def sweep(self) -> None:
        began = time.monotonic()
        # What it leaves for a person is a difference like any other: the report is printed with it.
        said = self.service.run(
            "sweep", "--json", allowed=(0, 1)
        )  # its log lines are there too, each one line
        self.report.sweep, _ = json.JSONDecoder().raw_decode(said, said.index("{\n"))
        self.report.differences += [
            f"left for a person: {sentence}" for sentence in self.report.sweep["left"]
        ]
        self.report.sweep_seconds = time.monotonic() - began

    def compare(self) -> None:
        for practice in self.peers.practices:
            store = self.peers.rupa.world.store
            wanted = Expectation(store, practice.clinic, ZONE, practice.charts).tables
            found = differences(wanted, held(practice.caspio.dump()))
            self.report.differences += [f"{practice.slug}: {line}" for line in found]
            self.report.rows += sum(map(len, wanted.values()))

    def finish(self) -> None:
        codes = self.service.stop()
        assert set(codes) == {0}, f"not stopped in order: {codes}"
        self.report.kills, self.report.memory = self.service.deaths, self.service.memory
        self.report.calls = self.peers.calls()
        self.report.metered = dict(
            self.query("SELECT purpose, sum(calls)::int FROM practices_callcount GROUP BY 1")
        )

    # -- deliveries ----------------------------------------------------------------------------------------

    def _tell_news(self) -> None:
        for number, clinic, order, body in self.peers.events(self._seq):
            self._seq = number
            if clinic in self._clinics:
                silent = self._silent.setdefault(order, self.dice.random() < SILENT)
                self._owe(
                    "/webhooks/rupa", body, {"Rupa-Signature": signature(body, SIGNING_SECRET)}, silent=silent
                )
        for practice in self.peers.practices:
            for number, body in practice.messages(self._seen[practice.slug]):
                self._seen[practice.slug] = number
                self._owe(f"/webhooks/caspio/{practice.slug}", body, {})
        self._wait_for_answers(left=200)

    def _owe(self, path: str, body: bytes, headers: dict[str, str], *, silent: bool = False) -> None:
        self.report.made += 1
        if self.size.lossy and (silent or self.dice.random() < LOST):
            return
        self.report.told += 1
        for _ in range(1 + (self.dice.random() < TWICE)):
            first = self.dice.choice(self.service.ports)
            self._answers.append(self._pool.submit(self._deliver, first, path, body, headers))

    def _deliver(self, port: int, path: str, body: bytes, headers: dict[str, str]) -> None:
        """To one web server, and when that one is dead to another, as a proxy would; until somebody has it."""
        ports = [port, *(other for other in self.service.ports if other != port)]
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for one in ports:
                try:
                    answer = self._http.post(
                        f"http://127.0.0.1:{one}{path}", content=body,
                        headers={**headers, "Content-Type": "application/json"},
                    )  # fmt: skip
                except httpx2.TransportError:
                    continue
                if answer.status_code == 200:
                    return
                assert answer.status_code == 503, f"{path} answered {answer.status_code}"
            time.sleep(0.05)
        raise AssertionError("no web server took a delivery")

    def _wait_for_answers(self, left: int = 0) -> None:
        while len(self._answers) > left:
            self._answers.pop(0).result(2 * PATIENCE)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as db:
            cursor = db.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self.service.close()
        self.peers.close()
        self._http.close()


@contextmanager
def outside_database(folder: Path) -> Iterator[str]:
    """A PostgreSQL that Labbridge's processes know by its address only."""
    with EmbeddedServer(folder) as server:
        yield server.start()


@contextmanager
def configured(folder: Path, size: Size, progress: Callable[[str], None] = lambda _: None) -> Iterator[Soak]:
    """Practices applied and provisioned; no process of the service runs yet."""
    with outside_database(folder / "elsewhere") as url:
        soak = Soak(folder, url, size, progress)
        try:
            soak.configure()
            yield soak
        finally:
            soak.close()


def run(
    folder: Path, size: Size, settle_seconds: float = 300, progress: Callable[[str], None] = lambda _: None
) -> Report:
    with configured(folder, size, progress) as soak:
        soak.service.start()
        soak.traffic(settle_seconds)
        soak.settle(settle_seconds)
        soak.measure()
        progress("all settled; one sweep runs")
        soak.sweep()
        progress("every row is compared")
        soak.compare()
        soak.finish()
        return soak.report


def tell(text: object) -> None:
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()
