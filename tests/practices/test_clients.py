"""Clients of the peers as jobs get them: one refresher, tokens kept before use, sealed, shared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from labbridge.peers.errors import ConnectionEnded, PeerError
from labbridge.practices.clients import (
    NotConnected,
    _RupaTokens,
    caspio,
    caspio_connection,
    rupa,
    rupa_connection,
    rupa_connections,
)
from labbridge.practices.models import CallCount, Connection, ConnectionState, Practice

pytestmark = pytest.mark.django_db(transaction=True)


def side_by_side(count: int, work: Callable[[], object]) -> list[object]:
    gate = threading.Barrier(count)

    def run(_number: int) -> object:
        try:
            gate.wait()
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def calls(sim, path: str) -> int:
    return sum(one["path"] == path for one in sim.requests())


def test_one_caspio_token_serves_all(practice, caspio_sim):
    caspio_sim.call("POST", "/_sim/expire-tokens")
    held = caspio_connection(practice)
    held.credentials = {name: value for name, value in held.credentials.items() if name != "access_token"}
    held.save()
    caspio_sim.forget_requests()

    def work() -> int:
        with caspio(practice, "tests") as client:
            return len(client.tables())

    assert len(set(side_by_side(4, work))) == 1
    assert calls(caspio_sim, "/oauth/token") == 1


def test_the_caspio_token_is_sealed(practice):
    held = caspio_connection(practice)
    with caspio(practice, "tests") as client:
        client.tables()
    token = caspio_connection(practice).credentials["access_token"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT row.*::text, credentials FROM practices_connection row WHERE id = %s", [held.pk]
        )
        text, sealed = cursor.fetchone()
    assert token not in text
    assert token.encode() not in bytes(sealed)


def expire(practice: Practice) -> str:
    """Let the living Rupa token be over. Returns its refresh token."""
    held = rupa_connection(practice)
    past = (timezone.now() - timezone.timedelta(hours=1)).isoformat()
    held.credentials = {**held.credentials, "obtained_at": past, "expires_at": past}
    held.save()
    return str(held.credentials["refresh_token"])


def test_one_refresher_at_a_time_however_many_ask(practice, rupa_sim):
    before = expire(practice)
    rupa_sim.forget_requests()
    held = rupa_connection(practice)

    def work() -> str:
        with rupa(held, "tests") as client:
            return client.me().id

    assert len(set(side_by_side(5, work))) == 1
    assert calls(rupa_sim, "/oauth/token") == 1
    now = rupa_connection(practice)
    assert now.credentials["refresh_token"] != before
    assert now.state == ConnectionState.ACTIVE


def test_the_new_pair_is_kept_before_it_is_used(practice, rupa_sim):
    """Everything after the refresh fails; the rotated pair must be there all the same."""
    before = expire(practice)
    rupa_sim.fault("unavailable", match={"path": "/practitioners.*"})
    with pytest.raises(PeerError), rupa(rupa_connection(practice), "tests") as client:
        client.me()
    after = rupa_connection(practice).credentials["refresh_token"]
    assert after != before
    rupa_sim.heal()
    expire(practice)
    with rupa(rupa_connection(practice), "tests") as client:
        assert client.me().id


def test_an_ended_authorisation_waits_for_a_person_and_keeps_everything(practice, rupa_sim):
    expire(practice)
    rupa_sim.call("POST", "/_sim/tokens/disconnect", {})
    held = rupa_connection(practice)
    with pytest.raises(ConnectionEnded), rupa(held, "tests") as client:
        client.me()
    held.refresh_from_db()
    assert (held.state, held.credentials is not None) == (ConnectionState.RECONNECT, True)
    assert "Reconnect" in held.problem
    assert rupa_connections(practice) == []
    rupa_sim.forget_requests()
    with pytest.raises(ConnectionEnded), rupa(held, "tests") as client:
        client.me()
    assert rupa_sim.requests() == [], "nothing more is tried with it"


def test_without_tokens_there_is_nothing_to_load(practice):
    held = rupa_connection(practice)
    held.credentials = None
    held.save()
    assert _RupaTokens(held).load() is None


def test_a_practice_without_connections_says_what_to_do():
    bare = Practice.objects.create(slug="bare", name="Bare")
    with pytest.raises(NotConnected, match="practice apply"):
        caspio_connection(bare)
    with pytest.raises(NotConnected, match="rupa connect"):
        rupa_connection(bare)


def test_spellings_are_remembered(practice, rupa_sim):
    Connection.objects.update(spellings={})
    with rupa(rupa_connection(practice), "tests") as client:
        list(client.lab_companies())
    known = rupa_connection(practice).spellings
    assert known
    rupa_sim.options(catalogue_paths="kebab", slash="required")
    with rupa(rupa_connection(practice), "tests") as client:
        list(client.lab_companies())
    learnt = rupa_connection(practice).spellings
    rupa_sim.forget_requests()
    with rupa(rupa_connection(practice), "tests") as client:
        list(client.lab_companies())
    assert [one["status"] for one in rupa_sim.requests()] == [200] * len(rupa_sim.requests())
    assert rupa_connection(practice).spellings == learnt


def test_calls_are_counted_by_purpose_and_day(practice):
    before = CallCount.objects.filter(purpose="tests").count()
    with caspio(practice, "tests") as client:
        client.tables()
        client.speaking_for(purpose="others").tables()
    account = caspio_connection(practice).account
    counted = dict(CallCount.objects.filter(account=f"caspio:{account}").values_list("purpose", "calls"))
    assert before == 0
    assert (counted["tests"], counted["others"]) == (1, 1)
    today = timezone.now().astimezone(practice.zone).date()
    assert set(CallCount.objects.filter(purpose="tests").values_list("day", flat=True)) == {today}
