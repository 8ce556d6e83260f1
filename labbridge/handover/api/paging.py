"""Pages by keyset: rows come in the order of our ids, and a cursor says behind which id the next page begins.

A row that is added while somebody reads never moves another to a page that they have read, or past one.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Annotated, Any, TypeVar

from django.db.models import Model, QuerySet
from ninja import Query
from pydantic import BaseModel, Field

from labbridge.handover.api.problems import Problem

M = TypeVar("M", bound=Model)
BAD = "This cursor is none of ours. Take `next_cursor` of the page before as it is, or leave it out."
LARGEST_ID = 2**63 - 1


class Paging(BaseModel):
    limit: int = Field(50, ge=1, le=200, description="Rows on a page.")
    cursor: Annotated[str, Field(max_length=100)] = Field("", description="`next_cursor` of the page before.")


Pages: Paging = Query(...)  # type: ignore[type-arg]  # a function at run time, a class to type checkers


def page(rows: QuerySet[M], paging: Paging) -> tuple[list[M], str | None]:
    """One page and the cursor of the next, None on the last."""
    rows = rows.order_by("pk")
    if paging.cursor:
        rows = rows.filter(pk__gt=_read(paging.cursor, whole=not _is_uuid(rows.model)))
    found = list(rows[: paging.limit + 1])
    if len(found) <= paging.limit:
        return found, None
    return found[: paging.limit], _cursor(found[paging.limit - 1].pk)


def _is_uuid(model: type[Model]) -> bool:
    return model._meta.pk.get_internal_type() == "UUIDField"


def _cursor(pk: Any) -> str:  # any: a UUID or a number
    raw = pk.bytes if isinstance(pk, uuid.UUID) else int(pk).to_bytes(8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read(cursor: str, *, whole: bool) -> uuid.UUID | int:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Problem("unacceptable", BAD) from None
    if len(raw) != (8 if whole else 16):
        raise Problem("unacceptable", BAD)
    number = int.from_bytes(raw, "big")
    if not whole:
        return uuid.UUID(bytes=raw)
    if number > LARGEST_ID:
        raise Problem("unacceptable", BAD)
    return number
