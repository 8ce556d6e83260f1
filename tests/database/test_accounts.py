"""Root, ordinary people, and directories that the server's account cannot enter."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import sys
import traceback
from pathlib import Path

import psycopg
import pytest

from labbridge.database import DatabaseProblem, EmbeddedServer, binaries, service_lock
from labbridge.database.account import Account
from labbridge.database.binaries import installed, runnable_by

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
NOBODY = pwd.getpwnam("nobody")


def becoming(uid: int, gid: int, scene) -> None:
    """Play a scene in a child process of another account; a fork, since it may not enter our environment."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            scene()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent must see a failure
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def everyones_binaries(open_dir, monkeypatch):
    """A wheel that every account can read, wherever this checkout lies."""
    _wheel_in(open_dir / "site")
    _open(open_dir / "site")
    monkeypatch.syspath_prepend(str(open_dir / "site"))


def _wheel_in(place: Path) -> None:
    source = installed()[0].root
    shutil.copytree(
        source, place / source.parent.name / source.name, ignore=shutil.ignore_patterns("*.a", "include")
    )
    (place / source.parent.name / "__init__.py").touch()
    libraries = source.parent.with_name(f"{source.parent.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, place / libraries.name)


def _open(top: Path) -> None:
    for path in (top, *top.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))


@as_root
def test_server_does_not_run_as_root(server, ground):
    server.start()
    assert Path(f"/proc/{ground.postmaster()}").stat().st_uid != 0
    assert "\nCapEff:\t0000000000000000\n" in Path(f"/proc/{ground.postmaster()}/status").read_text()


@as_root
def test_closed_directories_above_the_data(open_dir, ground):
    closed = open_dir / "home"
    closed.mkdir(mode=0o700)
    with EmbeddedServer(closed / "var") as server:
        ground.keep(server.start(), "reached")
    with EmbeddedServer(closed / "var") as server:
        assert ground.kept(server.start()) == ["reached"]
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_closed_directories_above_the_programs(open_dir, server, monkeypatch):
    closed = open_dir / "home"
    closed.mkdir(mode=0o700)
    _wheel_in(closed / "site")
    (open_dir / "copies").mkdir(mode=0o755)
    monkeypatch.syspath_prepend(str(closed / "site"))
    monkeypatch.setattr(binaries, "COPY_PLACES", (closed, open_dir / "copies"))
    assert installed()[0].root.is_relative_to(closed)
    psycopg.connect(server.start()).close()
    server.stop()
    (copy,) = (open_dir / "copies").iterdir()
    made = copy.stat().st_ino
    psycopg.connect(server.start()).close()
    assert [path.stat().st_ino for path in (open_dir / "copies").iterdir()] == [made]


@as_root
def test_planted_copy_of_the_programs_is_not_run(open_dir, monkeypatch):
    closed = open_dir / "home"
    closed.mkdir(mode=0o700)
    _wheel_in(closed / "site")
    monkeypatch.syspath_prepend(str(closed / "site"))
    places = open_dir / "first", open_dir / "second"
    for place in places:
        place.mkdir(mode=0o755)
    monkeypatch.setattr(binaries, "COPY_PLACES", places)
    account = Account(NOBODY.pw_uid, NOBODY.pw_gid)
    copy = runnable_by(account, installed()[0])
    assert copy.root.is_relative_to(places[0])
    os.chown(next(places[0].iterdir()), NOBODY.pw_uid, NOBODY.pw_gid)
    assert runnable_by(account, installed()[0]).root.is_relative_to(places[1])
    monkeypatch.setattr(binaries, "COPY_PLACES", ())
    with pytest.raises(
        DatabaseProblem, match=r"cannot enter .* Install Labbridge outside of closed directories"
    ):
        runnable_by(account, installed()[0])


@as_root
@pytest.mark.usefixtures("everyones_binaries")
def test_ordinary_person(open_dir, ground):
    home = open_dir / "home"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)

    def scene() -> None:
        with EmbeddedServer(home / "var") as server:
            ground.keep(server.start(), "mine")
        with EmbeddedServer(home / "var") as server:
            assert ground.kept(server.start()) == ["mine"]

    becoming(NOBODY.pw_uid, NOBODY.pw_gid, scene)
    assert {path.stat().st_uid for path in (home / "var").rglob("*")} == {NOBODY.pw_uid}


@as_root
@pytest.mark.usefixtures("everyones_binaries")
def test_root_uses_an_ordinary_persons_database_and_leaves_it_theirs(open_dir, ground):
    home = open_dir / "home"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    (home / "var").mkdir(mode=0o700)
    os.chown(home / "var", NOBODY.pw_uid, NOBODY.pw_gid)

    def scene() -> None:
        with EmbeddedServer(home / "var") as server:
            assert ground.kept(server.start()) == ["by root"]

    with EmbeddedServer(home / "var") as server, service_lock(home / "var"):
        ground.keep(server.start(), "by root")
        becoming(NOBODY.pw_uid, NOBODY.pw_gid, scene)  # joins
    becoming(NOBODY.pw_uid, NOBODY.pw_gid, scene)  # starts
    assert {path.stat().st_uid for path in (home / "var").rglob("*")} == {NOBODY.pw_uid}


@as_root
def test_ordinary_person_cannot_use_roots_data(open_dir, server, ground):
    server.start()
    reached = open_dir / "var"
    (reached / "postgres" / "cluster").mkdir(parents=True)
    reached.chmod(0o777)
    (reached / "postgres").chmod(0o755)

    def scene() -> None:
        with pytest.raises(DatabaseProblem, match=r"belongs to root, and this command runs as nobody"):
            EmbeddedServer(reached).start()
        with pytest.raises(DatabaseProblem, match=r"cannot be used: Permission denied"):
            EmbeddedServer(ground.data_dir).start()

    becoming(NOBODY.pw_uid, NOBODY.pw_gid, scene)


@as_root
@pytest.mark.usefixtures("everyones_binaries")
def test_account_without_a_name(open_dir):
    home = open_dir / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 54321, 54321)

    def scene() -> None:
        with pytest.raises(DatabaseProblem, match=r"a name for user number 54321, .* LABBRIDGE_DATABASE_URL"):
            EmbeddedServer(home / "var").start()

    becoming(54321, 54321, scene)


@as_root
def test_restored_by_root_is_handed_to_the_servers_account(server, ground):
    ground.keep(server.start(), "restored")
    server.stop()
    for path in (ground.cluster, *ground.cluster.rglob("*")):
        os.chown(path, 0, 0)
    assert ground.kept(server.start()) == ["restored"]
