"""Codes and tokens by django-oauth-toolkit's defaults: 60-second codes, rotation without grace."""

import base64
import hashlib
import hmac
import secrets

from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World


class OAuthError(Exception):
    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


def new_code(
    world: World, practitioner: str, redirect_uri: str, *, challenge: str = "", method: str = ""
) -> str:
    code = {
        "id": secrets.token_urlsafe(22),
        "practitioner": practitioner,
        "redirect_uri": redirect_uri,
        "challenge": challenge,
        "method": method or "plain",
        "expires_at": world.seconds + world.options.code_lifetime,
    }
    return str(world.store.add("code", code)["id"])


def redeem(world: World, code: str, redirect_uri: str, verifier: str) -> Doc:
    """Exchange a code, once. Raises OAuthError invalid_grant."""
    found = world.store.one("code", code)
    if found is None:
        raise OAuthError("invalid_grant", "Invalid authorization code.")
    world.store.remove("code", code)
    if found["expires_at"] <= world.seconds:
        raise OAuthError("invalid_grant", "The authorization code has expired.")
    if found["redirect_uri"] != redirect_uri:
        raise OAuthError("invalid_grant", "Mismatching redirect URI.")
    if found["challenge"] and not _proves(found, verifier):
        raise OAuthError("invalid_grant", "Code verifier does not match.")
    return grant(world, found["practitioner"])


def refresh(world: World, refresh_token: str) -> Doc:
    """Give a new pair; the old refresh token and its access token die at once. Raises OAuthError."""
    found = world.store.one("refresh_token", refresh_token)
    if found is None:
        raise OAuthError("invalid_grant", "Invalid refresh token.")
    world.store.remove("access_token", found["access_token"])
    if not world.options.rotate_refresh_tokens:
        pair = _new_pair(world, found["practitioner"], found["clinic"], found["id"])
        world.store.save("refresh_token", {**found, "access_token": pair["access_token"]})
        return pair
    world.store.remove("refresh_token", refresh_token)
    return grant(world, found["practitioner"])


def grant(world: World, practitioner: str) -> Doc:
    """Connect a practitioner: make an access token and a refresh token."""
    doc = world.store.need("practitioner", practitioner)
    pair = _new_pair(world, practitioner, doc["clinic"], secrets.token_urlsafe(22))
    world.store.add(
        "refresh_token",
        {
            "id": pair["refresh_token"],
            "practitioner": practitioner,
            "clinic": doc["clinic"],
            "access_token": pair["access_token"],
        },
    )
    if world.store.one("connection", practitioner) is None:
        world.store.add("connection", {"id": practitioner}, clinic=doc["clinic"])
    return pair


def revoke(world: World, token: str) -> None:
    """Take one token and its partner away; unknown tokens are no error (RFC 7009)."""
    refresh_token = world.store.one("refresh_token", token)
    if refresh_token is None:
        found = world.store.many("refresh_token", equal={"access_token": token})
        refresh_token = next((doc for doc in found if doc["access_token"] == token), None)
    world.store.remove("access_token", token)
    if refresh_token:
        world.store.remove("access_token", refresh_token["access_token"])
        world.store.remove("refresh_token", refresh_token["id"])
        _forget_connection(world, refresh_token["practitioner"])


def disconnect(world: World, practitioner: str) -> None:
    """End a practitioner's connection from Rupa's side: all tokens die, no event tells (rupa-api.md 3)."""
    for kind in ("access_token", "refresh_token", "publishable_key"):
        for token in world.store.many(kind, equal={"practitioner": practitioner}):
            if token["practitioner"] == practitioner:
                world.store.remove(kind, token["id"])
    world.store.remove("connection", practitioner)


def _forget_connection(world: World, practitioner: str) -> None:
    left = world.store.many("refresh_token", equal={"practitioner": practitioner})
    if not any(token["practitioner"] == practitioner for token in left):
        world.store.remove("connection", practitioner)


def _new_pair(world: World, practitioner: str, clinic: str, refresh_token: str) -> Doc:
    access = {
        "id": secrets.token_urlsafe(22),
        "practitioner": practitioner,
        "clinic": clinic,
        "expires_at": world.seconds + world.options.expires_in,
    }
    world.store.add("access_token", access)
    return {
        "access_token": access["id"],
        "token_type": "Bearer",
        "expires_in": int(world.options.expires_in),
        "refresh_token": refresh_token,
        "scope": "",
    }


def _proves(code: Doc, verifier: str) -> bool:
    if code["method"] == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(verifier.encode(), code["challenge"].encode())
