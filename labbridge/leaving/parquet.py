"""The same rows as Parquet, for whoever wants to ask questions of them rather than read them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import IO, Any

import orjson
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labbridge.analytics.sheet import Sheet
from labbridge.leaving.rows import fields_of
from labbridge.leaving.tables import Table
from labbridge.trust.fields import SealedField


class TableSheet(Sheet):
    """One table's file. Whatever has parts is JSON text."""

    def __init__(self, table: Table, file: IO[bytes]) -> None:
        self._kinds = {field.attname: _kind(field) for field in fields_of(table)}
        plain = {name: "text" if kind == "json" else kind for name, kind in self._kinds.items()}
        super().__init__(file, plain)

    def add_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        kinds = self._kinds.items()
        self.add({name: [_cell(kind, row.get(name)) for row in rows] for name, kind in kinds})


def _kind(field: Any) -> str:  # noqa: PLR0911  # any: a field of Django's; one table of kinds
    match field:
        case SealedField() | models.JSONField() | ArrayField():
            return "json"
        case models.ForeignKey():
            return _kind(field.target_field)
        case models.DateTimeField():
            return "moment"
        case models.DateField():
            return "day"
        case models.BooleanField():
            return "yes"
        case models.DecimalField():
            return "amount"
        case models.FloatField():
            return "real"
        case models.IntegerField():
            return "whole"
        case _:
            return "text"


def _cell(kind: str, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "json":
            return value if isinstance(value, str) else orjson.dumps(value).decode()
        case "moment":
            return models.DateTimeField().to_python(value)
        case "day":
            return models.DateField().to_python(value)
        case "amount":
            return Decimal(value).quantize(Decimal("0.0001"))
        case _:
            return value
