"""What SQLite lacks to compare and match as SQL Server does: a collation and LIKE."""

import re
import sqlite3
from functools import lru_cache

COLLATION = "CASPIO"


def register(db: sqlite3.Connection) -> None:
    db.create_collation(COLLATION, _compared)
    db.create_function("tsql_like", 3, _like, deterministic=True)


def folded(text: str) -> str:
    """SQL Server ignores case and trailing blanks when it compares."""
    return text.casefold().rstrip(" ")


def _compared(left: str, right: str) -> int:
    a, b = folded(left), folded(right)
    return (a > b) - (a < b)


def _like(pattern: str | None, value: str | None, escape: str | None) -> int | None:
    if pattern is None or value is None:
        return None
    matcher = like_pattern(pattern, escape or "")
    return int(matcher is not None and matcher.fullmatch(value) is not None)


@lru_cache(maxsize=500)
def like_pattern(pattern: str, escape: str = "") -> re.Pattern[str] | None:
    """Translate a LIKE pattern: % _ [abc] [a-z] [^a] and an escape character. None: it matches nothing."""
    parts, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if escape and char == escape and at + 1 < len(pattern):
            parts.append(re.escape(pattern[at + 1]))
            at += 2
        elif char == "[":
            end = pattern.find("]", at + 2)
            if end < 0:
                return None
            parts.append(_char_class(pattern[at + 1 : end]))
            at = end + 1
        else:
            parts.append({"%": ".*", "_": "."}.get(char) or re.escape(char))
            at += 1
    try:
        return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
    except re.error:  # such as [z-a]: SQL Server matches nothing either
        return None


def _char_class(inside: str) -> str:
    negated, chars = inside.startswith("^"), inside.removeprefix("^")
    if not chars:  # "[^]" is the caret itself
        return re.escape("^")
    body = re.sub(r"([\\\[\]^&~|])", r"\\\1", chars)
    return f"[{'^' if negated else ''}{body}]"
