"""Who calls: a connected practitioner by access token, or a browser by publishable key."""

import secrets
from dataclasses import dataclass

from flask import request

from labbridge.simulators.rupa.errors import ApiError
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World


@dataclass(frozen=True)
class Caller:
    practitioner: str
    clinic: str


def caller(world: World, *, publishable: bool = False) -> Caller:
    """Read the bearer. Raises ApiError 401, or 403 for an expired or misplaced publishable key."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError(401, "not_authenticated", "Authentication credentials were not provided.")
    if token.startswith("pk_"):
        return _by_key(world, token, publishable=publishable)
    found = world.store.one("access_token", token)
    if found is None or found["expires_at"] <= world.seconds:
        raise ApiError(401, "authentication_failed", "Invalid or expired token.")
    return Caller(found["practitioner"], found["clinic"])


def _by_key(world: World, key: str, *, publishable: bool) -> Caller:
    found = world.store.one("publishable_key", key)
    if found is None:
        raise ApiError(401, "authentication_failed", "Invalid key.")
    if found["expires_at"] <= world.seconds or not publishable:
        # rupa-api.md 9: 401 means an invalid key, 403 an expired one
        raise ApiError(403, "permission_denied", "You do not have permission to perform this action.")
    return Caller(found["practitioner"], found["clinic"])


def new_publishable_key(world: World, who: Caller, lifetime: float | None = None) -> Doc:
    """Mint pk_ and 40 hex digits for one practitioner; it lives `lifetime` seconds."""
    life = world.options.publishable_key_lifetime if lifetime is None else lifetime
    key = {
        "id": f"pk_{secrets.token_hex(20)}",
        "practitioner": who.practitioner,
        "clinic": who.clinic,
        "expires_at": world.seconds + life,
    }
    return world.store.add("publishable_key", key)
