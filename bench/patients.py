"""An import of many patients in Caspio, which fires no webhook: `sync patients`, killed half-way and run again.

Both peers allow many more calls a second than the real ones, so that it is our own work that is timed, and whether a
row costs more the more there are. Every fourth patient is at Rupa already.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from bench import machine, service
from bench.report import Line, show
from tests.world import World

ROWS = 10_000
CALLS_PER_SECOND = 100  #: of both peers; the most that Rupa's may be set to
BATCH = 500
LOOK_SECONDS = 0.5


def run(rows: int = ROWS) -> None:
    with service.scratch() as folder:
        world = World(folder, rate=CALLS_PER_SECOND, rupa_options={"max_page_size": 100})
        world.environment["LABBRIDGE_RUPA_CALLS_PER_SECOND"] = str(CALLS_PER_SECOND)
        (folder / "var").mkdir(mode=0o700)
        with service.database(folder / "var") as url:
            try:
                world.start_simulators(patients=1)  # the table, and one row of its own
                world.configure()
                _import(world, rows - 1)
                print(machine.facts(url), flush=True)
                lines = _measure(world, url, rows)
                print(machine.facts(url), flush=True)
            finally:
                world.down()
    show(f"{rows} patients imported in Caspio, `sync patients` killed half-way and run again", lines)


def _import(world: World, rows: int) -> None:
    """Invented people; those whose number four divides are at Rupa too."""
    for number in range(0, rows, 4):
        person = {key: value for key, value in _person(number).items() if key != "Patient_ID"}
        world.rupa("POST", "/_sim/patients", {
            "first_name": person["First_Name"], "last_name": person["Last_Name"], "email": person["Email"],
            "birthday": person["Date_of_Birth"][:10], "practitioner": world.practitioner,
        })  # fmt: skip
    for first in range(0, rows, BATCH):
        batch = [_person(number) for number in range(first, min(rows, first + BATCH))]
        world.caspio("POST", "/_sim/import", {"table": "Patients", "rows": batch})
    for forget in (world.caspio, world.rupa):
        forget("DELETE", "/_sim/requests")


def _person(number: int) -> dict[str, Any]:
    """Names of letters only, as different as those of a clinic are: few share a name and none an e-mail."""
    return {
        "Patient_ID": f"B-{number}", "First_Name": f"Testa{_letters(number % 251)}",
        "Last_Name": f"Sample{_letters(number)}", "Email": f"testa{number}@patients.example",
        "Date_of_Birth": f"{1940 + number % 61}-{1 + number % 12:02}-{1 + number % 28:02}T00:00:00",
    }  # fmt: skip


def _letters(number: int) -> str:
    word = ""
    while number or not word:
        number, letter = divmod(number, 26)
        word += chr(ord("a") + letter)
    return word


def _measure(world: World, url: str, rows: int) -> list[Line]:
    first = _Run(world, url)
    first.until(rows // 2)
    linked_before = first.linked()
    second = _Run(world, url)
    counts = second.end()
    again = _Run(world, url)
    unchanged = again.end()
    rows_now = world.tables()["Patients"]
    ours = {row["Email"] for row in rows_now}
    held = [one["email"] for one in world.rupa("GET", "/_sim/state")["patients"]]
    at_rupa = Counter(email for email in held if email in ours)
    doubles = sum(number - 1 for number in at_rupa.values())
    ids = [row["Rupa_Patient_ID"] for row in rows_now]
    told = Counter(row["Rupa_Sync_Status"] for row in rows_now)
    shared = len(ids) - len(set(ids))
    calls = _calls(world)
    took = first.seconds + second.seconds
    created = rows - len(range(0, rows, 4))
    early, late = first.cost(rows // 20, rows // 4), second.cost(rows * 3 // 4, rows - rows // 20)
    return [
        Line("links when it was killed, and in the end", f"{linked_before}", f"{second.linked()} of {rows}"),
        Line("two patients at Rupa for one e-mail", f"{doubles}", f"0 of {len(at_rupa)}", float(doubles), at_most=0),
        Line("two rows with one Rupa id", f"{shared}", "0", float(shared), at_most=0),
        Line("what the rows say", ", ".join(f"{many} {word}" for word, many in sorted(told.items()))),
        Line("what the second run and one more said", _said(counts), _said(unchanged)),
        *(Line(what, f"{one.seconds:.0f} s", f"{one.work:.0f} s of work; first job after {one.reading:.0f} s")
          for what, one in (("first run, until killed", first), ("second run", second), ("nothing changed", again))),
        Line("both runs", f"{rows / took:.1f} rows/s", f"{1000 * (first.work + second.work) / rows:.0f} ms each"),
        Line("a link in the last quarter beside one in the first", f"{late:.0f} ms", f"{early:.0f} ms", late / early),
        Line("peak memory, until killed, second run, nothing changed",
             f"{first.peak:.0f}, {second.peak:.0f}, {again.peak:.0f} MB"),
        *(Line(f"calls, {what}", f"{calls[what]}", beside) for what, beside in (
            ("Caspio PUT", f"{rows} rows"), ("Caspio GET", "pages of 1,000, three runs"),
            ("Rupa POST", f"{created} created"), ("Rupa GET", "pages of 50 or 100"),
        )),
    ]  # fmt: skip


def _said(counts: dict[str, int]) -> str:
    return json.dumps({key: value for key, value in counts.items() if value})


class _Run:
    """One `sync patients`, watched from beside: links over time, and its memory."""

    def __init__(self, world: World, url: str) -> None:
        self._url, self._log = url, Path(world.folder / "sync.log")
        self.peak, self.reading, self.work = 0.0, 0.0, 0.0
        self._seen: list[tuple[float, int]] = []  # processor seconds and links
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *service.labbridge("sync", "patients", "--json")],
            env=world.env, cwd=service.ROOT, stdout=subprocess.PIPE, stderr=self._log.open("ab"),
        )  # fmt: skip
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def _look(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as database:
            while not self._ended.wait(LOOK_SECONDS):
                now = time.monotonic() - self._began
                linked, jobs = _counts(database)
                if not self.reading and jobs[0]:
                    self.reading = now
                try:
                    self.peak = max(self.peak, machine.peak_memory(self._process.pid))
                    self.work = machine.processor_seconds(self._process.pid)
                    self._seen.append((self.work, linked))
                except OSError:
                    return

    def until(self, links: int) -> None:
        service.wait_for(
            lambda: self.linked() >= links or self._process.poll() is not None,
            "half of it",
            seconds=36_000,
            pause=1,
        )
        self._process.kill()
        self._process.communicate()
        self._over()

    def end(self) -> dict[str, int]:
        out, _ = self._process.communicate()
        self._over()
        if self._process.returncode:
            raise RuntimeError(out.decode()[-2000:] + self._log.read_text()[-4000:])
        return dict(json.loads(out))

    def _over(self) -> None:
        self.seconds = time.monotonic() - self._began
        self._ended.set()
        self._watch.join()

    def linked(self) -> int:
        return self._seen[-1][1] if self._seen else 0

    def cost(self, low: int, high: int) -> float:
        """Milliseconds of processor time for each link between so many links and so many."""
        within = [one for one in self._seen if low <= one[1] <= high]
        if len(within) < 2 or within[-1][1] == within[0][1]:
            return float("nan")
        (began, fewer), (ended, more) = within[0], within[-1]
        return 1000 * (ended - began) / (more - fewer)


def _counts(database: psycopg.Connection) -> tuple[int, tuple[int, int]]:
    linked = database.execute("SELECT count(*) FROM mirror_patientlink").fetchone()
    jobs = database.execute(
        "SELECT count(*) FILTER (WHERE status = 'doing'), count(*) FROM procrastinate_jobs"
    ).fetchone()
    assert linked is not None
    assert jobs is not None
    return int(linked[0]), (int(jobs[0]), int(jobs[1]))


def _calls(world: World) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, talk, path in (("Caspio", world.caspio, "/tables/Patients"), ("Rupa", world.rupa, "/patients")):
        for one in talk("GET", "/_sim/requests"):
            if path in one["path"]:
                found[f"{name} {one['method']}"] += 1
    return found
