"""`POST /webhooks/caspio/{slug}`: the secret in the body or an HMAC in a header, and never neither."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from labbridge.inbox.models import Event
from labbridge.practices.apply import apply
from labbridge.practices.config import parse
from labbridge.practices.models import Connection, Practice
from labbridge.settings import MAX_WEBHOOK_BYTES
from labbridge.webhooks import caspio
from tests.world import PRACTICE_TOML

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "a secret of the webhook"
MESSAGE: dict[str, Any] = {
    "messageId": "0b5b1c1e-0000-4000-8000-000000000001",
    "eventType": "table.recordUpdate",
    "eventDate": "2026-05-01T10:00:00.123",
    "objectName": "Patients",
    "data": [{"PK_ID": 12, "Patient_ID": "P-12"}],
    "secret": SECRET,
}


def toml(more: str = "") -> str:
    text = PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="")
    return text.replace("[caspio.patients]", f"{more}\n[caspio.patients]")


@pytest.fixture
def willow() -> Practice:
    practice = apply(parse(toml())).practice
    remember(practice, SECRET)
    return practice


def remember(practice: Practice, secret: str | None) -> None:
    held = Connection.objects.get(practice=practice, peer="caspio")
    held.credentials = {**(held.credentials or {}), "webhook_secret": secret}
    held.save()


@pytest.fixture
def post(client):
    def send(body: bytes | dict[str, Any], slug: str = "willow", **headers: str) -> int:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = client.post(
            f"/webhooks/caspio/{slug}", raw, content_type="application/json", headers=headers
        )
        return int(answer.status_code)

    return send


def counted(outcome: str) -> float:
    labels = {"peer": "caspio", "outcome": outcome}
    return REGISTRY.get_sample_value("labbridge_deliveries_total", labels) or 0.0


def jobs() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'handle_event'")
        return int(cursor.fetchone()[0])


def test_a_message_with_the_secret_is_kept_without_it(willow, post):
    assert post(MESSAGE) == 200
    event = Event.objects.get()
    assert (event.peer, event.type, event.practice) == ("caspio", "table.recordUpdate", willow)
    assert event.external_id == f"willow:{MESSAGE['messageId']}"
    assert event.subject == "willow:Patients:12"
    assert event.occurred_at.isoformat() == "2026-05-01T10:00:00.123000+00:00"
    kept = json.loads(event.body)
    assert "secret" not in kept
    assert SECRET not in event.body.decode()
    assert kept["data"] == MESSAGE["data"]
    assert jobs() == 1


def test_a_repeated_message_is_only_counted(willow, post):
    assert [post(MESSAGE), post(MESSAGE)] == [200, 200]
    assert Event.objects.get().deliveries == 2
    assert jobs() == 1


def test_the_same_message_id_in_two_practices_is_two_events(willow, post):
    other = toml().replace('slug = "willow"', 'slug = "aspen"')
    remember(apply(parse(other)).practice, SECRET)
    assert [post(MESSAGE), post(MESSAGE, "aspen")] == [200, 200]
    assert Event.objects.count() == 2


@pytest.mark.parametrize("given", [None, "", "wrong", 5, ["x"], SECRET + " ", "é"])
def test_a_wrong_or_missing_secret_is_refused_and_nothing_stored(willow, post, given, capfd):
    before = counted("secret")
    message = {**MESSAGE, "secret": given, "note": "PLANTED"}
    if given is None:
        del message["secret"]
    assert post(message) == 401
    assert not Event.objects.exists()
    assert jobs() == 0
    assert counted("secret") == before + 1
    assert "PLANTED" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("known", [None, ""])
def test_no_secret_known_is_never_open(willow, post, known):
    remember(willow, known)
    assert post(MESSAGE) == 401
    assert post({**MESSAGE, "secret": ""}) == 401


def test_a_practice_without_a_caspio_account_takes_nothing(post):
    practice = apply(parse(toml())).practice
    Connection.objects.all().delete()
    assert practice.slug == "willow"
    assert post(MESSAGE) == 401


def test_an_unknown_practice_is_404_and_counted(willow, post):
    before = counted("unknown_practice")
    assert post(MESSAGE, "nobody") == 404
    assert counted("unknown_practice") == before + 1


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b"null", b"\xff", b"[" * 100_000, json.dumps({"secret": SECRET}).encode()],
)
def test_what_cannot_be_read_is_400(willow, post, body):
    assert post(body) == 400
    assert not Event.objects.exists()


@pytest.mark.parametrize("message_id", [None, "", 5])
def test_a_message_without_its_id_is_400(willow, post, message_id):
    assert post({**MESSAGE, "messageId": message_id}) == 400


def test_too_large_comes_before_everything_even_an_unknown_practice(post):
    assert post(b"x" * (MAX_WEBHOOK_BYTES + 1), "nobody") == 413


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({"data": []}, "willow:Patients:?"),
        ({"data": "Testa"}, "willow:Patients:?"),
        ({"data": [{"PK_ID": "12"}]}, "willow:Patients:12"),
        ({"data": [{"PK_ID": "Testa Sampleperson"}]}, "willow:Patients:?"),
        ({"objectName": None}, "willow:?:12"),
        ({"objectName": "x" * 300}, f"willow:{'x' * 32}:12"),
        ({"objectName": "a\0b"}, "willow:a?b:12"),
    ],
)
def test_the_subject_holds_keys_only(willow, post, changed, subject):
    assert post({**MESSAGE, **changed}) == 200
    assert Event.objects.get().subject == subject


@pytest.mark.parametrize("moment", [None, 5, "yesterday", "2026-13-45"])
def test_a_time_that_cannot_be_read_is_left_open(willow, post, moment):
    assert post({**MESSAGE, "eventDate": moment}) == 200
    assert Event.objects.get().occurred_at is None


def test_long_ids_that_begin_alike_stay_apart(willow, post):
    ids = ["m" * 300 + tail for tail in "ab"]
    assert [post({**MESSAGE, "messageId": one}) for one in ids] == [200, 200]
    assert Event.objects.count() == 2


# -- signed by a header ----------------------------------------------------------------------------------


def signed(body: bytes, secret: str = SECRET, encoding: str = "hex") -> str:
    digest = hmac.new(secret.encode(), body, hashlib.sha256)
    return digest.hexdigest() if encoding == "hex" else base64.b64encode(digest.digest()).decode()


@pytest.mark.parametrize(("encoding", "prefix"), [("hex", ""), ("hex", "sha256="), ("base64", "")])
def test_an_hmac_in_a_configured_header_proves_it(post, encoding, prefix):
    more = f'[caspio.webhook_signature]\nheader = "X-Sign"\nencoding = "{encoding}"\nprefix = "{prefix}"\n'
    remember(apply(parse(toml(more))).practice, SECRET)
    body = json.dumps({**MESSAGE, "secret": None}).encode()
    good = prefix + signed(body, encoding=encoding)
    assert post(body, **{"X-Sign": "wrong"}) == 401
    assert post(body) == 401
    assert post(MESSAGE) == 401, "the secret in the body is no proof where a header is configured"
    assert post(body, **{"X-Sign": signed(body, "other", encoding)}) == 401
    assert post(body + b" ", **{"X-Sign": good}) == 401
    assert not Event.objects.exists()
    assert post(body, **{"X-Sign": good.upper() if encoding == "hex" and not prefix else good}) == 200
    remember(Practice.objects.get(), "")
    assert post(body, **{"X-Sign": signed(body, "")}) == 401


# -- whatever comes --------------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)
names = st.sampled_from([*MESSAGE, "else"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(message=st.dictionaries(names, anything))
def test_whatever_is_signed_is_read_or_refused_by_name(willow, message):
    body = json.dumps({**message, "secret": SECRET}).encode()
    try:
        delivery = caspio.read(body, {}, willow, SECRET)
    except (caspio.NotReadable, caspio.NotTrusted):
        return
    assert SECRET.encode() not in delivery.body
    assert len(delivery.message_id) <= 200
