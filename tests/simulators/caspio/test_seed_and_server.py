"""Seeding, and the simulator as a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from urllib.request import Request, urlopen

import pytest

from labbridge.simulators.caspio import create_app, seed_practice


def people(tmp_path, name, **options):
    path = tmp_path / name
    seed_practice(path, **options)
    simulator = create_app(path, client_id="id", client_secret="secret", deliver=False)
    rows = simulator.dump()["Patients"]
    simulator.close()
    return rows


def test_the_same_seed_gives_the_same_invented_people(tmp_path):
    first = people(tmp_path, "a.db")
    assert first == people(tmp_path, "b.db")
    assert first != people(tmp_path, "c.db", seed=8)
    assert len(first) == 25
    assert [row["Patient_ID"] for row in first[:2]] == ["P-1001", "P-1002"]
    assert all(row["Email"].endswith("@example.org") for row in first)
    assert all("555-01" in row["Phone"] for row in first)
    assert len({row["Email"] for row in first}) == 25


def test_seeding_twice_changes_nothing_and_fires_nothing(sim, rest):
    assert seed_practice(sim.account, patients=4) == 4
    hook = rest.post("/outgoingWebhooks", {"Name": "W", "OutgoingUrls": ["https://x.example/"]}).json
    event = {"EventType": "table.recordInsert", "ObjectName": "Patients"}
    rest.post(f"/outgoingWebhooks/{hook['Id']}/events", event)
    assert seed_practice(sim.account, patients=9) == 0
    assert len(sim.dump()["Patients"]) == 4
    assert sim.sender.listed() == []


@contextlib.contextmanager
def process(state, *arguments):
    """Start `python -m labbridge.simulators.caspio` and give the process and its address."""
    command = [sys.executable, "-m", "labbridge.simulators.caspio", "--state", str(state), *arguments]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield started, json.loads(started.stdout.readline())["address"]
    finally:
        started.kill()
        started.wait(10)
        started.stdout.close()


def fetched(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(url, data, headers), timeout=10) as answer:
        return json.load(answer)


def test_it_says_where_it_is_and_ends_on_sigterm(tmp_path):
    with process(tmp_path / "s.db", "--patients", "3") as (started, address):
        assert address.startswith("http://127.0.0.1:")
        assert len(fetched(f"{address}/_sim/dump")["Patients"]) == 3
        started.send_signal(signal.SIGTERM)
        assert started.wait(15) == 0


@pytest.mark.crash
def test_a_killed_simulator_goes_on_where_it_was(tmp_path):
    with process(tmp_path / "s.db", "--patients", "3") as (started, address):
        keys = fetched(f"{address}/_sim/import", {"table": "Patients", "rows": [{"Patient_ID": "X"}]})["keys"]
        fetched(f"{address}/_sim/faults", {"kind": "unavailable"})
        before = fetched(f"{address}/_sim/dump")
        os.kill(started.pid, signal.SIGKILL)
    with process(tmp_path / "s.db", "--patients", "3") as (_, address):
        assert fetched(f"{address}/_sim/dump") == before
        assert keys == [4]
        assert [r["kind"] for r in fetched(f"{address}/_sim/faults")] == ["unavailable"]
