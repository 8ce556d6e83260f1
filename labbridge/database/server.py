"""The embedded server's life: started by the first command that needs it, stopped by the last."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog
from psycopg.pq import PGconn, Ping

from labbridge.database.account import account_for, client_names
from labbridge.database.binaries import binaries_for, runnable_by
from labbridge.database.cluster import Cluster, address
from labbridge.database.errors import DatabaseProblem
from labbridge.database.locks import held, open_lock, taken, turn, unusable

RECOVERY = 300.0  #: Seconds for a server that says it is recovering.
SILENCE = 15.0  #: Seconds for a server that lives and says nothing.
SHUTDOWN = 30.0  #: Seconds for a fast shutdown before an immediate one, which the next start recovers from.

log = structlog.get_logger()


class EmbeddedServer:
    """PostgreSQL in the data directory, on a Unix socket only, shared by all Labbridge processes that use it.

    Three lock files, all let go by the kernel when their holders die: `database.turn` (one starts or stops at
    a time), `database.users` (shared by the users), `database.alive` (inherited by every process of the
    server, so it is free exactly when none of them lives, whatever postmaster.pid says).
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self._cluster = Cluster(self.data_dir)
        self._turn = self.data_dir / "database.turn"
        self._alive = self.data_dir / "database.alive"
        self._using: int | None = None

    def start(self) -> str:
        """Start the server or join the one that runs, and answer its URL; also revives one that died since.

        Raises:
            DatabaseProblem: a sentence for the person.
        """
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            with turn(self._turn):
                self._join()
                try:
                    return self._running()
                except BaseException:
                    self._leave()
                    raise
        except OSError as error:
            raise DatabaseProblem(unusable(self.data_dir, error)) from error

    def url(self) -> str:
        """As `start`, but quick: a server that is in use and looks well is not asked. Raises DatabaseProblem.

        For each new connection; in the moment after a kill it may be taken in, and the connection then fails.
        """
        try:
            if self._using is not None and self._cluster.ready and held(self._alive):
                return address(self._cluster.home)
        except OSError as error:
            raise DatabaseProblem(unusable(self.data_dir, error)) from error
        return self.start()

    def stop(self) -> None:
        """Stop using the server, and stop it when no other process uses it. Raises DatabaseProblem."""
        if self._using is None:
            return
        try:
            with turn(self._turn):
                if self._leave():
                    self._shut_down()
        except OSError as error:
            raise DatabaseProblem(unusable(self.data_dir, error)) from error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    @contextmanager
    def kept_alive(self, every: float = 1.0) -> Iterator[None]:
        """Look every so many seconds whether the server lives, and start it again when it was killed."""
        done = threading.Event()

        def keep() -> None:
            while not done.wait(every):
                self._revive()

        keeper = threading.Thread(target=keep, name="database-keeper", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()

    def _revive(self) -> None:
        try:
            if not held(self._alive):
                self.start()
                log.warning("database.restarted")
        except (DatabaseProblem, OSError) as problem:
            log.error("database.restart_failed", reason=str(problem))  # noqa: TRY400 - a sentence, no traceback

    def _join(self) -> None:
        if self._using is None:
            handle = open_lock(self.data_dir / "database.users")
            taken(handle, shared=True)  # never refused: the exclusive one is tried during a turn only
            self._using = handle
            atexit.register(self._stop_at_exit)

    def _leave(self) -> bool:
        """Give up the place among the users; whether it was the last."""
        if self._using is not None:
            os.close(self._using)  # a child made by fork keeps its copy, and so counts as a user
            self._using = None
            atexit.unregister(self._stop_at_exit)
        return not held(self.data_dir / "database.users")

    def _stop_at_exit(self) -> None:
        try:
            self.stop()
        except DatabaseProblem as problem:
            sys.stderr.write(f"{problem}\n")

    def _running(self) -> str:
        """Bring the server up, whatever was left behind; only during a turn."""
        home = self._cluster.home
        account = account_for(self.data_dir, self._cluster.directory)
        if not home.exists():
            home.mkdir(mode=0o700)
        account.owns(home)
        home.chmod(0o700)
        url = address(home)
        launched, began, pause = False, time.monotonic(), 0.005
        while (answer := PGconn.ping(f"{url}&connect_timeout=2".encode())) != Ping.OK:
            alive = open_lock(self._alive)
            try:
                if taken(alive):  # no process of this cluster lives, here or in another container
                    if launched:
                        raise DatabaseProblem(self._did_not_start())
                    self._launch(alive)
                    launched, began = True, time.monotonic()
                elif answer == Ping.NO_RESPONSE and not launched:
                    self._end_orphans()
            finally:
                os.close(alive)
            if time.monotonic() - began > (RECOVERY if answer == Ping.REJECT else SILENCE):
                raise DatabaseProblem(self._silent())
            time.sleep(pause)
            pause = min(pause * 1.5, 0.2)
        return url

    def _launch(self, alive: int) -> None:
        cluster, major = self._cluster, self._cluster.major
        account = account_for(self.data_dir, cluster.directory)
        clients = client_names(self.data_dir)
        binaries = runnable_by(account, binaries_for(major))
        if major is None:
            cluster.initialise(binaries, account, alive)
        cluster.prepare(account, clients)
        cluster.serve(binaries, account, alive)

    def _end_orphans(self) -> None:
        """Backends of a killed postmaster may run on in a long query; what is not committed is void."""
        postmasters, others = _processes(self._cluster.name)
        if not postmasters:
            for pid in others:
                _signal(pid, signal.SIGKILL)

    def _shut_down(self) -> None:
        for how in (signal.SIGINT, signal.SIGQUIT):  # PostgreSQL's words for fast and immediate
            postmasters, _ = _processes(self._cluster.name)
            for pid in postmasters:
                _signal(pid, how)
            deadline = time.monotonic() + SHUTDOWN
            while postmasters and held(self._alive) and time.monotonic() < deadline:
                time.sleep(0.005)
            if not held(self._alive) or not postmasters:  # none to be seen: it is another container's
                break
        else:
            raise DatabaseProblem(self._silent())

    def _did_not_start(self) -> str:
        return (
            f"PostgreSQL did not start in {self._cluster.home}: {self._cluster.last_words()}. "
            f"Its log is {self._cluster.log}."
        )

    def _silent(self) -> str:
        postmasters, _ = _processes(self._cluster.name)
        which = f"process {postmasters[0]}" if postmasters else "perhaps in another container"
        way_out = f"with `kill -QUIT {postmasters[0]}`" if postmasters else "by stopping that container"
        return (
            f"The database server of {self.data_dir} is running ({which}) but does not answer. "
            f"End it {way_out} and start again; committed data is safe. Its log is {self._cluster.log}."
        )


def _processes(name: str) -> tuple[list[int], list[int]]:
    """The postmasters and the other processes of one cluster, by what they call themselves."""
    postmasters, others = [], []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                words = (folder / "cmdline").read_bytes()
                if f"cluster_name={name}".encode() in words.split(b"\0"):
                    postmasters.append(int(folder.name))
                elif words.startswith(f"postgres: {name}: ".encode()):
                    others.append(int(folder.name))
    return postmasters, others


def _signal(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)
