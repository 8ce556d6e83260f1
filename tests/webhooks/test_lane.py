"""Rupa's deliveries through a real web server: those of one moment are stored together, and none fails another."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import waitress
from django.core.wsgi import get_wsgi_application
from django.db import connection
from prometheus_client import REGISTRY

from labbridge.inbox.models import Event
from labbridge.webhooks import lane
from labbridge.webhooks.front import Front
from tests.conftest import signature

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/webhooks/rupa"


def body(name: str, **more: Any) -> bytes:
    about = {"object": {"type": "order", "id": f"ord_{name}"}}
    return json.dumps({"id": f"evt_{name}", "type": "order.updated", "data": about, **more}).encode()


def post(port: int, what: bytes, **headers: str) -> int:
    given = {"Rupa-Signature": signature(what), **headers}
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        asking.request("POST", PATH, what, given)
        return asking.getresponse().status
    finally:
        asking.close()


@contextmanager
def served() -> Iterator[int]:
    django = Front(get_wsgi_application())

    def application(environ: Any, start_response: Any) -> list[bytes]:
        try:
            return list(django(environ, start_response))
        finally:
            connection.close()  # its threads outlive this test, and must not hold the database

    server = waitress.create_server(application, host="127.0.0.1", port=0, threads=8)
    running = threading.Thread(target=server.run, daemon=True)
    with lane.opened(server):
        running.start()
        yield server.effective_port
        server.task_dispatcher.shutdown()
        server.trigger.pull_trigger(server.close)
        running.join(10)


@pytest.fixture
def port() -> Iterator[int]:
    with served() as found:
        yield found


@pytest.fixture
def other() -> Iterator[psycopg.Connection]:
    """Somebody else in the same database."""
    connection.ensure_connection()
    with psycopg.connect(connection.connection.info.dsn) as somebody:
        yield somebody


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        (count,) = cursor.fetchone()
        return int(count)


@pytest.fixture
def gathered(port: int, other: psycopg.Connection) -> Callable[..., list[int]]:
    """Deliver the first, and while the database keeps it waiting, all others: they are one moment."""

    def deliver(*bodies: bytes, meanwhile: Callable[[], None] = lambda: None) -> list[int]:
        with ThreadPoolExecutor(20) as pool:
            other.execute("LOCK TABLE inbox_event IN EXCLUSIVE MODE")
            answers = [pool.submit(post, port, bodies[0])]
            until(lambda: waiting() == 1)
            answers += [pool.submit(post, port, one) for one in bodies[1:]]
            time.sleep(
                0.3
            )  # nothing tells from outside that they have been read; too short only makes two moments
            meanwhile()
            other.commit()
            return [answer.result(60) for answer in answers]

    return deliver


def jobs() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'handle_event'")
        (count,) = cursor.fetchone()
        return int(count)


def counted(outcome: str) -> float:
    labels = {"peer": "rupa", "outcome": outcome}
    return REGISTRY.get_sample_value("labbridge_deliveries_total", labels) or 0.0


def test_one_alone_is_stored_told_and_answered(port, capfd):
    before = counted("recorded")
    assert post(port, body("1", note="PLANTED")) == 200
    event = Event.objects.get()
    assert (event.external_id, event.type, event.subject) == ("evt_1", "order.updated", "order:ord_1")
    assert (event.body, event.deliveries, jobs()) == (body("1", note="PLANTED"), 1, 1)
    until(lambda: counted("recorded") == before + 1)
    out, err = capfd.readouterr()
    (line,) = [json.loads(one) for one in out.splitlines() if "inbox.recorded" in one]
    assert line["event_id"] == str(event.pk)
    assert "PLANTED" not in out + err


def test_those_of_one_moment_share_a_commit(gathered):
    assert gathered(*[body(str(number)) for number in range(12)]) == [200] * 12
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text), count(*) FROM inbox_event")
        commits, events = cursor.fetchone()
    assert (events, jobs()) == (12, 12)
    assert commits < 12


def test_one_event_delivered_many_times_in_one_moment_is_one(gathered):
    before = counted("recorded"), counted("repeated")
    assert gathered(*[body("1")] * 10, body("2")) == [200] * 11
    assert dict(Event.objects.values_list("external_id", "deliveries")) == {"evt_1": 10, "evt_2": 1}
    assert jobs() == 2
    until(lambda: (counted("recorded"), counted("repeated")) == (before[0] + 2, before[1] + 9))


def test_one_that_cannot_be_stored_fails_for_itself_alone(gathered):
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE inbox_event ADD CONSTRAINT for_a_test CHECK (external_id <> 'evt_bad') NOT VALID"
        )
    try:
        assert gathered(body("1"), body("2"), body("bad"), body("3")) == [200, 200, 503, 200]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE inbox_event DROP CONSTRAINT for_a_test")
    assert Event.objects.count() == jobs() == 3


def test_a_forged_or_unreadable_one_among_good_ones_is_refused_by_itself(port):
    with ThreadPoolExecutor(8) as pool:
        good = [pool.submit(post, port, body(str(number))) for number in range(4)]
        forged = pool.submit(lambda: post(port, body("9"), **{"Rupa-Signature": signature(b"another")}))
        unreadable = pool.submit(post, port, b"neither here nor there")
        assert [one.result() for one in good] == [200] * 4
        assert (forged.result(), unreadable.result()) == (401, 400)
    assert Event.objects.count() == jobs() == 4


def test_a_connection_lost_in_the_middle_costs_no_delivery(gathered, other):
    def kill() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")

    assert gathered(*[body(str(number)) for number in range(5)], meanwhile=kill) == [200] * 5
    assert Event.objects.count() == jobs() == 5


def test_a_database_that_is_away_is_said_to_all_and_back_is_back(port):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE procrastinate_jobs RENAME TO away")
    try:
        with ThreadPoolExecutor(6) as pool:
            answers = pool.map(lambda number: post(port, body(str(number))), range(6))
            assert list(answers) == [503] * 6
        assert not Event.objects.exists()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO procrastinate_jobs")
    assert post(port, body("1")) == 200
    assert Event.objects.count() == jobs() == 1


def test_two_services_that_are_sent_the_same_store_each_once(port):
    with served() as second, ThreadPoolExecutor(16) as pool:
        to_one = [pool.submit(post, port, body(str(number))) for number in range(20)]
        to_two = [pool.submit(post, second, body(str(number))) for number in reversed(range(20))]
        assert {one.result() for one in to_one + to_two} == {200}
    assert set(Event.objects.values_list("deliveries", flat=True)) == {2}
    assert Event.objects.count() == jobs() == 20


def test_requests_sent_in_one_go_are_answered_in_their_order(port):
    def request(method: str, path: str, what: bytes = b"") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(what)}\r\n"
        return f"{head}Rupa-Signature: {signature(what)}\r\n\r\n".encode() + what

    wanted = [b"200 OK", b"200 OK", b"404 Not Found", b"200 OK", b"405 Method Not Allowed"]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(
            request("POST", PATH, body("1")) + request("POST", PATH, body("2")) + request("POST", "/webhooks/none")
            + request("POST", PATH, body("1")) + request("GET", PATH)
        )  # fmt: skip
        got = b""
        while got.count(b"HTTP/1.1 ") < len(wanted):
            more = line.recv(65536)
            assert more
            got += more
    assert [part.split(b"\r\n")[0] for part in got.split(b"HTTP/1.1 ")[1:]] == wanted
    assert dict(Event.objects.values_list("external_id", "deliveries")) == {"evt_1": 2, "evt_2": 1}


def test_a_large_one_is_stored_all_the_same(port):
    assert post(port, body("1", pad="x" * lane.LARGEST)) == 200
    assert Event.objects.count() == jobs() == 1


def test_what_a_peer_leaves_unread_is_stored_all_the_same(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        what = body("1")
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(what)}\r\n"
        line.sendall(f"{head}Rupa-Signature: {signature(what)}\r\n\r\n".encode() + what)
    until(lambda: Event.objects.count() == 1)
    assert post(port, body("2")) == 200
