"""`python -m tests.soak --events N --practices P`: the long form (`make soak`). Exit code 1 when anything differs."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from tests.soak.soak import Size, run, tell


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--practices", type=int, default=50)
    parser.add_argument("--seed", type=int, default=Size.seed)
    parser.add_argument("--patience", type=float, default=24 * 3600, help="seconds for the work that is left")
    asked = parser.parse_args()
    size = Size(asked.events, asked.practices, asked.seed, pauses=(15.0, 45.0), under_fire=True)
    folder = Path(tempfile.mkdtemp(prefix="labbridge-soak-"))
    tell(f"Logs and databases: {folder}, kept unless all is well.")
    report = run(folder, size, asked.patience, tell)
    tell(report)
    for line in report.differences[:50]:
        tell(line)
    if report.differences or report.sweep["difference"]:
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
