"""Calls that change something take effect once per `Idempotency-Key`, whatever is sent again, and however late.

The key is kept before the work begins and its answer after it. Whoever comes while the work goes on is told so;
whoever comes after a crash in between does the work again, which is safe: all of it is found by the kept call's id,
or is a state that is reached already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Header
from pydantic import BaseModel

from labbridge.engine.locks import try_exclusive
from labbridge.handover.api.auth import key_of
from labbridge.handover.api.problems import Problem
from labbridge.handover.models import KeptCall
from labbridge.trust.envelope import KeyDestroyed
from labbridge.trust.keys import keyring

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Made by you, one for each thing that you want done; sent again when an answer was lost.",
    ),
]
REUSED = "This idempotency key was used for another call. Make a new one for each thing that you want done."
ERASED = "This was done once, and the patient's data was erased since."
UNDER_WAY = "The same call is being worked on. Ask again with the same key."


def once(
    request: HttpRequest, key: str, body: BaseModel | None, work: Callable[[KeptCall], tuple[int, BaseModel]]
) -> HttpResponse:
    """The answer of `work`, or the one that it had before. An error is not kept: it may be tried again."""
    call, _ = KeptCall.objects.get_or_create(
        api_key=key_of(request), key=key, defaults={"request": _fingerprint(request, body)}
    )
    if bytes(call.request) != _fingerprint(request, body):
        raise Problem("key_reused", REUSED)
    with try_exclusive(f"api call:{call.pk}") as mine:
        if not mine:
            raise Problem("in_progress", UNDER_WAY, wait=1)
        call = KeptCall.objects.select_related("api_key").get(pk=call.pk)
        repeated = call.answered_at is not None
        if not repeated:
            status, done = work(call)
            call.status, call.answer, call.answered_at = (
                status,
                done.model_dump_json().encode(),
                timezone.now(),
            )
            call.save(update_fields=["status", "answer", "concerns", "answered_at"])
    answer = HttpResponse(_kept(call), status=call.status or 200, content_type="application/json")
    if repeated:
        answer["Idempotent-Replayed"] = "true"
    return answer


def _kept(call: KeptCall) -> bytes:
    try:
        return bytes(call.answer or b"")
    except KeyDestroyed:
        raise Problem("removed", ERASED) from None


def _fingerprint(request: HttpRequest, body: BaseModel | None) -> bytes:
    said = orjson.dumps(body.model_dump(mode="json") if body else None, option=orjson.OPT_SORT_KEYS).decode()
    return keyring().blind(f"{request.method} {request.path}\n{said}", "api call")
