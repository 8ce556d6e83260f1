"""Tables are brought up to date while other processes use them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import OperationalError, connection

from labbridge.commands import base

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """Another process in the middle of a transaction that has read the events."""
    monkeypatch.setattr(base, "LOCK_SECONDS", 0.1)
    connection.ensure_connection()
    with psycopg.connect(connection.connection.info.dsn) as other:
        other.execute("SELECT count(*) FROM inbox_event")
        yield other


def test_a_lock_is_not_waited_for_long_and_asked_for_again(somebody: psycopg.Connection) -> None:
    tries = []

    def change() -> None:
        tries.append(None)
        if len(tries) == 3:
            somebody.rollback()  # done at last
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE inbox_event ALTER COLUMN reason DROP DEFAULT")

    base._beside_traffic(change)
    assert len(tries) == 3
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


def test_who_never_lets_go_ends_the_start_with_an_error(
    somebody: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "LOCK_TRIES", 2)

    def change() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE inbox_event ALTER COLUMN reason DROP DEFAULT")

    with pytest.raises(OperationalError):
        base._beside_traffic(change)


def test_other_errors_are_not_tried_again() -> None:
    tries = []

    def change() -> None:
        tries.append(None)
        raise OperationalError

    with pytest.raises(OperationalError):
        base._beside_traffic(change)
    assert len(tries) == 1
