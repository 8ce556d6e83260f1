"""PostgreSQL's files in the data directory: where they lie, how they are made, what the server is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO
from urllib.parse import quote

from labbridge.database.account import Account
from labbridge.database.binaries import Binaries
from labbridge.database.errors import DatabaseProblem
from labbridge.database.locks import open_lock

#: The server finds its files by the directory it is started in, which may lie below directories that its
#: account cannot enter. `-D .` would be turned into an absolute path.
HERE = "/proc/self/cwd"
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}  #: Labbridge's own holds secrets.
SOCKET = ".s.PGSQL.5432"  #: 5432 is a name here; no port is opened.
LONGEST_ADDRESS = 107  #: Bytes in the path of a Unix socket (unix(7)).
LARGEST_LOG = 5_000_000  #: Bytes; a larger one is set aside at the next start.

#: For a new cluster; the operator may change them in postgresql.conf.
FIRST_SETTINGS = {"shared_buffers": "128MB", "max_connections": "100", "jit": "off"}

#: Not open to change: given on the command line, which outranks postgresql.conf and ALTER SYSTEM.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": "..",  # beside the cluster, from where the server runs
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "log_destination": "stderr",
    "logging_collector": "off",
    # No values of rows in the log: errors go to the client alone ("invalid input syntax: ..." quotes its
    # input), and what stays is terse (no DETAIL) and without its statement.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}

# Labbridge's role owns its database and may create others (tests do), but is no superuser: a superuser reads
# files and runs programs. `postgres` is for maintenance.
FIRST_SQL = "CREATE ROLE labbridge LOGIN CREATEDB;\nCREATE DATABASE labbridge OWNER labbridge;\n"


class Cluster:
    def __init__(self, data_dir: Path) -> None:
        self.home = data_dir / "postgres"  # its owner is the server's account; holds the socket
        self.directory = self.home / "cluster"
        self.log = data_dir / "database.log"

    @property
    def name(self) -> str:
        """A mark in the titles of the server's processes that tells ours from any other server's."""
        known = self.home.stat()
        return f"labbridge-{known.st_dev:x}-{known.st_ino:x}"

    @property
    def major(self) -> int | None:
        """The PostgreSQL version that made the cluster, None without a cluster. Raises DatabaseProblem."""
        if not self.directory.exists():
            return None
        try:
            return int((self.directory / "PG_VERSION").read_text())
        except (OSError, ValueError) as error:
            raise DatabaseProblem(
                f"{self.directory} does not hold a PostgreSQL database. Nothing was touched. Bring the "
                "directory back from a backup, or move it away and use `labbridge restore`."
            ) from error

    @property
    def ready(self) -> bool:
        """Whether its server, should it live, takes connections; asking this is cheaper than connecting."""
        try:
            return (self.directory / "postmaster.pid").read_text().rsplit(maxsplit=1)[-1] == "ready"
        except (OSError, IndexError):
            return False

    def initialise(self, binaries: Binaries, account: Account, alive: int) -> None:
        """Make the cluster beside its place and move it there when whole; its makers hold the lock `alive`.

        Raises:
            DatabaseProblem: PostgreSQL could not make it; the text has PostgreSQL's own reason.
        """
        fresh = self.home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)  # left by a start that was killed
        fresh.mkdir(mode=0o700)
        account.owns(fresh)
        options = [word for name, value in FIRST_SETTINGS.items() for word in ("--set", f"{name}={value}")]
        # The builtin locale sorts alike under every C library: an upgraded system breaks no index.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        access = ("--username=postgres", "--auth-local=peer", "--auth-host=reject", "--data-checksums")
        initdb: list[Path | str] = [
            binaries.program("initdb"),
            "-D",
            HERE,
            "--no-instructions",
            *locale,
            *access,
            *options,
        ]
        self._finish(initdb, "", fresh, account, alive)
        single: list[Path | str] = [
            binaries.program("postgres"),
            "--single",
            "-D",
            HERE,
            "-c",
            "log_checkpoints=off",
            "postgres",
        ]
        self._finish(single, FIRST_SQL, fresh, account, alive)
        fresh.rename(self.directory)
        synced(self.home)

    def prepare(self, account: Account, clients: set[str]) -> None:
        """Set the stage for a server; only while no process of the cluster lives."""
        if os.geteuid() == 0 and self.directory.stat().st_uid == 0:  # copied or restored by root
            account.owns_tree(self.directory)
        self.directory.chmod(0o700)
        for leftover in (self.directory / "postmaster.pid", self.home / SOCKET, self.home / f"{SOCKET}.lock"):
            leftover.unlink(missing_ok=True)  # their process number may be another program's by now
        self._write("pg_hba.conf", "local all all peer map=labbridge\n", account)
        self._write(
            "pg_ident.conf", "".join(f'labbridge "{name}" all\n' for name in sorted(clients)), account
        )

    def serve(self, binaries: Binaries, account: Account, alive: int) -> None:
        """Start the server and let it go; it and all its processes inherit the lock `alive`."""
        settings = {**SETTINGS, "cluster_name": self.name}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # The shell ends at once, so the server is nobody's child and outlives the command that started it.
        detached = ["/bin/sh", "-c", '"$@" &', "sh"]
        with self._log_file() as log:
            subprocess.run(  # noqa: S603 - our own programs; the shell sees no text of anyone's
                [*detached, binaries.program("postgres"), "-D", HERE, *options],
                check=True,
                cwd=self.directory,  # entered before the rights are dropped
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(alive,),
                start_new_session=True,  # a Ctrl-C at the terminal is not for the server
                umask=0o077,
                **account.privileges(),
            )

    def last_words(self) -> str:
        """The newest reason in the server's log, which holds no values of rows."""
        with self.log.open(errors="replace") as lines:
            reasons = [
                line.partition("] ")[2].strip() for line in lines if "FATAL:" in line or "PANIC:" in line
            ]
        return reasons[-1] if reasons else "it gave no reason"

    def _finish(self, command: list[Path | str], sql: str, where: Path, account: Account, alive: int) -> None:
        done = subprocess.run(  # noqa: S603 - our own programs, no shell
            command,
            input=sql,
            text=True,
            capture_output=True,
            check=False,
            cwd=where,
            env=ENVIRONMENT,
            pass_fds=(alive,),
            start_new_session=True,
            umask=0o077,
            **account.privileges(),
        )
        said = done.stderr.strip().splitlines()
        if done.returncode or any("ERROR:" in line for line in said):
            reasons = (
                [line for line in said if "rror:" in line.lower() or "FATAL:" in line]
                or said[-1:]
                or ["none"]
            )
            raise DatabaseProblem(
                f"PostgreSQL could not set up its database in {self.home}: {reasons[0].strip()}. See that "
                "the disk has room (60 MB to begin with) and can be written to, then start again."
            )

    def _write(self, name: str, text: str, account: Account) -> None:
        """Replace a file in the server account's own directory, following no link that it may hold."""
        handle, fresh = tempfile.mkstemp(dir=self.directory)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        account.owns(Path(fresh))
        Path(fresh).rename(self.directory / name)

    def _log_file(self) -> IO[bytes]:
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.rename(self.log.with_suffix(".log.1"))
        return os.fdopen(open_lock(self.log, os.O_WRONLY | os.O_APPEND), "ab")


def address(home: Path) -> str:
    """The URL of the database, through the socket in `home` or a short link to it. Raises DatabaseProblem."""
    if len(os.fsencode(home / SOCKET)) > LONGEST_ADDRESS:
        home = _short_link(home)
    return f"postgresql://labbridge@/labbridge?host={quote(str(home), safe='/')}"


def synced(directory: Path) -> None:
    """Make a rename in the directory outlive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _short_link(home: Path) -> Path:
    known = home.stat()
    name = f"labbridge-{os.geteuid()}-{known.st_dev:x}-{known.st_ino:x}"
    for place in (Path("/run"), Path("/tmp")):  # noqa: S108 - the link's owner is checked
        link = place / name
        if os.access(place, os.W_OK) and not link.is_symlink():
            link.symlink_to(home)
        if link.is_symlink() and link.lstat().st_uid == os.geteuid():
            if link.readlink() != home:  # the number of a directory that is gone was given again
                link.unlink()
                link.symlink_to(home)
            return link
    raise DatabaseProblem(
        f"The path {home} is too long for a socket ({LONGEST_ADDRESS} bytes at most), and no short link to "
        "it could be made in /run or /tmp. Choose a shorter directory with LABBRIDGE_DATA_DIR."
    )
