"""Every change of the settings is a version: told in words, undoable, never over somebody else's."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from labbridge.practices.apply import apply, change, change_price_unit, config_of, take_back, without_secrets
from labbridge.practices.config import ConfigProblem, parse
from labbridge.practices.models import ConfigVersion, Connection, Practice
from labbridge.practices.text import kept_of, leaves, toml_of
from labbridge.practices.versions import By, CannotUndo, ChangedMeanwhile, Secrets, latest, undo_of
from labbridge.practices.words import LABELS, PARTS, ROW, SIDES, sentence
from labbridge.trust.audit import Actor
from labbridge.trust.models import AuditEntry
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db

ADA = Actor("person", "7", "ada@willow.example")
URL = "https://c0abc123.caspio.com"
CHANNEL = "mailtos://user:PLANTED@mail.example"


def toml(**changed: str) -> str:
    text = PRACTICE_TOML.format(caspio=URL, rate=5, refresh_token="given 1")
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture
def willow() -> Practice:
    return apply(parse(toml())).practice


def by(practice: Practice | None = None, **more: Any) -> By:
    return By(ADA, base=None if practice is None else latest(practice), **more)


def fresh(practice: Practice) -> Practice:
    return Practice.objects.get(pk=practice.pk)


def undo(practice: Practice, number: int) -> ConfigVersion:
    version = practice.versions.get(number=number)
    done = take_back(version, undo_of(version), by(practice, why="a mistake"))
    assert done.version
    return done.version


def test_the_command_line_makes_versions_too(willow: Practice) -> None:
    (first,) = willow.versions.all()
    assert (first.number, first.before, first.sentences) == (1, "", ["The practice was set up."])
    assert first.actor_kind == "operator"
    apply(parse(toml()))
    assert willow.versions.count() == 1, "nothing changed, so nothing is kept"
    apply(parse(toml(dollars="cents")))
    second = willow.versions.get(number=2)
    assert second.sentences == ["What Rupa's amounts are: cents; before, dollars."]
    assert second.before == first.after
    change_price_unit(willow, "dollars")
    assert willow.versions.get(number=3).sentences == ["What Rupa's amounts are: dollars; before, cents."]


def test_a_dry_run_keeps_no_version(willow: Practice) -> None:
    told = change(willow, {"practice.name": "Other"}, by=by(willow), dry_run=True)
    assert told.sentences == ["The practice's name: Other; before, Willow Functional Medicine."]
    assert willow.versions.count() == 1
    assert fresh(willow).name == "Willow Functional Medicine"


def test_a_change_keeps_secrets_and_everything_else(willow: Practice) -> None:
    before = Connection.objects.get(peer="caspio").credentials
    change(willow, {"sync.policy.phone": "newest"}, by=by(willow, why="Rupa's are newer"))
    assert config_of(fresh(willow)).sync.policy == {"phone": "newest"}
    assert Connection.objects.get(peer="caspio").credentials == before
    newest = willow.versions.get(number=2)
    assert newest.sentences == [
        "When the phone changes later, the newest change counts; before, Caspio's value counts."
    ]
    assert (newest.actor_name, newest.why) == ("ada@willow.example", "Rupa's are newer")
    entry = AuditEntry.objects.filter(action="practice.apply").latest("id")
    assert (entry.actor_name, entry.detail) == ("ada@willow.example", {"version": 2})


CHANGES: list[dict[str, Any]] = [
    {"practice.name": "Willow", "practice.time_zone": "America/New_York"},
    {"sync.policy.phone": "ask", "sync.confirm": ["name"]},
    {"caspio.patients.phone": "Mobile", "caspio.patients.gender": ""},
    {"alerts.quiet_from": "20:00:00", "alerts.quiet_to": "07:00:00", "alerts.calls_per_month": 90_000},
    {"retention.files_days": 90},
    {"billing.tax_id": "12-3456789", "ordering.back_hosts": ["pages.willow.example"]},
    {"rupa.price_unit": "cents", "analytics.hour_cost": 40},
]


@pytest.mark.parametrize("wanted", CHANGES)
def test_each_change_is_told_and_undone(willow: Practice, wanted: dict[str, Any]) -> None:
    before = dict(leaves(fresh(willow).config))
    change(willow, wanted, by=by(willow))
    assert dict(leaves(fresh(willow).config)) != before
    assert len(willow.versions.get(number=2).sentences) == len(wanted)
    done = undo(willow, 2)
    assert dict(leaves(fresh(willow).config)) == before
    assert done.undoes == willow.versions.get(number=2)
    undo(willow, 3)  # an undo can be undone
    now = dict(leaves(fresh(willow).config))
    assert {path: now[path] for path in wanted} == wanted


def test_an_older_version_is_undone_without_what_came_after(willow: Practice) -> None:
    change(willow, {"practice.name": "Birch"}, by=by(willow))
    change(willow, {"sync.settle_seconds": 5}, by=by(willow))
    undo(willow, 2)
    config = config_of(fresh(willow))
    assert (config.practice.name, config.sync.settle_seconds) == ("Willow Functional Medicine", 5)


def test_what_was_changed_again_is_not_undone_blindly(willow: Practice) -> None:
    change(willow, {"practice.name": "Birch"}, by=by(willow))
    change(willow, {"practice.name": "Alder"}, by=by(willow))
    with pytest.raises(CannotUndo, match="changed again since"):
        undo(willow, 2)
    with pytest.raises(CannotUndo, match="began"):
        undo(willow, 1)
    undo(willow, 3)
    assert fresh(willow).name == "Birch"


def test_the_second_of_two_is_told_and_overwrites_nothing(willow: Practice) -> None:
    seen = by(willow)
    change(willow, {"practice.name": "First"}, by=seen)
    for wanted in ({"practice.name": "Second"}, {"sync.settle_seconds": 9}):
        with pytest.raises(ChangedMeanwhile, match=r"ada@willow.example changed .* First; before"):
            change(willow, wanted, by=seen)
    assert fresh(willow).name == "First"
    change(willow, {"sync.settle_seconds": 9}, by=by(willow))
    assert fresh(willow).name == "First"


def test_channels_and_credentials_are_sealed_told_and_undone(willow: Practice) -> None:
    change(willow, {}, by=by(willow), secrets=Secrets(channels=[CHANNEL]))
    assert willow.versions.get(number=2).sentences == ["Alerts go to 1 channel; before, to 0."]
    change(willow, {}, by=by(willow), secrets=Secrets(client_secret="PLANTED secret"))
    assert willow.versions.get(number=3).sentences == ["The credentials of the Caspio account were replaced."]
    with connection.cursor() as cursor:
        cursor.execute("SELECT before || after || sentences::text, sealed FROM practices_configversion")
        for text, sealed in cursor.fetchall():
            assert "PLANTED" not in text
            assert b"PLANTED" not in bytes(sealed or b"")
    undo(willow, 3)
    assert Connection.objects.get(peer="caspio").credentials == {
        "client_id": "client", "client_secret": "secret of caspio",
    }  # fmt: skip
    undo(willow, 2)
    assert fresh(willow).alert_channels == []


def test_the_kept_text_can_be_applied_and_keeps_what_is_stored(willow: Practice) -> None:
    change(willow, {"practice.name": "Birch"}, by=by(willow), secrets=Secrets(channels=[CHANNEL]))
    text = willow.versions.get(number=2).after
    assert 'client_secret = "stored"' in text
    assert apply(parse(text)).changes == []
    assert fresh(willow).alert_channels == [CHANNEL]
    with pytest.raises(ConfigProblem, match="nothing is stored"):
        apply(parse(text.replace('slug = "willow"', 'slug = "birch"')))


def test_stored_credentials_go_to_no_other_account(willow: Practice) -> None:
    with pytest.raises(ConfigProblem, match="another account needs its own"):
        change(willow, {"caspio.url": "https://c0evil000.caspio.com"}, by=by(willow))
    new = Secrets("other", "other secret")
    done = change(willow, {"caspio.url": "https://c0new0000.caspio.com"}, by=by(willow), secrets=new)
    assert done.moved
    undo(willow, 2)
    held = Connection.objects.get(peer="caspio")
    assert (held.account, (held.credentials or {})["client_secret"]) == (
        "c0abc123.caspio.com",
        "secret of caspio",
    )


def test_what_cannot_be_is_told_by_its_setting(willow: Practice) -> None:
    with pytest.raises(ConfigProblem) as told:
        change(willow, {"practice.time_zone": "Mars", "retention.audit_years": 2}, by=by(willow))
    assert told.value.fields.keys() == {"practice.time_zone", "retention.audit_years"}
    assert willow.versions.count() == 1


def test_the_text_is_the_configuration(willow: Practice) -> None:
    change(willow, {"sync.policy.zipcode": "rupa", "alerts.quiet_from": "20:00", "alerts.quiet_to": "07:30"},
           by=by(willow))  # fmt: skip
    kept = fresh(willow).config
    assert kept_of(parse(toml_of(kept))) == kept


def test_every_setting_has_words() -> None:
    kept = without_secrets(parse(toml()))
    own = {f"caspio.patients.{name}" for name in ROW}
    assert {path for path, _ in leaves(kept)} - own <= LABELS.keys()
    for part in PARTS:
        for side in SIDES:
            assert PARTS[part] in sentence(f"sync.policy.{part}", "caspio", side)
    assert sentence("caspio.patients.phone", "Phone", "") == (
        "Phone is no longer read from a field; before, it was Phone."
    )
