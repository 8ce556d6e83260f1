"""Applying a practice.toml: repeatable, honest about what it does, and never losing an authorisation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from labbridge.filing.models import FiledRow, RowState
from labbridge.mirror.models import Chart
from labbridge.peers.rupa.auth import TokenPair
from labbridge.practices.apply import Applied, apply, config_of
from labbridge.practices.clients import store_pair
from labbridge.practices.config import ConfigProblem, parse
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.reconcile.refile import refile_practice
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db

URL = "https://c0abc123.caspio.com"


def toml(*, caspio: str = URL, token: str = "given 1", **changed: str) -> str:
    text = PRACTICE_TOML.format(caspio=caspio, rate=5, refresh_token=token)
    for old, new in changed.items():
        assert text.count(old) >= 1
        text = text.replace(old, new)
    return text


def applied(text: str, *, dry_run: bool = False) -> Applied:
    return apply(parse(text), dry_run=dry_run)


def caspio_of(practice: Practice) -> Connection:
    return Connection.objects.get(practice=practice, peer="caspio")


def rupa_of(practice: Practice) -> Connection:
    return Connection.objects.get(practice=practice, peer="rupa")


def test_a_new_practice_is_made_with_its_connections():
    done = applied(toml())
    assert done.created
    assert done.changes == [
        "create practice willow",
        "connect Caspio account c0abc123.caspio.com",
        "connect Rupa practitioner ada@willow.example",
        "use the refresh token given for ada@willow.example",
    ]
    assert (done.practice.slug, done.practice.zone.key) == ("willow", "America/Los_Angeles")
    assert caspio_of(done.practice).credentials == {
        "client_id": "client",
        "client_secret": "secret of caspio",
    }
    assert rupa_of(done.practice).credentials == {"refresh_token": "given 1"}
    assert done.new_authorisations == [rupa_of(done.practice)]
    assert config_of(done.practice).caspio.patients.key == "Patient_ID"


def test_applying_again_changes_nothing():
    applied(toml())
    again = applied(toml())
    assert not again.created
    assert again.changes == []
    assert again.new_authorisations == []
    assert not again.refile


def test_a_dry_run_tells_and_changes_nothing():
    assert len(applied(toml(), dry_run=True).changes) == 4
    assert not Practice.objects.exists()
    applied(toml())
    told = applied(toml(dollars="cents"), dry_run=True)
    assert told.changes == ["change rupa.price_unit: 'dollars' -> 'cents'"]
    assert config_of(Practice.objects.get()).rupa.price_unit == "dollars"


def test_secrets_are_sealed_and_stand_nowhere_in_the_clear():
    practice = applied(toml(token="PLANTED token", **{"secret of caspio": "PLANTED secret"})).practice
    assert "PLANTED" not in repr(practice.config)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row.*::text, credentials FROM practices_connection row")
        for text, sealed in cursor.fetchall():
            assert "PLANTED" not in text
            assert b"PLANTED" not in bytes(sealed)


def test_changes_are_named_without_secrets():
    practice = applied(toml()).practice
    done = applied(toml(**{"secret of caspio": "PLANTED", "settle_seconds = 0": "settle_seconds = 9"}))
    assert done.changes == [
        "change sync.settle_seconds: 0.0 -> 9.0",
        "change the credentials of the Caspio account",
    ]
    assert caspio_of(practice).credentials["client_secret"] == "PLANTED"


def test_new_credentials_end_the_old_token_and_the_problem():
    practice = applied(toml()).practice
    held = caspio_of(practice)
    held.credentials = {**held.credentials, "access_token": "old", "webhook_secret": "hook"}
    held.state, held.problem = ConnectionState.RECONNECT, "Refused."
    held.save()
    applied(toml(**{"secret of caspio": "newer"}))
    now = caspio_of(practice)
    assert "access_token" not in now.credentials
    assert now.credentials["webhook_secret"] == "hook"
    assert (now.state, now.problem) == (ConnectionState.ACTIVE, "")


def test_the_same_credentials_keep_the_token():
    practice = applied(toml()).practice
    held = caspio_of(practice)
    held.credentials = {**held.credentials, "access_token": "good"}
    held.save()
    applied(toml())
    assert caspio_of(practice).credentials["access_token"] == "good"


def test_a_given_webhook_secret_is_kept_and_a_missing_one_leaves_ours():
    practice = applied(toml()).practice
    given = toml(**{"[caspio.patients]": 'webhook_secret = "theirs"\n[caspio.patients]'})
    assert applied(given).changes == ["change the secret of the Caspio webhook"]
    assert applied(given).changes == []
    applied(toml())
    assert caspio_of(practice).credentials["webhook_secret"] == "theirs"


# -- refresh tokens --------------------------------------------------------------------------------------


def rotated(connection_: Connection) -> None:
    """Rupa has replaced the pair since."""
    now = timezone.now()
    store_pair(connection_.pk, TokenPair("access", "newer", now, now + timedelta(hours=1)))


def test_an_old_refresh_token_never_replaces_a_newer_one():
    practice = applied(toml()).practice
    rotated(rupa_of(practice))
    again = applied(toml())
    assert again.changes == []
    assert again.new_authorisations == []
    assert rupa_of(practice).credentials["refresh_token"] == "newer"


def test_nor_when_another_was_given_between():
    practice = applied(toml(token="given 1")).practice
    applied(toml(token="given 2"))
    rotated(rupa_of(practice))
    assert applied(toml(token="given 1")).changes == []
    assert rupa_of(practice).credentials["refresh_token"] == "newer"


def test_nor_under_another_e_mail():
    practice = applied(toml()).practice
    rotated(rupa_of(practice))
    done = applied(toml(**{"ada@willow.example": "ada.corrected@willow.example"}))
    assert done.new_authorisations == []
    assert rupa_of(practice).credentials["refresh_token"] == "newer"


def test_a_new_refresh_token_is_used_and_mends_the_connection():
    practice = applied(toml()).practice
    Connection.objects.filter(peer="rupa").update(state=ConnectionState.RECONNECT, problem="Ended.")
    done = applied(toml(token="given 2"))
    assert done.changes == ["use the refresh token given for ada@willow.example"]
    now = rupa_of(practice)
    assert now.credentials == {"refresh_token": "given 2"}
    assert (now.state, now.problem, now.token_version) == (ConnectionState.ACTIVE, "", 2)


@pytest.mark.parametrize("token", ["", "env:NO_SUCH_VARIABLE"])
def test_without_a_token_the_practitioner_connects_later(token: str):
    done = applied(toml(token=token))
    assert not Connection.objects.filter(peer="rupa").exists()
    assert len(done.changes) == 2


def test_an_e_mail_is_the_same_in_any_case():
    practice = applied(toml()).practice
    applied(toml(token="given 2", **{"ada@willow.example": "Ada@Willow.example"}))
    assert rupa_of(practice).credentials == {"refresh_token": "given 2"}


# -- what must be filed anew -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed", [{"dollars": "cents"}, {"America/Los_Angeles": "Europe/Berlin"}], ids=["price", "zone"]
)
def test_values_that_depend_on_it_are_filed_anew(changed: dict[str, str]):
    practice = applied(toml()).practice
    Practice.objects.update(catalog_read_at=timezone.now())
    done = applied(toml(**changed))
    assert done.refile
    assert done.moved == set()
    practice.refresh_from_db()
    assert practice.catalog_read_at < timezone.now() - timedelta(days=1)


def test_a_table_that_is_another_now_is_filed_whole():
    practice = applied(toml()).practice
    for word in ("lab_orders", "lab_results"):
        FiledRow.objects.create(practice=practice, table=word, key="k", state=RowState.CONFIRMED)
    done = applied(toml(**{"[sync]": '[caspio.tables]\nlab_orders = "Orders_2026"\n[sync]'}))
    assert done.moved == {"lab_orders"}
    assert done.refile
    refile_practice(practice, done.moved)
    assert [row.table for row in FiledRow.objects.all()] == ["lab_results"]


def test_another_account_knows_nothing_of_ours():
    practice = applied(toml()).practice
    held = caspio_of(practice)
    held.credentials = {**held.credentials, "access_token": "old", "webhook_secret": "hook"}
    held.save()
    Practice.objects.update(charts_read_at=timezone.now())
    done = applied(toml(caspio="https://c0other.caspio.com"))
    assert "move to Caspio account c0other.caspio.com" in done.changes
    assert done.moved >= {"lab_orders", "lab_tests"}
    now = caspio_of(practice)
    assert now.account == "c0other.caspio.com"
    assert set(now.credentials) == {"client_id", "client_secret"}
    practice.refresh_from_db()
    assert practice.charts_read_at is None


@pytest.mark.parametrize(
    ("changed", "elsewhere"),
    [
        ({'table = "Patients"': 'table = "Patients_2026"'}, True),
        ({"caspio": "https://c0other.caspio.com"}, True),
        ({'city = "City"': 'city = "Town"'}, False),
    ],
)
def test_rows_of_a_patients_table_that_moved_have_other_numbers(changed: dict[str, str], elsewhere: bool):
    practice = applied(toml()).practice
    Chart.objects.create(practice=practice, key="P-1", pk_id=7)
    FiledRow.objects.create(practice=practice, table="patients", key="P-1", state=RowState.CONFIRMED)
    applied(toml(**changed), dry_run=True)
    assert Chart.objects.get().pk_id == 7
    applied(toml(**changed))
    assert Chart.objects.get().pk_id == (None if elsewhere else 7)
    assert FiledRow.objects.filter(table="patients").exists() is not elsewhere


# -- refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"secret of caspio": "env:NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE is not set"),
        ({"secret of caspio": "file:/no/such/file"}, "cannot be read"),
        ({"secret of caspio": ""}, "caspio.client_secret is empty"),
        ({URL: "https://caspio.com.evil.example"}, "caspio.url"),
        ({URL: f"{URL}/path"}, "caspio.url"),
        ({URL: "http://c0abc123.caspio.com"}, "caspio.url"),
        ({"[caspio.patients]": 'principal = "é"\n[caspio.patients]'}, "caspio.principal"),
    ],
)
def test_what_no_client_could_use_is_refused_whole(changed: dict[str, str], words: str):
    with pytest.raises(ConfigProblem, match=words):
        applied(toml(**changed))
    assert not Practice.objects.exists()


def test_plain_http_is_for_simulators_on_loopback_only(deployment):
    deployment(allow_http_peers=False)
    with pytest.raises(ConfigProblem, match=r"caspio\.url"):
        applied(toml(caspio="http://127.0.0.1:9"))
    deployment(allow_http_peers=True)
    assert applied(toml(caspio="http://127.0.0.1:9")).created


def test_custom_domains_are_a_matter_of_the_deployment(deployment):
    with pytest.raises(ConfigProblem, match=r"caspio\.url"):
        applied(toml(caspio="https://db.willow.example"))
    deployment(caspio_hosts=["db.willow.example"])
    assert applied(toml(caspio="https://db.willow.example")).created
