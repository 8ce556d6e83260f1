"""The bare handler: the same web server with the same settings, one committed row for each request, nothing else.

`python -m bench.bare PORT THREADS URL`
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
import waitress

from labbridge.settings import MAX_WEBHOOK_BYTES

TABLE = "CREATE TABLE IF NOT EXISTS bench_bare (id bigserial PRIMARY KEY, body bytea NOT NULL)"


def application(url: str) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    own = threading.local()

    def connection() -> psycopg.Connection:
        if not hasattr(own, "connection"):
            own.connection = psycopg.connect(url, autocommit=True)
        return own.connection  # type: ignore[no-any-return]  # a thread's own attribute

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        connection().execute("INSERT INTO bench_bare (body) VALUES (%s)", [body])
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    return answer


def main() -> None:
    port, threads, url = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
    waitress.serve(  # as labbridge/commands/service.py does
        application(url), host="127.0.0.1", port=port, threads=threads, ident=None,
        max_request_body_size=MAX_WEBHOOK_BYTES + 64 * 1024, inbuf_overflow=MAX_WEBHOOK_BYTES + 128 * 1024,
        outbuf_overflow=64 * 1024 * 1024, channel_timeout=60,
    )  # fmt: skip


if __name__ == "__main__":
    main()
