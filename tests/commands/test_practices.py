"""`practice`, `provision`, `rupa connect`, `sync`, `backfill` as typed, against both simulators."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from labbridge.inbox.models import Event
from labbridge.mirror.models import Order
from labbridge.practices.models import Connection, Consent, Practice
from tests.analytics.conftest import put
from tests.practices.test_consent import agree

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(practice_toml, connected_deployment, tmp_path) -> str:
    path = tmp_path / "practice.toml"
    path.write_text(practice_toml)
    return str(path)


def test_apply_tells_what_it_did_and_who_works_there(labbridge, file):
    tried = labbridge("practice", "apply", file, "--dry-run")
    assert tried.exit_code == 0
    assert "would create practice willow" in tried.stdout
    assert not Practice.objects.exists()
    done = labbridge("practice", "apply", file)
    assert done.exit_code == 0
    assert "create practice willow" in done.stdout
    assert "3 practitioners of the clinic are known" in done.stdout
    again = labbridge("practice", "apply", file)
    assert (again.exit_code, again.stdout) == (0, "nothing to change\n")


def test_apply_for_scripts(labbridge, file):
    shown = json.loads(labbridge("practice", "apply", file, "--json").stdout)
    assert (shown["practice"], shown["dry_run"]) == ("willow", False)
    assert "create practice willow" in shown["changes"]
    assert len(shown["notes"]) == 1


def test_apply_while_rupa_is_away_keeps_the_authorisation_and_tries_again(
    labbridge, file, rupa_sim, run_jobs
):
    rupa_sim.fault("unavailable")
    done = labbridge("practice", "apply", file)
    assert done.exit_code == 0
    assert "tried again while the service runs" in done.stdout
    rupa_sim.heal()
    run_jobs()
    assert Practice.objects.get().practitioners.count() == 3


def test_a_change_of_the_price_unit_files_again(
    labbridge, file, practice_toml, add_patient, rupa_sim, caspio_sim
):
    labbridge("practice", "apply", file)
    labbridge("provision")
    rupa_sim.order(add_patient(1)["id"])
    assert labbridge("sync", "orders").exit_code == 0
    assert caspio_sim.tables()["Lab_Orders"][0]["Total_Price"] is not None
    Path(file).write_text(practice_toml.replace('"dollars"', '"unknown"'))
    assert "1 orders are compared with Caspio again" in labbridge("practice", "apply", file).stdout
    labbridge("sync", "orders")
    assert caspio_sim.tables()["Lab_Orders"][0]["Total_Price"] is None


def test_another_table_name_moves_the_orders_there(
    labbridge, file, practice_toml, add_patient, rupa_sim, caspio_sim
):
    labbridge("practice", "apply", file)
    labbridge("provision")
    order = rupa_sim.order(add_patient(1)["id"])
    labbridge("sync", "orders")
    Path(file).write_text(
        practice_toml.replace("[sync]", '[caspio.tables]\nlab_orders = "Orders_Anew"\n[sync]')
    )
    labbridge("practice", "apply", file)
    labbridge("provision")
    assert labbridge("sync", "orders").exit_code == 0
    tables = caspio_sim.tables()
    assert [row["Rupa_Order_ID"] for row in tables["Orders_Anew"]] == [order]
    assert [row["Rupa_Order_ID"] for row in tables["Lab_Orders"]] == [order], "the old rows are left alone"


def test_show_tells_what_is_connected_and_no_secret(labbridge, practice):
    text = labbridge("practice", "show").stdout
    assert "willow: Willow Functional Medicine (America/Los_Angeles)" in text
    assert "rupa ada@willow.example: active" in text
    assert "practitioners known: 3" in text
    (shown,) = json.loads(labbridge("practice", "show", "willow", "--json").stdout)
    assert shown["practitioners"] == 3
    assert {one["peer"] for one in shown["connections"]} == {"caspio", "rupa"}
    for secret in ("secret of caspio", "whsec"):
        assert secret not in text + json.dumps(shown)


def test_show_says_how_to_begin(labbridge):
    assert "labbridge practice apply FILE" in labbridge("practice", "show").stdout


# -- provision -------------------------------------------------------------------------------------------


def test_provision_tells_makes_and_repeats(labbridge, file, caspio_sim):
    labbridge("practice", "apply", file)
    told = labbridge("provision", "--dry-run").stdout
    assert "would create table Lab_Orders" in told
    assert "would listen to table.recordInsert of Patients" in told
    assert "Lab_Orders" not in caspio_sim.tables()
    shown = json.loads(labbridge("provision", "--json").stdout)
    assert (shown["tables"], shown["webhooks"], shown["problems"]) == (11, 7, 0)
    assert "Lab_Orders" in shown["created"]["tables"]
    assert labbridge("provision").stdout == "Everything is there.\n"


def test_provision_finds_problems(labbridge, file, caspio_sim):
    from labbridge.simulators.caspio import design

    labbridge("practice", "apply", file)
    design.create_table(caspio_sim.app.account.store, "Lab_Orders", [{"Name": "Phase", "Type": "YES/NO"}])
    done = labbridge("provision")
    assert done.exit_code == 1
    assert "Phase of the table Lab_Orders" in done.stdout
    shown = labbridge("provision", "--json", "--dry-run")
    assert (shown.exit_code, json.loads(shown.stdout)["problems"]) == (1, 1)


def test_provision_with_caspio_away_is_3_and_with_a_wrong_secret_1(labbridge, file, caspio_sim):
    labbridge("practice", "apply", file)
    caspio_sim.fault("unavailable")
    done = labbridge("provision")
    assert (done.exit_code, "caspio: " in done.stderr) == (3, True)
    caspio_sim.heal()
    held = Connection.objects.get(peer="caspio")
    held.credentials = {**held.credentials, "client_secret": "wrong"}
    held.save()
    refused = labbridge("provision")
    assert refused.exit_code == 1
    assert "wrong" not in refused.output


def test_provision_brings_forward_what_waited_for_a_table(labbridge, file, add_patient, rupa_sim, caspio_sim):
    labbridge("practice", "apply", file)
    rupa_sim.order(add_patient(1)["id"])
    waits = labbridge("sync", "orders")
    assert waits.exit_code == 1
    assert "waits: " in waits.stdout
    assert "Lab_Orders" in waits.stdout
    labbridge("provision")
    assert labbridge("sync", "orders").exit_code == 0
    assert len(caspio_sim.tables()["Lab_Orders"]) == 1


# -- rupa connect ----------------------------------------------------------------------------------------


def come_back(outcome: str, seconds: float = 20) -> threading.Thread:
    """Somebody ends the journey that the command waits for, as the callback page would."""
    from labbridge.practices import consent

    def run() -> None:
        end = time.monotonic() + seconds
        while not addresses and time.monotonic() < end:
            time.sleep(0.02)
        back = agree(addresses[0])
        if outcome == "connected":
            consent.finish(back["state"], back["code"], "")
        else:
            with contextlib.suppress(consent.ConsentProblem):
                consent.finish(back["state"], "", "access_denied")
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


addresses: list[str] = []


@pytest.fixture
def overheard(monkeypatch):
    """The address that the command prints, for whoever comes back."""
    from labbridge.practices import consent

    begin = consent.begin

    def listen(*arguments, **named):
        journey = begin(*arguments, **named)
        addresses.append(journey.address)
        return journey

    addresses.clear()
    monkeypatch.setattr(consent, "begin", listen)


def test_connect_waits_until_the_practitioner_is_back(labbridge, practice, overheard):
    thread = come_back("connected")
    done = labbridge("rupa", "connect", "--wait", "20")
    thread.join()
    assert done.exit_code == 0
    assert addresses[0] in done.stdout
    assert done.stdout.endswith("Connected.\n")


def test_connect_for_scripts_is_one_object_a_line(labbridge, practice, overheard):
    thread = come_back("connected")
    lines = labbridge("rupa", "connect", "--wait", "20", "--json").stdout.splitlines()
    thread.join()
    assert [json.loads(line) for line in lines] == [{"address": addresses[0]}, {"connected": 1}]


def test_connect_says_when_the_practitioner_did_not_agree(labbridge, practice, overheard):
    thread = come_back("denied")
    done = labbridge("rupa", "connect", "--wait", "20")
    thread.join()
    assert done.exit_code == 1
    assert "did not agree" in done.stderr


def test_connect_gives_up_waiting(labbridge, practice):
    done = labbridge("rupa", "connect", "--wait", "0")
    assert done.exit_code == 3
    assert "works for an hour" in done.stderr
    assert Consent.objects.count() == 1


def test_connect_without_an_application_at_rupa(labbridge, practice, deployment):
    deployment(rupa_client_id="")
    done = labbridge("rupa", "connect")
    assert done.exit_code == 1
    assert "LABBRIDGE_RUPA_CLIENT_ID" in done.stderr


# -- sync and backfill -----------------------------------------------------------------------------------


def test_sync_orders_returns_when_everything_is_filed(labbridge, practice, add_patient, rupa_sim, caspio_sim):
    for number in (1, 2):
        rupa_sim.order(add_patient(number)["id"])
    tried = json.loads(labbridge("sync", "orders", "--dry-run", "--json").stdout)
    assert (tried["read"], tried["changed"]) == (2, 2)
    assert not Order.objects.exists()
    done = labbridge("sync", "orders", "--json")
    shown = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (shown["read"], shown["changed"], shown["filed"], shown["waiting"]) == (2, 2, 2, 0)
    assert len(caspio_sim.tables()["Lab_Orders"]) == 2
    again = json.loads(labbridge("sync", "orders", "--json").stdout)
    assert (again["changed"], again["unchanged"]) == (0, 2)


def test_sync_orders_says_what_waits_and_why(labbridge, practice, rupa_sim):
    rupa_sim.order(rupa_sim.patient(9)["id"])
    done = labbridge("sync", "orders")
    assert done.exit_code == 1
    assert "waiting: 1" in done.stdout
    assert "waits: No patient in Caspio" in done.stdout
    shown = json.loads(labbridge("sync", "orders", "--json").stdout)
    assert (shown["waiting"], len(shown["reasons"])) == (1, 1)


def test_sync_patients_links_rows_that_were_there_before(
    labbridge, practice, add_patient, rupa_sim, caspio_sim
):
    rupa_sim.order(rupa_sim.patient(1)["id"])
    assert labbridge("sync", "orders").exit_code == 1
    caspio_sim.add(
        "Patients",
        {"Patient_ID": "P-1", "First_Name": "Testa1", "Last_Name": "Sampleperson1",
         "Email": "testa1@patients.example", "Date_of_Birth": "1961-02-15T00:00:00"},
    )  # fmt: skip
    tried = json.loads(labbridge("sync", "patients", "--dry-run", "--json").stdout)
    assert (tried["read"], tried["linked"]) == (1, 1)
    assert not caspio_sim.tables()["Lab_Orders"]
    done = labbridge("sync", "patients", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["linked"] == 1
    assert len(caspio_sim.tables()["Lab_Orders"]) == 1


def test_sync_catalog_writes_only_what_changed(labbridge, practice, rupa_sim, caspio_sim):
    tried = json.loads(labbridge("sync", "catalog", "--dry-run", "--json").stdout)
    assert tried["tests_changed"] >= 300
    assert not caspio_sim.tables()["Lab_Tests"]
    done = json.loads(labbridge("sync", "catalog", "--json").stdout)
    rows = len(caspio_sim.tables()["Lab_Tests"]) + len(caspio_sim.tables()["Lab_Companies"])
    assert tried["rows_to_write"] == rows
    assert done["tests_changed"] == tried["tests_changed"]
    caspio_sim.forget_requests()
    again = json.loads(labbridge("sync", "catalog", "--json").stdout)
    assert (again["tests_changed"], again["unchanged"]) == (0, rows)
    assert caspio_sim.requests() == []


def test_sync_summaries_files_now_and_only_what_changed(labbridge, practice, caspio_sim):
    at = timezone.now()
    put(practice, 1, [("labts_0", None)], submitted_at=at, paid_at=at)
    tried = json.loads(labbridge("sync", "summaries", "--dry-run", "--json").stdout)
    assert tried == {"rows_to_write": 4}
    assert not caspio_sim.tables()["Lab_Analytics_Monthly"]
    assert json.loads(labbridge("sync", "summaries", "--json").stdout)["inserted"] == 4
    caspio_sim.forget_requests()
    assert json.loads(labbridge("sync", "summaries", "--json").stdout) == {"unchanged": 4}
    assert json.loads(labbridge("sync", "summaries", "--dry-run", "--json").stdout) == {"rows_to_write": 0}
    assert caspio_sim.requests() == []


def test_a_dry_run_keeps_a_token_that_it_had_to_renew(labbridge, practice, rupa_sim):
    from tests.practices.test_clients import expire

    for command in (["sync", "catalog"], ["sync", "orders"], ["sync", "patients"]):
        expire(practice)
        assert labbridge(*command, "--dry-run").exit_code == 0, command
    expire(practice)
    assert labbridge("sync", "orders").exit_code == 0, "the authorisation lives on"


def test_with_rupa_away_sync_is_3(labbridge, practice, rupa_sim):
    rupa_sim.fault("unavailable")
    for command in (["sync", "orders"], ["sync", "catalog"], ["backfill", "--since", "2026-01-01"]):
        done = labbridge(*command)
        assert done.exit_code == 3, command
        assert "rupa: " in done.stderr


def test_with_a_lost_authorisation_sync_says_reconnect(labbridge, practice, rupa_sim):
    rupa_sim.call("POST", "/_sim/tokens/disconnect", {})
    done = labbridge("sync", "orders")
    assert done.exit_code == 1
    assert "labbridge rupa connect" in done.stderr


def test_backfill_leaves_out_what_is_older(labbridge, practice, add_patient, rupa_sim):
    rupa_sim.order(add_patient(1)["id"])
    shown = json.loads(labbridge("backfill", "--since", "9999-01-01", "--json").stdout)
    assert (shown["read"], shown["older"], shown["changed"]) == (1, 1, 0)
    shown = json.loads(labbridge("backfill", "--since", "0001-01-01", "--json").stdout)
    assert (shown["older"], shown["filed"]) == (0, 1)


def test_sync_does_not_wait_for_a_worker_that_died_at_its_job(labbridge, practice, add_patient, rupa_sim):
    order_id = rupa_sim.order(add_patient(1)["id"])
    labbridge("sync", "orders")
    from labbridge.handlers.jobs import file_order

    order = Order.objects.get(external_id=order_id)
    file_order.defer(lock=f"willow:file:{order.pk}", order_id=str(order.pk))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE task_name = 'file_order'")
    began = time.monotonic()
    assert labbridge("sync", "orders").exit_code == 0
    assert time.monotonic() - began < 30


def test_a_dead_job_of_an_order_without_an_event_is_told_and_tried_again(
    labbridge, practice, add_patient, rupa_sim, caspio_sim, monkeypatch
):
    """Orders that came by sync have no event that could be dead: the order itself says it."""
    from labbridge.handlers import filing

    def fail(_order: Order) -> None:
        raise RuntimeError("Testa Sampleperson")

    rupa_sim.order(add_patient(1)["id"])
    with monkeypatch.context() as patch:
        patch.setattr(filing, "file_now", fail)
        for _ in range(8):
            done = labbridge("sync", "orders")
            assert done.exit_code == 1
            with connection.cursor() as cursor:
                cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
                cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
                if cursor.fetchone()[0]:
                    break
        else:
            pytest.fail("the job never died")
    assert not Event.objects.exists()
    assert "RuntimeError" in Order.objects.get().filing_problem
    done = labbridge("sync", "orders")
    assert done.exit_code == 0, done.output
    assert Order.objects.get().filing_problem == ""
    assert len(caspio_sim.tables()["Lab_Orders"]) == 1
