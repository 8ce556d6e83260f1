"""The gate between the service and a simulator: sees every request, and may let the service die at one of them."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from waitress.server import create_server

from labbridge.simulators.faults import ConnectionDropped

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Moment = Literal["before", "after"]


@dataclass
class Seen:
    """One request as it came over the wire. `done` is whether the peer did it, heard or not."""

    number: int
    peer: str
    method: str
    path: str
    query: str
    pdf: str = ""  # the hash of a PDF that is being uploaded
    done: bool = False

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

    def uploads(self) -> Counter[tuple[str, str]]:
        """How often each PDF was put on each row."""
        return Counter((one.path, one.pdf) for one in self.seen if one.done and one.pdf)

    def note(self, peer: str, environ: WSGIEnvironment) -> tuple[Seen, Moment | None]:
        with self._lock:
            seen = Seen(
                len(self.seen) + 1,
                peer,
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                environ.get("QUERY_STRING", ""),
                _pdf_in(environ),
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

    def __init__(self, peer: str, watch: Watch, threads: int = 8) -> None:
        self.peer, self.watch = peer, watch
        self.app: WSGIApplication | None = None
        self._server = create_server(self, host="127.0.0.1", port=0, threads=threads)
        self._thread = threading.Thread(target=self._server.run, name=f"gate-{peer}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.effective_port}"

    def close(self) -> None:
        self._server.task_dispatcher.shutdown()  # workers first: they still tell the loop that they are done
        self._server.trigger.pull_trigger(
            self._server.close
        )  # closing in the loop's own thread ends it cleanly
        self._thread.join(5)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert self.app is not None
        if environ["PATH_INFO"].startswith("/_sim"):
            return self.app(environ, start_response)
        seen, moment = self.watch.note(self.peer, environ)
        if moment == "before":
            self.watch.kill()
            raise ConnectionDropped

        def start(status: str, headers: list[tuple[str, str]], *exc: Any) -> Callable[[bytes], object]:
            seen.done = status[0] == "2"
            return start_response(status, headers, *exc)

        answer = list(self.app(environ, start))  # the peer does its work completely
        if moment == "after":
            self.watch.kill()
            raise ConnectionDropped
        return answer


def _pdf_in(environ: WSGIEnvironment) -> str:
    """The hash of a PDF in the body; the multipart around it is another one each time."""
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    start, end = body.find(b"%PDF-"), body.rfind(b"%%EOF")
    return hashlib.sha256(body[start:end]).hexdigest() if 0 <= start < end else ""
