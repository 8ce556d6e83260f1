"""Bodies of writes, read from both wire formats into one flat shape and checked field by field."""

import json
import re
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from flask import request

from labbridge.simulators.rupa.errors import JSON_API, ApiError, Problems, invalid, wants_flat
from labbridge.simulators.rupa.store import Doc

EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
E164 = re.compile(r"\+[1-9]\d{6,14}")
REQUIRED = "This field is required."
BLANK = "This field may not be blank."
PATIENT_FIELDS = (
    *("first_name", "last_name", "email", "phone_number", "birthday", "gender"),
    "shipping_address",
)
ADDRESS_FIELDS = ("street", "city", "state", "zipcode")


def body(kind: str, doc_id: str | None = None) -> Doc:
    """Return attributes and related ids in one flat mapping. Raises ApiError 400, 409 or 415."""
    flat = wants_flat()
    if not flat and not (request.content_type or "").strip("\"' ").lower().startswith(JSON_API):
        raise ApiError(415, "unsupported_media_type", f'Unsupported media type "{request.content_type}".')
    raw = _json()
    if flat:
        return raw
    data = raw.get("data")
    if not isinstance(data, dict):
        raise ApiError(400, "parse_error", "Received document does not contain primary data")
    if data.get("type") != kind:
        detail = (
            f"The resource object's type ({data.get('type')}) is not the type that the endpoint represents"
        )
        raise ApiError(409, "conflict", f"{detail} ({kind}).")
    if doc_id is not None and data.get("id") != doc_id:
        raise ApiError(409, "conflict", "The resource object's id does not match url's resource id.")
    return {**(data.get("attributes") or {}), **_related(data.get("relationships") or {})}


def _json() -> Doc:
    try:
        raw = json.loads(request.get_data())
    except ValueError:
        raise ApiError(400, "parse_error", "JSON parse error") from None
    if not isinstance(raw, dict):
        raise ApiError(400, "parse_error", "JSON parse error - an object is expected")
    return raw


def _related(relationships: Any) -> Doc:
    found: Doc = {}
    for name, link in relationships.items():
        linked = link.get("data") if isinstance(link, dict) else None
        if isinstance(linked, list):
            found[name] = [one.get("id") for one in linked if isinstance(one, dict)]
        else:
            found[name] = linked.get("id") if isinstance(linked, dict) else None
    return found


def patient(raw: Any, problems: Problems, at: tuple[str, ...] = (), *, partial: bool = False) -> Doc:
    """Read a patient's fields; problems are noted under `at`. Formats: rupa-api.md 5.3."""
    if not isinstance(raw, dict):
        problems[at or ("non_field_errors",)] = "Invalid data. Expected a dictionary."
        return {}
    for name in ("first_name", "last_name", "email"):
        if name not in raw:
            if not partial:
                problems[*at, name] = REQUIRED
        elif not isinstance(raw[name], str) or not raw[name].strip():
            problems[*at, name] = BLANK
    for name, fits, sentence in CHECKS:
        if raw.get(name) is not None and (*at, name) not in problems and not fits(raw[name]):
            problems[*at, name] = sentence
    return {name: raw[name] for name in PATIENT_FIELDS if name in raw}


def web_address(raw: Any, problems: Problems, name: str) -> None:
    if raw is None:
        problems[name,] = REQUIRED
    elif (
        not isinstance(raw, str) or urlsplit(raw).scheme not in ("http", "https") or not urlsplit(raw).netloc
    ):
        problems[name,] = "Enter a valid URL."


def check(problems: Problems) -> None:
    if problems:
        raise invalid(problems)


def _is_email(value: Any) -> bool:
    return isinstance(value, str) and EMAIL.fullmatch(value) is not None


def _is_phone(value: Any) -> bool:
    return value == "" or (isinstance(value, str) and E164.fullmatch(value) is not None)


def _is_date(value: Any) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value) and date.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def _is_address(value: Any) -> bool:
    return isinstance(value, dict) and set(value) <= set(ADDRESS_FIELDS)


CHECKS = (
    ("email", _is_email, "Enter a valid email address."),  # Django's sentence, seen in rupa-js's tests
    ("phone_number", _is_phone, "The phone number entered is not valid."),
    ("birthday", _is_date, "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
    ("shipping_address", _is_address, "Expected street, city, state and zipcode."),
)
