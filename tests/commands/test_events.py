"""`events`, `listen`, `trigger` as typed: the shapes that scripts rely on."""

from __future__ import annotations

import json

import pytest

from labbridge.inbox.models import Event, EventState
from labbridge.practices.models import Practice

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = {"id", "peer", "type", "external_id", "practice", "received_at", "state", "reason"}


def event(number: int, **more: object) -> Event:
    return Event.objects.create(
        peer="rupa", external_id=f"evt_{number}", type="moon.rose", subject="moon:1",
        body=b'{"id": "PLANTED", "type": "moon.rose", "data": {}}', **more,
    )  # fmt: skip


def test_list_is_a_list_of_the_promised_shape_oldest_first(labbridge):
    willow = Practice.objects.create(slug="willow", name="Willow")
    made = [event(1), event(2, practice=willow, state="dead", reason="Why.")]
    shown = json.loads(labbridge("events", "list", "--json").stdout)
    assert [one["id"] for one in shown] == [str(one.pk) for one in made]
    assert set(shown[0]) >= KEYS
    assert (shown[0]["practice"], shown[1]["practice"]) == (None, "willow")
    assert (shown[1]["state"], shown[1]["reason"]) == ("dead", "Why.")


def test_list_can_be_narrowed(labbridge):
    willow = Practice.objects.create(slug="willow", name="Willow")
    for number, state in enumerate(EventState.values):
        event(number, state=state, practice=willow if number == 1 else None)

    def ids(*options: str) -> list[str]:
        return [
            one["external_id"] for one in json.loads(labbridge("events", "list", "--json", *options).stdout)
        ]

    for number, state in enumerate(EventState.values):
        assert ids("--state", state) == [f"evt_{number}"]
    assert ids("--practice", "willow") == ["evt_1"]
    assert ids("--peer", "caspio") == []
    assert ids("--limit", "2") == ["evt_3", "evt_4"], "the newest, oldest first"


def test_list_for_people(labbridge):
    assert labbridge("events", "list").stdout == "No events.\n"
    event(1, state="quarantined", reason="No practice has it.")
    line = labbridge("events", "list").stdout
    assert "quarantined" in line
    assert "No practice has it." in line


def test_show_by_either_id_and_never_the_payload(labbridge):
    kept = event(1)
    for name in (str(kept.pk), "evt_1"):
        done = labbridge("events", "show", name, "--json")
        assert json.loads(done.stdout)["external_id"] == "evt_1"
        assert "PLANTED" not in done.output + labbridge("events", "show", name).output


def test_replay_one_or_all_of_a_state(labbridge, run_jobs):
    event(1, state="dead", reason="An error.")
    event(2, state="quarantined")
    event(3, state="quarantined")
    tried = json.loads(labbridge("events", "replay", "--state", "quarantined", "--dry-run", "--json").stdout)
    assert tried == {"would_replay": 2}
    assert Event.objects.filter(state="received").count() == 0
    assert json.loads(labbridge("events", "replay", "evt_1", "--json").stdout) == {"replayed": 1}
    assert labbridge("events", "replay", "--state", "quarantined").stdout == "replayed: 2\n"
    assert Event.objects.filter(state="received").count() == 3
    run_jobs()
    assert Event.objects.filter(state="handled").count() == 3


def test_listen_shows_what_arrives_and_what_becomes_of_it(labbridge, monkeypatch):
    event(0, state="handled")
    old = event(1, state="waiting")
    looks: list[float] = []

    def between_two_looks(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) > 1:
            raise KeyboardInterrupt
        event(2)
        old.settle(EventState.HANDLED)

    monkeypatch.setattr("labbridge.commands.events.time.sleep", between_two_looks)
    done = labbridge("listen", "--json")
    assert done.exit_code == 0
    seen = {(one["external_id"], one["state"]) for one in map(json.loads, done.stdout.splitlines())}
    assert seen == {("evt_2", "received"), ("evt_1", "handled")}


def test_listen_ends_by_itself_when_asked(labbridge):
    done = labbridge("listen", "--seconds", "0.1")
    assert (done.exit_code, done.stdout) == (0, "")


def test_listen_reads_whole_only_what_changed(labbridge):
    from labbridge.commands.events import _Watch

    for number in range(5):
        event(number)
    watch = _Watch()
    assert list(watch.changed()) == []
    new = event(7)
    assert list(watch.changed()) == [new]
    assert list(watch.changed()) == []
    new.settle(EventState.HANDLED)
    assert [(one.pk, one.state) for one in watch.changed()] == [(new.pk, "handled")]
    quick = event(8, state="handled")
    assert list(watch.changed()) == [quick], "handled before anybody could look"
    assert list(watch.changed()) == []


def test_listen_ends_well_when_a_person_ends_it(labbridge, monkeypatch):
    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("labbridge.commands.events.time.sleep", stop)
    assert labbridge("listen").exit_code == 0


def test_trigger_makes_the_simulator_send(labbridge, rupa_sim, connected_deployment):
    done = labbridge("trigger", "order.updated", "--json")
    assert json.loads(done.stdout) == {"triggered": 1}
    assert "order.updated" in [one["type"] for one in rupa_sim.call("GET", "/_sim/events")]


def test_trigger_is_for_simulators_only(labbridge, deployment):
    deployment(rupa_api_url="https://api.rupahealth.com")
    done = labbridge("trigger", "order.updated")
    assert (done.exit_code, "only a simulator" in done.stderr) == (2, True)


def test_trigger_without_a_simulator(labbridge, deployment):
    deployment(rupa_api_url="http://127.0.0.1:9")
    done = labbridge("trigger", "order.updated")
    assert (done.exit_code, "labbridge simulate rupa" in done.stderr) == (3, True)
