"""Locks that hold across processes, and fall with their holder's connection."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from labbridge.engine.locks import exclusive, try_exclusive

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(work) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_one_waits_while_another_holds():
    order: list[str] = []

    def second() -> None:
        with exclusive("token"):
            order.append("second")

    with exclusive("token"):
        thread = elsewhere(second)
        thread.join(0.2)
        assert thread.is_alive()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_other_names_do_not_wait():
    with exclusive("one"):
        thread = elsewhere(lambda: exclusive("two").__enter__())
        thread.join(10)
        assert not thread.is_alive()


def test_a_lock_falls_after_an_error():
    with pytest.raises(ZeroDivisionError), exclusive("token"):
        _ = 1 / 0
    with try_exclusive("token") as held:
        assert held


def test_trying_tells_at_once():
    seen: list[bool] = []

    def ask() -> None:
        with try_exclusive("file:1") as held:
            seen.append(held)

    with try_exclusive("file:1") as held:
        assert held
        elsewhere(ask).join(10)
    ask()
    assert seen == [False, True]


def test_a_lock_falls_with_its_holders_connection():
    elsewhere(lambda: exclusive("token").__enter__()).join(10)
    with try_exclusive("token") as held:
        assert held


def test_a_lock_is_refused_inside_a_transaction_where_what_it_protects_could_be_undone():
    refused = pytest.raises(RuntimeError, match="not for use inside a transaction")
    with transaction.atomic(), refused, exclusive("token"):
        pass
