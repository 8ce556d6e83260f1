"""The embedded server in ordinary days: made, shared, left, and refused with a sentence."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from labbridge.database import (
    DatabaseInUse,
    DatabaseProblem,
    EmbeddedServer,
    client_program,
    database_url,
    embedded_server,
    psql_path,
    service_lock,
)


def test_first_start_makes_a_safe_database(server, ground):
    with psycopg.connect(server.start()) as connection:

        def shown(name):
            return connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]

        assert shown("listen_addresses") == ""
        assert shown("fsync") == shown("full_page_writes") == shown("synchronous_commit") == "on"
        assert shown("data_checksums") == "on"
        assert shown("server_encoding") == "UTF8"
        assert shown("shared_buffers") == "128MB"
        assert shown("max_connections") == "100"
        who = connection.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert who.fetchone() == ("labbridge", False)
        locale = connection.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'labbridge'"
        )
        assert locale.fetchone() == ("b", "C.UTF-8")
    for closed in (ground.data_dir, ground.data_dir / "postgres", ground.cluster):
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_server_listens_on_no_port(server, ground):
    def ports(uid: int) -> set[str]:
        tables = [Path(f"/proc/self/net/{name}").read_text() for name in ("tcp", "tcp6")]
        lines = [line.split() for table in tables for line in table.splitlines()]
        return {words[1] for words in lines if words[3] == "0A" and words[7] == str(uid)}  # 0A: listening

    server.start()
    uid = ground.cluster.stat().st_uid
    running = ports(uid)
    server.stop()
    assert running == ports(uid)


def test_rows_outlive_a_restart(server, ground):
    ground.keep(server.start(), "kept")
    server.stop()
    assert not ground.alive()
    assert ground.kept(server.start()) == ["kept"]


def test_last_user_stops_the_server(server, ground):
    url = server.start()
    other = ground.user()
    before = ground.postmaster()
    server.stop()
    assert ground.postmaster() == before
    psycopg.connect(url).close()
    other.communicate("")  # its input ends, and so does it
    assert other.returncode == 0
    assert not ground.alive()


def test_two_users_in_one_process_count_as_two(server, ground):
    second = EmbeddedServer(ground.data_dir)
    server.start()
    second.start()
    server.stop()
    assert ground.alive()
    second.stop()
    assert not ground.alive()


def test_two_users_at_once_start_one_server(ground):
    starting = [ground.begin_user() for _ in range(4)]
    for user in starting:
        ground.joined(user)
    assert ground.log().count("LOG:  starting PostgreSQL") == 1
    for user in starting:
        user.communicate("")
    assert not ground.alive()


def test_terminated_user_stops_the_server(ground):
    user = ground.user()
    user.terminate()
    user.communicate()
    assert not ground.alive()


def test_ctrl_c_at_the_terminal_does_not_reach_the_server(server, ground):
    user = ground.user()
    url = server.start()
    os.killpg(user.pid, signal.SIGINT)  # what a terminal does to all that run in its foreground
    user.communicate()
    ground.keep(url, "still here")


def test_log_holds_no_values(server, ground):
    with psycopg.connect(server.start(), autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(
            "CREATE TABLE patients (email text PRIMARY KEY, born date CHECK (born > '1900-01-01'))"
        )
        connection.execute("INSERT INTO patients VALUES ('zz-invented', '1990-01-01')")
        for email, born in [
            ("zz-invented", "1990-01-01"),
            ("b", "zz-invented"),
            ("zz-invented", "1890-01-01"),
        ]:
            with pytest.raises(psycopg.Error, match="zz-invented"):  # said to the client
                connection.execute("INSERT INTO patients VALUES (%s, %s)", [email, born])
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT zz_invented")
    server.stop()
    assert "starting PostgreSQL" in ground.log()
    assert "zz" not in ground.log()


def test_server_does_not_see_our_secrets(server, ground, monkeypatch):
    monkeypatch.setenv("LABBRIDGE_SECRET_KEY", "invented-secret")
    maintenance = server.start().replace("labbridge@", "postgres@")
    with psycopg.connect(maintenance) as connection:
        connection.execute("CREATE TEMPORARY TABLE environment (line text)")
        connection.execute("COPY environment FROM PROGRAM 'env'")
        seen = {line for (line,) in connection.execute("SELECT line FROM environment")}
    assert "TZ=UTC" in seen
    assert not any("invented-secret" in line for line in seen)


def test_other_major_version_is_refused_and_untouched(server, ground):
    server.start()
    server.stop()
    (ground.cluster / "PG_VERSION").write_text("15\n")
    before = {path: path.stat().st_mtime_ns for path in ground.cluster.rglob("*")}
    with pytest.raises(DatabaseProblem, match=r"made by PostgreSQL 15, .* Nothing was touched"):
        server.start()
    assert {path: path.stat().st_mtime_ns for path in ground.cluster.rglob("*")} == before


def test_directory_that_is_no_cluster_is_refused_and_untouched(server, ground):
    ground.cluster.mkdir(parents=True)
    (ground.cluster / "note").write_text("mine")
    with pytest.raises(DatabaseProblem, match="does not hold a PostgreSQL database"):
        server.start()
    assert (ground.cluster / "note").read_text() == "mine"


def test_server_that_refuses_to_start_says_why(server, ground):
    server.start()
    server.stop()
    with (ground.cluster / "postgresql.conf").open("a") as file:
        file.write("max_connections = many\n")
    with pytest.raises(
        DatabaseProblem, match=r"did not start in .*FATAL: .*postgresql\.conf.* contains errors"
    ):
        server.start()
    assert not ground.alive()


def test_long_path_gets_a_short_link(tmp_path):
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    with EmbeddedServer(deep) as server:
        url = server.start()
        link = Path(url.partition("host=")[2])
        psycopg.connect(url).close()
    assert link.readlink() == deep / "postgres"
    link.unlink()


def test_path_with_spaces_and_signs(tmp_path):
    data_dir = tmp_path / "my data & räume"
    with EmbeddedServer(data_dir) as server:
        psycopg.connect(server.start()).close()


def test_copied_data_directory_works(server, ground, tmp_path):
    ground.keep(server.start(), "copied")
    server.stop()
    subprocess.run(["cp", "-r", ground.data_dir, tmp_path / "copy"], check=True)  # modes and owners are lost
    with EmbeddedServer(tmp_path / "copy") as copy:
        assert ground.kept(copy.start()) == ["copied"]


def test_full_disk_is_a_sentence(ground):
    # A limit on the size of files stands in for a full disk; it is inherited by initdb.
    user = subprocess.Popen(
        [sys.executable, "-c", LIMITED, str(ground.data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = user.communicate()
    assert err == ""
    assert "PostgreSQL could not set up its database in" in out
    assert "See that the disk has room" in out
    assert not ground.cluster.exists()
    with EmbeddedServer(ground.data_dir) as server:  # room again
        psycopg.connect(server.start()).close()


LIMITED = f"""
import resource, sys
from pathlib import Path
from labbridge.database import DatabaseProblem, EmbeddedServer
resource.setrlimit({resource.RLIMIT_FSIZE}, (100_000, 100_000))
try:
    EmbeddedServer(Path(sys.argv[1])).start()
except DatabaseProblem as problem:
    print(problem)
"""


def test_data_dir_that_is_a_file_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseProblem, match=r"cannot be used: File exists .* LABBRIDGE_DATA_DIR"):
        EmbeddedServer(tmp_path / "file").start()
    with pytest.raises(DatabaseProblem, match="cannot be used"), service_lock(tmp_path / "file"):
        pass


def test_second_service_is_refused(tmp_path):
    with service_lock(tmp_path):
        expected = rf"already running on the data directory {tmp_path} \(process {os.getpid()}\)\. Stop that"
        with pytest.raises(DatabaseInUse, match=expected), service_lock(tmp_path):
            pass
    with service_lock(tmp_path):  # free again
        pass


def test_service_lock_dies_with_its_holder(tmp_path):
    hold = "import sys; from pathlib import Path; from labbridge.database import service_lock\n"
    hold += "with service_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    holder = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdin=pipe, stdout=pipe, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(DatabaseInUse, match=rf"\(process {holder.pid}\)"), service_lock(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    with service_lock(tmp_path):
        pass


def test_configured_url_wins(ground):
    assert database_url(ground.data_dir, "postgresql://u@db.example/x") == "postgresql://u@db.example/x"
    assert not ground.data_dir.exists()


def test_other_databases_are_refused_without_repeating_the_setting(ground):
    with pytest.raises(DatabaseProblem, match="must begin with postgresql://") as caught:
        database_url(ground.data_dir, "mysql://u:invented-password@db.example/x")
    assert "invented-password" not in str(caught.value)


def test_one_process_is_one_user(ground):
    assert database_url(ground.data_dir) == database_url(ground.data_dir)
    embedded_server(ground.data_dir).stop()
    assert not ground.alive()


def test_psql_and_pg_dump_reach_the_database(server, ground):
    url = server.start()
    ground.keep(url, "seen")
    asked = [psql_path(), "-XAtc", "SELECT word FROM kept", url]
    assert subprocess.run(asked, check=True, capture_output=True, text=True).stdout == "seen\n"
    dumped = subprocess.run(
        [client_program("pg_dump"), url], check=True, capture_output=True, text=True
    ).stdout
    assert "COPY public.kept" in dumped


def test_missing_client_program_is_a_sentence():
    with pytest.raises(DatabaseProblem, match="The program pg_invented was not found"):
        client_program("pg_invented")
