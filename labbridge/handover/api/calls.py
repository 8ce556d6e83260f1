"""How a call of the API is written down: its address, its scope, what it answers, with what it can fail."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from ninja import Router

from labbridge.handover.api.auth import Key
from labbridge.handover.api.root import no_such_thing

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=Model)


def get(router: Router, address: str, scope: str, answer: Any, *problems: int) -> Callable[[F], F]:
    """A look. `problems`: statuses beyond those that every look can have."""
    return _call(router.get, address, scope, answer, problems)


def post(router: Router, address: str, scope: str, answer: Any, *problems: int) -> Callable[[F], F]:
    return _call(router.post, address, scope, answer, problems)


def _call(
    method: Callable[..., Any], address: str, scope: str, answer: Any, problems: tuple[int, ...]
) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        words = f"{function.__doc__ or ''}\n\nNeeds the scope `{scope}`.".strip()
        extra = {"x-problems": problems}
        added: F = method(address, auth=Key(scope), response=answer, openapi_extra=extra, description=words)(
            function
        )
        return added

    return decorate


def one(rows: QuerySet[M], pk: uuid.UUID | int) -> M:
    """The row of that id among those of the key's practice; whether another practice has it is not told."""
    found = rows.filter(pk=pk).first()
    if found is None:
        raise no_such_thing()
    return found
