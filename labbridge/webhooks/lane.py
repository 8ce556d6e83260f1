"""A lane of their own for Rupa's deliveries through the web server: those of one moment are stored together.

A thread, a statement and a commit for each delivery cost more than the storing itself, most of it in threads that
wake each other (docs/performance.md). So one thread takes all deliveries that the web server has read, verifies and
seals them, stores them with one statement in one commit, and answers them. It waits for nobody: a delivery that comes
alone is stored alone, at once.

The lane only ever answers what is new and on disk. Everything else (refused, repeated, large, or of a moment in
which the database refused anything) goes the long way, through `Front` in a thread of its own: there is one place
that knows every other answer, and no delivery can fail another.

It hangs on three things of waitress that its documentation does not promise: a server's `add_task`, `readable` and
`channel_class`. tests/webhooks/test_lane.py speaks to a real server.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from django.db import connection
from waitress.channel import HTTPChannel
from waitress.task import Task, WSGITask

from labbridge.engine.bell import ring
from labbridge.inbox.arrivals import Arrival, store
from labbridge.practices.clients import RUPA_ASSUMPTIONS
from labbridge.webhooks import views
from labbridge.webhooks.front import PATH

LARGEST = 256 * 1024  #: bytes of a body; a larger one would keep the others waiting
MOST = 100  #: deliveries in one commit

_SIGNATURE = RUPA_ASSUMPTIONS.signature.variable

log = structlog.get_logger()


@contextmanager
def opened(*servers: Any) -> Iterator[None]:  # any: waitress has no types
    """For a web server that does not serve yet: a lane for each address that it listens on."""
    lanes = [_Lane(server) for server in servers]
    for lane in lanes:
        lane.start()
    try:
        yield
    finally:
        for lane in lanes:
            lane.stop()


class _Stored(Task):
    """The answer to a delivery that is on disk."""

    status = "200 OK"
    content_length = 0
    complete = True

    def execute(self) -> None:
        """Nothing is left to do: `finish` sends the head."""


class _Channel(HTTPChannel):
    @staticmethod
    def task_class(channel: Any, request: Any) -> Any:
        return _Stored(channel, request) if hasattr(request, "stored") else WSGITask(channel, request)


class _Lane(threading.Thread):
    def __init__(self, server: Any) -> None:
        super().__init__(name="lane", daemon=True)
        self._read: deque[Any] = deque()  # by the web server's own thread, and for a pipelined request by any
        self._wanted = threading.Event()
        self._ended = False
        self._long_way = server.add_task
        self._server_readable = server.readable
        self._server_pull = server.pull_trigger
        server.add_task = self._add_task
        server.readable = self._readable
        server.pull_trigger = self._pull_trigger
        server.channel_class = _Channel

    def stop(self) -> None:
        self._ended = True
        self._wanted.set()
        self.join(timeout=5)

    def _add_task(self, channel: Any) -> None:
        request = channel.requests[0]
        ours = request.path == PATH and request.command == "POST" and not request.error
        if ours and request.content_length <= LARGEST:
            self._read.append(channel)
        else:
            self._long_way(channel)

    def _readable(self) -> Any:
        """Asked before each time the web server looks for input: what it has just read belongs together."""
        if self._read:
            self._wanted.set()
        return self._server_readable()

    def _pull_trigger(self) -> None:
        """Each answer wakes the web server's thread, to listen to that connection again: once for a batch will do."""
        if threading.current_thread() is not self:
            self._server_pull()

    def run(self) -> None:
        while not self._ended:
            self._wanted.wait()
            self._wanted.clear()
            while batch := [self._read.popleft() for _ in range(min(len(self._read), MOST))]:
                try:
                    self._serve(batch)
                except Exception as error:  # noqa: BLE001  # the lane must go on, and the text may quote data
                    log.error("webhooks.lane_failed", exception_type=type(error).__name__)  # noqa: TRY400
        connection.close()

    def _serve(self, batch: list[Any]) -> None:
        stored = _stored(batch)
        for channel in batch:
            if channel in stored:
                channel.requests[0].stored = True
                channel.service()
            else:
                channel.requests[0].get_body_stream().seek(0)
                self._long_way(channel)
        with suppress(OSError):  # the web server has ended meanwhile
            self._server_pull()
        if stored:
            ring()
        for arrival in stored.values():
            views.tell(arrival.peer, arrival.id, arrival.type, is_new=True)


def _stored(batch: list[Any]) -> dict[Any, Arrival]:
    """Those that are new and on disk, by their channels: none when the database refused any."""
    try:
        arrivals = {channel: arrival for channel in batch if (arrival := _arrival(channel.requests[0]))}
        kept = store(list(arrivals.values())) if arrivals else set()
    except Exception:  # noqa: BLE001  # whatever it is, the long way meets it too, and says it for each
        connection.close()
        return {}
    return {channel: arrival for channel, arrival in arrivals.items() if arrival.id in kept}


def _arrival(request: Any) -> Arrival | None:
    """None for what must be refused."""
    try:
        return views.rupa_arrival(request.get_body_stream().read(), request.headers.get(_SIGNATURE))
    except views.Refused:
        return None
