"""`make fuzz`: each target under atheris (coverage-guided) for FUZZ_SECONDS, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))


def _one(name: str) -> None:
    """Runs until its time is over or an input fails; then atheris prints it and ends with an error."""
    import atheris

    with atheris.instrument_imports(include=["labbridge"]):
        from tests.fuzz.targets import TARGETS

    corpus = Path(tempfile.mkdtemp(prefix=f"labbridge-fuzz-{name}-"))
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / str(number)).write_bytes(seed)
    options = [
        f"-max_total_time={SECONDS}",
        "-max_len=65536",
        "-print_final_stats=1",
        f"-artifact_prefix={corpus}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name].target)
    atheris.Fuzz()


def main() -> int:
    if len(sys.argv) == 2:
        _one(sys.argv[1])
        return 0
    from tests.fuzz.targets import TARGETS

    failed = [
        name
        for name in TARGETS
        if subprocess.run([sys.executable, "-m", "tests.fuzz", name], check=False).returncode
    ]
    held = f"{len(TARGETS) - len(failed)} of {len(TARGETS)} targets held for {SECONDS} s each"
    sys.stderr.write(
        "\n".join([held, *(f"{name} failed: its input is named above" for name in failed)]) + "\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
