"""`serve`, `web`, `worker`: the long-running commands."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Annotated, Any

import typer

from labbridge.commands.base import WRONG_USE, Stop, service


@service
def serve() -> None:
    """Web server and worker in one process, with the embedded database: all that one practice needs."""
    from django.conf import settings

    from labbridge.database import DatabaseInUse, service_lock
    from labbridge.engine import worker

    deployment = settings.DEPLOYMENT
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(service_lock(deployment.data_dir))
        except DatabaseInUse as problem:
            raise Stop(str(problem), WRONG_USE) from None
        if not deployment.database_url:
            from labbridge.database import embedded_server

            stack.enter_context(embedded_server(deployment.data_dir).kept_alive())
        stack.enter_context(running_web_server())
        worker.run(deployment.worker_concurrency)


@service
def web() -> None:
    """The web server alone; run `labbridge worker` beside it."""
    done = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        done.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with running_web_server():
        done.wait()


@service
def run_worker(
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Jobs side by side.")] = 0,
) -> None:
    """A worker alone; start as many as you like, on as many hosts."""
    from django.conf import settings

    from labbridge.engine import worker

    worker.run(concurrency or settings.DEPLOYMENT.worker_concurrency)


@contextlib.contextmanager
def running_web_server() -> Iterator[None]:
    """Serve in threads of this process until the block ends; requests under way are finished."""
    from labbridge.engine import bell

    server = _web_server()
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    try:
        with bell.hung():
            yield
    finally:
        _finish(server)
        thread.join(timeout=10)


def _finish(server: Any, seconds: float = 10) -> None:  # any: waitress has no types
    """Take no more connections, let requests under way be answered, then let go of idle connections.

    All in the server's own thread: `server.close()` from here would neither wake it nor let answers out.
    """
    from waitress import wasyncore

    server.trigger.pull_trigger(lambda: wasyncore.dispatcher.close(server))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(
        channel.requests or channel.total_outbufs_len for channel in list(server.active_channels.values())
    ):
        time.sleep(0.02)
    server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))  # noqa: SLF001  # asyncore's own map of sockets


def _web_server() -> Any:  # any: waitress has no types
    import waitress
    from django.conf import settings

    from labbridge.settings import MAX_WEBHOOK_BYTES
    from labbridge.wsgi import application

    host, port = settings.DEPLOYMENT.host_and_port
    try:
        server = waitress.create_server(
            application,
            host=host,
            port=port,
            threads=settings.DEPLOYMENT.web_threads,
            ident=None,
            # A little more than our own limit, so that our own answer is given; and never a body in a temporary
            # file, which would be PHI on the disk in clear.
            max_request_body_size=MAX_WEBHOOK_BYTES + 64 * 1024,
            inbuf_overflow=MAX_WEBHOOK_BYTES + 128 * 1024,
            outbuf_overflow=64 * 1024 * 1024,
            channel_timeout=60,
        )
    except OSError as error:
        raise Stop(
            f"The address {host}:{port} cannot be used ({error.strerror}). Stop what runs there, or set "
            "LABBRIDGE_BIND.",
            WRONG_USE,
        ) from None
    print(f"Labbridge listens on http://{host}:{port}", file=sys.stderr)
    return server
