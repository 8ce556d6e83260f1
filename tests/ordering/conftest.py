"""A patient who is linked with Rupa and a catalogue to order from; and what Rupa's simulator itself holds.

- `chart`: the row P-1, linked; `[sync] patients = "full"`.
- `test_id(name)`: the id of a test in the catalogue.
- `request_for("DUTCH Complete", **fields)`: a request for it, kept, not tried yet.
- `intents()`: the order intents that the simulator holds.
- `check_out(intent)`: open its checkout as the practitioner's browser does; returns the order's id.
- `row(**fields)`: a row in the request table, as a DataPage writes it; returns its PK_ID.
- `row_of(pk_id)`: what stands on it now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labbridge.catalog.sync import pull_catalog
from labbridge.handlers.charts import read_charts
from labbridge.mirror.models import Chart, LabTest
from labbridge.ordering.models import Door, OrderRequest
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice

TABLE = "Lab_Order_Requests"


@pytest.fixture
def full(practice: Practice) -> Practice:
    practice.config["sync"]["patients"] = "full"
    practice.save()
    return practice


@pytest.fixture
def chart(full: Practice, add_patient: Any, run_jobs: Any) -> Chart:
    add_patient(1)
    with caspio(full, "test") as client:
        read_charts(full, client)
    run_jobs()
    pull_catalog(full)
    return Chart.objects.get(key="P-1")


@pytest.fixture
def test_id(full: Practice) -> Callable[[str], str]:
    return lambda name: LabTest.objects.get(practice=full, name=name).external_id


@pytest.fixture
def request_for(chart: Chart, test_id: Any) -> Callable[..., OrderRequest]:
    def make(*names: str, **more: Any) -> OrderRequest:
        tests = [test_id(name) for name in names or ("DUTCH Complete",)]
        values = {
            "practice": chart.practice, "key": "R-1", "door": Door.BUTTON, "chart": chart, "patient_key": chart.key,
            "test_ids": tests, "chosen_ids": tests,
        }  # fmt: skip
        return OrderRequest.objects.create(**{**values, **more})

    return make


@pytest.fixture
def intents(rupa_sim: Any) -> Callable[[], list[dict[str, Any]]]:
    return lambda: list(rupa_sim.call("GET", "/_sim/state")["order_intents"])


@pytest.fixture
def check_out(rupa_sim: Any) -> Callable[[str], str]:
    def visit(intent_id: str) -> str:
        answer = rupa_sim.http.get(f"/checkout/{intent_id}")
        assert answer.status_code == 303, answer.text[:300]
        return str(answer.headers["location"]).rsplit("/", 1)[-1]

    return visit


@pytest.fixture
def submit(rupa_sim: Any) -> Callable[[str], None]:
    def post(order: str, action: str = "submit") -> None:
        assert rupa_sim.http.post(f"/app/orders/{order}/{action}").status_code == 303

    return post


@pytest.fixture
def row(caspio_sim: Any) -> Callable[..., int]:
    def add(**fields: Any) -> int:
        (pk_id,) = caspio_sim.add(TABLE, {"Patient_Key": "P-1", **fields})
        return int(pk_id)

    return add


@pytest.fixture
def row_of(caspio_sim: Any) -> Callable[[int], dict[str, Any]]:
    return lambda pk_id: next(one for one in caspio_sim.tables()[TABLE] if one["PK_ID"] == pk_id)


@pytest.fixture
def edit(caspio_sim: Any) -> Callable[..., None]:
    """Change a row as the datasheet does."""

    def change(pk_id: int, **fields: Any) -> None:
        from labbridge.simulators.caspio import design, records

        account = caspio_sim.app.account
        with account.store.transaction():
            table = design.find_table(account.store, TABLE)
            records.update(account, table, f"PK_ID={pk_id}", fields, source="Datasheet")

    return change
