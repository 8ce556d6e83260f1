"""Provisioning a Caspio account: all of it, repeatable, and a sentence for what a person must mend."""

from __future__ import annotations

from typing import Any

import pytest

from labbridge.filing.provision import Provisioned, provision, webhook_url
from labbridge.filing.tables import TABLES
from labbridge.peers.errors import PeerError
from labbridge.practices.apply import apply
from labbridge.practices.clients import caspio, caspio_connection
from labbridge.practices.config import parse
from labbridge.practices.models import Connection, Practice
from labbridge.simulators.caspio import design, seed_practice, webhooks

pytestmark = pytest.mark.django_db(transaction=True)

KEY = {"Type": "STRING", "Unique": True}
EVENTS = ("recordInsert", "recordUpdate", "recordDelete")


@pytest.fixture
def caspio_sim(caspio_sim: Any) -> Any:
    """With the practice's own Patients table, which this folder's account comes without."""
    seed_practice(caspio_sim.app.account, 0)
    return caspio_sim


@pytest.fixture
def willow(practice_toml, connected_deployment) -> Practice:
    """Applied, not provisioned."""
    return apply(parse(practice_toml)).practice


def hooks(practice: Practice) -> list[Any]:
    with caspio(practice, "tests") as client:
        return client.outgoing_webhooks()


def listened(practice: Practice) -> set[tuple[str, str]]:
    with caspio(practice, "tests") as client:
        return {
            (str(event.object_name), event.type.removeprefix("table."))
            for hook in client.outgoing_webhooks()
            for event in client.webhook_events(hook.id)
        }


def secret_of(practice: Practice) -> str | None:
    return (caspio_connection(practice).credentials or {}).get("webhook_secret")


def writes(sim: Any) -> list[str]:
    return [
        one["path"]
        for one in sim.requests()
        if one["method"] in {"POST", "PUT", "DELETE"} and one["path"] != "/oauth/token"
    ]


def test_everything_is_made(willow, caspio_sim):
    done = provision(willow)
    assert done.problems == []
    assert sorted(done.tables) == sorted(willow.config["caspio"]["tables"].values())
    assert len(done.tables) == 11
    assert done.webhooks[0] == f"create webhook to {webhook_url(willow)}"
    with caspio(willow, "tests") as client:
        assert set(done.tables) <= set(client.tables())
        for word, spec in TABLES.items():
            held = {
                item.name: item for item in client.table("_".join(map(str.title, word.split("_")))).fields()
            }
            for wanted in spec.fields:
                assert held[wanted.name].type == wanted.type, (word, wanted.name)
                assert bool(held[wanted.name].unique) == wanted.unique, (word, wanted.name)


def test_the_webhook_tells_of_patients_and_requests_but_not_of_our_own_writes(willow):
    provision(willow)
    (hook,) = hooks(willow)
    assert hook.outgoing_urls == [webhook_url(willow)]
    assert listened(willow) == {
        (table, kind) for table in ("Patients", "Lab_Order_Requests") for kind in EVENTS
    }
    assert secret_of(willow)
    with caspio(willow, "tests") as client:
        for event in client.webhook_events(hook.id):
            assert set(event.event_sources or []) == set(webhooks.SOURCES) - {"RESTAPIs"}


def test_an_account_that_knows_fewer_sources_is_asked_for_those(willow, monkeypatch):
    known = ("Datasheet", "DataPages", "RESTAPIs", "TriggeredActions", "Tasks")
    monkeypatch.setattr(webhooks, "SOURCES", known)
    assert provision(willow).problems == []
    (hook,) = hooks(willow)
    with caspio(willow, "tests") as client:
        told = client.webhook_events(hook.id)
    assert len(told) == 6
    assert all(set(event.event_sources or []) == set(known) - {"RESTAPIs"} for event in told)


def test_a_second_time_nothing_is_made(willow, caspio_sim):
    provision(willow)
    secret = secret_of(willow)
    caspio_sim.forget_requests()
    again = provision(willow)
    assert again == Provisioned()
    assert writes(caspio_sim) == []
    assert secret_of(willow) == secret


def test_a_dry_run_tells_the_same_and_writes_nothing(willow, caspio_sim):
    told = provision(willow, dry_run=True)
    assert writes(caspio_sim) == []
    assert secret_of(willow) is None
    assert told == provision(willow)


def test_missing_fields_are_added_and_others_left_alone(willow, caspio_sim):
    store = caspio_sim.app.account.store
    text = {"Type": "STRING"}
    design.create_table(store, "lab_orders", [{"Name": "Rupa_Order_ID", **KEY}, {"Name": "Our_Note", **text}])
    done = provision(willow)
    assert done.problems == []
    assert "Lab_Orders" not in done.tables
    assert "lab_orders.Phase" in done.fields
    names = {field.name for field in design.find_table(store, "lab_orders").shown}
    assert {"Our_Note", "Phase", "Synced_At"} <= names


def test_a_type_that_holds_our_values_as_well_is_good_enough(willow, caspio_sim):
    store = caspio_sim.app.account.store
    design.create_table(
        store, "Lab_Companies", [{"Name": "Rupa_Lab_Company_ID", **KEY}, {"Name": "Name", "Type": "TEXT"}]
    )
    assert provision(willow).problems == []


def test_a_field_of_the_wrong_type_is_named_and_never_changed(willow, caspio_sim):
    store = caspio_sim.app.account.store
    design.create_table(
        store, "Lab_Orders", [{"Name": "Rupa_Order_ID", **KEY}, {"Name": "Submitted_At", "Type": "YES/NO"}]
    )
    done = provision(willow)
    (problem,) = done.problems
    for word in ("Submitted_At", "Lab_Orders", "YES/NO", "DATE/TIME", "provision again"):
        assert word in problem
    field = next(one for one in design.find_table(store, "Lab_Orders").shown if one.name == "Submitted_At")
    assert field.type == "YES/NO"
    assert done.webhooks == [], "nothing may come in before its tables are right"


def test_a_key_field_that_is_not_unique_is_named(willow, caspio_sim):
    store = caspio_sim.app.account.store
    design.create_table(store, "Lab_Orders", [{"Name": "Rupa_Order_ID", "Type": "STRING"}])
    (problem,) = provision(willow).problems
    assert "Rupa_Order_ID of the table Lab_Orders is not unique" in problem


def test_a_patients_key_that_two_patients_could_share_is_named(practice_toml, connected_deployment):
    willow = apply(parse(practice_toml.replace('key = "Patient_ID"', 'key = "Last_Name"'))).practice
    (problem,) = provision(willow).problems
    assert "Last_Name of the table Patients is not unique" in problem


def test_pk_id_is_a_key_without_saying(practice_toml, connected_deployment):
    willow = apply(parse(practice_toml.replace('key = "Patient_ID"\n', ""))).practice
    assert provision(willow).problems == []


def test_a_missing_patients_table_is_named(practice_toml, connected_deployment):
    willow = apply(parse(practice_toml.replace('table = "Patients"', 'table = "Kunden"'))).practice
    (problem,) = provision(willow).problems
    assert "no table Kunden" in problem
    assert "[caspio.patients]" in problem


def test_a_missing_patients_field_is_named(practice_toml, connected_deployment):
    text = practice_toml.replace('email = "Email"', 'email = "Mail"').replace(
        'phone = "Phone"', 'phone = "Fon"'
    )
    done = provision(apply(parse(text)).practice)
    assert len(done.problems) == 2
    assert any("no field Mail" in problem and "for email" in problem for problem in done.problems)


def test_fields_that_we_write_to_the_patients_table_are_added(willow, caspio_sim):
    store = caspio_sim.app.account.store
    table = design.find_table(store, "Patients")
    for name in ("Rupa_Sync_Status", "Rupa_Synced_At"):
        design.drop_field(store, table, next(one for one in table.shown if one.name == name))
    assert sorted(provision(willow).fields) == ["Patients.Rupa_Sync_Status", "Patients.Rupa_Synced_At"]
    names = {field.name: field.type for field in design.find_table(store, "Patients").shown}
    assert names["Rupa_Synced_At"] == "DATE/TIME"


def test_a_practice_that_wants_none_of_them_gets_none(practice_toml, connected_deployment):
    off = "".join(f'{name} = ""\n' for name in ("sync_status", "sync_message", "synced_at"))
    willow = apply(
        parse(practice_toml.replace('key = "Patient_ID"\n', 'key = "Patient_ID"\n' + off))
    ).practice
    assert provision(willow).fields == []


def test_tables_may_have_other_names(practice_toml, connected_deployment, caspio_sim):
    text = practice_toml.replace("[sync]", '[caspio.tables]\nlab_orders = "Orders_of_Rupa"\n[sync]')
    provision(apply(parse(text)).practice)
    names = design.table_names(caspio_sim.app.account.store)
    assert "Orders_of_Rupa" in names
    assert "Lab_Orders" not in names


# -- the webhook -----------------------------------------------------------------------------------------


def forget_secret(practice: Practice) -> None:
    held = Connection.objects.get(practice=practice, peer="caspio")
    held.credentials = {k: v for k, v in (held.credentials or {}).items() if k != "webhook_secret"}
    held.save()


def test_a_webhook_of_ours_whose_secret_is_lost_is_made_anew(willow):
    provision(willow)
    (before,) = hooks(willow)
    forget_secret(willow)
    told = provision(willow, dry_run=True).webhooks
    assert hooks(willow) == [before]
    done = provision(willow)
    assert told == done.webhooks
    assert "its secret is not known here" in done.webhooks[0]
    (after,) = hooks(willow)
    assert after.id != before.id
    assert secret_of(willow)
    assert len(listened(willow)) == 6


def test_a_known_secret_keeps_the_webhook_and_completes_what_it_listens_to(willow):
    provision(willow)
    secret, (hook,) = secret_of(willow), hooks(willow)
    with caspio(willow, "tests") as client:
        gone = client.webhook_events(hook.id)[0]
        client.delete_webhook_event(hook.id, gone.id)
    expected = [f"listen to {gone.type} of {gone.object_name}"]
    assert provision(willow, dry_run=True).webhooks == expected
    assert provision(willow).webhooks == expected
    assert secret_of(willow) == secret
    assert [one.id for one in hooks(willow)] == [hook.id]


def test_somebody_elses_webhook_of_our_name_is_left_alone(willow):
    from labbridge.peers.caspio.types import WebhookChange

    with caspio(willow, "tests") as client:
        client.create_webhook(
            WebhookChange(name="Labbridge willow", outgoing_urls=["https://else.example/hook"])
        )
    provision(willow)
    assert sorted(str(hook.name) for hook in hooks(willow)) == ["Labbridge willow", "Labbridge willow 2"]


def test_a_new_webhooks_secret_is_kept_before_anything_else_can_fail(willow, caspio_sim):
    caspio_sim.fault("unavailable", match={"method": "POST", "path": ".*/events$"})
    with pytest.raises(PeerError):
        provision(willow)
    secret = secret_of(willow)
    assert secret
    caspio_sim.heal()
    done = provision(willow)
    assert len(done.webhooks) == 6
    assert secret_of(willow) == secret
    assert len(hooks(willow)) == 1


def test_a_table_made_before_an_outage_stays_and_the_rest_follows(willow, caspio_sim):
    caspio_sim.fault("unavailable", match={"method": "POST", "path": ".*/tables$"}, skip=3)
    with pytest.raises(PeerError):
        provision(willow)
    caspio_sim.heal()
    assert len(provision(willow).tables) == len(TABLES) - 3


def test_counts_are_what_was_done(willow):
    assert provision(willow).counts() == {"tables": 11, "fields": 0, "webhooks": 7, "problems": 0}
