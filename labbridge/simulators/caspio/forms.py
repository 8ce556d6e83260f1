"""HTML forms over the fields of a table."""

from collections.abc import Sequence
from typing import Any

from flask import request

from labbridge.simulators.caspio import records
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.design import Field, Table
from labbridge.simulators.caspio.errors import bad_values


def shown(field: Field, value: Any) -> dict[str, Any]:
    """One input: its name, label, kind and present value."""
    kinds = {
        "YES/NO": "checkbox",
        "DATE/TIME": "date",
        "TEXT": "area",
        "INTEGER": "number",
        "NUMBER": "decimal",
    }
    kind = kinds.get(field.type, "decimal" if field.type == "CURRENCY" else "text")
    text = "" if value is None else str(value)
    if kind == "date":
        midnight = text.endswith("T00:00:00") or len(text) <= 10
        text = text[:10] if midnight else text
        kind = "date" if midnight else "datetime-local"
    if field.type.startswith("LIST-") and isinstance(value, dict):
        text = ", ".join(f"[{item}]" for item in value)
    label = field.definition.get("Label") or field.name.replace("_", " ")
    return {"name": field.name, "label": label, "kind": kind, "value": text, "checked": value in (True, "on")}


def save(
    account: Account, table: Table, fields: Sequence[Field], row: records.Row | None, source: str
) -> records.Row:
    """Write the posted form as one row. Raises CaspioError as REST would."""
    given = {field.name: _given(field) for field in fields}
    if row is None:
        return records.insert(account, table, given, source=source)
    _, rows = records.update(account, table, f"PK_ID={row['PK_ID']}", given, source=source)
    return rows[0]


def _given(field: Field) -> Any:
    text = request.form.get(field.name, "").strip()
    if field.type == "YES/NO":
        return text == "on"
    if field.kind == "number":
        try:
            return (int(text) if field.type == "INTEGER" else float(text)) if text else None
        except ValueError as error:
            raise bad_values([field.name]) from error
    if field.kind == "date" or (field.unique and field.allows_nulls):
        return text or None
    return text
