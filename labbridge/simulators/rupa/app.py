"""Puts the simulator together as one WSGI application, and serves it."""

import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException

from labbridge.simulators.faults import Faults
from labbridge.simulators.rupa import (
    api,
    checkout,
    console,
    control,
    errors,
    files,
    intents,
    lifecycle,
    oauth,
    patients,
    practice_link,
    seed,
)
from labbridge.simulators.rupa.options import Options
from labbridge.simulators.rupa.paths import PathForms
from labbridge.simulators.rupa.sender import Sender
from labbridge.simulators.rupa.store import Store
from labbridge.simulators.rupa.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BLUEPRINTS = (
    *(oauth.routes, patients.routes, intents.routes, api.routes, files.routes),
    *(checkout.routes, practice_link.routes, console.routes, lifecycle.routes, control.routes),
)
THREADS = 8


class Simulator:
    """The WSGI application, with its world and its sender; `close` stops the sender and lets the file go."""

    def __init__(self, world: World, app: "WSGIApplication", faults: Faults, sender: Sender) -> None:
        self.world = world
        self.faults = faults
        self.sender = sender
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._app(environ, start_response)

    def seed(self, patients: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add patients with given demographics; see `seed.seed`."""
        return seed.seed(self.world, patients)

    def close(self) -> None:
        self.sender.close()
        self.world.store.close()


def create_app(
    state_path: Path | str,
    *,
    client_id: str,
    client_secret: str,
    signing_secret: str,
    webhook_url: str | None = None,
    send: bool = True,
    real_time: Callable[[], float] = time.time,
    **options: Any,
) -> Simulator:
    """Open or make the state file and return the simulator.

    `options` are the fields of `Options`; those given here win over those kept in the file. With `send=False`
    no thread delivers webhooks: call `simulator.sender.send_due()`. Raises ValueError for a wrong option.
    """
    store = Store(state_path)
    given = {"signing_secret": signing_secret, **options}
    if webhook_url is not None:
        given["webhook_url"] = webhook_url
    chosen = Options().changed(store.setting("options") or {}).changed(given)
    world = World(store, chosen, client_id, client_secret, real_time)
    store.set_setting("options", chosen.as_json())
    seed.fill(world)
    flask = _flask(world)
    faults = Faults(
        PathForms(flask.wsgi_app, world),
        state_path,
        name="Rupa Health simulator",
        error_body=errors.fault_body,
        figures=lambda: console.figures(world),
        buttons=[("Start anew", "/_sim/reset")],
    )
    world.faults = faults
    sender = Sender(world)
    if send:
        sender.start()
    return Simulator(world, faults, faults, sender)


def _flask(world: World) -> Flask:
    flask = Flask(__name__, static_url_path="/sim-static")
    flask.extensions["rupa"] = world
    for blueprint in BLUEPRINTS:
        flask.register_blueprint(blueprint)
    flask.register_error_handler(HTTPException, _error_page)
    flask.jinja_env.filters["money"] = lambda cents: f"${cents / 100:,.2f}"
    return flask


def _error_page(error: HTTPException) -> Any:
    """People get a page; the API answers its own errors."""
    return render_template("error.html", error=error), error.code or 500


def serve(state_path: Path | str, host: str = "127.0.0.1", port: int = 0, **options: Any) -> None:
    """Serve until SIGTERM or SIGINT; print one JSON line with the address when ready. Port 0 takes any."""
    from waitress.server import create_server

    logging.getLogger("waitress").setLevel(logging.WARNING)
    simulator = create_app(state_path, **options)
    server = create_server(simulator, host=host, port=port, threads=THREADS)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
    address = f"http://{host}:{server.effective_port}"
    sys.stdout.write(json.dumps({"simulator": "rupa", "address": address}) + "\n")
    sys.stdout.flush()
    try:
        server.run()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.close()
        simulator.close()


def _stop(_number: int, _frame: Any) -> None:
    raise SystemExit(0)
