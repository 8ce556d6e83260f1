"""People for tests: somebody with a role, signed in with both steps, in Django's test client."""

from __future__ import annotations

import time
from typing import Any

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role

PASSWORD = "a phrase for tests only"


def somebody(name: str = "ada@willow.example", password: str | None = PASSWORD) -> Any:
    from django.contrib.auth.models import User

    return User.objects.create_user(name, email=name, password=password)


def member(practice: Any, role: str = Role.OWNER, name: str = "") -> Any:
    """A user with a role at the practice."""
    user = somebody(name or f"{role.replace(' ', '.')}@{practice.slug}.example")
    Membership.objects.create(user=user, practice=practice, role=role)
    return user


def sign_in(client: Any, user: Any) -> Any:
    """Sign somebody in as if both steps were done just now. Returns the user."""
    client.force_login(user)
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time()},
        {"method": "mfa", "type": "totp", "at": time.time(), "reauthenticated": True},
    ]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return user
