"""A Parquet file, written column by column: of the figures of analytics, and of the rows of a practice that goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any

from labbridge.peers.closing import Closing


class Sheet(Closing):
    """One file. `kinds` says by column what its values are: text, moment, day, whole, yes, real, amount or money.

    Texts are UTF-8, moments UTC to the microsecond, amounts have four places and money two.
    """

    def __init__(
        self, file: IO[bytes], kinds: Mapping[str, str], metadata: Mapping[str, str] | None = None
    ) -> None:
        import pyarrow as pa  # forty megabytes of memory, for those who take such a file only
        from pyarrow import parquet as pq

        types = {
            "text": pa.string(), "moment": pa.timestamp("us", tz="UTC"), "day": pa.date32(), "whole": pa.int64(),
            "yes": pa.bool_(), "real": pa.float64(), "amount": pa.decimal128(18, 4), "money": pa.decimal128(18, 2),
        }  # fmt: skip
        self._pa = pa
        self._schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()], metadata=metadata)
        self._writer = pq.ParquetWriter(file, self._schema)

    def add(self, columns: Mapping[str, Iterable[Any]]) -> None:
        """Any: each column's values, of its kind, as many in each."""
        held = {name: list(cells) for name, cells in columns.items()}
        self._writer.write_table(self._pa.table(held, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
