"""Tables and their fields, and the SQLite table behind each (caspio-api.md 2.1, 3.5)."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from labbridge.simulators.caspio import values
from labbridge.simulators.caspio.definition import (
    GENERATED,
    KINDS,
    WINDOWS_ZONES,
    checked_definition,
    checked_name,
    special_to,
)
from labbridge.simulators.caspio.errors import bad_body, no_fields, no_object
from labbridge.simulators.caspio.store import Store
from labbridge.simulators.caspio.tsql import COLLATION
from labbridge.simulators.caspio.where import Column

SQL_TYPES = {"text": f"TEXT COLLATE {COLLATION}", "number": "NUMERIC", "date": "TEXT", "bool": "INTEGER"}
ALIKE = ({"STRING", "TEXT", "FILE"}, {"NUMBER", "INTEGER", "CURRENCY"})
LONGEST = {"STRING": 255, "TEXT": 64_000, "FILE": 255, "PASSWORD": 255}


@dataclass(frozen=True)
class Field:
    id: int
    name: str
    type: str
    definition: Mapping[str, Any]
    position: int
    hidden: bool = False

    @property
    def column(self) -> str:
        return f"c{self.id}"

    @property
    def kind(self) -> str:
        return KINDS[self.type]

    @property
    def unique(self) -> bool:
        return bool(self.definition.get("Unique"))

    @property
    def allows_nulls(self) -> bool:
        return not self.unique or bool(self.definition.get("UniqueAllowNulls"))

    @property
    def editable(self) -> bool:
        return self.type not in GENERATED | {"ATTACHMENT"} and not self.definition.get("IsFormula")

    @property
    def items(self) -> dict[str, Any]:
        return dict(self.definition.get("ListField") or {})

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(WINDOWS_ZONES[self.definition.get("TimeZone") or ""])

    def taken(self, value: object) -> Any:  # noqa: PLR0911  (one line per type)
        """Turn a JSON value into what is stored. Raises ValueError when the type does not fit."""
        if value is None:
            return self._nothing()
        if self.type in LONGEST:
            return values.text(value, LONGEST[self.type])
        if self.type == "DATE/TIME":
            return values.naive_date(value)
        if self.type == "INTEGER":
            return values.integer(value)
        if self.type in ("NUMBER", "CURRENCY"):
            made = values.number(value)
            return round(made, 4) if self.type == "CURRENCY" else made
        if self.type == "YES/NO":
            return values.boolean(value)
        return json.dumps(values.list_ids(value, self.items))

    def _nothing(self) -> Any:
        if self.type == "YES/NO":
            raise ValueError("never null")  # caspio-api.md 3.5
        return self.blank

    @property
    def blank(self) -> Any:
        """What a field left empty holds: text is "", not null, unless it is unique and may be null."""
        if self.type == "YES/NO":
            return 0
        if self.type in ("STRING", "TEXT", "FILE") and not (self.unique and self.allows_nulls):
            return ""
        return None

    def given(self, stored: Any) -> Any:
        """Turn what is stored into JSON."""
        if stored is None:
            return None
        if self.type == "YES/NO":
            return bool(stored)
        if self.type in ("NUMBER", "CURRENCY"):
            return float(stored)
        if self.type.startswith("LIST-"):
            return {str(i): self.items.get(str(i)) for i in json.loads(stored)}
        return stored

    def model(self) -> dict[str, Any]:
        """The field as GET .../fields shows it."""
        shown = dict(self.definition)
        return {
            "Name": self.name,
            "Type": self.type,
            "Unique": self.unique,
            "UniqueAllowNulls": bool(shown.get("UniqueAllowNulls")),
            "Editable": self.editable,
            "Label": shown.get("Label") or "",
            "Description": shown.get("Description") or "",
            "DisplayOrder": self.position,
            "IsFormula": bool(shown.get("IsFormula")),
            **{k: shown[k] for k in sorted(special_to(self.type)) if k in shown},
        }


@dataclass(frozen=True)
class Table:
    id: int
    name: str
    note: str
    fields: dict[str, Field] = field(default_factory=dict)  # by name, in display order, hidden ones too

    @property
    def rows(self) -> str:
        return f"rows_{self.id}"

    @property
    def shown(self) -> list[Field]:
        return [f for f in self.fields.values() if not f.hidden]

    def field(self, name: str) -> Field:
        found = next((f for f in self.shown if f.name.lower() == name.lower()), None)
        if found is None:
            raise no_fields([name])
        return found

    def columns(self, *, hidden: bool = False) -> dict[str, Column]:
        """What a query may name; PK_ID is always there though /fields does not list it."""
        listed = {"pk_id": Column("PK_ID", "PK_ID", "number")}
        for f in self.fields.values():
            if hidden or not f.hidden:
                listed[f.name.lower()] = Column(f.name, f.column, f.kind)
        return listed


def find_table(store: Store, name: str) -> Table:
    """Read a table's design. Raises CaspioError 404."""
    cached = store.schema_cache.get(name.lower())
    if cached is not None:
        return cached  # type: ignore[no-any-return]  # the cache belongs to this module
    with store.transaction() as db:
        row = db.execute("SELECT * FROM tables WHERE name = ?", (_sql_text(name),)).fetchone()
        if row is None:
            raise no_object(name)
        found = db.execute("SELECT * FROM fields WHERE table_id = ? ORDER BY position, id", (row["id"],))
        fields = {r["name"]: _field(r) for r in found.fetchall()}
    table = Table(row["id"], row["name"], row["note"], fields)
    store.schema_cache[name.lower()] = table
    return table


def table_names(store: Store) -> list[str]:
    with store.transaction() as db:
        return [name for (name,) in db.execute("SELECT name FROM tables ORDER BY name")]


def create_table(store: Store, name: object, fields: object) -> Table:
    """Create a table with its fields. Raises CaspioError 400."""
    checked = checked_name(name, "table")
    if not isinstance(fields, list) or not all(isinstance(f, dict) for f in fields):
        raise bad_body("Fields must be a list of field definitions.")
    with store.transaction() as db:
        try:
            table_id = db.execute("INSERT INTO tables (name) VALUES (?)", (checked,)).lastrowid
        except sqlite3.IntegrityError as error:
            raise bad_body(f"The table '{checked}' already exists.") from error
        db.execute(f"CREATE TABLE rows_{table_id} (PK_ID INTEGER PRIMARY KEY AUTOINCREMENT)")
        store.schema_cache.clear()
        for definition in fields:
            add_field(store, find_table(store, checked), definition)
    return find_table(store, checked)


def add_field(store: Store, table: Table, raw: Mapping[str, Any], *, hidden: bool = False) -> None:
    """Add one field and fill it for the rows there are. Raises CaspioError 400."""
    name = checked_name(raw.get("Name"), "field") if not hidden else str(raw["Name"])
    definition = checked_definition(raw)
    position = definition.get("DisplayOrder") or len(table.fields) + 1
    with store.transaction() as db:
        try:
            field_id = db.execute(
                "INSERT INTO fields (table_id, name, type, definition, position, hidden) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (table.id, name, definition["Type"], json.dumps(definition), position, int(hidden)),
            ).lastrowid
        except sqlite3.IntegrityError as error:
            raise bad_body(f"The field '{name}' already exists.") from error
        made = Field(field_id or 0, name, definition["Type"], definition, position, hidden)
        db.execute(f"ALTER TABLE {table.rows} ADD COLUMN {made.column} {SQL_TYPES.get(made.kind, 'TEXT')}")
        if made.blank is not None:
            db.execute(f"UPDATE {table.rows} SET {made.column} = ?", (made.blank,))
        _keep_unique(db, table, made)
        store.schema_cache.clear()


def change_field(store: Store, table: Table, old: Field, raw: Mapping[str, Any]) -> None:
    """Apply a partial definition; the type may change only where the stored form stays the same."""
    merged = {**_as_written(old), **{k: v for k, v in raw.items() if v is not None}}
    definition = checked_definition(merged)
    new = definition["Type"]
    if new != old.type and not any({new, old.type} <= group for group in ALIKE):
        raise bad_body(f"The type of the field '{old.name}' can't be changed to {new}.")
    position = int(merged.get("DisplayOrder", old.position))
    name = checked_name(merged["Name"], "field")
    with store.transaction() as db:
        try:
            db.execute(
                "UPDATE fields SET name = ?, type = ?, definition = ?, position = ? WHERE id = ?",
                (name, definition["Type"], json.dumps(definition), position, old.id),
            )
        except sqlite3.IntegrityError as error:
            raise bad_body(f"The field '{name}' already exists.") from error
        _keep_unique(db, table, Field(old.id, name, definition["Type"], definition, position))
        store.schema_cache.clear()


def drop_field(store: Store, table: Table, gone: Field) -> None:
    with store.transaction() as db:
        _drop_indexes(db, gone)
        db.execute(f"ALTER TABLE {table.rows} DROP COLUMN {gone.column}")
        db.execute("DELETE FROM attachments WHERE field_id = ?", (gone.id,))
        db.execute("DELETE FROM fields WHERE id = ?", (gone.id,))
        store.schema_cache.clear()


def _as_written(old: Field) -> dict[str, Any]:
    written = {**old.definition, "Name": old.name, "DisplayOrder": old.position}
    if "ListField" in written:
        written["ListField"] = list(written["ListField"].values())
    return written


def _keep_unique(db: sqlite3.Connection, table: Table, kept: Field) -> None:
    _drop_indexes(db, kept)
    if not kept.unique:
        return
    try:
        db.execute(f"CREATE UNIQUE INDEX u{kept.id} ON {table.rows} ({kept.column})")
        if not kept.allows_nulls:  # SQL Server lets one null into a unique index
            where = f"WHERE {kept.column} IS NULL"
            db.execute(f"CREATE UNIQUE INDEX n{kept.id} ON {table.rows} ({kept.column} IS NULL) {where}")
    except sqlite3.IntegrityError as error:
        raise bad_body(f"The field '{kept.name}' can't be unique: its values are not.") from error


def _drop_indexes(db: sqlite3.Connection, kept: Field) -> None:
    db.execute(f"DROP INDEX IF EXISTS u{kept.id}")
    db.execute(f"DROP INDEX IF EXISTS n{kept.id}")


def _field(row: sqlite3.Row) -> Field:
    definition = json.loads(row["definition"])
    return Field(row["id"], row["name"], row["type"], definition, row["position"], bool(row["hidden"]))


def _sql_text(name: str) -> str:
    return name.encode(errors="replace").decode()
