"""`simulate`, `trigger`: stand-ins for the peers, and events made by them."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from labbridge.commands.base import UNREACHABLE, WRONG_USE, AsJson, Stop, command, print_counts


def simulate(
    peer: Annotated[str, typer.Argument(help="caspio or rupa.")],
    state: Annotated[Path | None, typer.Option(help="Where it keeps its state.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535)] = 0,
) -> None:
    """Run one simulator alone until Ctrl-C. Further options: python -m labbridge.simulators.PEER --help."""
    if peer not in {"caspio", "rupa"}:
        print(f"There is no simulator {peer!r}. Known: caspio, rupa.", file=sys.stderr)
        raise typer.Exit(WRONG_USE)
    kept = state or Path(os.environ.get("LABBRIDGE_DATA_DIR", "var")) / "simulators" / f"{peer}.sqlite"
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", port or _PORTS[peer])):
            pass  # free: what runs there already would be a traceback of the simulator's
    except OSError as error:
        where = error.filename or f"port {port or _PORTS[peer]}"
        sentence = f"{where} cannot be used ({error.strerror}). Choose another with --state or --port."
        print(sentence, file=sys.stderr)
        raise typer.Exit(WRONG_USE) from None
    module = f"labbridge.simulators.{peer}"
    arguments = [sys.executable, "-m", module, "--state", str(kept), "--port", str(port or _PORTS[peer])]
    sys.stdout.flush()
    os.execv(sys.executable, arguments)  # noqa: S606  # our own interpreter and module


_PORTS = {"caspio": 8101, "rupa": 8102}


@command
def trigger(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Such as order.updated or order.new_result.")],
    as_json: AsJson = False,
) -> None:
    """Have the Rupa simulator at LABBRIDGE_RUPA_API_URL send a sample event."""
    import httpx2
    from django.conf import settings

    from labbridge.addresses import is_loopback

    address = settings.DEPLOYMENT.rupa_api_url
    if not is_loopback(httpx2.URL(address).host):
        raise Stop(
            "LABBRIDGE_RUPA_API_URL is not a simulator on this machine: only a simulator can be triggered.",
            WRONG_USE,
        )
    try:
        answer = httpx2.post(f"{address}/_sim/trigger/{type_}", timeout=10)
    except httpx2.HTTPError:
        raise Stop(
            f"No simulator answers at {address}: start it with `labbridge simulate rupa`.", UNREACHABLE
        ) from None
    if answer.status_code >= 400:
        raise Stop(f"The simulator does not know the event type {type_!r}.", WRONG_USE)
    print_counts({"triggered": 1}, as_json=as_json)
