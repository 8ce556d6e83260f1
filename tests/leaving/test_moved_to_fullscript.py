"""The plan of docs/leaving.md for a practice that Rupa moves to Fullscript, played between the simulators."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labbridge.mirror.models import Order, PatientLink, Result
from labbridge.ordering.models import OrderRequest, RequestState, Waits
from labbridge.peers.lab import LabPeer
from labbridge.practices.clients import LAB_PEERS, lab, rupa_connection
from labbridge.practices.connections import standing
from labbridge.practices.models import Connection, Practice
from labbridge.reconcile.ledger import verify
from labbridge.reconcile.models import LedgerEntry
from labbridge.trust.models import AuditEntry
from tests.conftest import RunningCaspio, RunningRupa

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_connection_ends_and_nothing_else_does(
    practice: Practice, caspio_sim: RunningCaspio, rupa_sim: RunningRupa, add_patient: Any, run_jobs: Any,
    deliver_all: Any, labbridge: Any, tmp_path: Any, practice_toml: str,
) -> None:  # fmt: skip
    one, two = add_patient(1), add_patient(2)
    done, opened = rupa_sim.order(one["id"]), rupa_sim.order(two["id"])
    rupa_sim.act(done, "result")
    deliver_all()
    run_jobs(waiting=True)
    assert labbridge("sweep").exit_code == 0
    before, links = caspio_sim.tables(), set(PatientLink.objects.values_list("chart__key", "made_at"))
    files = list(Result.objects.values_list("pdf__sha256", flat=True))

    # The day: the connection ends, and says so; its tokens are forgotten.
    assert labbridge("rupa", "end", "--dry-run").exit_code == 0
    assert "ended" in labbridge("rupa", "end").output
    connection = Connection.objects.get(peer="rupa")
    assert (standing(connection).state, connection.credentials) == ("ended", {})
    assert AuditEntry.objects.filter(action="connection.end", practice="willow").exists()

    # Nobody is asked any more, whatever runs, and nothing is taken away.
    rupa_sim.forget_requests()
    swept = labbridge("sweep")
    run_jobs(waiting=True)
    assert swept.exit_code == 0, swept.output
    assert "has ended its connection" in swept.output
    assert json.loads(labbridge("sweep", "--dry-run", "--json").stdout)["ended"] == 1
    entry = LedgerEntry.objects.last()
    assert (entry.body["ended"], entry.body["sweep"]["listed_whole"]) == (True, False)
    assert [entry.body[name] for name in ("listed", "held", "filed", "repaired", "difference")] == [
        2,
        2,
        2,
        0,
        0,
    ]
    assert rupa_sim.requests() == []
    assert caspio_sim.tables() == before
    assert set(PatientLink.objects.values_list("chart__key", "made_at")) == links
    assert list(Result.objects.values_list("pdf__sha256", flat=True)) == files
    assert verify(practice) == []

    # An order is asked for all the same: it waits, and says for what.
    labbridge("sync", "patients")
    chart = PatientLink.objects.get(patient__external_id=two["id"]).chart
    request = OrderRequest.objects.create(
        practice=practice, key="req-1", door="api", chart=chart, patient_key=chart.key, test_ids=["labts_1"]
    )
    from labbridge.ordering.start import MustWait, start

    with pytest.raises(MustWait) as waits:
        start(request)
    assert waits.value.waits_for == Waits.CONNECTION
    assert request.state != RequestState.ORDERED

    # A late event is still taken: Rupa tells of the order that was open.
    rupa_sim.act(opened, "cancel")
    deliver_all()
    run_jobs()
    assert Order.objects.get(external_id=opened).phase == "canceled"
    row = next(row for row in caspio_sim.tables()["Lab_Orders"] if row["Rupa_Order_ID"] == opened)
    assert row["Phase"] == "canceled"
    assert rupa_sim.requests() == [one for one in rupa_sim.requests() if "/_sim" in one["path"]]

    # It comes back: the same connection, the same links, no row twice.
    fresh = rupa_sim.call("POST", "/_sim/tokens", {})["refresh_token"]
    toml = "\n".join(f'refresh_token = "{fresh}"' if line.startswith("refresh_token") else line
                     for line in practice_toml.splitlines())  # fmt: skip
    (tmp_path / "practice.toml").write_text(toml)
    assert labbridge("practice", "apply", str(tmp_path / "practice.toml")).exit_code == 0
    assert labbridge("sweep").exit_code == 0
    assert "ended" not in LedgerEntry.objects.last().body
    assert Connection.objects.filter(peer="rupa").count() == 1
    assert sorted(row["Rupa_Order_ID"] for row in caspio_sim.tables()["Lab_Orders"]) == sorted([done, opened])


def test_the_next_adapter_goes_into_one_table(
    practice: Practice,
    monkeypatch: pytest.MonkeyPatch,
    rupa_sim: RunningRupa,
    add_patient: Any,
    run_jobs: Any,
) -> None:
    """Another peer is its client and a line: what pulls orders speaks with whatever the port gives."""
    from contextlib import contextmanager

    from labbridge.handlers.pull import pull_now

    seen = []

    @contextmanager
    def fullscript(connection: Connection, purpose: str) -> Any:
        with LAB_PEERS["rupa"](connection, purpose) as client:  # stands in for the other client
            seen.append(purpose)
            yield client

    monkeypatch.setitem(LAB_PEERS, "fullscript", fullscript)
    Connection.objects.filter(peer="rupa").update(peer="fullscript")
    patient = add_patient(1)
    external = rupa_sim.order(patient["id"])
    with lab(rupa_connection(practice), "orders") as client:
        peer: LabPeer = client
        assert peer.order(external).id == external
    order = Order.objects.create(practice=practice, external_id=external)
    pull_now(order)
    assert "orders" in seen
