"""Keys of our own rows: UUID version 7, so that new rows lie together in the index."""

from __future__ import annotations

import uuid

import uuid_utils


def new_id() -> uuid.UUID:
    return uuid.UUID(int=uuid_utils.uuid7().int)
