"""Sealed values that cannot be opened: after an erasure, or while a key is missing. Every page, and what it says."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from labbridge.accounts.roles import Role
from labbridge.mirror.models import Order
from tests.accounts.test_roles import OPEN, QUERIES, things_of
from tests.console.things import make_order, make_patient, make_practice, make_result, text, value
from tests.people import member, sign_in
from tests.unopened import spoil

pytestmark = pytest.mark.django_db

#: Pages that are nothing without what cannot be opened. All others do without it.
NOTHING_WITHOUT = {"case", "order"}
SPOILED = b"not in the sealed form"


@pytest.mark.parametrize(("left", "status"), [(SPOILED, 503), (b"", 410)])
def test_every_page_does_without_or_says_so(left: bytes, status: int) -> None:
    willow = make_practice()
    client, things = Client(), things_of(willow)
    sign_in(client, member(willow, Role.OWNER))
    assert spoil(left) > 5
    said = {}
    for name in OPEN:
        answer = client.get(reverse(name, kwargs=things.get(name)) + QUERIES.get(name, ""))
        said[name] = answer.status_code
        if answer.status_code == status:
            assert b"This cannot be shown" in answer.content, name
    assert {name for name, one in said.items() if one == status} == NOTHING_WITHOUT
    assert set(said.values()) <= {200, 404, 405, status}, said


def test_an_order_says_what_of_it_cannot_be_opened() -> None:
    willow = make_practice()
    make_result(make_order(willow, 1, make_patient(willow)), value("Ferritin"))
    client = Client()
    sign_in(client, member(willow, Role.OWNER))
    address = reverse("order-page", kwargs={"order_id": Order.objects.get().pk})
    assert "42" in text(client.get(address))
    spoil()
    page = text(client.get(address))
    assert "These values cannot be opened" in page
    assert "Invented Panel" in page
