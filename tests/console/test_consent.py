"""The pages of the journey to Rupa: who may begin, where it goes, and how it ends."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection

from labbridge.practices.models import Connection, Consent, Practice
from tests.people import member, sign_in
from tests.practices.test_consent import agree

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def willow(connected_deployment) -> Practice:
    return Practice.objects.create(slug="willow", name="Willow Functional Medicine")


@pytest.fixture
def ada(client, willow):
    return sign_in(client, member(willow))


def learning() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'learn_practitioners'")
        return int(cursor.fetchone()[0])


def test_beginning_needs_a_sign_in(client, willow):
    for method in (client.get, client.post):
        answer = method("/rupa/connect/willow")
        assert answer.status_code == 302
        assert "rupahealth" not in answer["Location"]
    assert not Consent.objects.exists()


def test_looking_at_the_page_begins_nothing(client, willow, ada):
    answer = client.get("/rupa/connect/willow")
    assert answer.status_code == 200
    assert "Willow Functional Medicine" in answer.content.decode()
    assert not Consent.objects.exists()


def test_the_forms_target_may_be_rupas_consent_page(client, willow, ada):
    policy = client.get("/rupa/connect/willow")["Content-Security-Policy"]
    (rule,) = [part for part in policy.split(";") if part.strip().startswith("form-action")]
    assert "'self'" in rule
    assert "https://labs.rupahealth.com" in rule


def test_the_whole_way(client, willow, ada, rupa_sim):
    away = client.post("/rupa/connect/willow")
    assert away.status_code == 302
    assert away["Location"].startswith(f"{rupa_sim.url}/oauth/authorize?")
    assert Consent.objects.get().started_by == ada.get_username()
    back = agree(away["Location"])
    client.logout()  # the practitioner may use another browser
    answer = client.get("/rupa/callback", back)
    assert answer.status_code == 302
    assert answer["Location"] == "/rupa/connected", "the code leaves the address bar"
    page = client.get("/rupa/connected").content.decode()
    assert "Willow Functional Medicine is" in page
    assert "The practice is" in client.get("/rupa/connected").content.decode()
    assert Connection.objects.filter(practice=willow, peer="rupa", state="active").count() == 1
    assert learning() == 1


def test_a_refusal_is_a_page_with_a_sentence(client, willow, ada):
    away = client.post("/rupa/connect/willow")
    state = parse_qs(urlsplit(away["Location"]).query)["state"][0]
    answer = client.get("/rupa/callback", {"state": state, "error": "access_denied"})
    assert answer.status_code == 400
    assert "did not agree" in answer.content.decode()
    assert learning() == 0


@pytest.mark.parametrize(
    "query", [{}, {"state": "forged", "code": "x"}, {"state": "<script>", "error": "<b>"}]
)
def test_a_callback_of_nobody(client, willow, query):
    answer = client.get("/rupa/callback", query)
    assert answer.status_code == 400
    assert "<script>" not in answer.content.decode()
    assert not Connection.objects.exists()


def test_answers_are_kept_nowhere(client, willow):
    assert "no-store" in client.get("/rupa/callback")["Cache-Control"]
    assert client.post("/rupa/callback").status_code == 405


def test_an_unknown_practice(client, willow, ada):
    assert client.get("/rupa/connect/nobody").status_code in {403, 404}


def test_a_deployment_that_rupa_does_not_know_says_so(client, willow, ada, deployment):
    deployment(rupa_client_id="")
    answer = client.post("/rupa/connect/willow")
    assert answer.status_code == 503
    assert "LABBRIDGE_RUPA_CLIENT_ID" in answer.content.decode()
