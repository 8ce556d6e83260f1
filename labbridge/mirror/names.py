"""People found by how the words of their names begin, while the database tells nothing of a name to who reads it.

Each beginning of a word ("te", "tes", "test") has a secret made by the key of the search hashes. A row keeps, for
each beginning, four bytes of the hash of that secret and the row's own key: a tag. Tags of two rows have nothing in
common, even where the names are the same, so nobody can count how often a beginning occurs. The price: a search
hashes once for each row of the practice. See docs/decisions.md.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Collection
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import Length

from labbridge.mirror.models import Chart, Patient
from labbridge.mirror.person import Person, indexes, name_words
from labbridge.trust.envelope import data_keys
from labbridge.trust.keys import CannotOpen, keyring

SHORTEST, LONGEST = 2, 16  #: letters of a beginning; of a longer word the first 16 are looked for
TAG = 4  #: bytes
PADDED = 16  #: tags, or a multiple: their number would tell how long a name is
MOST = 500  #: tags of one row, so that they fit into an index
AT_ONCE = 500

Row = TypeVar("Row", Chart, Patient)

_HOLDS = f"position(substr(sha256(%s || uuid_send(id)), 1, {TAG}) in name_tags) > 0"


def index(row: Chart | Patient, person: Person) -> None:
    """Note by what the row is found from now on: e-mail, birthday and names. It is saved by whoever calls."""
    row.email_index, row.birthday_index = indexes(person)
    row.name_tags = name_tags(row.pk, person)
    row.lookup_keys = None  # made when they are needed


def words_of(person: Person) -> set[str]:
    return name_words(person, "first_name") | name_words(person, "last_name")


def name_tags(pk: uuid.UUID, person: Person) -> bytes:
    """The tags of every beginning of every word, and random ones after them."""
    beginnings = {
        word[:length] for word in words_of(person) for length in range(SHORTEST, min(len(word), LONGEST) + 1)
    }
    tags = [_tag(beginning, pk) for beginning in sorted(beginnings, key=len)[:MOST]]
    tags += [os.urandom(TAG) for _ in range(-len(tags) % PADDED)]
    return b"".join(sorted(tags))


def _tag(beginning: str, pk: uuid.UUID) -> bytes:
    return hashlib.sha256(_secret(beginning) + pk.bytes).digest()[:TAG]


def _secret(beginning: str) -> bytes:
    return keyring().blind(beginning, "name beginning")


def called(rows: models.QuerySet[Row], words: Collection[str], most: int) -> list[Row]:
    """The newest rows whose names may begin with each of the words, whatever their order. One query, nothing opened.

    Of words longer than 16 letters more may be found than are meant. The rows' query must not join other tables.
    """
    held = rows.filter(name_tags__isnull=False)
    for word in sorted(words, key=len, reverse=True):
        held = held.filter(RawSQL(_HOLDS, [_secret(word[:LONGEST])], output_field=models.BooleanField()))  # noqa: S611  # a text of ours
    newest = held.order_by("-id").values("pk")[:most]  # from the index alone
    return list(rows.filter(pk__in=newest).order_by("-id"))


def missing(model: type[Chart | Patient]) -> models.QuerySet[Any]:
    """Rows of versions before that kept no tags.

    The length keeps the index in use: of a column that is never null, as a chart's, PostgreSQL drops `IS NOT NULL`
    from the question, and then no longer sees that the index, which says it, has the rows.
    """
    rows = model._default_manager.alias(length=Length("person"))  # noqa: SLF001  # either has it
    return rows.filter(name_tags=None, person__isnull=False, erased_at=None, length__gte=0)


def index_missing(model: type[Chart | Patient]) -> int:
    """Give up to 500 rows their tags and answer how many; what another process is changing is left for the next time.

    Each batch is a transaction of its own, so it may be stopped at any moment and goes on where it was.
    """
    with transaction.atomic():
        rows = list(missing(model).select_for_update(skip_locked=True, no_key=True)[:AT_ONCE])
        data_keys.prepare([row.sealed_for for row in rows])
        for row in rows:
            try:
                row.name_tags = name_tags(row.pk, row.person or {})
            except CannotOpen:
                row.name_tags = b""  # nobody can read it, so nobody finds it
        model._default_manager.bulk_update(rows, ["name_tags"])  # noqa: SLF001
    return len(rows)
