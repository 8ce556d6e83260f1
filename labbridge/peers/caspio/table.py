"""One Caspio table: its fields, its rows, and the files on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from labbridge.peers.caspio.refusals import Subject
from labbridge.peers.caspio.session import Session
from labbridge.peers.caspio.types import AttachmentInfo, Field, FieldType, NewField, Row
from labbridge.peers.caspio.where import PK_ID, Value, Where, check_name, split
from labbridge.peers.caspio.where import field as named
from labbridge.peers.errors import Conflict, Unreadable
from labbridge.peers.http import Response


class Upserted(NamedTuple):
    row: Row  #: as Caspio holds it now; may be empty when Caspio does not tell
    created: bool


class Table:
    MAX_PAGE_SIZE = 1000  #: Caspio gives no more rows to a call (caspio-api.md 3.1).
    MAX_URI_LENGTH = 2046  #: 2047 is documented, 414 beyond (caspio-api.md 3.1).
    LARGEST_PK = 2**63 - 1  #: PK_ID is int64.
    SLOW_SECONDS = 120.0  #: for changes of the design, which are slow (caspio-api.md 2.1).

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self.name = name
        self._path = f"/tables/{quote_segment(name)}"

    def __repr__(self) -> str:
        return f"<Table {self.name}>"

    # Design

    def fields(self) -> list[Field]:
        """All fields except PK_ID, which Caspio never lists. Raises NotFound when there is no such table."""
        response = self._send("GET", "/fields", "read fields of")
        return self._session.read_list(Field, response)

    def create_field(self, new: NewField) -> None:
        """Add a field. Raises Conflict or Rejected when it is there already."""
        self._send(
            "POST",
            "/fields",
            "create a field of",
            fields=[new.name],
            json=new.wire(),
            expect=(201,),
            timeout=self.SLOW_SECONDS,
        )

    # Reading

    def iterate(
        self,
        *,
        select: Sequence[str] | None = None,
        where: Where | None = None,
        page_size: int = MAX_PAGE_SIZE,
        after: int = 0,
    ) -> Iterator[list[Row]]:
        """Yield pages in key order, so rows added meanwhile are neither skipped nor repeated.

        `select` names fields (PK_ID is added). `after` continues behind a PK_ID. A list in `where` that is
        too long for an address is cut; then pages are in key order only within each cut.
        """
        if not 1 <= page_size <= self.MAX_PAGE_SIZE:
            raise ValueError(f"page_size is 1 to {self.MAX_PAGE_SIZE}")
        if select is None and not self._session.assumptions.plain_select_has_pk_id:
            select = [known.name for known in self.fields() if known.kind is not FieldType.PASSWORD]
        pieces = list(self._pieces(where, select))
        seen: set[int] = set()  # values that differ in case only may lie in two pieces and match one row
        for piece in pieces:
            for page in self._pages(piece, select, page_size, after):
                fresh = [row for row in page if row["PK_ID"] not in seen]
                if len(pieces) > 1:
                    seen.update(row["PK_ID"] for row in page)
                if fresh:
                    yield fresh

    def all(self, *, select: Sequence[str] | None = None, where: Where | None = None) -> list[Row]:
        """Every row at once, for small tables."""
        return [row for page in self.iterate(select=select, where=where) for row in page]

    def first(self, *, select: Sequence[str] | None = None, where: Where | None = None) -> Row | None:
        """The matching row with the smallest PK_ID. One call."""
        for page in self.iterate(select=select, where=where, page_size=1):
            return page[0]
        return None

    def find(self, unique_field: str, value: Value, *, select: Sequence[str] | None = None) -> Row | None:
        """The row whose `unique_field` is `value`. One call."""
        return self.first(select=select, where=named(unique_field) == value)

    def _pages(
        self, where: Where | None, select: Sequence[str] | None, page_size: int, after: int
    ) -> Iterator[list[Row]]:
        while page := self._page(where, select, page_size, after):
            yield page
            if len(page) < page_size and self._session.assumptions.short_page_is_last:
                return
            after = page[-1]["PK_ID"]

    def _page(
        self, where: Where | None, select: Sequence[str] | None, page_size: int, after: int
    ) -> list[Row]:
        response = self._send(
            "GET",
            "/records",
            "read",
            fields=[*(select or ()), *(where.fields if where is not None else ())],
            params=self._query(where, select, page_size, after),
        )
        page = self._session.read_list(Row, response)
        last = after
        for row in page:
            key = row.get("PK_ID")
            if not isinstance(key, int) or key <= last:  # or paging would skip rows, or never end
                raise response.error(Unreadable, code="not_in_key_order")
            last = key
        return page

    def _query(
        self, where: Where | None, select: Sequence[str] | None, page_size: int, after: int
    ) -> dict[str, str]:
        beyond = after < PK_ID
        condition = beyond if where is None else beyond & where
        params = {"q.where": self._sql(condition), "q.orderBy": "PK_ID", "q.limit": str(page_size)}
        if select is not None:
            names = dict.fromkeys(["PK_ID", *map(check_name, select)])
            params["q.select"] = ",".join(names)
        return params

    def _pieces(self, where: Where | None, select: Sequence[str] | None) -> Iterator[Where | None]:
        if where is None:
            yield None
            return
        query = self._query(None, select, self.MAX_PAGE_SIZE, self.LARGEST_PK)
        around = len(quote(" AND ()", safe=""))  # what joins the condition to the key's
        yield from self._split(where, "/records", query, around)

    # Writing

    def insert(self, row: Mapping[str, Any]) -> Row:
        """Add one row; returns it as stored, with what Caspio filled in.

        The result is empty, or holds PK_ID alone, should Caspio answer without the row. Raises Conflict
        for a taken unique value, Rejected with names for values that do not fit, NotFound for a field
        that is not there, OutcomeUnknown: look for it by its unique field.
        """
        response = self._send(
            "POST",
            "/records",
            "insert",
            fields=row,
            params={"response": "rows"},
            json=dict(row),
            expect=(200, 201),
        )
        return self._inserted(response)

    def update(self, where: Where, values: Mapping[str, Any]) -> int:
        """Change all matching rows; returns how many matched, and 0 is no error for Caspio."""
        if not values:
            raise ValueError("nothing to change")
        responses = [
            self._send(
                "PUT",
                "/records",
                "update",
                fields=[*values, *piece.fields],
                params={"q.where": self._sql(piece)},
                json=dict(values),
            )
            for piece in self._split(where, "/records", {}, 0)
        ]
        return sum(self._affected(response) for response in responses)

    def update_returning(self, where: Where, values: Mapping[str, Any]) -> list[Row]:
        """Like `update`, but returns the rows as they are now. For a condition that fits an address."""
        return self._update_returning(where, values)[1]

    def _update_returning(self, where: Where, values: Mapping[str, Any]) -> tuple[int, list[Row]]:
        if not values:
            raise ValueError("nothing to change")
        response = self._send(
            "PUT",
            "/records",
            "update",
            fields=[*values, *where.fields],
            params={"q.where": self._sql(where), "response": "rows"},
            json=dict(values),
        )
        affected = self._affected(response)
        return affected, self._session.read_list(Row, response) if affected else []

    def upsert(self, unique_field: str, row: Mapping[str, Any]) -> Upserted:
        """Insert, and when the unique value is taken, update that row. One call or two.

        Raises Conflict when another unique value of the row is the one that is taken.
        """
        key = row[unique_field]
        if key in (None, ""):
            raise ValueError(f"{unique_field}: a unique value may not be blank")  # blanks clash (3.2, B)
        try:
            return Upserted(self.insert(row), created=True)
        except Conflict:
            rest = {name: value for name, value in row.items() if name != unique_field}
            affected, rows = self._update_returning(named(unique_field) == key, rest or {unique_field: key})
            if not affected:
                raise
            return Upserted(rows[0] if rows else {}, created=False)

    def delete(self, where: Where) -> int:
        """Delete all matching rows; returns how many there were."""
        return sum(
            self._affected(
                self._send(
                    "DELETE",
                    "/records",
                    "delete from",
                    fields=piece.fields,
                    params={"q.where": self._sql(piece)},
                )
            )
            for piece in self._split(where, "/records", {}, 0)
        )

    # Files on rows

    def upload(
        self,
        field: str,
        pk_id: int,
        filename: str,
        content: bytes,
        content_type: str = "application/octet-stream",
    ) -> None:
        """Put a file into an ATTACHMENT field, in place of one that is there. Raises Rejected (413)."""
        response = self._send(
            "PUT",
            f"/attachments/{check_name(field)}/{int(pk_id)}",
            "upload to",
            fields=[field],
            files=[("File", (filename, content, content_type))],
            expect=(204, 200),
            timeout=self.SLOW_SECONDS,
        )
        if response.content:  # 204 is documented; a page of HTML (maintenance, a proxy) is no upload
            response.json()

    def download(self, field: str, pk_id: int) -> bytes:
        """The file of one row. Raises NotFound when the field is empty."""
        path = f"/attachments/{check_name(field)}/{int(pk_id)}"
        octets = "application/octet-stream"
        return self._send("GET", path, "download from", fields=[field], accept=octets).content

    def attachment_info(self, field: str, where: Where) -> list[AttachmentInfo]:
        """Name, size and dates of the files of matching rows."""
        response = self._send(
            "GET",
            f"/attachments/{check_name(field)}/fileInfo",
            "read file names of",
            fields=[field, *where.fields],
            params={"q.where": self._sql(where)},
        )
        return self._session.read_list(AttachmentInfo, response)

    def delete_attachment(self, field: str, where: Where) -> int:
        """Remove the files of matching rows; returns how many rows matched."""
        response = self._send(
            "DELETE",
            f"/attachments/{check_name(field)}",
            "delete a file of",
            fields=[field, *where.fields],
            params={"q.where": self._sql(where)},
        )
        return self._affected(response)

    # The wire

    def _send(self, method: str, path: str, deed: str, *, fields: Any = (), **options: Any) -> Response:
        # Any: any collection of names, and the options of Session.request as they are
        return self._session.request(
            method,
            self._path + path,
            operation=f"{deed} {self.name}",
            subject=Subject.of(self.name, fields),
            **options,
        )

    def _sql(self, where: Where) -> str:
        return where.sql(unicode=self._session.assumptions.unicode_literals)

    def _split(self, where: Where, path: str, params: Mapping[str, str], around: int) -> Iterator[Where]:
        """Conditions that fit into one address beside `params`."""
        fixed = self._session.address_length(self._path + path, {"q.where": "", **params}) + around
        unicode = self._session.assumptions.unicode_literals
        return split(where, self.MAX_URI_LENGTH - fixed, unicode=unicode)

    def _affected(self, response: Response) -> int:
        return self._session.read(int, response, key="RecordsAffected")

    def _inserted(self, response: Response) -> Row:
        if response.content.strip():
            rows = self._session.read_list(Row, response)
            if rows:
                return rows[0]
        # v1 and v2 named the new row in Location; v3 possibly does (caspio-api.md 2.2).
        key = response.headers.get("location", "").rstrip("/").rpartition("/")[2]
        return {"PK_ID": int(key)} if key.isascii() and key.isdigit() else {}


def quote_segment(name: str) -> str:
    """A name as one segment of a path. Raises ValueError for what would leave its place in the path."""
    if name in ("", ".", "..") or not name.isprintable():
        raise ValueError("not usable as a name in an address")
    return quote(name, safe="")
