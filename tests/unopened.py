"""What cannot be opened, for tests: every sealed value of every table spoiled, as if its key were gone."""

from __future__ import annotations

from django.apps import apps
from django.db import connection

from labbridge.trust.envelope import data_keys
from labbridge.trust.fields import SealedField


def columns() -> list[tuple[str, str]]:
    """Table and column of every sealed field."""
    return [
        (model._meta.db_table, str(field.column))
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, SealedField) and model._meta.managed
    ]


def spoil(value: bytes = b"not in the sealed form") -> int:
    """Put it in the place of every sealed value. b"" is what retention and erasure leave. Returns how many."""
    count = 0
    with connection.cursor() as cursor:
        for table, column in columns():
            cursor.execute(f'UPDATE "{table}" SET "{column}" = %s WHERE "{column}" IS NOT NULL', [value])
            count += cursor.rowcount
    data_keys.forget()
    return count
