"""`serve`, `web`, `worker`: the long-running commands."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
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
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="Jobs side by side; else LABBRIDGE_WORKER_CONCURRENCY.")
    ] = None,
) -> None:
    """A worker alone; start as many as you like, on as many hosts."""
    from django.conf import settings

    from labbridge.engine import worker

    worker.run(concurrency or settings.DEPLOYMENT.worker_concurrency)


@contextlib.contextmanager
def running_web_server() -> Iterator[None]:
    """Serve in threads of this process until the block ends; requests under way are finished."""
    from labbridge.engine import bell
    from labbridge.webhooks import lane

    server = _web_server()
    sockets = _sockets(server)
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    with lane.opened(*sockets):
        thread.start()
        # No daemon: it is waited for, since an interpreter that ends imports nothing.
        threading.Thread(target=warm_up, name="warm-up").start()
        try:
            with bell.hung():
                yield
        finally:
            _finish(sockets)
            thread.join(timeout=10)


def warm_up() -> None:
    """Load what the first visitors would wait for: every screen, its address, and what it is drawn with.

    None of it is ever garbage, so nobody looks through it again: that took 0.07 s of one answer in a hundred.
    """
    from django.apps import apps
    from django.template.loader import get_template
    from django.urls import reverse

    reverse("home")  # knows every address, and with it every screen
    for app in apps.get_app_configs():
        folder = Path(app.path, "templates")
        if app.name.startswith("labbridge."):
            for one in sorted(folder.rglob("*.html")):
                get_template(one.relative_to(folder).as_posix())
    gc.freeze()


def _sockets(server: Any) -> list[Any]:  # any: waitress has no types
    """What listens: a name such as localhost may stand for two addresses, each with a server of its own."""
    held = getattr(server, "map", None)  # only the one that stands for several has it
    return [server] if held is None else [one for one in held.values() if hasattr(one, "active_channels")]


def _finish(sockets: list[Any], seconds: float = 10) -> None:  # any: waitress has no types
    """Take no more connections, let requests under way be answered, then let go of idle connections.

    All in the server's own thread: `server.close()` from here would neither wake it nor let answers out.
    """
    from waitress import wasyncore

    def listen_no_more() -> None:
        for server in sockets:
            wasyncore.dispatcher.close(server)

    trigger = sockets[0].trigger  # one thread serves them all
    trigger.pull_trigger(listen_no_more)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(
        channel.requests or channel.total_outbufs_len
        for server in sockets
        for channel in list(server.active_channels.values())
    ):
        time.sleep(0.02)
    trigger.pull_trigger(lambda: wasyncore.close_all(sockets[0]._map))  # noqa: SLF001  # asyncore's own map of sockets


def _web_server() -> Any:  # any: waitress has no types
    import waitress
    from django.conf import settings

    from labbridge.settings import MAX_WEBHOOK_BYTES
    from labbridge.wsgi import application

    host, port = settings.DEPLOYMENT.host_and_port
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
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
            # Nobody here believes them but those who know LABBRIDGE_TRUSTED_PROXIES (settings.py), and /metrics must
            # see that a proxy asks.
            clear_untrusted_proxy_headers=False,
        )
    except OSError as error:
        raise Stop(
            f"The address {shown} cannot be used ({error.strerror}). Stop what runs there, or set "
            "LABBRIDGE_BIND.",
            WRONG_USE,
        ) from None
    print(f"Labbridge listens on http://{shown}", file=sys.stderr)
    _welcome()
    return server


def _welcome() -> None:
    """While nobody has an account: where to make the first one, and the code that proves who may."""
    from django.conf import settings

    from labbridge.accounts.first import nobody_yet, setup_code

    if nobody_yet():
        print(
            f"Nobody has an account yet. Open {settings.DEPLOYMENT.public_url}/start and enter this code: "
            f"{setup_code()}",
            file=sys.stderr,
            flush=True,
        )
