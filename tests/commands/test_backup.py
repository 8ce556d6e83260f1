"""`backup` and `restore` as processes of their own, each with its data directory and its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Place
from tests.world import PRACTICE_TOML


@pytest.fixture(scope="module")
def saved(typed: Place) -> Path:
    """A deployment with one person, and its backup."""
    added = typed.run("user", "add", "ada", "--no-password")
    assert added.returncode == 0, added.stderr
    done = typed.run("backup", str(typed.folder / "one.labbridge"))
    assert done.returncode == 0, done.stderr
    assert "read back and proven" in done.stdout
    assert f"Keep a copy of {typed.folder / 'var' / 'keys'} apart from it." in done.stdout
    return typed.folder / "one.labbridge"


@pytest.fixture
def keys(typed: Place) -> str:
    return (typed.folder / "var" / "keys" / "encryption_keys").read_text().strip()


def test_into_an_empty_place_with_the_same_keys(saved: Path, keys: str, tmp_path: Path) -> None:
    place = Place(tmp_path)
    with_keys = {"LABBRIDGE_ENCRYPTION_KEYS": keys}
    wrong = place.run("restore", str(saved))
    assert wrong.returncode == 1
    assert "sealed with another key" in wrong.stderr
    tried = place.run("restore", str(saved), "--dry-run", **with_keys)
    assert tried.stdout.startswith("would restore the state of 20")
    done = place.run("restore", str(saved), "--json", **with_keys)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dry_run"] is False
    assert "ada" in place.run("user", "list", **with_keys).stdout
    again = place.run("restore", str(saved), **with_keys)
    assert again.returncode == 1
    assert "add --force" in again.stderr
    assert place.run("restore", str(saved), "--force", **with_keys).returncode == 0
    assert not place.database_runs()


def test_a_restore_is_told_outside(typed: Place, keys: str, tmp_path: Path) -> None:
    """So that rows of the ledger that were written since are not taken for cut off."""
    toml = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="")
    (tmp_path / "practice.toml").write_text(toml)
    applied = typed.run("practice", "apply", str(tmp_path / "practice.toml"))
    assert applied.returncode == 0, applied.stderr
    assert typed.run("backup", str(tmp_path / "two.labbridge")).returncode == 0
    place = Place(tmp_path)
    restored = place.run("restore", str(tmp_path / "two.labbridge"), LABBRIDGE_ENCRYPTION_KEYS=keys)
    assert restored.returncode == 0, restored.stderr
    lines = [json.loads(line) for line in (tmp_path / "var" / "anchors.jsonl").read_text().splitlines()]
    (ledger,) = [line for line in lines if line["chain"] == "ledger:willow"]
    assert ledger["restart"].startswith("The backup of 20")


@pytest.mark.parametrize("arguments", [["backup"], ["backup", "{saved}"]])
def test_wrong_use(typed: Place, saved: Path, arguments: list[str]) -> None:
    done = typed.run(*[one.format(saved=saved) for one in arguments])
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_what_is_no_backup(typed: Place, saved: Path) -> None:
    for path, sentence in ((saved.parent / "none", "cannot be read"), (Path(__file__), "is no backup")):
        done = typed.run("restore", str(path), "--force")
        assert done.returncode == 1
        assert sentence in done.stderr


def test_by_the_setting_and_without_writing(typed: Place, saved: Path, tmp_path: Path) -> None:
    env: dict[str, Any] = {"LABBRIDGE_BACKUP_DIR": str(tmp_path)}
    tried = json.loads(typed.run("backup", "--dry-run", "--json", **env).stdout)
    assert tried["dry_run"] is True
    assert list(tmp_path.iterdir()) == []
    done = json.loads(typed.run("backup", "--json", **env).stdout)
    assert [str(path) for path in tmp_path.iterdir()] == [done["file"]]
    assert done["bytes"] == Path(done["file"]).stat().st_size
