"""Backup and restore of a real database, with everything that may come between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from labbridge.backup import dump, store
from labbridge.backup.jobs import is_due, scheduled_backup
from labbridge.backup.models import Backup
from labbridge.backup.seal import BackupProblem
from labbridge.engine.jobs import NotYet
from labbridge.inbox.models import Event
from labbridge.mirror.models import Chart
from labbridge.practices.models import Practice
from tests.phi import planted
from tests.phi.needles import Search

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def filled() -> Practice:
    practice = Practice.objects.create(slug="willow", name="Willow")
    Chart.objects.create(practice=practice, key="P-1", person=planted.PERSON)
    for number in range(30):
        Event.objects.create(peer="rupa", external_id=f"evt_{number}", type="order.updated", subject="order:x",
                             practice=practice, body=b"\0\\copy\n\\." + bytes([number]) * 50_000)  # fmt: skip
    return practice


@pytest.fixture
def file(tmp_path: Path, filled: Practice) -> Path:
    return store.make(tmp_path / "one.labbridge", NOW).path


def state() -> Any:
    return [
        list(Practice.objects.order_by("pk").values()),
        [(chart.pk, chart.person) for chart in Chart.objects.order_by("pk")],
        [(event.pk, event.body) for event in Event.objects.order_by("pk")],
    ]


def test_round_trip(file: Path) -> None:
    before = state()
    Event.objects.all().delete()
    Chart.objects.update(key="P-2")
    Practice.objects.create(slug="later", name="Later")
    header = store.restore(file, force=True)
    assert header.facts["made_at"] == NOW.isoformat()
    assert state() == before
    User.objects.create(username="ada")  # numbers go on where they were
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")


def test_what_is_in_the_file(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["one.labbridge"]
    content = file.read_bytes()
    assert Search([*planted.WORDS, "willow", "order:x", "CREATE TABLE"]).found_in(content) == set()
    made = Backup.objects.get()
    assert (made.made_at, made.size) == (NOW, len(content))


def test_a_database_in_use_is_not_overwritten(file: Path) -> None:
    with pytest.raises(BackupProblem, match="add --force"):
        store.restore(file)
    Event.objects.all().delete()
    Chart.objects.all().delete()
    Practice.objects.all().delete()
    store.restore(file)
    assert Practice.objects.get().slug == "willow"


def test_not_while_a_worker_runs(file: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    with pytest.raises(BackupProblem, match="A worker runs on this database"):
        store.restore(file, force=True)


def test_a_damaged_file_changes_nothing(file: Path) -> None:
    before = state()
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    for dry_run in (True, False):
        with pytest.raises(BackupProblem, match="damaged or was altered"):
            store.restore(file, force=True, dry_run=dry_run)
    assert state() == before


def test_an_error_half_way_changes_nothing_and_quotes_nobody(file: Path, monkeypatch: Any) -> None:
    before = state()
    name = planted.PERSON["first_name"]

    def pieces(unpacked: Any) -> Any:
        yield from store_unpacked(unpacked)
        yield f"INSERT INTO practices_practice (id) VALUES ('{name}');\n".encode()

    store_unpacked = store._unpacked
    monkeypatch.setattr(store, "_unpacked", pieces)
    with pytest.raises(BackupProblem) as caught:
        store.restore(file, force=True)
    assert "nothing has changed" in str(caught.value)
    assert name not in str(caught.value)
    assert state() == before


def test_a_reader_that_dies_commits_nothing(file: Path) -> None:
    before = state()

    def dies() -> Any:
        yield b"DELETE FROM inbox_event;\n"
        raise OSError("the disk has gone")

    with pytest.raises(OSError, match="the disk has gone"):
        dump.load(dies())
    connection.close()
    assert state() == before


def test_of_a_newer_version(tmp_path: Path, filled: Practice, monkeypatch: Any) -> None:
    facts = store._facts

    def newer(now: datetime) -> dict[str, Any]:
        return {**facts(now), "version": "9.9", "migrations": ["inbox.0999_of_the_future"]}

    monkeypatch.setattr(store, "_facts", newer)
    file = store.make(tmp_path / "new.labbridge", NOW).path
    with pytest.raises(BackupProblem, match=r"newer Labbridge \(9.9\)"):
        store.restore(file, force=True)


def test_with_another_key(file: Path, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [b"n" * 32]
    with pytest.raises(BackupProblem, match="sealed with another key"):
        store.restore(file, force=True)


def test_a_failing_dump_leaves_no_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(dump, "environment", lambda: {"PGHOST": "/nowhere", "LC_ALL": "C"})
    with pytest.raises(BackupProblem, match="could not be read whole"):
        store.make(tmp_path / "x.labbridge", NOW)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BackupProblem, match="could not be written"):
        store.make(tmp_path / "nowhere" / "x.labbridge", NOW)


# -- by the clock --------------------------------------------------------------------------------------------


def test_once_a_day_and_caught_up(deployment: Any) -> None:
    deployment(backup_hour=2)
    assert is_due(NOW)
    Backup.objects.create(made_at=NOW.replace(hour=2, minute=10), size=1, seconds=1, scheduled=True)
    assert not is_due(NOW)
    assert not is_due(NOW + timedelta(hours=13))
    assert is_due(NOW + timedelta(hours=15))
    Backup.objects.create(made_at=NOW + timedelta(hours=15), size=1, seconds=1)
    assert is_due(NOW + timedelta(hours=15)), "one made by hand stands for no schedule"


def test_the_schedule_writes_and_thins_out(deployment: Any, tmp_path: Path, filled: Practice) -> None:
    scheduled_backup()
    assert not Backup.objects.exists(), "without a directory there is no schedule"
    deployment(backup_dir=tmp_path, backup_keep=2)
    for day in (1, 2, 3):
        (tmp_path / f"labbridge-2026010{day}-020000Z.labbridge").write_bytes(b"old")
    (tmp_path / "notes.txt").write_text("kept")
    scheduled_backup()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0] == "labbridge-20260103-020000Z.labbridge"
    assert (len(names), names[2]) == (3, "notes.txt")
    store.prove(tmp_path / names[1])
    scheduled_backup()
    assert Backup.objects.count() == 1


def test_a_directory_that_is_not_there_is_not_made(deployment: Any, tmp_path: Path) -> None:
    deployment(backup_dir=tmp_path / "unmounted")
    with pytest.raises(NotYet, match="is not a directory"):
        scheduled_backup()
    assert not (tmp_path / "unmounted").exists()
