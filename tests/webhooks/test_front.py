"""The web server's short way for Rupa's deliveries: the same answers as the long way, and nothing lost on it."""

import io
import json
import time
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from labbridge.inbox.models import Event
from labbridge.peers.rupa import signature
from labbridge.webhooks import views
from labbridge.webhooks.front import Front

SECRET = "whsec_tests"
BODY = json.dumps(
    {"id": "evt_1", "type": "order.updated", "data": {"object": {"type": "order", "id": "ord_1"}}}
).encode()


def ask(body: bytes = BODY, *, method: str = "POST", path: str = "/webhooks/rupa", **environ: str) -> str:
    """The status line that the front answers with; `django` when it hands the request on."""
    answered: list[str] = []

    def django(_environ: Any, _start_response: Any) -> list[bytes]:
        answered.append("django")
        return []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        assert headers == [("Content-Length", "0")]
        answered.append(status)

    given = {"HTTP_RUPA_SIGNATURE": signature.sign(body, SECRET, now=time.time()), **environ}
    list(
        Front(django)(
            {
                "REQUEST_METHOD": method,
                "PATH_INFO": path,
                "CONTENT_LENGTH": str(len(body)),
                "wsgi.input": io.BytesIO(body),
                **given,
            },
            start_response,
        )
    )
    (only,) = answered
    return only


def jobs() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name, lock, args->>'event_id' FROM procrastinate_jobs ORDER BY id")
        return list(cursor.fetchall())


@pytest.mark.django_db
def test_event_and_job_are_stored_once_however_often_it_is_delivered() -> None:
    assert [ask(), ask()] == ["200 OK", "200 OK"]
    event = Event.objects.get()
    assert (event.external_id, event.body, event.deliveries) == ("evt_1", BODY, 2)
    assert jobs() == [("handle_event", "rupa:order:ord_1", str(event.pk))]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"HTTP_RUPA_SIGNATURE": "t=1,v1=00"}, "401 Unauthorized"),
        ({"HTTP_RUPA_SIGNATURE": ""}, "401 Unauthorized"),
        ({"CONTENT_LENGTH": str(10 * 1024 * 1024 + 1)}, "413 Request Entity Too Large"),
        ({"CONTENT_LENGTH": "many"}, "400 Bad Request"),
    ],
)
def test_refusals_store_nothing(changed: dict[str, str], status: str) -> None:
    assert ask(**changed) == status
    assert (Event.objects.count(), jobs()) == (0, [])


@pytest.mark.django_db
def test_a_body_that_is_no_json_is_refused() -> None:
    assert ask(b"neither here nor there") == "400 Bad Request"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/webhooks/rupa"), ("POST", "/webhooks/caspio/willow"), ("POST", "/")]
)
def test_everything_else_is_djangos(method: str, path: str) -> None:
    assert ask(method=method, path=path) == "django"


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_since_its_last_use_costs_no_delivery() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (own,) = cursor.fetchone()
    other = connection.copy("other")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [own])
    finally:
        other.close()
    assert ask() == "200 OK"
    assert (Event.objects.count(), len(jobs())) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(views, "record", away)
    assert ask() == "503 Service Unavailable"


@pytest.mark.django_db(transaction=True)
def test_what_is_undone_around_it_is_not_stored() -> None:
    """The statement goes past psycopg's own layer, which begins transactions."""
    with transaction.atomic():
        assert ask() == "200 OK"
        transaction.set_rollback(True)
    assert (Event.objects.count(), jobs()) == (0, [])
