"""The simulator as one WSGI application."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request
from werkzeug.routing import BaseConverter

from labbridge.simulators.caspio import (
    app_connections,
    datapages,
    directories,
    html_blocks,
    oauth,
    pages,
    rest,
    rest_attachments,
    rest_files,
    rest_tables,
    rest_webhooks,
    saml,
)
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.control import controls, dump
from labbridge.simulators.caspio.deliveries import Sender
from labbridge.simulators.caspio.design import table_names
from labbridge.simulators.caspio.options import Options
from labbridge.simulators.caspio.store import Store
from labbridge.simulators.faults import Faults

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BUTTONS = (
    ("Add 25 invented patients", "/_sim/seed"),
    ("Expire all tokens", "/_sim/expire-tokens"),
    ("Send waiting webhooks now", "/_sim/deliveries/send-now"),
    ("Forget everything", "/_sim/reset"),
)


class Simulator:
    """A WSGI callable with its parts within reach of a test: `account`, `faults`, `sender`, `close()`."""

    def __init__(self, state_path: Path, options: Options) -> None:
        self.account = Account(Store(state_path), options)
        self.sender = Sender(self.account)
        self.faults = Faults(
            _flask(self.account, self.sender).wsgi_app,
            state_path,
            name=f"Caspio simulator: {options.account}",
            error_body=rest.fault_body(self.account),
            figures=self._figures,
            buttons=BUTTONS,
        )
        self.account.messages.plan = self.faults.delivery_plan
        if options.deliver:
            self.sender.start()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self.faults(environ, start_response)

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        return dump(self.account)

    def close(self) -> None:
        self.sender.stop()
        self.account.store.close()

    def _figures(self) -> dict[str, object]:
        store = self.account.store
        with store.transaction() as db:
            webhooks = db.execute("SELECT COUNT(*) FROM webhooks").fetchone()[0]
            messages = db.execute("SELECT COUNT(*) FROM messages").fetchone()[0]
        return {
            "Tables": len(table_names(store)),
            "Outgoing webhooks": webhooks,
            "Webhook messages made": messages,
            "Webhook calls waiting": self.sender.waiting(),
        }


def create_app(
    state_path: Path,
    *,
    account: str = "c0abc123",
    client_id: str,
    client_secret: str,
    calls_per_second: float | None = None,
    **options: Any,  # every further field of Options
) -> Simulator:
    """Build the simulator on a state file, which is created when missing and continued when there."""
    chosen = Options(client_id, client_secret, account, calls_per_second, **options)
    return Simulator(Path(state_path), chosen)


class AnyText(BaseConverter):
    """A path part with anything but a slash, so that odd names get a 404 of ours."""

    regex = "[^/]+"


def _flask(account: Account, sender: Sender) -> Flask:
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    app.url_map.converters["default"] = AnyText
    app.config["MAX_FORM_MEMORY_SIZE"] = None
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    rest.install(app, account)
    app_connections.install(account)
    datapages.install(account)
    parts = (
        directories,
        rest_attachments,
        rest_files,
        rest_webhooks,
        rest_tables,
        pages,
        html_blocks,
        datapages,
        app_connections,
        saml,
    )
    for part in parts:
        app.register_blueprint(part.routes)
    app.register_blueprint(controls(sender))

    @app.post("/oauth/token")
    def token() -> Response | tuple[Response, int]:
        try:
            issued = oauth.issued(account, request.form, request.headers.get("Authorization"))
        except oauth.TokenRefused as error:
            return jsonify({"error": error.code}), 400
        return jsonify(issued)

    return app
