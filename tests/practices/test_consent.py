"""The journey to Rupa's consent page and back, against the simulator's own OAuth."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from django.db import connection
from django.utils import timezone

from labbridge.handlers.connections import _listed, learn_now
from labbridge.handlers.jobs import learn_practitioners
from labbridge.peers.errors import ConnectionEnded, NotFound
from labbridge.practices import consent
from labbridge.practices.apply import apply
from labbridge.practices.clients import RUPA_ASSUMPTIONS, NotConnected, rupa, rupa_connection
from labbridge.practices.config import parse
from labbridge.practices.consent import ConsentProblem, begin, finish
from labbridge.practices.models import Connection, ConnectionState, Consent, Practice, Practitioner
from labbridge.simulators.rupa import practitioner_id
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def willow(connected_deployment) -> Practice:
    text = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="")
    return apply(parse(text)).practice


def agree(address: str, practitioner: str = "Ada") -> dict[str, str]:
    """What comes back to the callback after the practitioner agreed."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    parts = urlsplit(address)
    answer = httpx2.post(
        f"{parts.scheme}://{parts.netloc}/_sim/oauth/authorize",
        params={**query, "practitioner": practitioner_id(practitioner)},
        follow_redirects=False,
    )
    assert answer.status_code in {302, 303}, answer.text[:300]
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in back.items()}


def connect(practice: Practice, practitioner: str = "Ada") -> Connection:
    back = agree(begin(practice, "tests").address, practitioner)
    return finish(back["state"], back["code"], "")


def test_pkce_where_it_is_asked_for(willow, rupa_sim, monkeypatch):
    monkeypatch.setattr(consent, "RUPA_ASSUMPTIONS", replace(RUPA_ASSUMPTIONS, pkce=True))
    journey = begin(willow, "tests")
    assert "code_challenge_method=S256" in journey.address
    back = agree(journey.address)
    assert finish(back["state"], back["code"], "").state == ConnectionState.ACTIVE


def test_a_practitioner_who_agrees_is_connected(willow, rupa_sim):
    journey = begin(willow, "tests")
    assert journey.address.startswith(f"{rupa_sim.url}/oauth/authorize?")
    assert "redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Frupa%2Fcallback" in journey.address
    back = agree(journey.address)
    made = finish(back["state"], back["code"], "")
    assert (made.practice, made.state) == (willow, ConnectionState.ACTIVE)
    assert made.external_id == practitioner_id("Ada")
    assert Consent.objects.get().outcome == "connected"
    with rupa(rupa_connection(willow), "tests") as client:
        assert client.me().id == practitioner_id("Ada")


def test_the_state_lies_as_a_keyed_hash_and_names_who_began(willow):
    state = parse_qs(urlsplit(begin(willow, "ada").address).query)["state"][0]
    kept = Consent.objects.get()
    assert state.encode() not in bytes(kept.state_hash)
    assert (kept.started_by, kept.practice) == ("ada", willow)


def refused(state: str, code: str = "code", error: str = "") -> str:
    with pytest.raises(ConsentProblem) as caught:
        finish(state, code, error)
    assert not Connection.objects.filter(peer="rupa").exists()
    return str(caught.value)


@pytest.mark.parametrize("state", ["", "forged", "x" * 10_000, "nul\0", "é"])
def test_a_forged_state_is_refused(willow, state):
    begin(willow, "tests")
    assert "used already or is too old" in refused(state)


def test_a_state_works_once(willow):
    back = agree(begin(willow, "tests").address)
    finish(back["state"], back["code"], "")
    with pytest.raises(ConsentProblem, match="used already"):
        finish(back["state"], back["code"], "")


def test_a_state_works_for_an_hour(willow):
    back = agree(begin(willow, "tests").address)
    Consent.objects.update(started_at=timezone.now() - timedelta(minutes=61))
    assert "too old" in refused(back["state"], back["code"])


def test_a_practitioner_may_say_no(willow):
    back = agree(begin(willow, "tests").address)
    said = refused(back["state"], "", "access_denied")
    assert "did not agree" in said
    assert Consent.objects.get().outcome == said
    assert "used already" in refused(back["state"], back["code"])


@pytest.mark.parametrize(("code", "error"), [("", ""), ("", "server_error"), ("code", "server_error")])
def test_without_a_code_nothing_is_connected(willow, code, error):
    back = agree(begin(willow, "tests").address)
    assert "did not send an authorisation code" in refused(back["state"], code, error)


def test_a_code_that_rupa_does_not_take(willow):
    back = agree(begin(willow, "tests").address)
    said = refused(back["state"], "another code")
    assert "did not accept the authorisation code" in said
    assert "another code" not in said


def test_rupa_away_at_the_exchange(willow, rupa_sim):
    back = agree(begin(willow, "tests").address)
    rupa_sim.fault("unavailable", match={"path": "/oauth/token"})
    assert "did not accept" in refused(back["state"], back["code"])


def test_rupa_away_just_after_the_exchange_keeps_the_tokens(willow, rupa_sim):
    back = agree(begin(willow, "tests").address)
    rupa_sim.fault("unavailable", match={"path": "/practitioners.*"})
    made = finish(back["state"], back["code"], "")
    assert made.account.startswith("new:")
    assert made.credentials["refresh_token"]
    rupa_sim.heal()
    learn_now(str(made.pk))
    named = Connection.objects.get(peer="rupa")
    assert (named.external_id, named.account) == (practitioner_id("Ada"), practitioner_id("Ada"))


def test_a_peer_that_does_not_tell_who_it_is(willow, rupa_sim):
    rupa_sim.options(me_path="")
    made = connect(willow)
    assert made.account == f"unnamed {made.pk}"
    assert learn_now(str(made.pk)) == 3, "the clinic's listing is read all the same"


def test_without_a_client_id_there_is_no_journey(willow, deployment):
    deployment(rupa_client_id="")
    with pytest.raises(ConsentProblem, match="LABBRIDGE_RUPA_CLIENT_ID"):
        begin(willow, "tests")
    assert not Consent.objects.exists()


# -- connecting again ------------------------------------------------------------------------------------


def test_who_connects_again_keeps_their_connection(willow):
    first = connect(willow)
    before = first.credentials["refresh_token"]
    second = connect(willow)
    assert second.pk == first.pk
    assert second.credentials["refresh_token"] != before
    assert second.token_version > first.token_version
    assert Connection.objects.filter(peer="rupa").count() == 1


def test_connecting_again_mends_a_lost_connection_that_practice_toml_made(practice, rupa_sim):
    given = rupa_connection(practice)
    assert (given.account, given.external_id) == ("ada@willow.example", practitioner_id("Ada"))
    rupa_sim.call("POST", "/_sim/tokens/disconnect", {})
    with pytest.raises(ConnectionEnded), rupa(given, "tests") as client:
        client.me()
    given.refresh_from_db()
    assert given.state == ConnectionState.RECONNECT
    assert "rupa connect" in given.problem
    with pytest.raises(NotConnected, match="rupa connect"):
        rupa_connection(practice)
    mended = connect(practice)
    assert (mended.pk, mended.account, mended.state) == (
        given.pk,
        "ada@willow.example",
        ConnectionState.ACTIVE,
    )
    assert mended.problem == ""


def test_two_practitioners_have_two_connections(willow):
    ada, bruno = connect(willow, "Ada"), connect(willow, "Bruno")
    assert ada.pk != bruno.pk
    learn_now(str(ada.pk))
    learn_now(str(bruno.pk))
    assert Practitioner.objects.filter(practice=willow).count() == 3


def test_a_loss_that_was_noticed_too_late_does_not_touch_a_newer_authorisation(willow):
    from labbridge.practices.clients import mark_lost

    stale = connect(willow)
    version = Connection.objects.get(pk=stale.pk).token_version
    connect(willow)
    mark_lost(stale, version)
    assert Connection.objects.get(pk=stale.pk).state == ConnectionState.ACTIVE
    mark_lost(stale, Connection.objects.get(pk=stale.pk).token_version)
    assert Connection.objects.get(pk=stale.pk).state == ConnectionState.RECONNECT


# -- who works where -------------------------------------------------------------------------------------


def other_practice() -> Practice:
    text = PRACTICE_TOML.format(caspio="https://c0other.caspio.com", rate=5, refresh_token="")
    return apply(parse(text.replace('slug = "willow"', 'slug = "aspen"'))).practice


def test_a_mere_listing_takes_nobody_away_from_another_practice(willow):
    learn_now(str(connect(willow, "Ada").pk))
    aspen = other_practice()
    learn_now(str(connect(aspen, "Bruno").pk))
    owners = dict(Practitioner.objects.values_list("external_id", "practice__slug"))
    assert owners[practitioner_id("Ada")] == "willow"
    assert owners[practitioner_id("Chandra")] == "willow"
    assert owners[practitioner_id("Bruno")] == "aspen", "their own authorisation is the most telling"


def test_learning_brings_forward_what_waited_for_an_authorisation(willow):
    from labbridge.handlers.jobs import pull_order

    made = connect(willow)
    pull_order.defer(lock="willow:pull:1", at=timezone.now() + timedelta(hours=1), order_id="1")
    learn_now(str(made.pk))
    with connection.cursor() as cursor:
        cursor.execute("SELECT scheduled_at <= now() FROM procrastinate_jobs WHERE lock = 'willow:pull:1'")
        assert cursor.fetchone() == (True,)


def test_what_keeps_a_clinic_from_being_read_stands_on_its_connection_until_it_is(willow, rupa_sim, run_jobs):
    made = connect(willow)
    learn_practitioners.defer(lock="learn", connection_id=str(made.pk))
    rupa_sim.fault("unavailable")
    run_jobs()
    assert "Unavailable" in Connection.objects.get(pk=made.pk).problem
    rupa_sim.heal()
    run_jobs(waiting=True)
    assert Connection.objects.get(pk=made.pk).problem == ""


def test_a_clinic_that_cannot_be_read_at_all_is_the_peers_error():
    class Nobody:
        """A Rupa whose paths are not those we know."""

        def practitioners(self):
            raise NotFound("rupa", "list practitioners", status=404)

        me = practitioners

    with pytest.raises(NotFound):
        _listed(Nobody())


def test_the_hash_of_a_state_needs_the_key():
    assert consent._hash("a") == consent._hash("a") != consent._hash("b")
