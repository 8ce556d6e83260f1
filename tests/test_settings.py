"""Settings: every variable, its file form, and the sentence for each way of getting it wrong."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.practices.config import parse
from labbridge.settings import (
    Deployment,
    SettingsProblem,
    _databases,
    _kept_key,
    parse_keys,
    read_deployment,
)

ROOT = Path(__file__).resolve().parents[1]
KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SAMPLES = {
    "DATA_DIR": "/tmp/somewhere",
    "DATABASE_URL": "postgresql://user:pass@db.example/labbridge",
    "PUBLIC_URL": "https://labs.example",
    "SECRET_KEY": "s" * 40,
    "ENCRYPTION_KEYS": f"{KEY},{KEY}",
    "SIGNING_KEYS": KEY,
    "ANCHOR_PATH": "/mnt/elsewhere/anchors.jsonl",
    "BIND": "0.0.0.0:9000",
    "RUPA_API_URL": "https://api.example",
    "RUPA_AUTHORIZE_URL": "https://app.example/authorize",
    "RUPA_TOKEN_URL": "https://api.example/token",
    "RUPA_CLIENT_ID": "app",
    "RUPA_CLIENT_SECRET": "secret",
    "RUPA_WEBHOOK_SIGNING_SECRET": "new,old",
    "RUPA_SIGNATURE": "layout=body encoding=base64 prefix=sha256=",
    "RUPA_CALLS_PER_SECOND": "7.5",
    "RUPA_FILE_HOSTS": "files.example",
    "HEALTHIE_API_URL": "https://api.healthie.example/graphql",
    "RUPA_SANDBOX": "1",
    "ALLOW_HTTP_PEERS": "true",
    "CASPIO_HOSTS": "db.example",
    "ALLOWED_HOSTS": "other.example",
    "TRUSTED_PROXIES": "2",
    "METRICS_TOKEN": "token",
    "KEY_ADAPTER": "our_kms:make",
    "WORKER_CONCURRENCY": "3",
    "WEB_THREADS": "2",
    "MAX_RESULT_MB": "10",
    "LOG_LEVEL": "debug",
    "ALERT_CHANNELS": "mailtos://user:pass@mail.example?to=a@x.example,b@x.example json://hook.example",
    "ALERT_HOSTS": "relay.example",
    "ALERT_PING_URL": "https://watch.example/ping",
    "BACKUP_DIR": "/tmp/backups",
    "BACKUP_HOUR": "3",
    "BACKUP_KEEP": "7",
}


WRONG = {"LABBRIDGE_BIND": "PLANTED", "LABBRIDGE_LOG_LEVEL": "PLANTED"}


def sentence(**variables: str) -> str:
    with pytest.raises(SettingsProblem) as caught:
        read_deployment({f"LABBRIDGE_{name}": value for name, value in variables.items()})
    assert caught.value.code == 2
    return str(caught.value)


def test_every_setting_has_a_sample_here():
    assert {name.lower() for name in SAMPLES} == set(Deployment.model_fields)


def test_every_setting_is_read_from_the_environment():
    deployment = read_deployment({f"LABBRIDGE_{name}": value for name, value in SAMPLES.items()})
    assert deployment.data_dir == Path("/tmp/somewhere")
    assert deployment.host_and_port == ("0.0.0.0", 9000)
    assert deployment.encryption_keys == [KEY, KEY]
    assert deployment.rupa_webhook_signing_secret == ["new", "old"]
    assert deployment.rupa_signature == {"layout": "body", "encoding": "base64", "prefix": "sha256="}
    assert deployment.rupa_calls_per_second == 7.5
    assert deployment.log_level == "DEBUG"
    assert deployment.rupa_sandbox is deployment.allow_http_peers is True
    assert len(deployment.alert_channels) == 2
    assert (deployment.worker_concurrency, deployment.web_threads, deployment.max_result_mb) == (3, 2, 10)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_setting_may_stand_in_a_file(name: str, tmp_path: Path):
    partner = {"RUPA_CLIENT_ID": "RUPA_CLIENT_SECRET", "RUPA_CLIENT_SECRET": "RUPA_CLIENT_ID"}.get(name)
    given = {f"LABBRIDGE_{partner}": SAMPLES[partner]} if partner else {}
    if name == "RUPA_SANDBOX":
        given["LABBRIDGE_RUPA_AUTHORIZE_URL"] = SAMPLES["RUPA_AUTHORIZE_URL"]
    (tmp_path / "value").write_text(SAMPLES[name] + "\n")
    by_file = read_deployment({**given, f"LABBRIDGE_{name}_FILE": str(tmp_path / "value")})
    assert by_file == read_deployment({**given, f"LABBRIDGE_{name}": SAMPLES[name]})
    assert name.lower() in by_file.model_fields_set


def test_an_empty_environment_is_enough():
    deployment = read_deployment({})
    assert deployment.public_url == "http://127.0.0.1:8000"
    assert deployment.data_dir == Path("var").absolute()
    assert not deployment.allow_http_peers


def test_a_blank_value_is_no_value():
    assert read_deployment({"LABBRIDGE_BIND": "  ", "LABBRIDGE_SECRET_KEY_FILE": " "}) == read_deployment({})


def test_value_and_file_together_are_refused(tmp_path: Path):
    (tmp_path / "value").write_text("x")
    assert sentence(BIND="127.0.0.1:1", BIND_FILE=str(tmp_path / "value")) == (
        "Set LABBRIDGE_BIND or LABBRIDGE_BIND_FILE, not both."
    )


def test_a_file_that_is_missing_empty_or_no_text_is_named(tmp_path: Path):
    assert "LABBRIDGE_SECRET_KEY_FILE cannot be read: FileNotFoundError" in sentence(SECRET_KEY_FILE="/none")
    (tmp_path / "empty").write_text("\n")
    assert "LABBRIDGE_SECRET_KEY_FILE names an empty file" in sentence(
        SECRET_KEY_FILE=str(tmp_path / "empty")
    )
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "UnicodeDecodeError" in sentence(SECRET_KEY_FILE=str(tmp_path / "bytes"))
    assert "cannot be read" in sentence(SECRET_KEY_FILE="nul\0byte")


@pytest.mark.parametrize("name", ["PUBLIC_URL", "RUPA_API_URL", "RUPA_AUTHORIZE_URL", "RUPA_TOKEN_URL"])
def test_plain_http_is_refused_everywhere_and_allowed_on_loopback_only_when_asked(name: str):
    assert "must be an https address" in sentence(**{name: "http://labs.example"})
    assert "must be an https address" in sentence(**{name: "http://labs.example", "ALLOW_HTTP_PEERS": "1"})
    assert "LABBRIDGE_ALLOW_HTTP_PEERS" in sentence(**{name: "http://127.0.0.1:9"})
    assert "must be an https address" in sentence(**{name: "ftp://127.0.0.1"})
    assert "must be an https address" in sentence(**{name: "https://"})
    assert "not a web address" in sentence(**{name: "https://[::1"})
    read_deployment({f"LABBRIDGE_{name}": "http://127.0.0.1:9/", "LABBRIDGE_ALLOW_HTTP_PEERS": "1"})


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"BIND": "8000"}, "127.0.0.1:8000"),
        ({"BIND": "127.0.0.1:0"}, "127.0.0.1:8000"),
        ({"BIND": "127.0.0.1:70000"}, "127.0.0.1:8000"),
        ({"DATABASE_URL": "mysql://x"}, "must start with postgresql://"),
        ({"RUPA_SANDBOX": "1"}, "LABBRIDGE_RUPA_AUTHORIZE_URL"),
        ({"RUPA_SANDBOX": "perhaps"}, "LABBRIDGE_RUPA_SANDBOX"),
        ({"WORKER_CONCURRENCY": "0"}, "LABBRIDGE_WORKER_CONCURRENCY"),
        ({"WEB_THREADS": "many"}, "LABBRIDGE_WEB_THREADS"),
        ({"RUPA_CALLS_PER_SECOND": "nan"}, "LABBRIDGE_RUPA_CALLS_PER_SECOND"),
        ({"RUPA_SIGNATURE": "layout=other"}, "LABBRIDGE_RUPA_SIGNATURE"),
        ({"RUPA_SIGNATURE": "layout=body layout=body"}, "at most once"),
        ({"RUPA_SIGNATURE": "secret=x"}, "LABBRIDGE_RUPA_SIGNATURE"),
        ({"MAX_RESULT_MB": "1000"}, "LABBRIDGE_MAX_RESULT_MB"),
        ({"LOG_LEVEL": "loud"}, "LABBRIDGE_LOG_LEVEL"),
        ({"SECRET_KEY": "too short"}, "at least 32 characters"),
        ({"RUPA_CLIENT_ID": "app"}, "belong together"),
        ({"RUPA_CLIENT_SECRET": "secret"}, "belong together"),
    ],
)
def test_what_cannot_be_used_is_named(variables: dict[str, str], words: str):
    said = sentence(**variables)
    assert words in said
    assert said.startswith("Settings: ")


def test_several_faults_are_told_at_once():
    said = sentence(BIND="nowhere", LOG_LEVEL="loud")
    assert "LABBRIDGE_BIND" in said
    assert "LABBRIDGE_LOG_LEVEL" in said


@pytest.mark.parametrize("name", SAMPLES)
@given(value=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=12))
def test_no_sentence_repeats_a_value(name: str, value: str):
    marked = f"PLANTED{value}PLANTED"
    with pytest.raises(SettingsProblem) as caught:
        read_deployment({**WRONG, f"LABBRIDGE_{name}": marked})
    assert "PLANTED" not in str(caught.value)


def test_keys_are_32_bytes_in_base64_and_the_sentence_tells_which_is_not():
    assert parse_keys([KEY], "LABBRIDGE_ENCRYPTION_KEYS") == [b"0123456789abcdef0123456789abcdef"]
    for wrong in ("c2hvcnQ=", "not base64!", "é", ""):
        with pytest.raises(SettingsProblem) as caught:
            parse_keys([KEY, wrong], "LABBRIDGE_ENCRYPTION_KEYS")
        assert "key 2 is not 32 bytes" in str(caught.value)
        assert not wrong or wrong not in str(caught.value)


def test_ipv6_addresses_may_be_bound():
    assert read_deployment({"LABBRIDGE_BIND": "[::1]:8000"}).host_and_port == ("::1", 8000)


def test_the_sandbox_has_its_own_api_unless_said_otherwise():
    common = {"LABBRIDGE_RUPA_SANDBOX": "1", "LABBRIDGE_RUPA_AUTHORIZE_URL": "https://consent.example"}
    sandbox = read_deployment(common)
    assert sandbox.rupa_api_url != Deployment().rupa_api_url
    assert sandbox.rupa_token_url.startswith(sandbox.rupa_api_url)
    own = read_deployment({**common, "LABBRIDGE_RUPA_API_URL": "https://own.example"})
    assert own.rupa_api_url == "https://own.example"


def test_a_database_address_becomes_djangos_settings():
    url = "postgresql://ada:pa%20ss@db.example:5433/labs?sslmode=require"
    found = _databases(Deployment(database_url=url))["default"]
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", "5433", "labs")
    assert (found["USER"], found["PASSWORD"], found["OPTIONS"]["sslmode"]) == ("ada", "pa ss", "require")
    assert _databases(Deployment())["default"]["ENGINE"] == "labbridge.database.backend"
    with pytest.raises(SettingsProblem, match="not a PostgreSQL address"):
        _databases(Deployment(database_url="postgresql://ada:secret@host:port:port/labs?=&"))


# -- generated keys --------------------------------------------------------------------------------------


def test_a_generated_key_is_kept_and_readable_by_its_owner_only(tmp_path: Path):
    made = _kept_key(tmp_path / "var", "some_key", "first")
    assert made == "first"
    assert _kept_key(tmp_path / "var", "some_key", "second") == "first"
    path = tmp_path / "var/keys/some_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["some_key"]


def test_a_data_directory_that_cannot_be_used_is_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsProblem, match="LABBRIDGE_DATA_DIR"):
        _kept_key(tmp_path / "file", "key", "x")


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path):
    """Each is a process of its own; the first key wins and every start reads it."""
    code = (
        "import sys; from pathlib import Path; from labbridge.settings import _kept_key;"
        "print(_kept_key(Path(sys.argv[1]), 'race', sys.argv[2]))"
    )
    env = {**os.environ, "LABBRIDGE_DATA_DIR": str(tmp_path / "own")}

    def start(number: int) -> str:
        arguments = [sys.executable, "-c", code, str(tmp_path / "var"), f"key {number}"]
        done = subprocess.run(arguments, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(start, range(6)))) == 1


def test_a_wrong_setting_ends_any_way_of_starting_with_its_sentence(tmp_path: Path):
    env = {**os.environ, "LABBRIDGE_DATA_DIR": str(tmp_path), "LABBRIDGE_BIND": "PLANTED"}
    for arguments in (["-m", "labbridge.cli", "events", "list"], ["-m", "labbridge.cli", "manage", "check"]):
        done = subprocess.run(
            [sys.executable, *arguments], env=env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "LABBRIDGE_BIND" in done.stderr
        assert "PLANTED" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr


# -- the documents ---------------------------------------------------------------------------------------


def test_every_setting_is_documented_and_nothing_else():
    text = (ROOT / "docs/settings.md").read_text()
    rows = dict(re.findall(r"^\| `LABBRIDGE_([A-Z_]+)` \| (.+?) \|", text, re.MULTILINE))
    assert {name.lower() for name in rows} == set(Deployment.model_fields)
    for name, field in Deployment.model_fields.items():
        shown = rows[name.upper()].strip("`")
        if isinstance(field.default, bool):
            assert shown == str(field.default).lower(), name
        elif isinstance(field.default, int | float):
            assert float(shown) == field.default, name
        elif isinstance(field.default, str) and field.default:
            assert shown == field.default, name


def test_the_documented_practice_file_can_be_applied_as_it_stands():
    text = (ROOT / "docs/practice-toml.md").read_text()
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    config = parse(block)
    assert config.practice.slug == "willow"
    patients = set(type(config.caspio.patients).model_fields) - {"WRITTEN"}
    for part, names in (("patients", patients), ("tables", set(type(config.caspio.tables).model_fields))):
        assert set(getattr(config.caspio, part).model_fields_set) == names, part
