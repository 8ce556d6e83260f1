"""`init` as typed, by a person and by a script, against the Caspio simulator."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labbridge.filing.provision import provision
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio.types import NewField
from labbridge.practices.apply import apply
from labbridge.practices.config import load
from labbridge.simulators import caspio as caspio_simulator
from tests.conftest import _served
from tests.world import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: Any, connected_deployment: Any) -> Path:
    monkeypatch.setenv("CASPIO_CLIENT_ID", "client")
    monkeypatch.setenv("CASPIO_CLIENT_SECRET", "secret of caspio")
    return tmp_path / "practice.toml"


@pytest.fixture
def init(labbridge: Any, file: Path, caspio_sim: Any) -> Callable[..., Any]:
    def run(*arguments: str, url: str = "", answer: str | None = None) -> Any:
        given = [
            "--file",
            str(file),
            "--name",
            "Willow Functional Medicine",
            "--time-zone",
            "America/Los_Angeles",
        ]
        return labbridge("init", *given, "--caspio-url", url or caspio_sim.url, *arguments, answer=answer)

    return run


def test_a_script_needs_no_answer_and_the_file_can_be_applied(init: Any, file: Path, caspio_sim: Any) -> None:
    before = caspio_sim.tables()
    done = init("--yes", "--practitioner", "ada@willow.example")
    assert done.exit_code == 0, done.output
    written = tomllib.loads(file.read_text())
    assert written["practice"] == {
        "slug": "willow", "name": "Willow Functional Medicine", "time_zone": "America/Los_Angeles",
    }  # fmt: skip
    assert written["caspio"]["client_secret"] == "env:CASPIO_CLIENT_SECRET"
    patients = written["caspio"]["patients"]
    assert (patients["table"], patients["first_name"], patients["birthday"]) == (
        "Patients",
        "First_Name",
        "Date_of_Birth",
    )
    assert "secret of caspio" not in file.read_text()
    assert "labbridge practice apply" in done.stdout
    assert caspio_sim.tables() == before, "it changes nothing in Caspio"
    assert not provision(apply(load(file)).practice, dry_run=True).problems


def test_for_scripts(init: Any, file: Path) -> None:
    shown = json.loads(init("--json", "--dry-run").stdout)
    assert shown["mapping"]["email"] == {
        "field": "Email",
        "reason": "its name says so, and it is of the type STRING",
    }
    assert (shown["table"], shown["dry_run"]) == ("Patients", True)
    assert not file.exists()
    assert tomllib.loads(init("--yes", "--dry-run").stdout)["practice"]["slug"] == "willow"


def test_a_person_is_asked_and_sees_why(init: Any, file: Path) -> None:
    done = init(answer="cedar\n\ny\n")
    assert done.exit_code == 0, done.output
    assert "its name says so" in done.stderr
    assert tomllib.loads(file.read_text())["practice"]["slug"] == "cedar"


def test_a_person_may_say_no(init: Any, file: Path) -> None:
    done = init(answer="\n\nn\n")
    assert (done.exit_code, file.exists()) == (2, False)
    assert "--map OURS=THEIRS" in done.stderr


def test_typed_secrets_go_into_files_of_their_own(init: Any, file: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("CASPIO_CLIENT_SECRET")
    done = init(answer="\nsecret of caspio\n\ny\n")
    assert done.exit_code == 0, done.output
    kept = file.with_name("practice.caspio_client_secret")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert tomllib.loads(file.read_text())["caspio"]["client_secret"] == f"file:{kept}"
    assert "secret of caspio" not in done.output + file.read_text()


def test_a_file_that_is_there_stays(init: Any, file: Path) -> None:
    file.write_text("mine")
    done = init("--yes")
    assert (done.exit_code, file.read_text()) == (2, "mine")
    assert init("--yes", "--force").exit_code == 0


def test_wrong_credentials(init: Any, file: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("CASPIO_CLIENT_SECRET", "wrong")
    done = init("--yes")
    assert (done.exit_code, file.exists()) == (1, False)
    assert done.stderr.count("\n") == 1


def test_an_unreachable_account(init: Any, file: Path, caspio_sim: Any) -> None:
    assert init("--yes", url=f"http://127.0.0.1:{free_port()}").exit_code == 3
    caspio_sim.fault("unavailable")
    assert init("--yes").exit_code == 3
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--patients-table", "Nowhere"], "Caspio has no table Nowhere. There are:"),
        (["--map", "email=Nothing"], "has no field Nothing. It has:"),
        (["--map", "shoe_size=Email"], "say OURS=THEIRS"),
        (["--client-secret", "plain text"], "env:NAME or file:PATH"),
        (["--client-secret", "env:NOT_SET_AT_ALL"], "NOT_SET_AT_ALL is not set"),
        (["--slug", "Not A Slug"], "practice.slug"),
        (["--caspio-url", "https://evil.example"], "must end in .caspio.com"),
    ],
)
def test_wrong_use(init: Any, file: Path, arguments: list[str], sentence: str) -> None:
    done = init("--yes", *arguments)
    assert (done.exit_code, file.exists()) == (2, False), done.output
    assert sentence in done.stderr
    assert "plain text" not in done.stderr


def test_no_patients_table(init: Any, file: Path, tmp_path: Path) -> None:
    app = caspio_simulator.create_app(
        tmp_path / "empty.sqlite", client_id="client", client_secret="secret of caspio", deliver=False
    )
    with _served(app) as url:
        client = Caspio(url, "client", "secret of caspio", allow_http=True)
        client.create_table("Invoices", [NewField(name="Number", type="STRING")])
        client.close()
        done = init("--yes", url=url)
    app.close()
    assert (done.exit_code, file.exists()) == (2, False)
    assert (
        "No table looks like that of the patients. Name it with --patients-table; there are: Invoices."
        in done.stderr
    )
