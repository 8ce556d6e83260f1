"""A new database made in one go is the same as one made step by step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from labbridge.commands.base import bring_up_to_date
from labbridge.database import snapshot
from tests.snapshot import dump
from tests.world import drop_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def empty(django_db_blocker: Any, settings: Any) -> Any:
    """Switch to an empty database of the same server, as often as it is called."""
    usual = connection.settings_dict["NAME"]
    made: list[str] = []

    def switch() -> str:
        name = f"snapshot_{len(made)}"
        connection.close()
        connection.settings_dict["NAME"] = usual
        with connection.cursor() as cursor:
            drop_database(cursor.execute, name)
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        made.append(name)
        connection.close()
        connection.settings_dict["NAME"] = name
        connection.ensure_connection()
        return str(connection.connection.info.dsn)

    yield switch
    connection.close()
    connection.settings_dict["NAME"] = usual
    with connection.cursor() as cursor:
        for name in made:
            drop_database(cursor.execute, name)


def contents(dsn: str) -> str:
    """Everything but the moments at which migrations ran, and the two ways in which PostgreSQL writes one cast."""
    text = re.sub(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00'", "'a moment'", dump(dsn))
    cast = re.compile(r"::character varying|::text(\[\])?|[()]")
    return "\n".join(cast.sub("", line) if " = ANY (" in line else line for line in text.splitlines())


def test_it_is_what_the_migrations_make(empty: Any) -> None:
    dsn = empty()
    call_command("migrate", verbosity=0, interactive=False)
    by_steps = contents(dsn)
    dsn = empty()
    if not snapshot.load():  # the migrations have changed since: `make lint` says so
        pytest.skip("The schema snapshot is out of date: make snapshot")
    bring_up_to_date()  # what is newer
    assert contents(dsn) == by_steps


def test_a_database_that_holds_anything_is_left_alone(empty: Any) -> None:
    empty()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE somebody_elses (id int)")
    assert not snapshot.load()
    assert connection.introspection.table_names() == ["somebody_elses"]


@pytest.mark.parametrize(
    "head", ['{"inbox.0001_initial": "other"}', '{"inbox.0099_not_here": "000000000000"}']
)
def test_one_that_does_not_fit_these_migrations_is_not_used(
    empty: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    empty()
    old = tmp_path / "old.sql"
    old.write_text(f"{snapshot.HEAD}{head}\nCREATE TABLE wrong (id int);\n")
    monkeypatch.setattr(snapshot, "FILE", old)
    assert not snapshot.load()
    assert connection.introspection.table_names() == []
    monkeypatch.setattr(snapshot, "FILE", tmp_path / "none.sql")
    assert not snapshot.load()
