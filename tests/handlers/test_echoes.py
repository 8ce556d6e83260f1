"""Messages about rows: a burst costs one reading, our own writes cost none, what a person wrote is never missed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from labbridge.filing.models import FiledRow, RowState
from labbridge.filing.patients import digest, written_fields
from labbridge.mirror.models import Chart, PatientLink
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice
from tests.handlers.rows import AT_RUPA, row

pytestmark = pytest.mark.django_db(transaction=True)


def calls(caspio_sim: Any) -> Counter[str]:
    return Counter(one["method"] for one in caspio_sim.requests())


def test_ten_changes_in_a_second_cost_one_reading(
    practice: Practice, insert: Any, sync: Any, change: Any, caspio_sim: Any, rupa_sim: Any, say: Any
) -> None:
    insert()
    sync()
    practice.config["sync"]["settle_seconds"] = 20
    practice.save()
    for number in range(10):
        change(Street=f"{number} Sample St")
    caspio_sim.forget_requests()
    rupa_sim.forget_requests()
    for _ in range(10):
        say({"PK_ID": row(caspio_sim)["PK_ID"]}, run=False)
    say({"PK_ID": row(caspio_sim)["PK_ID"]})
    assert calls(caspio_sim)["GET"] == 1
    assert Counter(one["method"] for one in rupa_sim.requests()) == {"PATCH": 1}


def test_our_own_write_comes_back_without_a_call(
    insert: Any, sync: Any, caspio_sim: Any, rupa_sim: Any, say: Any
) -> None:
    insert()
    sync()
    caspio_sim.forget_requests()
    rupa_sim.forget_requests()
    say(row(caspio_sim))
    assert (calls(caspio_sim), rupa_sim.requests()) == (Counter(), [])


def test_an_echo_is_known_before_its_write_is_recorded(
    practice: Practice, insert: Any, sync: Any, caspio_sim: Any, say: Any
) -> None:
    """The message about our write arrives while the call that wrote has not returned yet."""
    insert()
    sync()
    ledger = FiledRow.objects.get(table="patients")
    fields = written_fields(config_of(practice).caspio.patients)
    coming = {**row(caspio_sim), "Rupa_Sync_Message": "Something new."}
    new = digest("sync_message", fields["sync_message"], "Something new.")
    ledger.state, ledger.intended = RowState.INTENDED, {**ledger.fields, "sync_message": new}
    ledger.save()
    caspio_sim.forget_requests()
    say(coming)
    assert calls(caspio_sim) == Counter()


def test_an_id_that_a_person_typed_is_no_echo(
    insert: Any, sync: Any, change: Any, caspio_sim: Any, rupa_sim: Any, say: Any
) -> None:
    """The row holds the status that we wrote, and somebody adds an id to it."""
    theirs = rupa_sim.call("POST", "/_sim/patients", {**AT_RUPA, "email": "old@patients.example"})
    insert()
    sync()
    assert row(caspio_sim)["Rupa_Sync_Status"] == "review"
    change(Rupa_Patient_ID=theirs["id"])
    say(row(caspio_sim))
    assert PatientLink.objects.get().patient.external_id == theirs["id"]
    assert row(caspio_sim)["Rupa_Sync_Status"] == "linked"


def test_an_id_that_a_person_took_off_is_put_back(
    insert: Any, sync: Any, change: Any, caspio_sim: Any, say: Any
) -> None:
    insert()
    sync()
    named = row(caspio_sim)["Rupa_Patient_ID"]
    change(Rupa_Patient_ID="")
    say(row(caspio_sim))
    assert row(caspio_sim)["Rupa_Patient_ID"] == named


def test_a_row_that_comes_back_under_its_key_is_told_anew(
    insert: Any, sync: Any, caspio_sim: Any, practice: Practice
) -> None:
    insert()
    sync()
    first = row(caspio_sim)
    _delete(practice, first["PK_ID"])
    sync()
    assert not Chart.objects.get().present
    insert()
    sync()
    again = row(caspio_sim)
    assert again["PK_ID"] != first["PK_ID"]
    assert (again["Rupa_Patient_ID"], again["Rupa_Sync_Status"]) == (first["Rupa_Patient_ID"], "linked")


def _delete(practice: Practice, pk_id: int) -> None:
    from labbridge.peers.caspio import where as q
    from labbridge.practices.clients import caspio

    with caspio(practice, "test") as client:
        client.table("Patients").delete(q.field("PK_ID") == pk_id)
