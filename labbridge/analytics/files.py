"""A table of figures as a Parquet file, with the types that its columns have."""

from __future__ import annotations

import io

from labbridge.analytics.answers import Answer
from labbridge.analytics.sheet import Sheet

KINDS = {
    "count": "whole",
    "change": "whole",
    "days": "whole",
    "share": "real",
    "money": "money",
    "day": "day",
}


def parquet(answer: Answer) -> bytes:
    """Amounts are decimals in dollars, days dates, shares between 0 and 1. Title and notes stand in the metadata."""
    kinds = {column.name: KINDS.get(column.kind, "text") for column in answer.columns}
    columns = list(zip(*answer.rows, strict=True)) if answer.rows else [()] * len(answer.columns)
    out = io.BytesIO()
    with Sheet(out, kinds, {"title": answer.title, "notes": "\n".join(answer.notes)}) as sheet:
        sheet.add(dict(zip(kinds, columns, strict=True)))
    return out.getvalue()
