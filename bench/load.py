"""A load generator: so many keep-alive connections, each with one request under way, in a process of its own.

`python -m bench.load PORT PATH CONNECTIONS REQUESTS BYTES MARK` prints the rate and the times as JSON. All requests
are made and signed before the clock starts, so that the generator costs as little as it can.
"""

from __future__ import annotations

import json
import random
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from bench.service import SIGNING_SECRET
from labbridge.peers.rupa import signature


def event(number: int, mark: str, size: int) -> bytes:
    """One order's event in Rupa's documented form, about `size` bytes long; 0 is an event without an object."""
    body: dict[str, Any] = {
        "id": f"evt_{mark}_{number}",
        "type": "order.updated",
        "created_at": datetime.now(UTC).isoformat(),
    }
    if size:
        order = f"ord_{mark}_{number}"
        body["data"] = {
            "object": {
                "type": "order",
                "id": order,
                "attributes": {"status": "Ready to Ship", "payer": "patient", "total_price": "299.00"},
                "relationships": {
                    "patient": {"data": {"type": "patient", "id": f"pat_{number % 1000}"}},
                    "patients_practitioner": {"data": {"type": "practitioner", "id": "prac_bench"}},
                },
            },
            "included": [],
        }
        padding = max(0, size - len(orjson.dumps(body)) - 20)
        # Text that does not compress, as nothing encrypted does: else PostgreSQL would keep a fiftieth of it for the
        # bare handler.
        body["data"]["object"]["attributes"]["notes"] = (
            random.Random(number).randbytes(padding).hex()[:padding]
        )
    return orjson.dumps(body)


def request(port: int, path: str, body: bytes) -> bytes:
    header = signature.sign(body, SIGNING_SECRET, now=time.time())
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"User-Agent: bench\r\nRupa-Signature: {header}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class Line:
    """One connection and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0

    def send(self, whole: bytes) -> None:
        self.began = time.perf_counter()
        self.socket.sendall(whole)

    def receive(self) -> float:
        answer = self.socket.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200") or b"\r\n\r\n" not in answer:
            raise SystemExit(f"answered: {answer[:300]!r}")
        return time.perf_counter() - self.began


def fire(port: int, requests: Iterator[bytes], connections: int) -> list[float]:
    """Send all, answer the seconds that each took."""
    took: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            line = Line(port)
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.send(next(requests))
        open_lines = connections
        while open_lines:
            for key, _ in selector.select():
                took.append(key.data.receive())
                whole = next(requests, None)
                if whole is None:
                    selector.unregister(key.data.socket)
                    key.data.socket.close()
                    open_lines -= 1
                else:
                    key.data.send(whole)
    return took


def main() -> None:
    port, path, connections, count, size, mark = sys.argv[1:7]
    whole = [request(int(port), path, event(number, mark, int(size))) for number in range(int(count))]
    began = time.perf_counter()
    took = sorted(fire(int(port), iter(whole), int(connections)))
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "rate": len(took) / seconds,
                "median": took[len(took) // 2],
                "p99": took[min(len(took) - 1, int(len(took) * 0.99))],
            }
        )
    )


if __name__ == "__main__":
    main()
