from __future__ import annotations

import pytest

from labbridge.practices.config import parse
from labbridge.practices.models import Practice
from tests.world import PRACTICE_TOML


@pytest.fixture
def willow(db: None) -> Practice:
    """A practice that is connected to nothing."""
    config = parse(PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="t"))
    return Practice.objects.create(
        slug="willow", name="Willow", time_zone="America/Los_Angeles", config=config.model_dump(mode="json")
    )
