"""`make client`: clients/python/ from the OpenAPI document of the API."""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "clients" / "python"
PACKAGE = "labbridge_client"


def document() -> str:
    from labbridge.handover.api.urls import api

    return json.dumps(api.get_openapi_schema(), indent=1, default=str)


def generate(into: Path) -> Path:
    """The package as it should be. Raises CalledProcessError, which a warning of the generator causes too."""
    source = into / "openapi.json"
    source.write_text(document(), encoding="utf-8")
    tools = Path(sys.executable).parent
    command = [
        str(tools / "openapi-python-client"), "generate", "--path", str(source),
        "--config", str(HOME / "config.yaml"), "--meta", "none",
        "--output-path", str(into / PACKAGE), "--overwrite", "--fail-on-warning",
    ]  # fmt: skip
    path = f"{tools}:{os.environ['PATH']}"  # of our ruff
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return into / PACKAGE


def differing(made: Path) -> list[str]:
    """Files that the kept client has otherwise, too few or too many."""
    names = {
        str(path.relative_to(home))
        for home in (made, HOME / PACKAGE)
        for path in home.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and ".ruff_cache" not in path.parts
    }
    _, other, missing = filecmp.cmpfiles(made, HOME / PACKAGE, names, shallow=False)
    return sorted([*other, *missing])


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import shutil

    import django

    django.setup()
    with tempfile.TemporaryDirectory() as place:
        made = generate(Path(place))
        shutil.rmtree(HOME / PACKAGE, ignore_errors=True)
        shutil.copytree(made, HOME / PACKAGE, ignore=shutil.ignore_patterns(".ruff_cache", "__pycache__"))


if __name__ == "__main__":
    main()
