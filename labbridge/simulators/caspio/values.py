"""Values on their way in and out: what a field of each type takes and gives (caspio-api.md 2.2, 3.4, 3.5)."""

import math
import re
from datetime import datetime
from typing import Any

DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?)?")
LIST_IDS = re.compile(r"\s*\[\d+\]\s*(,\s*\[\d+\]\s*)*")


def naive_date(value: object) -> str:
    """Read `YYYY-MM-DD[THH:MM[:SS[.f]]]` without any zone; a trailing Z is refused. Raises ValueError."""
    found = DATE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError("not a naive date")
    day, minutes, seconds, _fraction = found.groups()
    moment = datetime.fromisoformat(f"{day}T{minutes or '00:00'}:{seconds or '00'}")
    if moment.year < 1753:  # SQL Server's datetime starts there
        raise ValueError("before 1753")
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    value.encode()  # a lone surrogate is no character: UnicodeEncodeError is a ValueError
    if len(value) > longest:
        raise ValueError("too long")
    return value


def integer(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**31) <= value < 2**31:
        raise ValueError("not an integer of 32 bits")
    return value


def number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("not a number")
    try:
        made = float(value)
    except OverflowError as error:
        raise ValueError("too large") from error
    if not math.isfinite(made):
        raise ValueError("not finite")
    return made


def boolean(value: object) -> int:
    if not isinstance(value, bool):
        raise ValueError("not true or false")
    return int(value)


def list_ids(value: object, known: dict[str, Any]) -> list[int]:
    """Read `"[1], [3]"` (Caspio's own n8n node) or `[1, 3]` (its older help page). Raises ValueError."""
    if isinstance(value, str) and (not value.strip() or LIST_IDS.fullmatch(value)):
        ids = [int(part) for part in re.findall(r"\d+", value)]
    elif isinstance(value, list) and all(isinstance(i, int) and not isinstance(i, bool) for i in value):
        ids = value
    else:
        raise ValueError("not a list of ids")
    if any(str(i) not in known for i in ids):
        raise ValueError("no such item")
    return sorted(set(ids))
