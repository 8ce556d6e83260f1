"""Rupa works again: who asked to be told is written to, once, over a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labbridge.mirror.models import Chart
from labbridge.ordering.models import OrderRequest
from labbridge.practices.models import Practice
from labbridge.reconcile.watch import wishes
from tests.ear import Ear, MailEar
from tests.people import somebody

pytestmark = pytest.mark.django_db(transaction=True)

ADA = "ada@people.example"


@pytest.fixture
def mail() -> Iterator[MailEar]:
    ear = MailEar()
    yield ear
    ear.close()


@pytest.fixture
def willow() -> Practice:
    return Practice.objects.create(slug="willow", name="Willow")


def wished(practice: Practice, state: str = "ready", by: str = ADA, **more: Any) -> OrderRequest:
    chart, _ = Chart.objects.get_or_create(
        practice=practice,
        key="P-1",
        defaults={"person": {"first_name": "Testa1", "last_name": "Sampleperson1"}},
    )
    values = {
        "practice": practice, "key": f"R-{OrderRequest.objects.count()}", "door": "button", "chart": chart,
        "patient_key": "P-1", "state": state, "message": "DUTCH Complete is open for this patient already.",
        "wish_at": timezone.now(), "wish_by": by,
    }  # fmt: skip
    return OrderRequest.objects.create(**{**values, **more})


def via(practice: Practice, *urls: str) -> None:
    practice.alert_channels = list(urls)
    practice.save()


def test_the_person_is_written_to_once_and_reads_nothing_of_a_patient(
    willow: Practice, mail: MailEar
) -> None:
    somebody(ADA)
    via(willow, "json://127.0.0.1:9/", mail.url)
    asked = wished(willow)
    for _ in range(3):
        wishes.tell(timezone.now())
    ((whom, letter),) = mail.taken
    text = letter.as_string() + letter.get_payload(decode=True).decode()  # type: ignore[union-attr]  # bytes when decoded
    assert whom == [ADA]
    assert letter["To"] == ADA
    assert "your order request" in str(letter["Subject"])
    assert f"/order/request/{asked.pk}" in text
    for word in ("Testa1", "Sampleperson1", "P-1", "DUTCH", "desk@willow.example"):
        assert word not in text
    assert OrderRequest.objects.get().wish_mailed_at is not None


@pytest.mark.parametrize("state", ["received", "ordered", "expired"])
def test_nothing_is_said_before_it_goes_on_or_after_it_is_over(
    willow: Practice, mail: MailEar, state: str
) -> None:
    via(willow, mail.url)
    wished(willow, state)
    wished(willow, wish_at=None)
    wished(willow, order_external_id="ord_1")
    wished(willow, wish_at=timezone.now() - wishes.FORGOTTEN - timedelta(minutes=1))
    wishes.tell(timezone.now())
    assert mail.taken == []


def test_what_failed_says_so(willow: Practice, mail: MailEar) -> None:
    via(willow, mail.url)
    wished(willow, "failed")
    wishes.tell(timezone.now())
    assert "could not be completed" in mail.taken[0][1].get_payload()


def test_who_has_no_address_is_told_at_the_practice(willow: Practice, mail: MailEar) -> None:
    user = somebody(ADA)
    user.email = "not an address\nBcc: x@y.example"
    user.save()
    via(willow, mail.url)
    wished(willow)
    wishes.tell(timezone.now())
    assert mail.taken[0][0] == ["desk@willow.example"]


def test_without_mail_of_the_practice_the_services_own_carries_it_to_people_only(
    willow: Practice, mail: MailEar, deployment: Any
) -> None:
    deployment(alert_channels=(mail.url,))
    wished(willow, by="nobody")
    wishes.tell(timezone.now())
    assert mail.taken == []
    somebody(ADA)
    wished(willow)
    wishes.tell(timezone.now())
    assert [whom for whom, _ in mail.taken] == [[ADA]]


def test_a_practices_own_mail_channel_leads_outside_only(
    willow: Practice, mail: MailEar, deployment: Any
) -> None:
    deployment(allow_http_peers=False)
    somebody(ADA)
    via(willow, mail.url)
    wished(willow)
    wishes.tell(timezone.now())
    assert mail.taken == []


def test_no_mail_channel_is_no_way(willow: Practice) -> None:
    ear = Ear()
    try:
        somebody(ADA)
        via(willow, ear.url)
        wished(willow)
        assert wishes.by_mail(willow, ADA) is None
        wishes.tell(timezone.now())
        assert ear.raw == []
    finally:
        ear.close()


def test_what_a_server_refuses_is_tried_again(willow: Practice, mail: MailEar) -> None:
    via(willow, mail.url)
    wished(willow)
    mail.refuses = True
    wishes.tell(timezone.now())
    assert (mail.taken, OrderRequest.objects.get().wish_mailed_at) == ([], None)
    mail.refuses = False
    wishes.tell(timezone.now())
    assert len(mail.taken) == 1
