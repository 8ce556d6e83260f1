"""Two transactions that wait for each other's rows: PostgreSQL ends one of them, and it runs again at once."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from labbridge.database.deadlocks import TRIES, outliving_deadlocks


def deadlock() -> OperationalError:
    error = OperationalError("deadlock detected")
    error.__cause__ = DeadlockDetected()
    return error


def test_a_victim_runs_again() -> None:
    tries: list[int] = []

    def work() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise deadlock()
        return 7

    assert outliving_deadlocks(work) == 7
    assert len(tries) == 3


def test_it_does_not_run_for_ever() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise deadlock()

    with pytest.raises(OperationalError):
        outliving_deadlocks(work)
    assert len(tries) == TRIES


def test_a_database_that_is_away_is_no_deadlock() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise OperationalError("connection refused")

    with pytest.raises(OperationalError):
        outliving_deadlocks(work)
    assert len(tries) == 1
