from __future__ import annotations

import pytest

from labbridge.practices.models import Practice


@pytest.fixture
def willow(db: None) -> Practice:
    """A practice that is connected to nothing."""
    return Practice.objects.create(slug="willow", name="Willow", time_zone="America/Los_Angeles")
