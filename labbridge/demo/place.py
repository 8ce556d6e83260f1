"""Where a demo lives: its directory, its ports, its secrets, and the environment of its processes."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from labbridge.database import DatabaseProblem, EmbeddedServer
from labbridge.database.locks import held, open_lock, taken
from labbridge.demo.problem import DemoProblem

PREFERRED = {"web": 8000, "caspio": 8101, "rupa": 8102}
NEARBY = 20  #: Ports to try above a preferred one before any free port is taken.
HOST = "127.0.0.1"
MARK = "demo.json"  #: A directory with this file was made by a demo and may be wiped by one.
LOCK = "lock"


@dataclass(frozen=True)
class Place:
    """One demo's directory; `claim` makes it."""

    folder: Path
    ports: dict[str, int]
    secrets: dict[str, str]
    user: str = "ada@willow.example"
    client: str = "demo"

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "var"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def settings(self) -> dict[str, str]:
        """The service's settings, and what `practice.toml` takes from the environment."""
        rupa = self.url("rupa")
        return {
            "LABBRIDGE_DATA_DIR": str(self.data_dir),
            "LABBRIDGE_BIND": f"{HOST}:{self.ports['web']}",
            "LABBRIDGE_PUBLIC_URL": self.url("web"),
            "LABBRIDGE_ALLOW_HTTP_PEERS": "1",
            "LABBRIDGE_RUPA_API_URL": rupa,
            "LABBRIDGE_RUPA_AUTHORIZE_URL": f"{rupa}/oauth/authorize",
            "LABBRIDGE_RUPA_TOKEN_URL": f"{rupa}/oauth/token",
            "LABBRIDGE_RUPA_CLIENT_ID": self.client,
            "LABBRIDGE_RUPA_CLIENT_SECRET": self.secrets["rupa"],
            "LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET": self.secrets["webhooks"],
            "LABBRIDGE_RUPA_CALLS_PER_SECOND": "100",
            "CASPIO_CLIENT_ID": self.client,
            "CASPIO_CLIENT_SECRET": self.secrets["caspio"],
        }

    def environment(self) -> dict[str, str]:
        """The settings above and nothing of a real deployment that this shell may be set up for."""
        mine = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LABBRIDGE_", "DJANGO_", "CASPIO_"))
        }
        return {**mine, **self.settings(), "DJANGO_SETTINGS_MODULE": "labbridge.settings"}

    def keep(self) -> None:
        """Write down what a later `--keep` needs, and an `env` file for the command line beside the demo."""
        _write(
            self.folder / MARK, json.dumps({"ports": self.ports, "secrets": self.secrets}, indent=2) + "\n"
        )
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in self.settings().items()]
        _write(self.folder / "env", "".join(lines))


def claim(folder: Path, *, keep: bool = False) -> Place:
    """Take the directory for one demo, emptied unless `keep`. The lock is let go when this process ends.

    Raises:
        DemoProblem: it is in use, belongs to somebody else, or holds something that no demo made.

    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not taken(open_lock(folder / LOCK)):
            raise DemoProblem(
                f"A demo is running in {folder} already. Stop it with Ctrl-C, or give this one --data-dir."
            )
        before = _before(folder)
        _end_leftovers(folder / "var")
        if not keep:
            _wipe(folder)
        place = Place(
            folder,
            ports=_ports(before.get("ports", {}) if keep else {}),
            secrets=before["secrets"] if keep and before else _new_secrets(),
        )
        place.logs.mkdir(exist_ok=True)
        place.keep()
    except OSError as error:
        raise DemoProblem(
            f"The directory {folder} cannot be used ({error.strerror}). Remove it, or choose another with --data-dir."
        ) from error
    return place


def _before(folder: Path) -> dict[str, dict[str, str]]:
    """What an earlier demo wrote down; nothing in a new directory."""
    if not [path for path in folder.iterdir() if path.name != LOCK]:
        return {}
    try:
        written: dict[str, dict[str, str]] = json.loads((folder / MARK).read_text())
    except (FileNotFoundError, ValueError):
        raise DemoProblem(
            f"{folder} holds something that no demo made, so it is not touched. Choose another with --data-dir."
        ) from None
    return written


def _end_leftovers(data_dir: Path) -> None:
    """A demo that was killed outright may have left its database running."""
    alive = data_dir / "database.alive"
    if not alive.exists() or not held(alive):
        return
    try:
        with EmbeddedServer(data_dir):
            pass
    except DatabaseProblem as problem:
        raise DemoProblem(str(problem)) from None
    if held(alive):
        raise DemoProblem(
            f"Another Labbridge command still uses {data_dir}. Stop it first, or choose --data-dir."
        )


def _wipe(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _new_secrets() -> dict[str, str]:
    names = ("caspio", "rupa", "webhooks", "sign_in")
    # Hexadecimal: they are given as options, where a leading dash would be read as the next option.
    return {name: secrets.token_hex(9) for name in names}


def _ports(wanted: dict[str, str]) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for name, preferred in PREFERRED.items():
        chosen[name] = _free_port(int(wanted.get(name, preferred)), set(chosen.values()))
    return chosen


def _free_port(preferred: int, taken_already: set[int]) -> int:
    for port in (*range(preferred, preferred + NEARBY), 0):
        if port in taken_already:
            continue
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
                listener.listen()
            except OSError:
                continue
            found = int(listener.getsockname()[1])
        if _reserve(found):
            return found
    raise DemoProblem(f"There is no free port on {HOST}.")


def _reserve(port: int) -> bool:
    """Keep other demos away from a port that nobody listens on yet; until this process ends.

    By a name in Linux's abstract namespace: it needs no file, and the kernel forgets it with the process.
    """
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0labbridge-demo-{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name)
    return True


_reserved: list[socket.socket] = []


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
