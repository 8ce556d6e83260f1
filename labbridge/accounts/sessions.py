"""Sessions in the database, sealed: neither their content nor their key lies there in the clear.

The key in the cookie is a bearer token, and a TOTP secret passes through a session while it is set up; the data
directory holds neither (design.md 6.6.12).
"""

from __future__ import annotations

import base64
from typing import Any

import orjson
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from labbridge.trust.keys import SESSION, CannotOpen, keyring


def stored_key(key: str) -> str:
    return keyring().blind(key, "session").hex()


class SessionStore(DatabaseStore):
    def _get_session_from_db(self) -> Session | None:
        if not self.session_key:
            return None
        found = Session.objects.filter(
            session_key=stored_key(self.session_key), expire_date__gt=timezone.now()
        ).first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=stored_key(session_key)).exists()

    def create_model_instance(self, data: dict[str, Any]) -> Session:  # any: Django's own shape
        made = super().create_model_instance(data)
        return Session(
            session_key=stored_key(made.session_key),
            session_data=made.session_data,
            expire_date=made.expire_date,
        )

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            Session.objects.filter(session_key=stored_key(key)).delete()

    def encode(self, session_dict: dict[str, Any]) -> str:
        return base64.b64encode(keyring().seal(orjson.dumps(session_dict), SESSION)).decode()

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        """An unreadable session (its key was rotated away) is an ended one."""
        try:
            opened: dict[str, Any] = orjson.loads(keyring().open(base64.b64decode(session_data), SESSION))
        except (ValueError, CannotOpen):
            return {}
        return opened
