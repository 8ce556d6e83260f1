"""Every command given nonsense answers with usage or a sentence, never a traceback, and the right exit code."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.django_db(transaction=True)

WRONG_USE = [
    [],
    ["nonsense"],
    ["--nonsense"],
    ["serve", "extra"],
    ["worker", "--concurrency", "0"],
    ["worker", "--concurrency", "many"],
    ["practice"],
    ["practice", "apply"],
    ["practice", "apply", "/no/such/file.toml"],
    ["practice", "apply", "/"],
    ["practice", "show", "nobody"],
    ["provision", "--practice", "nobody"],
    ["provision"],
    ["rupa"],
    ["rupa", "connect"],
    ["rupa", "connect", "--practice", "nobody"],
    ["rupa", "connect", "--wait", "long"],
    ["sync"],
    ["sync", "moons"],
    ["sync", "orders"],
    ["sync", "orders", "-p", "nobody"],
    ["sync", "patients", "-p", "nobody"],
    ["sync", "catalog", "-p", "nobody"],
    ["backfill"],
    ["backfill", "--since", "yesterday"],
    ["backfill", "--since", "2026-02-30"],
    ["backfill", "--since", "2026-01-01"],
    ["events"],
    ["events", "list", "--state", "lost"],
    ["events", "list", "--peer", "mars"],
    ["events", "list", "--practice", "nobody"],
    ["events", "list", "--limit", "0"],
    ["events", "list", "--limit", "1e9"],
    ["events", "show"],
    ["events", "show", "nonsense"],
    ["events", "show", "00000000-0000-0000-0000-000000000000"],
    ["events", "show", "\udcff"],
    ["events", "replay"],
    ["events", "replay", "nonsense"],
    ["events", "replay", "nonsense", "--state", "dead"],
    ["events", "replay", "--state", "lost"],
    ["alerts", "list", "-p", "nobody"],
    ["alerts", "test", "-p", "nobody"],
    ["alerts", "test", "-p", "nobody", "--dry-run"],
    ["cases", "list", "-p", "nobody"],
    ["listen", "--seconds", "long"],
    ["trigger"],
    ["simulate"],
    ["simulate", "mars"],
    ["simulate", "rupa", "--port", "70000"],
    ["report"],
    ["report", "monthly"],
    ["report", "monthly", "-p", "nobody"],
    ["user"],
    ["user", "add"],
    ["db"],
    ["db", "nonsense"],
]


@pytest.mark.parametrize("arguments", WRONG_USE, ids=" ".join)
def test_wrong_use_is_2_with_words(labbridge, arguments):
    done = labbridge(*arguments)
    assert done.exit_code == 2, done.output
    assert len(done.output.strip()) > 10


@pytest.mark.parametrize("text", ["", "nonsense", "[practice]\nslug = 5", "\x00"])
def test_a_practice_file_that_cannot_be_used(labbridge, tmp_path, text):
    (tmp_path / "practice.toml").write_text(text)
    done = labbridge("practice", "apply", str(tmp_path / "practice.toml"))
    assert done.exit_code == 2
    assert done.output.strip()


def test_help_needs_neither_database_nor_settings(labbridge, monkeypatch):
    monkeypatch.setenv("LABBRIDGE_BIND", "nonsense")
    commands = [
        "serve",
        "web",
        "worker",
        "practice",
        "provision",
        "rupa",
        "sync",
        "backfill",
        "events",
        "listen",
    ]
    for name in [*commands, "trigger", "simulate", "user", "db"]:
        done = labbridge(name, "--help")
        assert done.exit_code == 0, name
        assert "Usage" in done.output


def test_all_that_print_for_scripts_take_json_and_all_that_write_can_be_tried(labbridge):
    for name in (["practice", "apply"], ["provision"], ["sync", "orders"], ["sync", "patients"],
                 ["sync", "catalog"], ["backfill"], ["events", "replay"]):  # fmt: skip
        shown = labbridge(*name, "--help").output
        assert "--json" in shown, name
        assert "--dry-run" in shown, name
    for name in (["practice", "show"], ["rupa", "connect"], ["events", "list"], ["events", "show"], ["listen"],
                 ["trigger"], ["db", "url"]):  # fmt: skip
        assert "--json" in labbridge(*name, "--help").output, name


def test_an_error_that_nobody_foresaw_is_a_sentence_without_its_words(labbridge, monkeypatch):
    def fail(*_: object) -> None:
        raise KeyError("Testa Sampleperson")

    monkeypatch.setattr("labbridge.commands.events._select", fail)
    done = labbridge("events", "list")
    assert done.exit_code == 1
    assert "An error that nobody foresaw: KeyError in " in done.stderr
    assert "Testa" not in done.output


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("django.db.OperationalError", 1, "The database cannot be reached"),
        ("django.db.InterfaceError", 1, "The database cannot be reached"),
        ("labbridge.database.DatabaseProblem", 1, "PLANTED"),
        ("labbridge.trust.keys.CannotOpen", 1, "PLANTED"),
        ("labbridge.practices.clients.NotConnected", 1, "PLANTED"),
        ("labbridge.practices.config.ConfigProblem", 2, "PLANTED"),
        ("labbridge.practices.consent.ConsentProblem", 1, "PLANTED"),
        ("labbridge.catalog.sync.SuspiciousListing", 1, "PLANTED"),
        ("labbridge.filing.execute.FilingProblem", 1, "PLANTED"),
        ("builtins.KeyboardInterrupt", 130, "Stopped."),
    ],
)
def test_what_is_expected_to_go_wrong_is_its_own_sentence(labbridge, monkeypatch, error, code, words):
    from importlib import import_module

    module, _, name = error.rpartition(".")
    kind = getattr(import_module(module), name)

    def fail(*_: object) -> None:
        raise kind("PLANTED")

    monkeypatch.setattr("labbridge.commands.events._select", fail)
    done = labbridge("events", "list")
    assert (done.exit_code, words in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [("Unavailable", 3), ("RateLimited", 3), ("OutcomeUnknown", 3), ("Forbidden", 1), ("NotFound", 1)],
)
def test_a_peer_that_is_away_is_3_and_one_that_refuses_is_1(labbridge, monkeypatch, error, code):
    from labbridge.peers import errors

    def fail(*_: object) -> None:
        raise getattr(errors, error)("caspio", "list tables", status=500)

    monkeypatch.setattr("labbridge.commands.events._select", fail)
    done = labbridge("events", "list")
    assert done.exit_code == code
    assert "caspio: list tables" in done.stderr
    assert getattr(errors, error).advice in done.stderr


def test_json_is_alone_on_standard_output(labbridge):
    for arguments in (["events", "list"], ["practice", "show"]):
        assert json.loads(labbridge(*arguments, "--json").stdout) == []
