"""How fast letters go to one receiver, beside a bare loop that signs and posts as many to the same receiver."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench import machine, service
from bench.report import Line, show

ROUNDS = 3
COUNT = 1000
ORDERS = 250  #: whose facts they are: four for each
WAYS = ("feed", "bare")


def run(rounds: int = ROUNDS, count: int = COUNT) -> None:
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    receiver = Receiver()
    try:
        with service.scratch() as folder, service.database(folder) as url:
            env = service.environment(folder)
            for number in range(rounds):
                for way in sorted(WAYS, reverse=bool(number % 2)):
                    found[way].append(_post(env, way, count, receiver))
            print(machine.facts(url))
    finally:
        receiver.close()
    rates = {way: statistics.median(one["rate"] for one in found[way]) for way in WAYS}
    ratio = statistics.median(
        a["rate"] / b["rate"] for a, b in zip(found["feed"], found["bare"], strict=True)
    )
    noted = statistics.median(one["noted"] for one in found["feed"])
    show(
        f"feed: {count} de-identified letters about {ORDERS} orders to one receiver, median of {rounds}",
        [
            Line("letters taken, beside a bare loop", f"{rates['feed']:.0f}/s", f"{rates['bare']:.0f}/s", ratio),
            Line("facts noted, each in a transaction of its own", f"{noted:.0f}/s"),
        ],
    )  # fmt: skip


class Receiver:
    """Answers at once and counts."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.ids.append(self.headers["webhook-id"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _post(env: Mapping[str, str], way: str, count: int, receiver: Receiver) -> dict[str, float]:
    receiver.ids.clear()
    done = subprocess.run(
        [sys.executable, "-m", "bench.feeder", way, str(count), str(ORDERS), receiver.url],
        env=dict(env), cwd=service.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"ended with {done.returncode}: {done.stderr[-4000:]}")
    if len(set(receiver.ids)) != count or len(receiver.ids) != count:
        raise RuntimeError(
            f"{len(receiver.ids)} letters arrived, {len(set(receiver.ids))} different, of {count}"
        )
    found: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return found
