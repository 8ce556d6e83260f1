"""Sealed values that cannot be opened: every call says so in a sentence, or does without."""

from __future__ import annotations

from typing import Any

import pytest

from labbridge.ordering.models import OrderRequest
from tests.handover.test_calls import DOING, LISTS, ONES, arguments, detailed
from tests.unopened import spoil

pytestmark = pytest.mark.django_db

#: What is left of a value, and the calls that are then nothing. What was removed on purpose is gone (410) for one.
SPOILED = [
    (b"not in the sealed form", {"list_result_values", "decide_review_case"}),
    (b"", set[str]()),
]


@pytest.mark.parametrize(("left", "nothing_without"), SPOILED)
def test_every_call_does_without_or_says_so(
    willow: Any, key: Any, api: Any, things: Any, left: bytes, nothing_without: set[str]
):
    ids = things(willow)
    OrderRequest.objects.update(state="ready")
    request = OrderRequest.objects.get()
    request.checkout_url = "https://labs.example/checkout"
    request.save()
    client = api(key(willow))
    assert spoil(left) > 3
    said = {name: detailed(client, name) for name in LISTS}
    said |= {name: detailed(client, name, ids[which]) for name, which in ONES.items()}
    said |= {name: detailed(client, name, ids[which], **arguments(name)) for name, which in DOING.items()}
    failed = {name: answer.parsed for name, answer in said.items() if answer.status_code >= 500}
    assert failed.keys() == nothing_without
    assert {problem.code for problem in failed.values()} <= {"cannot_open"}
