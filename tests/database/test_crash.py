"""Processes killed at the worst moment: no committed row is lost, and the next start works by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psycopg
import pytest

from labbridge.database import DatabaseProblem, EmbeddedServer, database_url, embedded_server
from labbridge.database.account import account_for

pytestmark = pytest.mark.crash


def test_killed_postmaster(server, ground):
    ground.keep(server.start(), "committed")
    os.kill(ground.postmaster(), signal.SIGKILL)
    assert ground.kept(server.start()) == ["committed"]


def test_every_process_of_the_server_killed(server, ground):
    ground.keep(server.start(), "committed")
    ground.kill_all()
    assert ground.kept(server.start()) == ["committed"]


def test_every_process_killed_while_rows_are_committed(server, ground):
    """What the client was told is committed must be there after each of several kills."""
    url, told = server.start(), []

    def commit() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (word text PRIMARY KEY)")
            while True:
                word = f"{len(told):08}"
                connection.execute("INSERT INTO kept VALUES (%s) ON CONFLICT DO NOTHING", [word])
                told.append(word)

    for _ in range(3):
        killer = threading.Timer(0.3, ground.kill_all)
        killer.start()
        with pytest.raises(psycopg.OperationalError):
            commit()
        killer.join()
        url = server.start()
    assert len(told) > 10
    assert set(told) <= set(ground.kept(url))


def test_orphaned_backend_in_a_long_query(server, ground):
    """It holds the shared memory, which would keep a new server from starting, and sees no reason to end."""
    url = server.start()
    ground.keep(url, "committed")
    busy = psycopg.connect(url, autocommit=True)
    spin = "DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$"

    def run() -> None:
        with pytest.raises(psycopg.OperationalError):
            busy.execute(spin)

    thread = threading.Thread(target=run)
    thread.start()
    with psycopg.connect(url) as connection:
        seen = "SELECT count(*) FROM pg_stat_activity WHERE query = %s AND state = 'active'"
        ground.wait(lambda: connection.execute(seen, [spin]).fetchone() == (1,))
    backend = busy.info.backend_pid
    os.kill(ground.postmaster(), signal.SIGKILL)
    ground.wait(lambda: ground.processes() == ([], [backend]))
    assert ground.kept(server.start()) == ["committed"]
    thread.join()
    assert backend not in ground.processes()[1]
    busy.close()


def test_killed_user_leaves_a_server_that_the_next_one_adopts(server, ground):
    user = ground.user()
    before = ground.postmaster()
    user.kill()
    user.communicate()
    server.start()
    assert ground.postmaster() == before
    server.stop()
    assert not ground.alive()


def test_user_and_server_killed_together(server, ground):
    user = ground.user()
    user.kill()
    user.communicate()
    ground.kill_all()
    psycopg.connect(server.start()).close()


def test_killed_while_the_cluster_is_made(server, ground):
    for after in (0.05, 0.3):
        user = ground.begin_user()
        ground.wait((ground.data_dir / "postgres" / "cluster.new").exists)
        time.sleep(after)
        os.killpg(user.pid, signal.SIGKILL)
        user.communicate()
    ground.keep(server.start(), "made")
    assert not (ground.data_dir / "postgres" / "cluster.new").exists()
    assert ground.log().count("LOG:  starting PostgreSQL") == 1


def test_stale_files_whose_process_number_was_given_again(server, ground):
    """After a power cut the number in postmaster.pid may belong to another program of the same account."""
    ground.keep(server.start(), "committed")
    left = (ground.cluster / "postmaster.pid").read_text()
    ground.kill_all()
    ground.wait(lambda: not ground.alive())
    account = account_for(ground.data_dir, ground.cluster)
    bystander = subprocess.Popen(["sleep", "60"], **account.privileges())
    number = left.splitlines()[0]
    (ground.cluster / "postmaster.pid").write_text(left.replace(number, str(bystander.pid), 1))
    (ground.data_dir / "postgres" / ".s.PGSQL.5432.lock").write_text(f"{bystander.pid}\n")
    assert ground.kept(server.start()) == ["committed"]
    server.stop()
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_server_that_is_frozen_is_a_sentence(server, ground, monkeypatch):
    monkeypatch.setattr("labbridge.database.server.SILENCE", 1.0)
    server.start()
    frozen = ground.postmaster()
    os.kill(frozen, signal.SIGSTOP)
    second = EmbeddedServer(ground.data_dir)
    with pytest.raises(
        DatabaseProblem,
        match=rf"\(process {frozen}\) but does not answer\. End it with `kill -QUIT {frozen}`",
    ):
        second.start()
    os.kill(frozen, signal.SIGCONT)
    psycopg.connect(second.start()).close()
    second.stop()


def test_kept_alive_starts_a_killed_server_again(server, ground):
    url = server.start()
    ground.keep(url, "committed")
    with server.kept_alive(every=0.05):
        before = ground.postmaster()
        ground.kill_all()
        ground.wait(lambda: ground.processes()[0] not in ([], [before]))
        ground.wait(lambda: ping(url))
    assert ground.kept(url) == ["committed"]


def ping(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_url_asked_for_again_starts_a_killed_server_again(ground):
    ground.keep(database_url(ground.data_dir), "committed")
    ground.kill_all()
    ground.wait(lambda: not ground.alive())
    assert ground.kept(database_url(ground.data_dir)) == ["committed"]
    embedded_server(ground.data_dir).stop()


def test_command_that_fails_leaves_no_server(ground):
    broken = "import sys; from pathlib import Path; from labbridge.database import database_url\n"
    broken += "database_url(Path(sys.argv[1])); raise SystemExit(3)"
    assert subprocess.run([sys.executable, "-c", broken, str(ground.data_dir)], check=False).returncode == 3
    assert not ground.alive()
