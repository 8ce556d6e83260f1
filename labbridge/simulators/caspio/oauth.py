"""POST /oauth/token: client_credentials and refresh_token, by body or Basic header (caspio-api.md 1)."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from labbridge.simulators.caspio.account import Account

REFRESH_SECONDS = 365 * 86_400


class TokenRefused(Exception):
    """Answered as `{"error": code}`; the exact body is unknown, this is ASP.NET's (caspio-api.md 1 C)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def issued(account: Account, form: Mapping[str, str], authorization: str | None) -> dict[str, Any]:
    """Check the request and issue tokens; tokens given before stay valid. Raises TokenRefused."""
    grant = form.get("grant_type")
    if grant not in ("client_credentials", "refresh_token"):
        raise TokenRefused("unsupported_grant_type" if grant else "invalid_request")
    _check_client(account, form, authorization)
    if grant == "refresh_token":
        _check_refresh(account, form.get("refresh_token", ""))
    seconds = account.options.token_seconds
    return {
        "access_token": _stored(account, "access", seconds),
        "token_type": "bearer",
        "expires_in": max(seconds - 1, 0),
        "refresh_token": _stored(account, "refresh", REFRESH_SECONDS),
    }


def is_live(account: Account, token: str) -> bool:
    with account.store.transaction() as db:
        sql = "SELECT expires FROM tokens WHERE token = ? AND kind = 'access'"
        row = db.execute(sql, (token,)).fetchone()
    return row is not None and row["expires"] > account.now().timestamp()


def expire_all(account: Account) -> None:
    with account.store.transaction() as db:
        db.execute("UPDATE tokens SET expires = 0 WHERE kind = 'access'")


def _check_client(account: Account, form: Mapping[str, str], authorization: str | None) -> None:
    given_id, given_secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization and authorization.lower().startswith("basic "):
        try:
            decoded = base64.b64decode(authorization[6:], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise TokenRefused("invalid_client") from error
        given_id, _, given_secret = decoded.partition(":")
    wanted = f"{account.options.client_id}\n{account.options.client_secret}"
    if not hmac.compare_digest(f"{given_id}\n{given_secret}".encode(errors="replace"), wanted.encode()):
        raise TokenRefused("invalid_client")


def _check_refresh(account: Account, token: str) -> None:
    with account.store.transaction() as db:
        sql = "SELECT expires FROM tokens WHERE token = ? AND kind = 'refresh'"
        row = db.execute(sql, (token.encode(errors="replace").decode(),)).fetchone()
    if row is None or row["expires"] <= account.now().timestamp():
        raise TokenRefused("invalid_grant")


def _stored(account: Account, kind: str, seconds: float) -> str:
    token = secrets.token_urlsafe(48)
    with account.store.transaction() as db:
        expires = account.now().timestamp() + seconds
        db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (token, kind, expires))
    return token
