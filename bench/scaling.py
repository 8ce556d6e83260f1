"""How much further workers get: one, two and three beside each other, each beside the engine's own ceiling.

The processes are started first and begin together at a signal, so that their start does not count. On a machine with
fewer processors than processes this shows where they are shared out, not what more hosts would do.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping

from bench import machine, service
from bench.report import Line, show

ROUNDS = 3
COUNT = 600
WORKERS = (1, 2, 3)


def run(rounds: int = ROUNDS, count: int = COUNT) -> None:
    found: dict[tuple[str, int], list[float]] = {}
    with service.scratch() as folder, service.database(folder) as url:
        env = service.environment(folder)
        for number in range(rounds):
            cases = [(kind, workers) for workers in WORKERS for kind in ("empty", "events")]
            for kind, workers in reversed(cases) if number % 2 else cases:
                found.setdefault((kind, workers), []).append(_rate(env, kind, workers, count))
        print(machine.facts(url))
    lines = []
    for workers in WORKERS:
        events, empty = (statistics.median(found[kind, workers]) for kind in ("events", "empty"))
        name = "1 worker" if workers == 1 else f"{workers} workers"
        lines.append(
            Line(
                f"{name}, one event for each order",
                f"{events:.1f}/s",
                f"{empty:.0f}/s (empty jobs)",
                events / empty,
            )
        )
    alone = statistics.median(found["events", 1])
    for workers in WORKERS[1:]:
        events = statistics.median(found["events", workers])
        lines.append(Line(f"{workers} workers beside 1", f"{events:.1f}/s", f"{alone:.1f}/s", events / alone))
    show(f"scaling: {count} events, median of {rounds}, Caspio answers at once", lines)


def _rate(env: Mapping[str, str], what: str, workers: int, count: int) -> float:
    """Events or jobs a second that so many workers bring to rest together."""
    _child(env, "fill", what, str(count))
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(_begun(env, what)) for _ in range(workers)]
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in running:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        spans = [json.loads(one.communicate(timeout=600)[0]) for one in running]
    if what == "events":
        _child(env, "check", what, str(count))
    return count / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def _begun(env: Mapping[str, str], what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.scaling", "drain", what, "0"], env=dict(env), cwd=service.ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def _child(env: Mapping[str, str], *arguments: str) -> None:
    service.run(["-m", "bench.scaling", *arguments], env)


def _here(do: str, what: str, count: int) -> None:
    """One step in a process of its own."""
    import time

    from bench import drainer, peers
    from labbridge.commands.base import start_django

    start_django()
    if do == "fill":
        drainer.empty_tables()
        if what == "events":
            peers.practice()
        (drainer.store_events if what == "events" else drainer.defer_empty)(count, count)
    elif do == "check":
        drainer.check(count, count)
    else:
        peers.answer_at_once()
        drainer.empty_task()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        began = time.time()
        drainer.drain()
        sys.stdout.write(json.dumps([began, time.time()]))


if __name__ == "__main__":
    _here(sys.argv[1], sys.argv[2], int(sys.argv[3]))
