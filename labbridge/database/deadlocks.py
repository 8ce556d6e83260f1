"""Outliving deadlocks: PostgreSQL undoes one of two transactions that wait for each other, and the other goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError
from psycopg.errors import DeadlockDetected

TRIES = 5  #: in one go

T = TypeVar("T")


def outliving_deadlocks(deed: Callable[[], T]) -> T:
    """Do it, and do it again at once if it was the one that was undone. For deeds that may be done again as a whole.

    Call it outside of any transaction: what is undone is the outermost one.
    """
    for _ in range(1, TRIES):
        try:
            return deed()
        except OperationalError as error:
            if not isinstance(error.__cause__, DeadlockDetected):
                raise
    return deed()
