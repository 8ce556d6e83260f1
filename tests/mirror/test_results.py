from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbridge.mirror.merge import merge_order
from labbridge.mirror.models import (
    Chart,
    Order,
    OrderedTest,
    Result,
    ResultSource,
    SourceState,
    StoredFile,
    Take,
)
from labbridge.mirror.results import (
    OTHER_PATIENT,
    OUT_OF_DATE,
    SUPERSEDED,
    Content,
    check_names,
    keep_content,
    mark_gone,
    names_another,
    refuse,
    store_file,
)
from labbridge.peers.rupa.types import OrderSnapshot
from labbridge.practices.models import Practice
from tests.mirror.snapshots import at, hl7, order, ordered_test

pytestmark = pytest.mark.django_db

ADA = {"first_name": "Ada", "last_name": "Testcase", "birthday": "1980-01-02"}
BEA = {"first_name": "Bea", "last_name": "Sample", "birthday": "1975-05-05"}


def show(
    practice: Practice, minute: float, *, look_again: bool = False, date: float | None = 0, **files: Any
) -> Order:
    """Rupa shows these files at this minute."""
    received = None if date is None else at(date)
    return show_order(
        practice, minute, order(ordered_test(results_received_at=received, **files)), look_again
    )


def show_order(practice: Practice, minute: float, snapshot: OrderSnapshot, look_again: bool = False) -> Order:
    with transaction.atomic():
        return merge_order(practice, snapshot, at(minute), look_again=look_again)[0]


def take(content: Content | None = None, *, gone: bool = False, refused: str = "") -> bool:
    """What the oldest pending source holds. Without a content it is what stands in the source itself."""
    source = ResultSource.objects.filter(state=SourceState.PENDING).earliest("as_of")
    with transaction.atomic():
        if gone:
            return mark_gone(source)
        if refused:
            return refuse(source, refused)
        return keep_content(source, content or inline(source))


def inline(source: ResultSource) -> Content:
    pdf = source.files["pdf"]
    return Content(pdf=pdf.encode() if pdf else None, hl7=source.files["hl7"])


def versions() -> list[tuple[int, bytes | None]]:
    results = Result.objects.order_by("version")
    return [(one.version, one.pdf and bytes(one.pdf.content)) for one in results]


def test_the_first_content_is_version_one(willow: Practice) -> None:
    show(willow, 1, results_pdf="A")
    assert take()
    (result,) = Result.objects.all()
    assert (result.version, result.received_at, result.as_of) == (1, at(0), at(1))
    assert ResultSource.objects.get().state == SourceState.TAKEN


def test_the_same_content_taken_again_is_nothing_new(willow: Practice) -> None:
    show(willow, 1, results_pdf="A")
    take()
    show(willow, 2, results_pdf="A", look_again=True)
    assert not take()
    assert (versions(), Take.objects.count()) == ([(1, b"A")], 1)


def test_amended_under_the_same_date_and_address(willow: Practice) -> None:
    show(willow, 1, results_pdf="https://files.rupahealth.com/1")
    take(Content(pdf=b"A"))
    show(willow, 2, results_pdf="https://files.rupahealth.com/1", look_again=True)
    assert take(Content(pdf=b"B"))
    assert versions() == [(1, b"A"), (2, b"B")]


def test_shown_anew_while_it_was_fetched_it_is_fetched_once_more(willow: Practice) -> None:
    show(willow, 1, results_pdf="https://files.rupahealth.com/1")
    source = ResultSource.objects.get()
    show(willow, 2, results_pdf="https://files.rupahealth.com/1?fresh", look_again=True)
    with transaction.atomic():
        keep_content(source, Content(pdf=b"A"))
    held = ResultSource.objects.get()
    assert (held.state, held.files["pdf"]) == (SourceState.PENDING, "https://files.rupahealth.com/1?fresh")
    take(Content(pdf=b"B"))
    assert versions() == [(1, b"A"), (2, b"B")]


@pytest.mark.parametrize("end", [mark_gone, lambda source: refuse(source, "No.")])
def test_shown_anew_while_it_was_fetched_it_is_not_given_up(willow: Practice, end: Any) -> None:
    show(willow, 1, results_pdf="A")
    source = ResultSource.objects.get()
    show(willow, 2, results_pdf="A")
    with transaction.atomic():
        assert not end(source)
    assert ResultSource.objects.get().state == SourceState.PENDING
    assert OrderedTest.objects.get().problem == ""


def test_an_older_version_that_comes_late_takes_its_number(willow: Practice) -> None:
    show(willow, 5, results_pdf="B", date=4)
    take()
    show(willow, 1, results_pdf="A", date=0)
    assert take()
    assert versions() == [(1, b"A"), (2, b"B")]


def test_content_that_came_back_is_seen_without_taking_it_again(willow: Practice) -> None:
    for minute, content in ((1, "A"), (2, "B")):
        show(willow, minute, results_pdf=content)
        take()
    before = Order.objects.get().revision
    show(willow, 3, results_pdf="A")
    assert versions() == [(1, b"A"), (2, b"B"), (3, b"A")]
    assert Order.objects.get().revision == before + 1


def test_a_late_pdf_completes_its_version(willow: Practice) -> None:
    show(willow, 1, results_hl7=hl7())
    take()
    show(willow, 2, results_hl7=hl7(), results_pdf="P")
    assert take()
    (result,) = Result.objects.all()
    assert result.pdf is not None
    assert result.values.count() == 1


def test_surplus_versions_go_when_older_news_explain_them(willow: Practice) -> None:
    show(willow, 1, results_hl7=hl7(mark="1"))
    take()
    show(willow, 9, results_pdf="P")
    take()
    assert Result.objects.count() == 1
    show(willow, 5, results_hl7=hl7(mark="2"))
    take()
    assert [(one.pdf is not None, one.hl7 is not None) for one in Result.objects.all()] == [
        (False, True),
        (True, True),
    ]


def test_values_follow_their_version(willow: Practice) -> None:
    show(willow, 5, results_hl7=hl7("OBX|1|NM|A^Amended^L||7", "OBX|2|NM|B^Beta^L||8", mark="2"), date=4)
    take()
    show(willow, 1, results_hl7=hl7("OBX|1|NM|F^First^L||1", mark="1"))
    take()
    found = [[value.analyte for value in one.values.all()] for one in Result.objects.all()]
    assert found == [["First"], ["Amended", "Beta"]]


# -- what cannot be had ------------------------------------------------------------------------------------


def test_a_version_lost_before_it_was_taken_is_recorded(willow: Practice) -> None:
    show(willow, 1, results_pdf="A", date=0)
    show(willow, 2, results_pdf="B", date=2)
    take(gone=True)
    assert not Result.objects.exists()
    assert take()
    lost, held = Result.objects.all()
    assert (lost.superseded, lost.problem, lost.received_at, held.version) == (True, SUPERSEDED, at(0), 2)


def test_gone_without_a_successor_is_no_version(willow: Practice) -> None:
    show(willow, 1, results_pdf="A")
    assert not take(gone=True)
    assert not Result.objects.exists()
    assert ResultSource.objects.get().reason == OUT_OF_DATE


def test_a_refused_file_is_the_problem_until_a_good_one_comes(willow: Practice) -> None:
    show(willow, 1, results_pdf="A", date=0)
    assert take(refused="The file is not a PDF.")
    assert OrderedTest.objects.get().problem == "The file is not a PDF."
    show(willow, 2, results_pdf="B", date=2)
    assert take()
    assert OrderedTest.objects.get().problem == ""


def test_an_old_refused_file_is_no_problem_beside_a_newer_good_one(willow: Practice) -> None:
    show(willow, 2, results_pdf="B", date=2)
    take()
    show(willow, 1, results_pdf="A", date=0)
    assert not take(refused="The file is not a PDF.")
    assert OrderedTest.objects.get().problem == ""


def test_two_stale_objects_of_one_test_do_not_hide_a_change(willow: Practice) -> None:
    show(willow, 1, results_pdf="A", date=0)
    show(willow, 2, results_pdf="B", date=2)
    first, second = ResultSource.objects.select_related("ordered_test").order_by("as_of")
    with transaction.atomic():
        refuse(second, "No.")
        refuse(first, "No either.")
        second.refresh_from_db(fields=["state"])
        keep_content(second, Content(pdf=b"B"))
    assert OrderedTest.objects.get().problem == ""


def test_a_note_about_half_a_result_is_kept(willow: Practice) -> None:
    show(willow, 1, results_pdf="A")
    take(Content(pdf=b"A", note="The HL7 message cannot be taken apart."))
    source = ResultSource.objects.get()
    assert (source.state, source.reason) == (SourceState.TAKEN, "The HL7 message cannot be taken apart.")
    assert OrderedTest.objects.get().problem == ""


def test_values_whose_pdf_was_refused_are_a_problem(willow: Practice) -> None:
    show(willow, 1, results_pdf="A", results_hl7=hl7())
    assert take(Content(hl7=hl7(), note="The file is larger than 25 MB."))
    assert OrderedTest.objects.get().problem == "The file is larger than 25 MB."
    assert Result.objects.get().values.count() == 1


# -- whose results they are -----------------------------------------------------------------------------------


def named(practice: Practice, **person: Any) -> Order:
    held = show(practice, 1, results_hl7=hl7(**person))
    take()
    return held


def chart(practice: Practice, key: str = "P-1") -> Chart:
    return Chart.objects.create(practice=practice, key=key, person=dict(ADA))


def test_a_report_about_somebody_else_is_withheld_and_released_again(willow: Practice) -> None:
    held = named(willow)
    assert check_names(held, [BEA])
    result = Result.objects.get()
    assert (result.withheld, result.problem) == (True, OTHER_PATIENT[:300])
    assert OrderedTest.objects.get().problem == OTHER_PATIENT[:300]
    assert not check_names(held, [BEA])
    assert check_names(held, [ADA])
    assert OrderedTest.objects.get().problem == ""
    assert not Result.objects.get().withheld


def test_every_record_of_the_person_is_compared(willow: Practice) -> None:
    assert check_names(named(willow), [ADA, None, BEA])


def test_what_was_found_right_stays_in_its_chart(willow: Practice) -> None:
    held, first, second = named(willow), chart(willow), chart(willow, "P-2")
    assert not check_names(held, [ADA], first)
    assert not check_names(held, [BEA], first)
    assert not check_names(held, [BEA])
    assert check_names(held, [BEA], second)


def test_new_values_are_compared_anew(willow: Practice) -> None:
    held, right = named(willow), chart(willow)
    check_names(held, [ADA], right)
    show(willow, 0.5, results_hl7=hl7(first="Bea", last="Sample", birthday="", mark="2"))
    take()
    assert check_names(held, [ADA], right)
    assert [one.withheld for one in Result.objects.all()] == [True, False]


@pytest.mark.parametrize(
    ("report", "another"),
    [
        (None, False),
        ({}, False),
        ({"first_name": "ADA", "last_name": "TESTCASE", "birthday": "1980-01-02"}, False),
        ({"first_name": "Ada", "last_name": "Newname"}, False),
        ({"last_name": "Testcase", "birthday": "1980-01-03"}, True),
        ({"first_name": "Cleo", "last_name": "Other"}, True),
        ({"birthday": "1980-01-02"}, False),
    ],
)
def test_who_is_another(report: Any, another: bool) -> None:
    assert names_another(report, ADA) is another
    assert not names_another(report, None)


# -- files -------------------------------------------------------------------------------------------------------


def test_a_content_is_kept_once_for_a_practice(willow: Practice) -> None:
    other = Practice.objects.create(slug="oak", name="Oak")
    first = store_file(willow, b"A", "pdf")
    assert store_file(willow, b"A", "pdf").pk == first.pk
    assert store_file(other, b"A", "pdf").pk != first.pk
    assert StoredFile.objects.count() == 2


# -- any order -----------------------------------------------------------------------------------------------------

shown = st.builds(
    lambda pdf, mark, date: order(
        ordered_test(
            results_received_at=at(date),
            **({"results_pdf": pdf} if pdf else {}),
            **({"results_hl7": hl7(mark=mark)} if mark else {}),
        )
    ),
    st.sampled_from([None, "A", "B"]),
    st.sampled_from([None, None, "1", "2"]),
    st.sampled_from([-9, -8]),
)


def state_after(practice: Practice, history: list[tuple[int, OrderSnapshot]], eager: bool) -> list[Any]:
    """The versions after all was shown; `eager`: what is shown is taken at once, else at the end."""
    with transaction.atomic():
        for number, (minute, snapshot) in enumerate(history, start=1):
            show_order(practice, minute, snapshot)
            while (eager or number == len(history)) and ResultSource.objects.filter(state="pending").exists():
                take()
        found = [
            (
                one.version, one.received_at, one.as_of, one.pdf and one.pdf.sha256, one.hl7 and one.hl7.sha256,
                [value.analyte for value in one.values.all()],
            )
            for one in Result.objects.select_related("pdf", "hl7")
        ]  # fmt: skip
        transaction.set_rollback(True)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_versions_are_the_same_in_any_order(willow: Practice, data: st.DataObject) -> None:
    history = data.draw(st.lists(st.tuples(st.integers(0, 4), shown), min_size=1, max_size=5))
    shuffled = data.draw(st.permutations(history + history[:2]))
    assert state_after(willow, history, eager=False) == state_after(willow, shuffled, eager=True)
