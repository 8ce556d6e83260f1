"""Two jobs that wait for each other's rows: PostgreSQL ends one of them, and it runs again at once."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from labbridge.engine.jobs import DEADLOCKS, _run


def deadlock() -> OperationalError:
    error = OperationalError("deadlock detected")
    error.__cause__ = DeadlockDetected()
    return error


def test_a_victim_runs_again() -> None:
    tries: list[int] = []

    def work(number: int) -> None:
        tries.append(number)
        if len(tries) < 3:
            raise deadlock()

    _run(work, {"number": 7})
    assert tries == [7, 7, 7]


def test_it_does_not_run_for_ever() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise deadlock()

    with pytest.raises(OperationalError):
        _run(work, {})
    assert len(tries) == DEADLOCKS


def test_a_database_that_is_away_is_no_deadlock() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise OperationalError("connection refused")

    with pytest.raises(OperationalError):
        _run(work, {})
    assert len(tries) == 1
