"""Errors as `application/problem+json` (RFC 9457): one sentence, the next action, and a code for programs."""

from __future__ import annotations

from django.http import HttpResponse
from pydantic import BaseModel, Field

from labbridge.trust.envelope import KeyDestroyed
from labbridge.trust.fields import ContentRemoved

MEDIA_TYPE = "application/problem+json"


class Flaw(BaseModel):
    """What is wrong with one part of a request. Never repeats what was sent."""

    where: str
    message: str


class ProblemBody(BaseModel):
    type: str = Field(examples=["urn:labbridge:problem:not_found"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["not_found"])
    errors: list[Flaw] = []


#: code -> (status, title). Codes stay: programs rely on them.
CODES: dict[str, tuple[int, str]] = {
    "unreadable": (400, "The request cannot be read"),
    "unauthorised": (401, "No usable key"),
    "scope_missing": (403, "The key may not do this"),
    "phi_refused": (403, "The key may not see patient data"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "This address does not take this method"),
    "in_progress": (409, "The same call is under way"),
    "conflict": (409, "This is not possible as things stand"),
    "withheld": (409, "The result is withheld"),
    "removed": (410, "The content was removed"),
    "too_large": (413, "The request is too large"),
    "unacceptable": (422, "The request has mistakes"),
    "key_reused": (422, "The idempotency key was used for another call"),
    "too_many": (429, "Too many calls"),
    "cannot_open": (500, "A stored value cannot be opened"),
    "unexpected": (500, "An error that nobody foresaw"),
    "peer_away": (503, "Caspio or Rupa cannot be reached"),
}


GONE = (ContentRemoved, KeyDestroyed)  #: what reading a value raises that retention or erasure removed


class Problem(Exception):
    """Ends a call with an error. `detail` is a sentence without patient data."""

    def __init__(
        self, code: str, detail: str, *, wait: int | None = None, errors: list[Flaw] | None = None
    ) -> None:
        super().__init__(code)
        self.code, self.detail, self.wait, self.errors = code, detail, wait, errors or []

    def answer(self) -> HttpResponse:
        status, title = CODES[self.code]
        body = ProblemBody(
            type=f"urn:labbridge:problem:{self.code}", title=title, status=status, detail=self.detail,
            code=self.code, errors=self.errors,
        )  # fmt: skip
        answer = HttpResponse(body.model_dump_json(), status=status, content_type=MEDIA_TYPE)
        if self.wait is not None:
            answer["Retry-After"] = str(self.wait)
        if status == 401:
            answer["WWW-Authenticate"] = "Bearer"
        return answer
