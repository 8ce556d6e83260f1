"""`python -m labbridge.simulators.rupa --state FILE --port N`: one simulator alone."""

import argparse
import json
from typing import Any

from labbridge.simulators.rupa.app import serve


def _option(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value is JSON, or else plain text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("write NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labbridge.simulators.rupa", description=__doc__)
    parser.add_argument("--state", required=True, help="SQLite file that keeps everything")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--client-id", default="simulated-client")
    parser.add_argument("--client-secret", default="simulated-secret")
    parser.add_argument("--signing-secret", default="simulated-signing-secret")
    parser.add_argument("--webhook-url", help="where events are posted; nothing is sent without it")
    parser.add_argument(
        *("--option", "-o"), action="append", type=_option, default=[], help="NAME=VALUE, see options.py"
    )
    given = parser.parse_args()
    try:
        serve(
            given.state,
            given.host,
            given.port,
            client_id=given.client_id,
            client_secret=given.client_secret,
            signing_secret=given.signing_secret,
            webhook_url=given.webhook_url,
            **dict(given.option),
        )
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
