"""The consent page, codes and tokens (rupa-api.md 3)."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import Client

from labbridge.simulators.rupa import practitioner_id

BACK = "https://ehr.example/rupa/callback?x=1"
ASK = {"client_id": "app_1", "redirect_uri": BACK, "response_type": "code", "state": "st&te"}


@pytest.fixture
def http(sim):
    return Client(sim)


def consent(http, **more):
    page = http.get("/oauth/authorize", query_string=ASK | more)
    assert page.status_code == 200
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    choices = re.findall(r'name="practitioner" value="(pra_\w+)"', page.text)
    assert len(choices) == 5
    form = {name: value.replace("&amp;", "&") for name, value in hidden.items()}
    return form | {"practitioner": practitioner_id("Dara"), "decision": "accept"}


def returned(answer):
    assert answer.status_code == 302
    assert answer.location.startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def code(http, **more):
    return returned(http.post("/oauth/authorize", data=consent(http, **more)))["code"]


def token(http, **form):
    client = {"client_id": "app_1", "client_secret": "s3"}
    return http.post("/oauth/token", data=client | form)


def exchange(http, code, **more):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    return token(http, **(form | more))


def patients(http, access_token):
    return http.get("/patients/", headers={"Authorization": f"Bearer {access_token}"})


def test_a_practitioner_accepts_and_the_token_reaches_the_whole_clinic(http):
    query = returned(http.post("/oauth/authorize", data=consent(http)))
    assert query["state"] == ASK["state"]
    pair = exchange(http, query["code"]).json
    assert pair["token_type"] == "Bearer"
    assert pair["expires_in"] == 36_000
    assert {p["attributes"]["first_name"] for p in patients(http, pair["access_token"]).json["data"]} == {
        "Otto",
        "Tess",
    }


def test_a_practitioner_denies(http):
    answer = returned(http.post("/oauth/authorize", data=consent(http) | {"decision": "deny"}))
    assert answer == {"x": "1", "error": "access_denied", "state": ASK["state"]}


def test_an_unknown_client_or_address_is_told_on_the_page_and_never_redirected(http):
    assert http.get("/oauth/authorize", query_string=ASK | {"client_id": "other"}).status_code == 400
    http.post("/_sim/options", json={"redirect_uris": "https://ehr.example/only"})
    assert http.get("/oauth/authorize", query_string=ASK).status_code == 400
    assert http.post("/oauth/authorize", data=ASK | {"decision": "deny"}).status_code == 400


def test_credentials_may_come_as_basic(http):
    basic = base64.b64encode(b"app_1:s3").decode()
    form = {"grant_type": "authorization_code", "code": code(http), "redirect_uri": BACK}
    answer = http.post("/oauth/token", data=form, headers={"Authorization": f"Basic {basic}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("wrong", [{"client_secret": "no"}, {"client_id": "no"}, {"client_secret": ""}])
def test_wrong_credentials(http, wrong):
    answer = exchange(http, code(http), **wrong)
    assert (answer.status_code, answer.json) == (401, {"error": "invalid_client"})


def test_a_code_works_once_for_its_address_and_for_sixty_seconds(http):
    first = code(http)
    assert exchange(http, first, redirect_uri="https://evil.example/").json["error"] == "invalid_grant"
    assert exchange(http, first).status_code == 200
    again = exchange(http, first)
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
    second = code(http)
    http.post("/_sim/clock", json={"advance": 61})
    assert exchange(http, second).json["error"] == "invalid_grant"


def test_pkce_is_checked_when_it_was_asked_for(http):
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
    assert exchange(http, code(http, **asked), code_verifier="w" * 50).json["error"] == "invalid_grant"
    assert exchange(http, code(http, **asked), code_verifier=verifier).status_code == 200


def test_refreshing_rotates_with_zero_grace(http):
    old = exchange(http, code(http)).json
    new = token(http, grant_type="refresh_token", refresh_token=old["refresh_token"]).json
    assert new["refresh_token"] != old["refresh_token"]
    assert patients(http, old["access_token"]).status_code == 401
    assert patients(http, new["access_token"]).status_code == 200
    again = token(http, grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")


def test_without_rotation_the_refresh_token_stays(http):
    http.post("/_sim/options", json={"rotate_refresh_tokens": False})
    old = exchange(http, code(http)).json
    for _ in range(2):
        new = token(http, grant_type="refresh_token", refresh_token=old["refresh_token"]).json
        assert new["refresh_token"] == old["refresh_token"]
    assert patients(http, new["access_token"]).status_code == 200


def test_access_tokens_expire_when_they_say(http):
    http.post("/_sim/options", json={"expires_in": 100})
    pair = exchange(http, code(http)).json
    assert pair["expires_in"] == 100
    http.post("/_sim/clock", json={"advance": 99})
    assert patients(http, pair["access_token"]).status_code == 200
    http.post("/_sim/clock", json={"advance": 2})
    refused = patients(http, pair["access_token"])
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_revoking_and_disconnecting_end_the_connection(http, sim):
    pair = exchange(http, code(http)).json
    client = {"client_id": "app_1", "client_secret": "s3"}
    revoked = http.post("/oauth/revoke_token", data=client | {"token": pair["access_token"]})
    assert revoked.status_code == 200
    refused = token(http, grant_type="refresh_token", refresh_token=pair["refresh_token"])
    assert refused.json["error"] == "invalid_grant"
    assert sim.world.store.count("connection") == 0
    pair = exchange(http, code(http)).json
    http.post("/_sim/tokens/disconnect", json={"practitioner": practitioner_id("Dara")})
    assert patients(http, pair["access_token"]).status_code == 401


def test_the_short_cut_of_tests_gives_the_same_code(http):
    answer = http.get("/_sim/oauth/authorize", query_string=ASK | {"practitioner": practitioner_id("Elio")})
    assert exchange(http, returned(answer)["code"]).status_code == 200


def test_unknown_grants_are_refused(http):
    assert token(http, grant_type="password").json["error"] == "unsupported_grant_type"
