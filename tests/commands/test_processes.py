"""Commands as processes: signals, pipes, the embedded server's life, and starts that cannot be."""

from __future__ import annotations

import base64
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx2
import pytest

from tests.conftest import signature
from tests.world import SIGNING_SECRET, free_port, wait_for


def test_a_command_ended_by_sigterm_stops_the_embedded_server(typed):
    process = typed.begin("listen")
    assert "Listening" in process.stderr.readline()
    assert typed.database_runs()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    _, err = process.communicate()
    assert "Traceback" not in err
    assert not typed.database_runs()


def test_ctrl_c_ends_listening_well(typed):
    process = typed.begin("listen")
    assert "Listening" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
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
    return _ready(f"http://127.0.0.1:{port}")


def test_serve_is_ready_logs_json_and_ends_when_asked(typed, port):
    """And goes by another way of signing, of which every part differs from what we assume."""
    process = typed.begin(
        "serve",
        LABBRIDGE_BIND=f"127.0.0.1:{port}",
        LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET=SIGNING_SECRET,
        LABBRIDGE_RUPA_SIGNATURE="header=X-Sealed-By layout=body encoding=base64 prefix=sha256=",
    )
    try:
        wait_for(lambda: up(port), "the service ready")
        assert httpx2.get(f"http://127.0.0.1:{port}/healthz").text == "alive\n"
        signed = base64.b64encode(hmac.digest(SIGNING_SECRET.encode(), b"{}", "sha256")).decode()
        for headers, status in (
            ({}, 401),
            ({"Rupa-Signature": signature(b"{}")}, 401),
            ({"X-Sealed-By": signed}, 401),
            ({"X-Sealed-By": f"sha256={signed}"}, 200),
        ):
            answer = httpx2.post(f"http://127.0.0.1:{port}/webhooks/rupa", content=b"{}", headers=headers)
            assert answer.status_code == status, headers
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


@pytest.mark.parametrize(
    ("proxies", "proto", "secure"), [("", "https", True), ("", "http", False), ("0", "https", False)]
)
def test_behind_a_proxy_that_ends_tls(typed, port, proxies, proto, secure):
    """What the web server itself hands on of a proxy's word, which Django's test client cannot show."""
    settings = {"LABBRIDGE_BIND": f"127.0.0.1:{port}", "LABBRIDGE_PUBLIC_URL": "https://labs.example"}
    process = typed.begin("web", **settings, **({"LABBRIDGE_TRUSTED_PROXIES": proxies} if proxies else {}))
    told = {"Host": "labs.example", "X-Forwarded-Proto": proto, "X-Forwarded-For": "203.0.113.7"}
    try:
        wait_for(lambda: _answers(port), "the web server up")
        page = httpx2.get(f"http://127.0.0.1:{port}/order/return/none", headers=told)
        assert ("Strict-Transport-Security" in page.headers) is secure
        sign_in = httpx2.get(f"http://127.0.0.1:{port}/start/owner", headers=told)
        given = sign_in.headers.get_list("set-cookie")
        assert given
        for cookie in given:  # the prefix makes browsers insist on all of it
            assert cookie.startswith("__Host-")
            assert "secure" in cookie.lower()
            assert "path=/" in cookie.lower()
            assert "domain=" not in cookie.lower()
        metrics = f"http://127.0.0.1:{port}/metrics"
        assert httpx2.get(metrics).status_code == 200
        assert (
            httpx2.get(metrics, headers=told).status_code == 403
        )  # the proxy's own address is near, its asker is not
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


@pytest.mark.parametrize(
    ("bind", "reached"),
    [("localhost", ["127.0.0.1"]), ("[::1]", ["[::1]"]), ("0.0.0.0", ["127.0.0.1"])],
)
def test_every_way_to_say_where_to_listen(typed, port, bind, reached):
    """A name may stand for two addresses: each is served, deliveries too, and all end in order."""
    if bind == "[::1]" and not _has("::1"):
        pytest.skip("no IPv6 on this machine")
    if bind == "localhost":
        found = {where[0] for *_, where in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)}
        reached = [f"[{host}]" if ":" in host else host for host in sorted(found) if _has(host)]
    process = typed.begin("serve", LABBRIDGE_BIND=f"{bind}:{port}", LABBRIDGE_ALLOWED_HOSTS="127.0.0.1,[::1]",
                          LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET=SIGNING_SECRET)  # fmt: skip
    try:
        for number, host in enumerate(reached):
            url = f"http://{host}:{port}"
            wait_for(lambda url=url: _ready(url), f"{url} ready")
            body = json.dumps({"id": f"evt_{number}", "type": "order.updated"}).encode()
            headers = {"Rupa-Signature": signature(body, SIGNING_SECRET)}
            assert httpx2.post(f"{url}/webhooks/rupa", content=body, headers=headers).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"http://{bind}:{port}" in err


def _has(host: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        try:
            tried.bind((host, 0))
        except OSError:
            return False
        return True


def _ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.parametrize("how", [(), ("--concurrency", "1")])
def test_a_worker_alone_ends_when_asked(typed, how):
    """As deploy/ starts it, too: without an option."""
    process = typed.begin("worker", *how)
    wait_for(typed.database_runs, "the database up")
    time.sleep(2.0)
    assert process.poll() is None, process.communicate()
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


def test_what_the_first_visitor_would_wait_for_is_loaded(tmp_path):
    """In a process of its own: here every screen is known already."""
    told = (
        "import sys, django; django.setup(); from labbridge.commands.service import warm_up; screen = "
        "'labbridge.console.analytics'; before = screen in sys.modules; warm_up(); "
        "import gc; from django.template import engines; left = len(gc.get_objects()); "
        "loaders = engines['django'].engine.template_loaders; cached = loaders[0].get_template_cache; "
        "print(before, screen in sys.modules, left < 20_000, 'console/audit_row.html' in cached)"
    )
    env = {**os.environ, "LABBRIDGE_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "labbridge.settings"}
    done = subprocess.run([sys.executable, "-c", told], env=env, capture_output=True, text=True, check=True)
    # What is loaded is looked through no more: 100,000 objects of it cost one answer in a hundred 0.07 s.
    assert done.stdout.split() == ["False", "True", "True", "True"]


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
