"""Commands as processes: signals, pipes, the embedded server's life, and starts that cannot be."""

from __future__ import annotations

import json
import signal
import socket
import time

import httpx2
import pytest

from tests.world import free_port, wait_for


def test_a_command_ended_by_sigterm_stops_the_embedded_server(typed):
    process = typed.begin("listen")
    wait_for(typed.database_runs, "the database up")
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    _, err = process.communicate()
    assert "Traceback" not in err
    assert not typed.database_runs()


def test_ctrl_c_ends_listening_well(typed):
    process = typed.begin("listen")
    wait_for(typed.database_runs, "the database up")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) in {0, 130}  # 130 while it was still starting
    _, err = process.communicate()
    assert "Traceback" not in err
    assert not typed.database_runs()


def test_a_reader_that_has_gone_is_no_error(typed):
    process = typed.begin("practice", "show", "--json")
    with process:
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, "Traceback" in err) == (0, False), err
    wait_for(lambda: not typed.database_runs(), "the database down")


def test_a_database_that_cannot_be_reached_is_a_sentence(typed):
    url = f"postgresql://labbridge:PLANTED@127.0.0.1:{free_port()}/labs"
    done = typed.run("events", "list", LABBRIDGE_DATABASE_URL=url)
    assert done.returncode == 1
    assert "database cannot be reached" in done.stderr
    assert "PLANTED" not in done.stdout + done.stderr


def test_the_address_of_the_database_and_psql(typed):
    url = json.loads(typed.run("db", "url", "--json").stdout)["url"]
    assert url.startswith("postgresql://")
    assert typed.run("db", "url").stdout.strip() == url
    done = typed.run("db", "psql", "-Atc", "SELECT count(*) FROM practices_practice")
    assert (done.returncode, done.stdout) == (0, "0\n")
    assert typed.run("db", "psql", "-c", "nonsense").returncode != 0


def test_django_s_own_commands_are_within_reach(typed):
    assert typed.run("manage", "check").returncode == 0
    done = typed.run("manage", "makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout


@pytest.fixture
def port() -> int:
    return free_port()


def up(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


def test_serve_is_ready_logs_json_and_ends_when_asked(typed, port):
    process = typed.begin("serve", LABBRIDGE_BIND=f"127.0.0.1:{port}")
    try:
        wait_for(lambda: up(port), "the service ready")
        assert httpx2.get(f"http://127.0.0.1:{port}/healthz").text == "alive\n"
        assert httpx2.post(f"http://127.0.0.1:{port}/webhooks/rupa", content=b"{}").status_code == 401
        second = typed.run("serve", LABBRIDGE_BIND=f"127.0.0.1:{free_port()}")
        assert (second.returncode, "Traceback" in second.stderr) == (2, False)
        assert second.stderr.strip()
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert "webhooks.refused" in {line["event"] for line in lines}
    assert "Traceback" not in err
    assert not typed.database_runs()


def test_web_alone_ends_when_asked_and_is_not_ready_without_a_worker(typed, port):
    process = typed.begin("web", LABBRIDGE_BIND=f"127.0.0.1:{port}")
    try:
        wait_for(lambda: _answers(port), "the web server up")
        time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


def test_a_worker_alone_ends_when_asked(typed):
    process = typed.begin("worker", "--concurrency", "1")
    wait_for(typed.database_runs, "the database up")
    time.sleep(2.0)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode in {0, 128 + signal.SIGTERM}, err
    assert "Traceback" not in err


def test_an_address_in_use_is_a_sentence(typed):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = typed.run("serve", LABBRIDGE_BIND=f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert f"127.0.0.1:{port} cannot be used" in done.stderr
    assert "LABBRIDGE_BIND" in done.stderr


def test_a_simulator_alone_tells_its_address(typed, port):
    process = typed.begin("simulate", "caspio", "--port", str(port))
    try:
        assert process.stdout
        assert json.loads(process.stdout.readline()) == {
            "simulator": "caspio",
            "address": f"http://127.0.0.1:{port}",
        }
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_simulator_whose_place_cannot_be_used_is_a_sentence(typed, tmp_path):
    (tmp_path / "file").write_text("")
    done = typed.run("simulate", "caspio", "--state", str(tmp_path / "file/state.sqlite"))
    assert done.returncode == 2
    assert "cannot be used" in done.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = typed.run("simulate", "caspio", "--port", str(taken.getsockname()[1]))
    assert busy.returncode == 2
    assert "cannot be used" in busy.stderr
