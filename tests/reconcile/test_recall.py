"""After a restore: versions of results that only Caspio remembers."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from labbridge.filing.models import FiledRow
from labbridge.inbox.models import Event
from labbridge.mirror.models import Order, OrderedTest, OrderMoment, Result, ResultSource, StoredFile, Take
from labbridge.peers.errors import Unavailable
from labbridge.practices.clients import caspio
from labbridge.practices.models import Connection, Practice
from labbridge.reconcile.recall import recall

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def forgotten(
    practice: Practice, add_patient: Any, rupa_sim: Any, deliver_all: Any, run_jobs: Any, caspio_sim: Any
) -> list[dict[str, Any]]:
    """A result and its amendment are in Caspio; here nothing of the order is left. Returns the rows of results."""
    order = rupa_sim.order(add_patient(1)["id"])
    rupa_sim.act(order, "result")
    deliver_all()
    run_jobs()
    rupa_sim.act(order, "amend")
    deliver_all()
    run_jobs()
    rows = result_rows(caspio_sim)
    assert [row["Version"] for row in rows] == [1, 2]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL labbridge.retention = 'on'")  # else the history lets go of nothing
        for model in (
            Result,
            Take,
            ResultSource,
            OrderMoment,
            OrderedTest,
            Order,
            StoredFile,
            FiledRow,
            Event,
        ):
            model.objects.all().delete()  # type: ignore[attr-defined]  # each has its manager
    return rows


def result_rows(caspio_sim: Any) -> list[dict[str, Any]]:
    rows = sorted(caspio_sim.tables()["Lab_Results"], key=lambda row: row["Version"])
    return [{name: value for name, value in row.items() if name != "Synced_At"} for row in rows]


def versions() -> list[tuple[int, str]]:
    return [(one.version, one.pdf.sha256 if one.pdf else "") for one in Result.objects.order_by("version")]


def test_both_versions_are_known_again_and_no_row_changes(
    practice: Practice, forgotten: list[dict[str, Any]], caspio_sim: Any, run_jobs: Any
) -> None:
    assert recall(practice)["recalled"] == 2
    assert versions() == [(row["Version"], row["Pdf_Sha256"]) for row in forgotten]
    run_jobs()
    assert versions() == [(row["Version"], row["Pdf_Sha256"]) for row in forgotten], (
        "Rupa's newest is the second"
    )
    assert result_rows(caspio_sim) == forgotten
    assert recall(practice)["recalled"] == 0


def test_without_it_the_first_row_would_get_the_newest_report(
    practice: Practice, forgotten: list[dict[str, Any]], caspio_sim: Any, run_jobs: Any
) -> None:
    from labbridge.reconcile.orders import pull_orders

    pull_orders(practice)
    run_jobs()
    assert result_rows(caspio_sim) != forgotten


def test_a_file_that_was_exchanged_in_caspio_is_not_believed(
    practice: Practice, forgotten: list[dict[str, Any]], run_jobs: Any
) -> None:
    with caspio(practice, "test") as client:
        client.table("Lab_Results").upload("Result_PDF", forgotten[0]["PK_ID"], "x.pdf", b"%PDF-another")
    assert recall(practice)["recalled"] == 2
    run_jobs()
    assert forgotten[0]["Pdf_Sha256"] not in {sha256 for _, sha256 in versions()}
    assert not StoredFile.objects.filter(size=len(b"%PDF-another")).exists()


def test_without_an_authorisation_what_is_held_is_looked_at(
    practice: Practice, forgotten: list[dict[str, Any]]
) -> None:
    Connection.objects.filter(peer="rupa").update(state="reconnect")
    assert recall(practice) == {"recalled": 0, "not_connected": 1}


def test_a_peer_that_is_away_is_told(
    practice: Practice, forgotten: list[dict[str, Any]], caspio_sim: Any
) -> None:
    caspio_sim.fault("unavailable")
    with pytest.raises(Unavailable):
        recall(practice)
    caspio_sim.heal()
    assert recall(practice)["recalled"] == 2


def test_as_typed(labbridge: Any, practice: Practice, forgotten: list[dict[str, Any]]) -> None:
    assert "2 versions of results were learnt from Caspio." in labbridge("recall").stdout
