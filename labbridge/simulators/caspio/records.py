"""Rows: insert, select, update, delete, with every rule of the field types, and the events they fire."""

import secrets
import sqlite3
import string
import uuid
from collections.abc import Mapping
from typing import Any

from labbridge.simulators.caspio import query as q
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.design import Field, Table
from labbridge.simulators.caspio.errors import CaspioError, bad_body, bad_query, bad_values, no_fields
from labbridge.simulators.caspio.where import Condition, translated

Row = dict[str, Any]


def select(
    account: Account, table: Table, query: q.Query, *, hidden: bool = False
) -> tuple[list[Row], dict[str, int] | None]:
    """Answer a GET of records: rows and, when asked, the pagination object."""
    columns = table.columns(hidden=hidden)
    closed = {f.name.lower() for f in table.fields.values() if f.type == "PASSWORD"}
    chosen = q.outputs(query.select, columns, closed)
    where = condition(account, table, query.where, hidden=hidden)
    grouped = q.grouping(query.group_by, chosen, columns, closed)
    shuffle = account.options.shuffle_unordered_pages
    order = q.ordering(query, chosen, columns, closed, shuffle=shuffle)
    body = f"FROM {table.rows} WHERE {where.sql}{grouped}"
    listed = ", ".join(o.sql for o in chosen)
    with account.store.transaction() as db:
        page = (*where.parameters, query.limit, query.offset)
        found = db.execute(f"SELECT {listed} {body}{order} LIMIT ? OFFSET ?", page).fetchall()
        total = None
        if query.with_total:
            inside = f"SELECT {listed} {body}"
            total = db.execute(f"SELECT COUNT(*) FROM ({inside})", where.parameters).fetchone()[0]
    by_name = {f.name.lower(): f for f in table.fields.values()}
    rows = [_given(by_name, chosen, row) for row in found]
    if total is None:
        return rows, None
    return rows, {"TotalCount": total, "PageNumber": query.page or 1, "PageSize": query.limit}


def insert(account: Account, table: Table, given: Mapping[str, Any], *, source: str | None) -> Row:
    """Insert one row; `source` None fires nothing, as an import does."""
    taken = _taken(table, given, inserting=True)
    with account.store.transaction() as db:
        for field in table.fields.values():
            if field.id not in taken:
                taken[field.id] = _generated(account, db, field)
        pk = _written(account, table, taken, lambda: _insert_row(db, table, taken))
        row = by_pk(account, table, pk)
        if source:
            account.messages.fire(table, "table.recordInsert", [row], set(), source)
        return row


def update(
    account: Account, table: Table, where: str, given: Mapping[str, Any], *, source: str | None
) -> tuple[int, list[Row]]:
    """Update what matches; returns how many matched and the rows after it."""
    taken = _taken(table, given, inserting=False)
    found = condition(account, table, where)
    with account.store.transaction() as db:
        sql = f"SELECT PK_ID FROM {table.rows} WHERE {found.sql} ORDER BY PK_ID"
        keys = [pk for (pk,) in db.execute(sql, found.parameters).fetchall()]
        before = [by_pk(account, table, pk) for pk in keys]
        stamps = {f.id: account.stamp(f) for f in table.shown if _stamped(f, "OnUpdate")}
        if keys and taken | stamps:
            _written(account, table, taken, lambda: _update_rows(db, table, keys, taken | stamps))
        after = [by_pk(account, table, pk) for pk in keys]
        rows, changed = _changed(set(given), before, after)
        if source and rows:
            account.messages.fire(table, "table.recordUpdate", rows, changed, source)
    return len(keys), after


def delete(account: Account, table: Table, where: str, *, source: str | None) -> int:
    found = condition(account, table, where)
    with account.store.transaction() as db:
        sql = f"SELECT PK_ID FROM {table.rows} WHERE {found.sql} ORDER BY PK_ID"
        gone = [by_pk(account, table, pk) for (pk,) in db.execute(sql, found.parameters).fetchall()]
        for row in gone:
            db.execute(f"DELETE FROM {table.rows} WHERE PK_ID = ?", (row["PK_ID"],))
            for field in table.fields.values():
                db.execute("DELETE FROM attachments WHERE field_id = ? AND pk = ?", (field.id, row["PK_ID"]))
        if source and gone:
            account.messages.fire(table, "table.recordDelete", gone, set(), source)
    return len(gone)


def by_pk(account: Account, table: Table, pk: int) -> Row:
    """Read one row whole, passwords and hidden fields left out. Raises LookupError."""
    fields = [f for f in table.shown if f.type != "PASSWORD"]
    listed = ", ".join(["PK_ID", *(f.column for f in fields)])
    with account.store.transaction() as db:
        row = db.execute(f"SELECT {listed} FROM {table.rows} WHERE PK_ID = ?", (pk,)).fetchone()
    if row is None:
        raise LookupError(pk)
    return {"PK_ID": pk} | {f.name: f.given(row[f.column]) for f in fields}


def condition(account: Account, table: Table, where: str | None, *, hidden: bool = False) -> Condition:
    if where is None:
        return Condition("1")
    return translated(where, table.columns(hidden=hidden), account.now())


def required_where(text: str | None) -> str:
    if not text:
        raise bad_query("The parameter q.where is required.")
    return text


# --- writing --------------------------------------------------------------------------------------
def _taken(table: Table, given: Mapping[str, Any], *, inserting: bool) -> dict[int, Any]:
    """Check a body against the fields: unknown 404, not editable 400, wrong type 400 naming the fields."""
    shown = {f.name: f for f in table.shown}
    if unknown := [name for name in given if name not in shown and name != "PK_ID"]:
        raise no_fields(unknown)
    fixed = [n for n in given if n == "PK_ID" or not _writable(shown[n], inserting=inserting)]
    if fixed:
        raise bad_body(f"The following field(s) can't be edited: {', '.join(fixed)}")
    taken, wrong = {}, []
    for name, value in given.items():
        try:
            taken[shown[name].id] = shown[name].taken(value)
        except ValueError:
            wrong.append(name)
    if wrong:
        raise bad_values(wrong)
    return taken


def _writable(field: Field, *, inserting: bool) -> bool:
    return field.editable and (inserting or field.type != "PASSWORD")  # caspio-api.md 2.3


def _generated(account: Account, db: sqlite3.Connection, field: Field) -> Any:
    if field.type in ("AUTONUMBER", "PREFIXED AUTONUMBER"):
        db.execute("UPDATE fields SET counter = counter + 1 WHERE id = ?", (field.id,))
        number = db.execute("SELECT counter FROM fields WHERE id = ?", (field.id,)).fetchone()[0]
        if field.type == "AUTONUMBER":
            return number
        width = len(field.definition.get("Format") or "1")
        return f"{field.definition.get('Prefix', '')}{number:0{width}d}"
    if field.type == "GUID":
        return str(uuid.uuid4())
    if field.type == "RANDOM ID":
        letters = {"0": string.digits, "U": string.ascii_uppercase}
        alphabet = letters.get(field.definition.get("Format", ""), string.digits + string.ascii_uppercase)
        length = field.definition.get("Length", 12)
        return field.definition.get("Prefix", "") + "".join(secrets.choice(alphabet) for _ in range(length))
    return account.stamp(field) if _stamped(field, "OnInsert") else field.blank


def _stamped(field: Field, when: str) -> bool:
    return field.type == "TIMESTAMP" and bool(field.definition.get(when))


def _insert_row(db: sqlite3.Connection, table: Table, taken: dict[int, Any]) -> int:
    if not taken:
        return db.execute(f"INSERT INTO {table.rows} DEFAULT VALUES").lastrowid or 0
    names = ", ".join(f"c{field_id}" for field_id in taken)
    marks = ", ".join("?" * len(taken))
    return (
        db.execute(f"INSERT INTO {table.rows} ({names}) VALUES ({marks})", [*taken.values()]).lastrowid or 0
    )


def _update_rows(db: sqlite3.Connection, table: Table, keys: list[int], taken: dict[int, Any]) -> int:
    sets = ", ".join(f"c{field_id} = ?" for field_id in taken)
    for pk in keys:
        db.execute(f"UPDATE {table.rows} SET {sets} WHERE PK_ID = ?", [*taken.values(), pk])
    return len(keys)


def _written(account: Account, table: Table, taken: dict[int, Any], write: Any) -> int:
    """Run a write and turn SQLite's unique violation into Caspio's."""
    try:
        return int(write())
    except sqlite3.IntegrityError as error:
        field = next(f for f in table.fields.values() if _names_field(str(error), f))
        raise _unique_violation(account, table, field, taken.get(field.id)) from error


def _names_field(text: str, field: Field) -> bool:
    return text.endswith((f".{field.column}", f"'n{field.id}'"))


def _unique_violation(account: Account, table: Table, field: Field, value: Any) -> CaspioError:
    options = account.options
    shown = "<NULL>" if value is None else value
    return CaspioError(
        400,
        options.unique_code,
        options.unique_message.format(table=table.name, field=field.name, value=shown),
    )


def _changed(names: set[str], before: list[Row], after: list[Row]) -> tuple[list[Row], set[str]]:
    """Rows and names whose values really differ: only they make an update event (caspio-api.md 4.2)."""
    changed: set[str] = set()
    rows = []
    for old, new in zip(before, after, strict=True):
        differing = {name for name in names if old.get(name) != new.get(name)}
        changed |= differing
        rows += [new] if differing else []
    return rows, changed


def _given(by_name: dict[str, Field], chosen: list[q.Output], row: sqlite3.Row) -> Row:
    made = {}
    for place, output in enumerate(chosen):
        field = by_name.get(output.kind_of or "")
        made[output.name] = field.given(row[place]) if field else row[place]
    return made
