"""`make audit`: fails on a known vulnerability in what the service is made of, and says what nobody could look up.

pip-audit asks its index for one package after another, and an index that knows no advisories (a mirror of a closed
network) is asked in vain for each of them. So three that every index of advisories knows are asked for first.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIRST = ("certifi", "cryptography", "django")
SECONDS = 10  #: for one answer

Report = dict[str, list[dict[str, Any]]]  # any: pip-audit's JSON
Audit = Callable[[str], Report | None]


def pip_audit(requirements: str) -> Report | None:
    """What pip-audit finds for the text of a requirements file; None when its index does not answer."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(requirements)
        done = subprocess.run(
            [
                sys.executable, "-m", "pip_audit", "--requirement", str(path), "--require-hashes", "--disable-pip",
                "--format", "json", "--progress-spinner", "off", "--timeout", str(SECONDS),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    return json.loads(done.stdout) if done.stdout.strip() else None


def looked_up(requirements: str, audit: Audit = pip_audit) -> tuple[int, list[str]]:
    """The exit code, and sentences for people. A service of advisories that does not answer fails nothing, loudly."""
    sections = re.split(r"^(?=[A-Za-z0-9])", requirements, flags=re.MULTILINE)[1:]
    first = [one for one in sections if one.split("==", 1)[0].lower() in FIRST]
    report = audit("".join(first))
    if report is None:
        return 0, ["NOT DONE: pip-audit could not reach its index of advisories"]
    if not _known(report):
        unknown = f"this index of advisories does not know even {', '.join(FIRST)}"
        return 0, [f"NOT DONE: {unknown}; none of {len(sections)} dependencies was looked up"]
    report = audit(requirements)
    return verdict(report) if report is not None else (0, ["NOT DONE: the index of advisories went away"])


def _known(report: Report) -> list[dict[str, Any]]:
    return [one for one in report["dependencies"] if "skip_reason" not in one]


def verdict(report: Report) -> tuple[int, list[str]]:
    """Of a whole report."""
    dependencies = report["dependencies"]
    known = [
        f"{one['name']} {one['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for one in dependencies
        for found in one.get("vulns", [])
    ]
    asked = len(_known(report))
    told = [f"{asked} of {len(dependencies)} dependencies looked up, {len(known)} advisories"]
    if asked < len(dependencies):
        skipped = len(dependencies) - asked
        told.append(f"NOT LOOKED UP, since the index of advisories does not know or answer: {skipped}")
    return (1 if known else 0), [*told, *known]


def main(path: str) -> int:
    code, told = looked_up(Path(path).read_text())
    sys.stderr.write("".join(f"audit: {line}\n" for line in told))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
