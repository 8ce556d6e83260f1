from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache

from labbridge.practices.models import Practice


@pytest.fixture(autouse=True)
def _no_memory(request: pytest.FixtureRequest) -> None:
    """Attempts counted by one test are not counted against the next."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        cache.clear()


@pytest.fixture
def willow(db: None) -> Practice:
    return Practice.objects.create(slug="willow", name="Willow Functional Medicine")


@pytest.fixture
def birch(db: None) -> Practice:
    return Practice.objects.create(slug="birch", name="Birch Wellness")


@pytest.fixture
def code_for() -> Callable[..., str]:
    def code(secret: str, steps: int = 0) -> str:
        """What an authenticator app shows now, or some steps of 30 seconds later."""
        import time

        return totp.format_hotp_value(totp.hotp_value(secret, int(time.time() // 30) + steps))

    return code


def form_of(answer: Any) -> Any:
    return answer.context["form"]
