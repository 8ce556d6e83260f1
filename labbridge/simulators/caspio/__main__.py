"""python -m labbridge.simulators.caspio --state FILE --port N: run the simulator alone."""

import argparse
from pathlib import Path

from labbridge.simulators.caspio.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="caspio-simulator", description="A stand-in for one Caspio account."
    )
    parser.add_argument("--state", type=Path, required=True, help="SQLite file, created when missing")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--account", default="c0abc123")
    parser.add_argument("--client-id", default="sim-client")
    parser.add_argument("--client-secret", default="sim-secret")
    parser.add_argument("--calls-per-second", type=float)
    parser.add_argument("--rate-limit-as-400", action="store_true")
    parser.add_argument("--token-seconds", type=int, default=86_400)
    parser.add_argument("--stale-token-as-400", action="store_true")
    parser.add_argument("--patients", type=int, default=0, help="seed an empty account with so many")
    parser.add_argument("--quick-retries", action="store_true", help="webhook retries after 0.2 to 2 seconds")
    parser.add_argument("--webhook-hmac-header", help="sign webhooks in this header")
    parser.add_argument("--no-webhook-secret", action="store_true", help="leave the secret out of the body")
    parser.add_argument("--labbridge-url")
    parser.add_argument("--practice-slug")
    parser.add_argument("--rupa-order-url", help="address with {patient} in it")
    given = vars(parser.parse_args())
    if given.pop("quick_retries"):
        given["retry_seconds"] = (0.2, 0.5, 1.0, 2.0)
    given["webhook_secret_in_body"] = not given.pop("no_webhook_secret")
    serve(given.pop("state"), given.pop("host"), given.pop("port"), **given)


if __name__ == "__main__":
    main()
