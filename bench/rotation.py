"""Key rotation of many values while events arrive: killed half-way, run again, proved, and the old key taken away."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import machine, service
from bench.report import Line, show

COUNT = 100_000
OLD, NEW = (base64.b64encode(text).decode() for text in (b"o" * 32, b"n" * 32))


def run(count: int = COUNT) -> None:
    with service.scratch() as folder, service.database(folder) as url:
        found = measure(folder, count)
        print(machine.facts(url))
    lines = [
        Line(f"{count} values, killed at half and run again", f"{found['seconds']:.1f} s"),
        Line("values replaced each second", f"{count / found['seconds']:.0f}/s"),
        Line("replaced by the second run", str(found["replaced"])),
        Line("events stored meanwhile", str(found["stored"])),
        Line("values that need the old key", str(found["remaining"])),
        Line("opened with the new key alone", f"{found['opened']} of {found['kept']}"),
    ]
    show("rotation: a new encryption key, while events arrive", lines)


def measure(folder: Path, count: int) -> dict[str, Any]:
    """What became of `count` values. Raises when a step ends badly."""
    before, during, after = (_keys(folder, *keys) for keys in ([OLD], [NEW, OLD], [NEW]))
    _step(before, "fill", count)
    visitors = subprocess.Popen(
        [sys.executable, "-m", "bench.rotator", "traffic"], env=during, cwd=service.ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert visitors.stdout is not None
    try:
        if visitors.stdout.readline() != "ready\n":
            raise RuntimeError("the traffic did not begin")
        began = time.perf_counter()
        killed = _run(during, "-m", "bench.rotator", "die", str(count // 2))
        if killed.returncode != -9:
            raise RuntimeError(
                f"the rotation was to be killed and ended with {killed.returncode}: {killed.stderr}"
            )
        rotated = json.loads(_done(_run(during, *service.labbridge("keys", "rotate", "--json"))))
        seconds = time.perf_counter() - began
    finally:
        said, _ = visitors.communicate("", timeout=60)
    if visitors.returncode != 0:
        raise RuntimeError("the traffic was disturbed")
    proof = json.loads(_done(_run(after, *service.labbridge("keys", "status", "--json"))))
    opened = _step(after, "open")
    return {
        "seconds": seconds, "replaced": rotated["replaced"], "remaining": proof["remaining"],
        "held": proof["held"], **json.loads(said.splitlines()[-1]), **opened,
    }  # fmt: skip


def _keys(folder: Path, *keys: str) -> dict[str, str]:
    return service.environment(folder, LABBRIDGE_ENCRYPTION_KEYS=",".join(keys))


def _step(env: Mapping[str, str], *arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_done(_run(env, "-m", "bench.rotator", *map(str, arguments))))
    return found


def _run(env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=dict(env),
        cwd=service.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def _done(ended: subprocess.CompletedProcess[str]) -> str:
    if ended.returncode != 0:
        raise RuntimeError(
            f"{ended.args} ended with {ended.returncode}: {ended.stdout[-500:]}{ended.stderr[-2000:]}"
        )
    return ended.stdout
