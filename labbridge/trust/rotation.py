"""Replacing a deployment key while the service runs: every trace of old keys is found, replaced, and counted.

Data keys are wrapped again; values that a deployment key sealed itself are sealed again. Each batch is one short
transaction that waits for nobody (rows that are in use are passed by and come in the next round), so a rotation that
is killed has lost nothing and goes on where it was: what is left to do is what the proof still counts.
"""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from psycopg import sql

from labbridge.trust.fields import SealedField
from labbridge.trust.keys import KEY_ID_LENGTH, SECOND_FACTOR, SESSION, VERSION, CannotOpen, keyring
from labbridge.trust.models import DataKey

AT_ONCE = 200  #: values in one transaction,
BYTES_AT_ONCE = 64_000_000  #: but not more than fit into memory
ROUNDS = 100  #: rounds without progress before it gives up: rows that stay in use for longer than a minute
PAUSE = 0.5  #: seconds between rounds that met rows in use

Progress = Callable[[int, int], None]
_HEAD = 1 + KEY_ID_LENGTH


@dataclass(frozen=True)
class Column:
    """A column that holds sealed values, and the place that they are bound to."""

    table: str
    column: str
    place: Callable[[Any], bytes]

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


def columns() -> list[Column]:
    """Every sealed column of every model, and the data keys themselves."""
    found = [
        Column(model._meta.db_table, str(field.column), _place_of(model._meta.db_table, str(field.column)))
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, SealedField)
    ]
    table = DataKey._meta.db_table
    return [Column(table, "wrapped", _place_of(table, "wrapped")), *sorted(found, key=lambda one: one.name)]


def _place_of(table: str, column: str) -> Callable[[Any], bytes]:
    return lambda pk: f"{table}.{column}:{pk}".encode()


# -- what lies there ---------------------------------------------------------------------------------------------


def counts() -> dict[str, Counter[str]]:
    """How many values each deployment key sealed, by table and column; values under data keys count as "data key"."""
    found = {one.name: _count(one) for one in columns()}
    found["sessions"] = _count_sessions()
    found["second factors"] = Counter(key for _, key in _second_factors())
    return {name: counted for name, counted in found.items() if counted}


def _count(one: Column) -> Counter[str]:
    query = sql.SQL(
        "SELECT CASE WHEN substr({column}, 1, 1) = %s THEN encode(substr({column}, 2, 8), 'hex') "
        "ELSE 'data key' END, count(*) FROM {table} WHERE {column} IS NOT NULL AND length({column}) > 0 GROUP BY 1"
    ).format(column=sql.Identifier(one.column), table=sql.Identifier(one.table))
    with connection.cursor() as cursor:
        cursor.execute(query, [VERSION])
        return Counter(dict(cursor.fetchall()))


def _count_sessions() -> Counter[str]:
    heads: Counter[str] = Counter()
    for text in Session.objects.values_list("session_data", flat=True).iterator():
        heads[_head_of(text)] += 1
    return heads


def _head_of(text: str) -> str:
    """The key id of a session: it lies in the first twelve characters of base64."""
    try:
        return base64.b64decode(text[:12])[1:_HEAD].hex()
    except ValueError:
        return "unreadable"


def _second_factors() -> Iterator[tuple[Any, str]]:
    """Every secret inside a second factor, with the id of the key that sealed it."""
    from allauth.mfa.models import Authenticator

    for one in Authenticator.objects.iterator():
        for value in one.data.values():
            if isinstance(value, str) and value.startswith(VERSION.hex()) and len(value) > 2 * _HEAD:
                yield one, value[2 : 2 * _HEAD]


def remaining(found: dict[str, Counter[str]] | None = None) -> int:
    """How many values still need a key other than the current one: zero is the proof that old keys can go."""
    current = keyring().current.hex()
    found = counts() if found is None else found
    return sum(
        number for one in found.values() for key, number in one.items() if key not in {current, "data key"}
    )


# -- replacing ---------------------------------------------------------------------------------------------------


def rotate(progress: Progress = lambda _done, _total: None) -> int:
    """Seal with the current key whatever another key sealed. Returns how many values were replaced.

    Raises:
        CannotOpen: a value needs a key that LABBRIDGE_ENCRYPTION_KEYS does not hold.

    """
    _ = keyring().index_key  # kept by itself from now on: it must not hang on a key that is about to go
    total, done, idle = remaining(), 0, 0
    progress(0, total)
    while total and idle < ROUNDS:
        before = done
        for one in columns():
            for replaced in _replace(one):
                done += replaced
                progress(done, max(total, done))
        done += _replace_sessions() + _replace_second_factors()
        progress(done, max(total, done))
        if not remaining():
            break
        idle = 0 if done > before else idle + 1
        time.sleep(PAUSE)
    _settle_on_disk()
    return done


def _replace(one: Column) -> Iterator[int]:
    """One walk through the table by its key; yields after each batch."""
    last: Any = None
    limit = _limit(one)
    while True:
        with transaction.atomic():
            rows = _old_rows(one, last, limit)
            if rows:
                write(one, [(pk, _again(bytes(value), one.place(pk))) for pk, value in rows])
        if not rows:
            return
        last = rows[-1][0]
        yield len(rows)


def _limit(one: Column) -> int:
    query = sql.SQL("SELECT max(octet_length({column})) FROM {table}").format(
        column=sql.Identifier(one.column), table=sql.Identifier(one.table)
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        (largest,) = cursor.fetchone()
    return max(1, min(AT_ONCE, BYTES_AT_ONCE // max(largest or 1, 1)))


def _old_rows(one: Column, last: Any, limit: int) -> list[tuple[Any, Any]]:
    """The next rows that another key sealed; those in use are passed by, so that nobody waits for us in a circle."""
    query = sql.SQL(
        "SELECT id, {column} FROM {table} WHERE substr({column}, 1, 1) = %s AND substr({column}, 2, 8) <> %s "
        "AND (%s OR id > %s) ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
    ).format(column=sql.Identifier(one.column), table=sql.Identifier(one.table))
    nothing = "00000000-0000-0000-0000-000000000000"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")  # a lost batch still opens with the old key
        cursor.execute(query, [VERSION, keyring().current, last is None, last or nothing, limit])
        return list(cursor.fetchall())


def _again(sealed: bytes, place: bytes) -> bytes:
    return keyring().seal(keyring().open(sealed, place), place)


def write(one: Column, values: list[tuple[Any, bytes]]) -> None:
    query = sql.SQL(
        "UPDATE {table} AS t SET {column} = v.value FROM unnest(%s::uuid[], %s::bytea[]) AS v(id, value) "
        "WHERE t.id = v.id"
    ).format(column=sql.Identifier(one.column), table=sql.Identifier(one.table))
    with connection.cursor() as cursor:
        cursor.execute(query, [[pk for pk, _ in values], [value for _, value in values]])


def _replace_sessions() -> int:
    current, done = keyring().current.hex(), 0
    for one in Session.objects.order_by("session_key").iterator():
        if _head_of(one.session_data) in {current, "unreadable"}:
            continue
        try:
            fresh = base64.b64encode(_again(base64.b64decode(one.session_data), SESSION)).decode()
        except CannotOpen:
            Session.objects.filter(pk=one.pk).delete()  # nobody can use it any more
            done += 1
            continue
        done += Session.objects.filter(pk=one.pk, session_data=one.session_data).update(session_data=fresh)
    return done


def _replace_second_factors() -> int:
    current, done = keyring().current.hex(), 0
    stale = {one.pk for one, key in _second_factors() if key != current}
    for pk in stale:
        with transaction.atomic():
            done += _replace_second_factor(pk)
    return done


def _replace_second_factor(pk: Any) -> int:
    from allauth.mfa.models import Authenticator

    one = Authenticator.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if one is None:
        return 0
    for name, value in one.data.items():
        if isinstance(value, str) and value.startswith(VERSION.hex()) and len(value) > 2 * _HEAD:
            one.data[name] = _again(bytes.fromhex(value), SECOND_FACTOR).hex()
    one.save(update_fields=["data"])
    return 1


def _settle_on_disk() -> None:
    """The proof must outlive a power cut: one ordinary commit writes all before it to the disk."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
