"""practice.toml: every kind of nonsense is a sentence that names the line and repeats no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labbridge.practices.apply import without_secrets
from labbridge.practices.config import (
    ConfigProblem,
    PracticeConfig,
    load,
    optional_secret,
    parse,
    resolve_secret,
)
from tests.world import PRACTICE_TOML

TOML = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="PLANTED refresh")


def problem(text: str) -> str:
    with pytest.raises(ConfigProblem) as caught:
        parse(text)
    assert "PLANTED" not in str(caught.value)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert TOML.count(old) == 1
    return TOML.replace(old, new)


def test_a_whole_file_is_read():
    config = parse(TOML)
    assert config.practice.slug == "willow"
    assert config.caspio.url == "https://c0abc123.caspio.com"
    assert config.caspio.tables.lab_orders == "Lab_Orders"
    assert config.sync.sweep_minutes == 60
    assert config.sync.confirm == ("birthday", "name")
    assert config.rupa.practitioners[0].email == "ada@willow.example"
    assert config.zone.key == "America/Los_Angeles"
    assert config.caspio.patients.read_fields()["birthday"] == "Date_of_Birth"


def test_the_least_file():
    config = parse(
        '[practice]\nslug = "a"\nname = "A"\ntime_zone = "UTC"\n[caspio]\nurl = "https://a.caspio.com/"\n'
        'client_id = "a"\nclient_secret = "b"\n[caspio.patients]\nfirst_name = "F"\nlast_name = "L"\n'
        'email = "E"\nbirthday = "B"\n'
    )
    assert config.caspio.patients.key == "PK_ID"
    assert config.caspio.calls_per_second == 5
    assert config.caspio.url == "https://a.caspio.com"
    assert config.rupa.price_unit == "unknown"
    assert "phone" not in config.caspio.patients.read_fields()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "practice: is missing"),
        ("PLANTED", "Not a TOML file"),
        ("[" * 3000 + "PLANTED", "Not a TOML file"),
        ("a = " + "[" * 20000, "Not a TOML file"),
        ("practice = 1\ncaspio = []", "practice"),
        (changed('slug = "willow"', 'slug = "Willow Clinic"'), "practice.slug"),
        (changed('slug = "willow"', 'slug = ""'), "practice.slug"),
        (changed('slug = "willow"', f'slug = "{"a" * 51}"'), "practice.slug"),
        (changed('name = "Willow Functional Medicine"', 'name = ""'), "practice.name"),
        (changed("America/Los_Angeles", "Mars/Olympus"), "is not a time zone"),
        (changed("America/Los_Angeles", "../../etc/passwd"), "is not a time zone"),
        (changed("https://c0abc123.caspio.com", "caspio.com"), "caspio.url"),
        (changed("https://c0abc123.caspio.com", "https://"), "caspio.url"),
        (changed("https://c0abc123.caspio.com", "https://[::1"), "caspio.url"),
        (changed("https://c0abc123.caspio.com", "https://x.caspio.com?a=1"), "caspio.url"),
        (changed("https://c0abc123.caspio.com", "ftp://x.caspio.com"), "caspio.url"),
        (changed('client_id = "client"', ""), "caspio.client_id: is missing"),
        (changed('client_id = "client"', "client_id = 5"), "caspio.client_id"),
        (changed("calls_per_second = 5", "calls_per_second = 0"), "caspio.calls_per_second"),
        (changed("calls_per_second = 5", 'calls_per_second = "PLANTED"'), "caspio.calls_per_second"),
        (changed("calls_per_second = 5", "calls_per_second = nan"), "caspio.calls_per_second"),
        (changed("calls_per_second = 5", "calls_a_second = 5"), "caspio.calls_a_second: is not a setting"),
        (changed('email = "Email"', ""), "caspio.patients.email: is missing"),
        (changed('email = "Email"', 'email = "E-mail; DROP"'), "is not a Caspio name"),
        (changed('email = "Email"', 'email = "1st"'), "is not a Caspio name"),
        (changed('email = "Email"', f'email = "{"x" * 33}"'), "is not a Caspio name"),
        (changed('table = "Patients"', 'table = "lab_orders"'), "two purposes share the table"),
        (changed("settle_seconds = 0", "settle_seconds = -1"), "sync.settle_seconds"),
        (changed("settle_seconds = 0", 'confirm = ["shoe size"]'), "sync.confirm"),
        (changed('price_unit = "dollars"', 'price_unit = "beads"'), "rupa.price_unit"),
        (changed('email = "ada@willow.example"', ""), "rupa.practitioners.0.email: is missing"),
    ],
)
def test_nonsense_is_a_sentence(text: str, words: str):
    assert words in problem(text)


def test_every_fault_is_told_at_once():
    said = problem(changed('slug = "willow"', "").replace('email = "Email"', ""))
    assert "practice.slug" in said
    assert "caspio.patients.email" in said


values = st.recursive(
    st.text(max_size=20) | st.integers() | st.booleans() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["practice", "caspio", "sync", "rupa", "else"]), values))
def test_any_document_is_read_or_refused(raw: dict[str, object]):
    with pytest.raises(ValidationError):
        PracticeConfig.model_validate(raw)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str):
    with pytest.raises(ConfigProblem):
        parse(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(ConfigProblem, match=r"cannot be read .FileNotFoundError"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigProblem, match="IsADirectoryError"):
        load(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigProblem, match="UnicodeDecodeError"):
        load(tmp_path / "bytes.toml")
    (tmp_path / "good.toml").write_text(TOML)
    assert load(tmp_path / "good.toml") == parse(TOML)


# -- secrets ---------------------------------------------------------------------------------------------


def test_secrets_come_as_values_from_the_environment_or_from_files(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("CASPIO_SECRET", "from the environment\n")
    (tmp_path / "secret").write_text("from a file\n")
    assert resolve_secret("as it stands", "x") == "as it stands"
    assert resolve_secret("env:CASPIO_SECRET", "x") == "from the environment"
    assert resolve_secret(f"file:{tmp_path}/secret", "x") == "from a file"


def test_a_secret_that_is_not_there_is_named_by_its_place(tmp_path: Path):
    with pytest.raises(ConfigProblem, match=r"caspio.client_id: the environment variable NO_SUCH is not set"):
        resolve_secret("env:NO_SUCH", "caspio.client_id")
    with pytest.raises(ConfigProblem, match="cannot be read"):
        resolve_secret(f"file:{tmp_path}/none", "caspio.client_id")
    assert optional_secret("env:NO_SUCH", "x") == ""


def test_what_is_kept_holds_no_secret():
    text = TOML.replace("secret of caspio", "PLANTED secret").replace('"client"', '"PLANTED id"')
    text = text.replace("[caspio.patients]", 'webhook_secret = "PLANTED hook"\n[caspio.patients]')
    kept = without_secrets(parse(text))
    assert "PLANTED" not in repr(kept)
    assert PracticeConfig.model_validate(kept).practice == parse(text).practice
