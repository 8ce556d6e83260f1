"""The gate between the service and a simulator: sees every request, and may let the service die at one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from waitress.server import create_server

from labbridge.simulators.faults import ConnectionDropped

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Moment = Literal["before", "after"]


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire. `status` is None when the service got no answer."""

    number: int
    peer: str
    method: str
    path: str
    query: str
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.number}: {self.method} {self.peer}{self.path}"


class Watch:
    """What passes all gates of one service, numbered from 1; `strike_at` has it killed once."""

    def __init__(self, kill: Callable[[], None]) -> None:
        self.kill = kill
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self.seen: list[Seen] = []
        self.struck: Seen | None = None
        self._strike: tuple[int, Moment] | None = None

    def strike_at(self, number: int, moment: Moment) -> None:
        self._strike = (number, moment)

    def note(self, peer: str, environ: WSGIEnvironment) -> tuple[Seen, Moment | None]:
        with self._lock:
            seen = Seen(
                len(self.seen) + 1,
                peer,
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                environ.get("QUERY_STRING", ""),
            )
            self.seen.append(seen)
            moment = self._strike[1] if self._strike and self._strike[0] == seen.number else None
            if moment:
                self.struck = seen
            return seen, moment


class Gate:
    """Serves one simulator on a loopback port of its own. `app` may be put in and changed at any time.

    Paths under /_sim/ are the test's own business: they pass unseen.
    """

    def __init__(self, peer: str, watch: Watch) -> None:
        self.peer, self.watch = peer, watch
        self.app: WSGIApplication | None = None
        self._server = create_server(self, host="127.0.0.1", port=0, threads=8)
        self._thread = threading.Thread(target=self._server.run, name=f"gate-{peer}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.effective_port}"

    def close(self) -> None:
        self._server.close()
        self._thread.join(5)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert self.app is not None
        if environ["PATH_INFO"].startswith("/_sim"):
            return self.app(environ, start_response)
        _, moment = self.watch.note(self.peer, environ)
        if moment == "before":
            self.watch.kill()
            raise ConnectionDropped
        if moment == "after":
            list(self.app(environ, _deaf))  # the peer does its work completely
            self.watch.kill()
            raise ConnectionDropped
        return self.app(environ, start_response)


def _deaf(_status: str, _headers: list[tuple[str, str]], *_exc: Any) -> Callable[[bytes], object]:
    return len
