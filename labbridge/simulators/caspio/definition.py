"""What a field may be: types, their rules, and the check of a FieldModel (caspio-api.md 2.1, 3.5)."""

import json
import re
from collections.abc import Mapping
from typing import Any

from labbridge.simulators.caspio.errors import bad_body

KINDS = {
    "STRING": "text",
    "TEXT": "text",
    "PASSWORD": "closed",
    "NUMBER": "number",
    "INTEGER": "number",
    "CURRENCY": "number",
    "DATE/TIME": "date",
    "YES/NO": "bool",
    "FILE": "text",
    "ATTACHMENT": "text",
    "AUTONUMBER": "number",
    "PREFIXED AUTONUMBER": "text",
    "RANDOM ID": "text",
    "GUID": "text",
    "TIMESTAMP": "date",
    "LIST-STRING": "closed",
    "LIST-NUMBER": "closed",
    "LIST-DATE/TIME": "closed",
}
ALWAYS_UNIQUE = {"AUTONUMBER", "PREFIXED AUTONUMBER", "RANDOM ID", "GUID"}
NEVER_UNIQUE = {"TEXT", "YES/NO", "PASSWORD", "ATTACHMENT", "LIST-STRING", "LIST-NUMBER", "LIST-DATE/TIME"}
GENERATED = ALWAYS_UNIQUE | {"TIMESTAMP"}
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
RESERVED = {"select", "from", "where", "table", "order", "group", "index", "key", "user", "primary", "column"}
WINDOWS_ZONES = {
    "": "UTC",
    "UTC": "UTC",
    "Pacific Standard Time": "America/Los_Angeles",
    "Mountain Standard Time": "America/Denver",
    "Central Standard Time": "America/Chicago",
    "Eastern Standard Time": "America/New_York",
    "GMT Standard Time": "Europe/London",
    "W. Europe Standard Time": "Europe/Berlin",
    "AUS Eastern Standard Time": "Australia/Sydney",
}
BOOLEANS = ("Unique", "UniqueAllowNulls", "OnInsert", "OnUpdate", "IsFormula")
BOOLEANS_ATTACHED = ("AttachmentSmartResizer", "AttachmentSmartResizerForRetina")
TEXTS = ("Label", "Description", "TimeZone", "Format", "Prefix", "AttachmentAltText", "AttachmentTitle")
INTEGERS = ("DisplayOrder", "Length", "AttachmentMinFileSize", "AttachmentMaxFileSize")
LISTS = ("ListField", "AttachmentPermittedFileTypes")
KNOWN = {"Name", "Type", *BOOLEANS, *BOOLEANS_ATTACHED, *TEXTS, *INTEGERS, *LISTS}


def checked_definition(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Check one FieldModel by the rules of its type. Raises CaspioError 400."""
    if unknown := sorted(set(raw) - KNOWN):
        raise bad_body(f"Unknown parameter(s): {', '.join(unknown)}")
    kept = {k: v for k, v in raw.items() if v is not None and k != "Name"}
    _check_json_types(kept)
    kind = str(kept.get("Type", "")).upper()
    if kind not in KINDS:
        raise bad_body("Type is not a known field type.")
    kept["Type"] = kind
    if kind in ALWAYS_UNIQUE and not kept.get("Unique"):
        raise bad_body(f"A field of type {kind} must be Unique.")  # caspio-api.md 2.1
    if kept.get("Unique") and kind in NEVER_UNIQUE:
        raise bad_body(f"A field of type {kind} can't be Unique.")
    _check_generated(kept)
    if kind.startswith("LIST-"):
        kept["ListField"] = {str(n): v for n, v in enumerate(kept.get("ListField") or [], 1)}
    return {k: v for k, v in kept.items() if k not in special_to_any() or k in special_to(kind)}


def _check_json_types(kept: dict[str, Any]) -> None:
    wanted: dict[str, Any] = dict.fromkeys((*BOOLEANS, *BOOLEANS_ATTACHED), bool)
    wanted |= dict.fromkeys(("Type", *TEXTS), str) | dict.fromkeys(INTEGERS, int) | dict.fromkeys(LISTS, list)
    for key, value in kept.items():
        kind = wanted[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise bad_body(f"{key} has the wrong type.")
        if kind is int and not 0 <= value < 2**31:
            raise bad_body(f"{key} is out of range.")
        if kind is list and not all(isinstance(item, str) for item in value):
            raise bad_body(f"{key} must be a list of texts.")
    json.dumps(kept, ensure_ascii=True)
    if len(kept.get("Label", "")) > 255 or len(kept.get("Description", "")) > 4000:
        raise bad_body("Label or Description is too long.")


def _check_generated(kept: dict[str, Any]) -> None:
    kind, form = kept["Type"], kept.get("Format", "")
    if len(kept.get("Prefix", "")) >= 50:
        raise bad_body("Prefix must be shorter than 50 characters.")
    if kind == "TIMESTAMP" and kept.get("TimeZone", "") not in WINDOWS_ZONES:
        raise bad_body("TimeZone is not known.")
    if kind == "PREFIXED AUTONUMBER" and not re.fullmatch(r"(0{0,6}1)?", form):
        raise bad_body("Format must be one of 1, 01 ... 0000001.")
    if kind == "RANDOM ID":
        shortest = 8 if form == "0" else 6
        if form not in ("", "0", "U", "0U") or not shortest <= kept.get("Length", 12) <= 12:
            raise bad_body("Format or Length of the RANDOM ID is not allowed.")


def special_to(kind: str) -> set[str]:
    if kind == "TIMESTAMP":
        return {"OnInsert", "OnUpdate", "TimeZone"}
    if kind == "RANDOM ID":
        return {"Format", "Prefix", "Length"}
    if kind == "PREFIXED AUTONUMBER":
        return {"Format", "Prefix"}
    if kind.startswith("LIST-"):
        return {"ListField"}
    return {k for k in KNOWN if k.startswith("Attachment")} if kind == "ATTACHMENT" else set()


def special_to_any() -> set[str]:
    return {k for kind in KINDS for k in special_to(kind)}


def checked_name(name: object, what: str) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.lower() in RESERVED | {"pk_id"}:
        raise bad_body(
            f"The {what} name must be letters, digits and underscores, up to 32, no reserved word."
        )
    return name
