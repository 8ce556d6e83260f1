"""Results to review: worst first, with names and flagged values, whose and until when; marking and taking back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labbridge.accounts.roles import Role
from labbridge.console import results
from labbridge.mirror.models import Result
from labbridge.mirror.reviews import newest
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.console.things import make_order, make_patient, make_practice, make_result, text, value
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def willow() -> Practice:
    return make_practice()


@pytest.fixture
def ada(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow, Role.PRACTITIONER))
    return client


def result_of(practice: Practice, number: int, *flags: str, **more: Any) -> Result:
    order = make_order(practice, number, make_patient(practice, number))
    return make_result(order, *(value(f"Analyte {number}", flag=flag) for flag in flags), **more)


def test_the_worst_come_first_and_what_needs_nobody_is_left_out(ada: Client, willow: Practice) -> None:
    result_of(willow, 1, "N")
    result_of(willow, 2)
    result_of(willow, 3, "H")
    result_of(willow, 4, "N", "HH")
    result_of(willow, 5, "HH", reviewed_at=timezone.now(), reviewed_by="ada")
    result_of(willow, 6, "HH", withheld=True)
    result_of(willow, 7, "HH", pdf=False, superseded=True)
    training = result_of(willow, 8, "HH")
    training.ordered_test.order.is_demo = True
    training.ordered_test.order.save()
    old = result_of(willow, 9, "HH")
    make_result(old.ordered_test.order, value(flag="N"), version=2)
    shown = text(ada.get("/results"))
    assert re.findall(r">Testa(\d) Sampleperson</a>", shown) == ["4", "3", "2", "1", "9"]
    assert shown.count("critically high") == 1
    assert "amended, version 2" in shown
    (entry,) = AuditEntry.objects.filter(action="result.list")
    assert (entry.count, len(entry.patients)) == (5, 10)


def test_no_name_in_title_or_address(ada: Client, willow: Practice) -> None:
    result_of(willow, 1, "H")
    shown = text(ada.get("/results"))
    assert "Sampleperson" not in re.findall("<title>(.*?)</title>", shown)[0]
    assert not [one for one in re.findall('(?:href|action)="([^"]+)"', shown) if "testa" in one.lower()]


def test_marking_and_taking_back(ada: Client, willow: Practice) -> None:
    result = result_of(willow, 1, "H")
    shown = text(ada.post(f"/results/{result.pk}/review", {"action": "mark"}, follow=True))
    assert "Marked as reviewed" in shown
    assert "Every result is reviewed." in shown
    result.refresh_from_db()
    assert (result.reviewed_by, result.review_unfiled) == ("practitioner@willow.example", True)
    assert result.ordered_test.order.filing_queued
    shown = text(ada.get("/results?reviewed"))
    assert "Take back" in shown
    assert "being told to Caspio" in shown
    ada.post(f"/results/{result.pk}/review", {"action": "unmark"})
    assert "Testa1" in text(ada.get("/results"))


def test_from_the_order_one_comes_back_to_it(ada: Client, willow: Practice) -> None:
    result = result_of(willow, 1, "H")
    answer = ada.post(f"/results/{result.pk}/review", {"action": "mark", "from": "order"})
    assert answer["Location"] == f"/orders/{result.ordered_test.order_id}#{result.ordered_test_id}"
    shown = text(ada.get(f"/orders/{result.ordered_test.order_id}"))
    assert "Reviewed by practitioner@willow.example" in shown


def test_a_replaced_version_is_not_reviewed(ada: Client, willow: Practice) -> None:
    old = result_of(willow, 1, "H")
    make_result(old.ordered_test.order, value(flag="N"), version=2)
    shown = text(ada.post(f"/results/{old.pk}/review", {"action": "mark"}, follow=True))
    assert "A newer version of this result came in." in shown
    old.refresh_from_db()
    assert old.reviewed_at is None


def test_a_withheld_version_takes_no_earlier_one_out_of_the_queue(ada: Client, willow: Practice) -> None:
    first = result_of(willow, 1, "LL")
    order = first.ordered_test.order
    second = make_result(order, value(flag="N"), version=2, withheld=True)
    assert "Testa1" in text(ada.get("/results"))
    assert "Results that nobody has reviewed" in text(ada.get("/"))
    shown = text(ada.get(f"/orders/{order.pk}"))
    assert shown.count("Mark reviewed") == 1
    assert f"/results/{first.pk}/review" in shown
    assert set(newest()) == {first}
    shown = text(ada.post(f"/results/{first.pk}/review", {"action": "mark"}, follow=True))
    assert "Marked as reviewed" in shown
    Result.objects.filter(pk=second.pk).update(withheld=False)
    assert set(newest()) == {second}, "what was released waits for a review of its own"


def test_whose_and_until_when(ada: Client, willow: Practice) -> None:
    result = result_of(willow, 1, "H", found_at=timezone.now() - timedelta(days=10))
    assert "overdue" in text(ada.get("/results"))
    me = "practitioner@willow.example"
    given = {"action": "assign", "to": me, "due": "2099-02-03"}
    shown = text(ada.post(f"/results/{result.pk}/review", given, follow=True))
    assert "due Feb 3" in shown
    assert ">overdue<" not in shown
    assert "Testa1" in text(ada.get("/results?mine"))
    shown = text(ada.post(f"/results/{result.pk}/review", {"action": "assign", "due": "soon"}, follow=True))
    assert "The day is not a date." in shown
    member(willow, Role.FRONT_DESK, "desk@willow.example")
    ada.post(f"/results/{result.pk}/review", {"action": "assign", "to": "desk@willow.example"})
    result.refresh_from_db()
    assert (result.assigned_to, result.due_on) == ("", None), "front desk reviews no results"


def test_another_practices_results_are_not_there(ada: Client, willow: Practice) -> None:
    birch = make_practice("birch")
    theirs = result_of(birch, 1, "HH")
    assert "Testa1" not in text(ada.get("/results"))
    for answer in (
        ada.get(f"/results/{theirs.pk}/pdf"),
        ada.post(f"/results/{theirs.pk}/review", {"action": "mark"}),
    ):
        assert answer.status_code == 404
    theirs.refresh_from_db()
    assert theirs.reviewed_at is None


def test_pages_and_a_constant_number_of_queries(
    ada: Client, willow: Practice, django_assert_max_num_queries: Any
) -> None:
    for number in range(3):
        result_of(willow, number, "H")
    ada.get("/results")
    with django_assert_max_num_queries(30) as few:
        ada.get("/results")
    count = len(few.captured_queries)
    for number in range(3, 30):
        result_of(willow, number, "H", "L")
    ada.get("/results")
    with django_assert_max_num_queries(count):
        first = text(ada.get("/results"))
    assert first.count("Mark reviewed</button>") == 25
    (further,) = re.findall(r'rel="next" href="(\?after=[^"]+)"', first)
    ada.get(f"/results{further}")  # the keys of its patients
    with django_assert_max_num_queries(count + 1):  # the one behind which it begins
        second = text(ada.get(f"/results{further}"))
    assert second.count("Mark reviewed</button>") == 5
    assert 'rel="next"' not in second
    assert text(ada.get("/results?after=nothing")).count("Mark reviewed</button>") == 25


@pytest.mark.parametrize("done", [False, True])
def test_pages_by_key_miss_nothing_and_show_nothing_twice(
    ada: Client, willow: Practice, done: bool, monkeypatch: Any
) -> None:
    monkeypatch.setattr(results, "PER_PAGE", 3)
    moment = timezone.now()
    for number in range(11):
        kept = result_of(willow, number, "HN"[number % 2])
        at = moment - timedelta(days=number // 4)
        reviewed = at if done else None
        Result.objects.filter(pk=kept.pk).update(found_at=at, reviewed_at=reviewed, reviewed_by="Ada")
    seen, address = [], "/results?reviewed" if done else "/results"
    while address:
        shown = text(ada.get(address))
        seen += re.findall(r'id="result-([0-9a-f-]+)"', shown)
        further = re.findall(r'rel="next" href="([^"]+)"', shown)
        address = f"/results{further[0].replace('&amp;', '&')}" if further else ""
    order = ("-reviewed_at", "-pk") if done else ("-urgency", "found_at", "pk")
    assert seen == [str(key) for key in Result.objects.order_by(*order).values_list("pk", flat=True)]
