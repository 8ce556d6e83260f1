"""Who calls: `Authorization: Bearer lb_…`, its scope, its class of patient data, its allowance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from allauth.core.internal import ratelimit  # the public one lets every GET pass
from django.db.models import Model
from django.http import HttpRequest
from ninja.security import HttpBearer

from labbridge.handover import limits
from labbridge.handover.api.problems import Problem
from labbridge.handover.keys import SCOPES, recognise
from labbridge.handover.models import ApiKey, PhiClass
from labbridge.trust.audit import Actor, Outcome, address_of, api_key, record

_KEY, _ALLOWANCE = "_labbridge_api_key", "_labbridge_allowance"
AGREEMENT_OVER = "The BAA that allowed this key patient data is over. The practice records the new one."
NO_KEY = "Send `Authorization: Bearer lb_…` with a key that is neither expired nor revoked."


class Key(HttpBearer):
    """Lets a call through whose key has the scope. Raises the problem otherwise, in the order 401, 429, 403."""

    openapi_description = "A key of one practice, made with `labbridge key add`."

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope, self.phi = scope, SCOPES[scope].phi

    def __call__(self, request: HttpRequest) -> ApiKey:
        given = request.headers.get("Authorization", "")
        kind, _, secret = given.partition(" ")
        key = self.authenticate(request, secret.strip()) if kind.lower() == "bearer" else None
        if key is None:
            raise _stranger(request)
        return key

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        key = recognise(token) if len(token) < 200 else None
        if key is None:
            return None
        count(request, key)
        if self.scope not in key.scopes:
            self._refuse(
                request, key, Problem("scope_missing", f"This call needs a key with the scope {self.scope}.")
            )
        if self.phi and key.phi_class != PhiClass.PHI:
            self._refuse(request, key, Problem("phi_refused", "This call needs a key of the class phi."))
        if key.held:
            self._refuse(request, key, Problem("phi_refused", AGREEMENT_OVER))
        return key

    def _refuse(self, request: HttpRequest, key: ApiKey, problem: Problem) -> None:
        record("access.refuse", actor=actor_of(request, key), practice=key.practice, outcome=Outcome.REFUSED,
               scope=self.scope)  # fmt: skip
        raise problem


def _stranger(request: HttpRequest) -> Problem:
    """The answer to a call without a usable key, counted by the address it comes from; the first one is recorded."""
    address = address_of(request)
    if _counted(request, "api_key_told", address):
        actor = Actor("nobody", source=address)
        record("access.refuse", actor=actor, outcome=Outcome.REFUSED, why="machine API")
    if _counted(request, "api_key", address):
        return Problem("unauthorised", NO_KEY)
    return Problem(
        "too_many", "Too many calls without a usable key came from this address. " + NO_KEY, wait=60
    )


def _counted(request: HttpRequest, action: str, address: str) -> bool:
    """Whether one more is allowed (ACCOUNT_RATE_LIMITS, kept in the database for all processes)."""
    return bool(ratelimit.consume(request, app="allauth.account", action=action, key=address, limit_get=True))


def count(request: HttpRequest, key: ApiKey) -> None:
    """Count the call against the key's allowance. Raises the problem when it is used up."""
    allowance = limits.take(key)
    request.__dict__[_ALLOWANCE] = allowance
    request.__dict__[_KEY] = key
    if not allowance.allowed:
        raise Problem(
            "too_many", f"This key may make {key.per_minute} calls a minute. Wait as Retry-After says."
        )


def allowance_of(request: HttpRequest) -> limits.Allowance | None:
    return cast("limits.Allowance | None", request.__dict__.get(_ALLOWANCE))


def key_of(request: HttpRequest) -> ApiKey:
    return cast("ApiKey", request.__dict__[_KEY])


def sees_patients(request: HttpRequest) -> bool:
    return key_of(request).phi_class == PhiClass.PHI


def actor_of(request: HttpRequest, key: ApiKey | None = None) -> Actor:
    """The caller as the audit names it."""
    key = key or key_of(request)
    return api_key(key.pk, key.name, request)


def audit(
    request: HttpRequest, action: str, *, patients: Sequence[Model] = (), subject: str = "",
    count: int | None = None, **detail: str,
) -> None:  # fmt: skip
    """Record a look at patient data by this key. To be called before the answer is made."""
    record(
        action, actor=actor_of(request), practice=key_of(request).practice, patient=patients, subject=subject,
        why="machine API", count=count, **detail,
    )  # fmt: skip
