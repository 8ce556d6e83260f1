"""Logs: one JSON object a line on standard output, and only keys on the list below.

A log line is an event name and ids. Whatever a library wants to say goes through the same sieve: its text is
dropped (it may quote data) and only its logger, level, function and kind of exception remain.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

ALLOWED = frozenset({
    "event", "level", "timestamp", "logger", "function", "line", "exception_type", "peer", "operation", "purpose",
    "status", "code", "request_id", "fields", "attempt", "attempts", "wait_seconds", "seconds", "count", "counts",
    "event_id", "event_type", "external_id", "practice", "order_id", "ordered_test_id", "result_id", "row_id",
    "job_id", "task", "queue", "table", "state", "reason", "kind", "key", "pk_id", "sha256", "size", "address",
    "pid", "version", "connection_id", "case_id", "worker_id", "route", "method", "writes", "calls", "duration",
    "header_names", "old", "new", "rescued",
})  # fmt: skip


def allow_listed(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep what the list allows; name what was dropped, never its value."""
    dropped = sorted(key for key in entry if key not in ALLOWED)
    kept = {key: value for key, value in entry.items() if key in ALLOWED}
    if dropped:
        kept["dropped_keys"] = dropped
    return kept


class _Sieve(logging.Handler):
    """Turns a library's log record into an event without its text."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        structlog.get_logger().log(
            record.levelno,
            "library.log",
            logger=record.name,
            function=record.funcName,
            line=record.lineno,
            **({"exception_type": kind} if kind else {}),
        )


def to_standard_error() -> None:
    """For commands, whose standard output is their answer."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG hook."""
    level = logging.getLevelNamesMapping().get(str(options.get("level", "INFO")).upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            allow_listed,
            structlog.processors.JSONRenderer(default=lambda value: type(value).__name__),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(),  # standard output as it is when the line is written
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Sieve(level=max(level, logging.WARNING))]
    root.setLevel(logging.WARNING)
    for name in ("procrastinate", "django.request", "django.security", "waitress", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.ERROR)
