"""The catalogue's data, the process, and that nothing of ours is imported."""

import ast
import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

import labbridge.simulators.rupa
from labbridge.simulators.rupa import create_app

FOLDER = Path(labbridge.simulators.rupa.__file__).parent


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module


def test_it_imports_nothing_of_labbridge_but_simulators():
    names = {name for path in FOLDER.glob("*.py") for name in imports(path)}
    ours = {name for name in names if name.startswith("labbridge")}
    assert ours
    assert not {
        name
        for name in ours
        if not name.startswith(("labbridge.simulators.rupa", "labbridge.simulators.faults"))
    }
    assert not {name for name in names if name.startswith("django")}


def lab_tests(sim):
    return sim.world.store.many("lab_test")


def test_the_catalogue_has_all_kinds_of_tests(sim):
    tests = lab_tests(sim)
    by_id = {test["id"]: test for test in tests}
    assert len(tests) >= 300
    assert sim.world.store.count("lab_company") >= 35
    addons = [test for test in tests if test["is_addon"]]
    assert len(addons) >= 10
    for addon in addons:
        parent = by_id[addon["parent"]]
        assert not parent["is_addon"]
        assert parent["lab_company"] == addon["lab_company"]
    assert sum(test["disabled"] for test in tests) >= 3
    assert sum(bool(test["unavailable_reason"]) for test in tests) >= 3
    assert {test["files"] for test in tests} == {"pdf", "hl7"}
    for test in tests:
        assert 0 < test["shipping_days_min"] <= test["shipping_days_max"]
        assert test["price_cents"] > 0
        assert test["estimated_days_for_results"] > 0


def test_the_catalogue_is_the_same_in_every_fresh_simulator(sim, tmp_path):
    other = create_app(
        tmp_path / "other.sqlite3", client_id="a", client_secret="b", signing_secret="c", send=False
    )
    assert lab_tests(other) == lab_tests(sim)
    other.close()


def test_the_catalogue_can_be_made_large(make):
    tests = lab_tests(make(catalogue_size=1000))
    assert len({test["id"] for test in tests}) == len(tests) == 1000


def test_options_are_kept_and_those_given_win(make):
    first = make(expires_in=100, slash="required")
    first.close()
    second = make(slash="both")
    assert (second.world.options.expires_in, second.world.options.slash) == (100, "both")
    with pytest.raises(ValueError, match="unknown option nonsense"):
        make(nonsense=1)


@pytest.fixture
def start(tmp_path):
    """Run `python -m labbridge.simulators.rupa`; return the process and its address."""
    running = []

    def begin(*more):
        command = [
            sys.executable,
            "-m",
            "labbridge.simulators.rupa",
            "--state",
            str(tmp_path / "own.sqlite3"),
        ]
        process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True)
        running.append(process)
        told = json.loads(process.stdout.readline())
        assert told["simulator"] == "rupa"
        return process, told["address"]

    yield begin
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_serves_until_it_is_told_to_stop_and_keeps_what_it_has(start):
    process, address = start("--port", "0", "-o", "expires_in=500")
    pair = httpx2.post(f"{address}/_sim/tokens", json={}).json()
    assert pair["expires_in"] == 500
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    patients = httpx2.get(f"{address}/patients/", headers=bearer).json()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    _, again = start()
    assert httpx2.get(f"{again}/patients/", headers=bearer).json()["data"] == patients["data"]


def test_a_dropped_connection_is_dropped(start):
    _, address = start()
    httpx2.post(f"{address}/_sim/faults", json={"kind": "reset_before", "match": {"path": "^/patients"}})
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"{address}/patients/")
