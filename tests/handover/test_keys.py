"""Keys: made once, kept as a hash, refused when they should be, and what the command line shows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labbridge.handover import keys, limits
from labbridge.handover.keys import SCOPES, KeyProblem
from labbridge.handover.models import ApiKey
from labbridge.trust.models import AuditEntry
from tests.handover.machine import OPERATOR

pytestmark = pytest.mark.django_db

HEALTH = "/api/v1/health"
SHOP = ("--scope", "health:read", "--scope", "ledger:read")


def ask(client: Client, text: str | None, address: str = HEALTH, **headers: str) -> Any:
    given = {"Authorization": f"Bearer {text}"} if text is not None else {}
    return client.get(address, headers={**given, **headers})


def test_the_key_itself_is_nowhere_kept(willow: Any, key: Any):
    text = key(willow, "health:read", phi="none", name="reporting")
    held = ApiKey.objects.get()
    assert text.startswith("lb_")
    assert len(text) > 40
    assert text not in str(vars(held)) + str([vars(entry) for entry in AuditEntry.objects.all()])
    assert held.hint == text[: len(held.hint)]
    assert len(held.hint) < 10
    (entry,) = AuditEntry.objects.filter(action="key.create")
    assert entry.detail["name"] == "reporting"


@pytest.mark.parametrize("given", [None, "", "lb_", "lb_wrong", "x" * 5000, "lb_" + "x" * 5000])
def test_no_key_no_answer(client: Client, willow: Any, given: str | None):
    answer = ask(client, given)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthorised"


def test_a_guesser_is_slowed_and_recorded_once_and_holds_up_no_caller_with_a_key(
    client: Client, willow: Any, key: Any
):
    text = key(willow, "health:read")
    answers = [ask(client, f"lb_guess{number}") for number in range(32)]
    assert {answer.status_code for answer in answers[:30]} == {401}
    assert [(one.status_code, one["Retry-After"], one.json()["code"]) for one in answers[30:]] == [
        (429, "60", "too_many")
    ] * 2
    assert ask(client, text).status_code == 200
    (entry,) = AuditEntry.objects.filter(action="access.refuse")
    assert (entry.actor_kind, entry.outcome, entry.source) == ("nobody", "refused", "127.0.0.1")


def test_expired_and_revoked_keys_are_strangers(client: Client, willow: Any, key: Any):
    text = key(willow, "health:read", name="one")
    assert ask(client, text).status_code == 200
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert ask(client, text).status_code == 401
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert ask(client, text).status_code == 200
    keys.revoke(willow, "one", actor=OPERATOR)
    assert ask(client, text).status_code == 401
    assert AuditEntry.objects.filter(action="key.revoke").count() == 1


def test_a_scope_that_the_key_lacks_is_refused_and_recorded(client: Client, willow: Any, key: Any):
    answer = ask(client, key(willow, "catalogue:read", name="shop"))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    (entry,) = AuditEntry.objects.filter(action="access.refuse")
    assert (entry.actor_kind, entry.actor_name, entry.outcome) == ("key", "shop", "refused")


def test_a_caller_without_an_address_is_recorded_all_the_same(client: Client, willow: Any, key: Any):
    answer = client.get("/api/v1/orders", headers={"Authorization": f"Bearer {key(willow)}"}, REMOTE_ADDR="")
    assert answer.status_code == 200
    assert AuditEntry.objects.get(action="order.search").source == ""


def test_no_key_of_class_none_is_made_for_patient_data(willow: Any):
    for scope, one in SCOPES.items():
        if one.phi:
            with pytest.raises(KeyProblem, match="show patient data"):
                keys.make(willow, "x", [scope], actor=OPERATOR)
        else:
            keys.make(willow, f"x {scope}", [scope], actor=OPERATOR)


def test_the_class_is_looked_at_again_at_every_call(client: Client, willow: Any, key: Any):
    """Whatever happened to the row of the key: the scope alone opens nothing."""
    text = key(willow, "patients:read")
    ApiKey.objects.update(phi_class="none")
    answer = ask(client, text, "/api/v1/patients")
    assert (answer.status_code, answer.json()["code"]) == (403, "phi_refused")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scopes": []}, "--scope"), ({"scopes": ["all"]}, "no scope all"), ({"days": 0}, "days"),
        ({"days": 731}, "days"), ({"per_minute": 0}, "calls"), ({"name": " "}, "name"), ({"name": "a\nb"}, "name"),
        ({"phi_class": "some"}, "phi or none"),
    ],
)  # fmt: skip
def test_keys_that_make_no_sense(willow: Any, change: dict[str, Any], says: str):
    given: dict[str, Any] = {"name": "x", "scopes": ["health:read"], **change}
    with pytest.raises(KeyProblem, match=says):
        keys.make(willow, given.pop("name"), given.pop("scopes"), actor=OPERATOR, **given)


def test_a_name_is_never_given_twice(willow: Any, birch: Any, key: Any):
    key(willow, name="one")
    key(birch, name="one")
    keys.revoke(willow, "one", actor=OPERATOR)
    with pytest.raises(KeyProblem, match="tells keys apart"):
        key(willow, name="one")


def test_the_allowance_is_told_and_then_refused(client: Client, willow: Any, key: Any):
    text = key(willow, "health:read", per_minute=3)
    left = [ask(client, text)["RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = ask(client, text)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many")
    assert 1 <= int(refused["Retry-After"]) <= 20
    assert refused["RateLimit-Limit"] == "3"
    ApiKey.objects.update(free_at=timezone.now())  # a minute later
    assert ask(client, text).status_code == 200


def test_refused_calls_do_not_push_the_next_one_away(willow: Any, key: Any):
    key(willow, "health:read", per_minute=2)
    held = ApiKey.objects.get()
    waits = [limits.take(held).wait for _ in range(20)]
    assert max(waits) <= 30
    assert ApiKey.objects.get().last_used_at is not None


def test_keys_at_the_command_line(willow: Any, labbridge: Any, client: Client):
    tried = labbridge("key", "add", "shop", "--scope", "health:read", "--dry-run", "--json")
    assert tried.exit_code == 0, tried.output
    assert "key" not in json.loads(tried.output)
    assert not ApiKey.objects.exists()
    made = json.loads(labbridge("key", "add", "shop", *SHOP, "--json").output)
    assert ask(client, made["key"]).status_code == 200
    listed = labbridge("key", "list", "--json")
    (row,) = json.loads(listed.output)
    assert (row["name"], row["state"], row["phi"]) == ("shop", "usable", "none")
    assert row["last_used_at"]
    assert made["key"] not in listed.output + labbridge("key", "list").output
    assert labbridge("key", "add", "lab", "--scope", "results:read").exit_code == 2
    assert "--phi phi" in labbridge("key", "add", "lab", "--scope", "results:read").output
    assert labbridge("key", "revoke", "nobody").exit_code == 2
    assert labbridge("key", "revoke", "shop", "--dry-run").exit_code == 0
    assert ask(client, made["key"]).status_code == 200
    assert labbridge("key", "revoke", "shop").exit_code == 0
    assert ask(client, made["key"]).status_code == 401
