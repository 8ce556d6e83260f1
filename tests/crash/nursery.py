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
import sys
from typing import Any


def main() -> None:
    _import_all()
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
    for name in ("labbridge.cli", "labbridge.wsgi", "labbridge.urls", "waitress", "rich.progress"):
        importlib.import_module(name)
    for found in pkgutil.walk_packages(labbridge.__path__, "labbridge."):
        if ".migrations." in found.name or found.name.startswith(("labbridge.handlers", "labbridge.reconcile")):
            importlib.import_module(found.name)


def _become(arguments: list[str], log: str) -> None:
    """The child: a session of its own, its output in `log`, and from here on the command as a person runs it."""
    os.setsid()
    for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)):
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
