"""Starts labbridge quickly: everything is imported once, and each command runs in a fork with a life of its own.

One JSON order a line on standard input, one JSON answer a line on standard output:
`{"run": ["serve"], "log": "/…/serve.log"}` -> `{"pid": 12}`; `{"wait": 12}` -> `{"status": -9}`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

IMPORTED = (
    *(
        "labbridge.cli",
        "labbridge.wsgi",
        "labbridge.urls",
        "labbridge.handlers.table",
        "labbridge.handlers.pull",
    ),
    *("labbridge.handlers.filing", "waitress", "rich.progress"),
)


class Nursery:
    """The parent's side."""

    def __init__(self, env: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            env=env,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._answers = self._process.stdin, self._process.stdout
        self._heard()

    def start(self, arguments: Sequence[str], log: Path) -> int:
        """Run `labbridge ARGUMENTS`, its output appended to `log`. Returns the process's number."""
        return int(self._ask({"run": list(arguments), "log": str(log)})["pid"])

    def wait(self, pid: int) -> int:
        """Wait until it has ended. Returns its exit code, negative for a signal."""
        return int(self._ask({"wait": pid})["status"])

    def close(self) -> None:
        self._orders.close()
        self._process.wait(timeout=30)
        self._answers.close()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()
            return self._heard()

    def _heard(self) -> dict[str, Any]:
        line = self._answers.readline()
        assert line, "the nursery has ended"
        heard: dict[str, Any] = json.loads(line)
        assert "problem" not in heard, heard["problem"]
        return heard


def main() -> None:
    try:
        _import_all()
    except (
        SystemExit
    ) as problem:  # settings that cannot be used: whoever started it is told, not only its log
        _say({"problem": str(problem.code)})
        raise
    gc.freeze()
    _say({"ready": os.getpid()})
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            _say({"status": os.waitstatus_to_exitcode(status)})
            continue
        pid = os.fork()
        if pid == 0:
            _become(order["run"], order["log"])
        _say({"pid": pid})


def _import_all() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "labbridge.settings"
    import django

    import labbridge

    django.setup()
    for name in IMPORTED:
        importlib.import_module(name)
    for found in pkgutil.walk_packages(labbridge.__path__, "labbridge."):
        if ".migrations." in found.name:
            importlib.import_module(found.name)


def _become(arguments: list[str], log: str) -> None:
    """The child: a session of its own, its output in `log`, and from here on the command as a person runs it."""
    os.setsid()
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        handle = os.open(path, flags, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    os.dup2(1, 2)
    sys.argv = ["labbridge", *arguments]
    from labbridge.cli import main as labbridge_main

    labbridge_main()
    sys.exit(0)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
