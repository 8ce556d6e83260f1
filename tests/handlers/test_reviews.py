"""Reviews: said here and filed once, said in Caspio and learnt, never lost between the two."""

from __future__ import annotations

from typing import Any

import pytest

from labbridge.handlers.reviews import REPLACED, CannotReview, mark
from labbridge.mirror.models import Order, Result, Urgency
from labbridge.mirror.results import urgency_of
from labbridge.mirror.reviews import to_review
from labbridge.practices.models import Practice
from labbridge.reconcile.depth import HOURLY
from labbridge.reconcile.rows import RowComparison
from labbridge.trust.audit import Actor
from labbridge.trust.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)

ADA = Actor("person", "1", "ada")
TEST = "DUTCH Complete"


@pytest.fixture
def result(practice: Practice, rupa_sim: Any, add_patient: Any, deliver_all: Any, run_jobs: Any) -> Result:
    order = rupa_sim.order(add_patient(1)["id"], TEST)
    rupa_sim.act(order, "result", files="pdf+hl7")
    deliver_all()
    run_jobs()
    return Result.objects.select_related("ordered_test").get()


def row(caspio_sim: Any, version: int = 1) -> dict[str, Any]:
    (found,) = [one for one in caspio_sim.tables()["Lab_Results"] if one["Version"] == version]
    return dict(found)


def writes(caspio_sim: Any) -> list[str]:
    return [f"{one['method']} {one['path'].rpartition('/tables/')[2]}" for one in caspio_sim.requests()
            if one["method"] != "GET" and "oauth" not in one["path"]]  # fmt: skip


def compare(practice: Practice) -> RowComparison:
    comparison = RowComparison(practice, HOURLY)
    comparison.read()
    return comparison


def test_a_review_is_one_write_and_repeating_it_none(
    practice: Practice, result: Result, caspio_sim: Any, run_jobs: Any
) -> None:
    assert list(to_review([practice])) == [result]
    caspio_sim.forget_requests()
    assert mark(result, reviewed=True, by="ada", actor=ADA)
    assert not mark(result, reviewed=True, by="ben", actor=ADA)
    assert list(to_review([practice])) == []
    run_jobs()
    assert writes(caspio_sim) == ["PUT Lab_Results/records"]
    held = row(caspio_sim)
    assert (held["Review_Status"], held["Reviewed_By"]) == ("reviewed", "ada")
    assert held["Reviewed_At"]
    mark(result, reviewed=False, by="ada", actor=ADA)
    run_jobs()
    held = row(caspio_sim)
    assert (held["Review_Status"], held["Reviewed_By"], held["Reviewed_At"]) == ("unreviewed", "", None)
    entries = AuditEntry.objects.filter(subject=f"result:{result.pk}", actor_name="ada")
    assert list(entries.values_list("action", flat=True)) == ["result.review", "result.unreview"]
    assert all(len(entry.patients) == 2 for entry in entries)


def test_a_lost_answer_is_written_again_and_says_the_same(
    practice: Practice, result: Result, caspio_sim: Any, run_jobs: Any
) -> None:
    mark(result, reviewed=True, by="ada", actor=ADA)
    caspio_sim.fault("error_after", match={"method": "PUT", "path": "Lab_Results"}, times=1)
    run_jobs()
    run_jobs(waiting=True)
    result.refresh_from_db()
    assert not result.review_unfiled
    assert row(caspio_sim)["Review_Status"] == "reviewed"


def test_a_row_deleted_in_caspio_comes_back_with_its_review(
    practice: Practice, result: Result, caspio_sim: Any, run_jobs: Any
) -> None:
    from labbridge.filing.models import FiledRow

    mark(result, reviewed=True, by="ada", actor=ADA)
    run_jobs()
    ledger = FiledRow.objects.get(table="lab_results")
    delete(caspio_sim)
    FiledRow.objects.filter(pk=ledger.pk).update(fields={}, pk_id=None, file_sha256="", recreated=1)
    from labbridge.handlers.schedule import with_order
    from labbridge.handlers.settle import refile

    with_order(Order.objects.get().pk, refile)
    run_jobs()
    assert row(caspio_sim)["Review_Status"] == "reviewed"


def delete(caspio_sim: Any) -> None:
    from tests.reconcile.test_sweep import delete_rows

    delete_rows(caspio_sim, "Lab_Results")


def change(caspio_sim: Any, **values: Any) -> None:
    from tests.reconcile.test_sweep import change_row

    change_row(caspio_sim, "Lab_Results", **values)


def test_a_review_made_in_caspio_counts_here(
    practice: Practice, result: Result, caspio_sim: Any, run_jobs: Any
) -> None:
    from labbridge.reconcile.models import Sweep

    change(caspio_sim, Review_Status="reviewed", Reviewed_By="Dr. Ada", Reviewed_At="2031-02-03T10:00:00")
    comparison = compare(practice)
    assert [one.by for one in comparison.reviews] == ["Dr. Ada"]
    assert not comparison.differences, "the practice's own fields are no difference"
    result.refresh_from_db()
    assert result.reviewed_at is None, "comparing changes nothing"
    comparison.apply(Sweep.objects.create(practice=practice))
    result.refresh_from_db()
    assert (result.reviewed_by, result.review_unfiled) == ("Dr. Ada", False)
    assert result.reviewed_at
    assert result.reviewed_at.astimezone(practice.zone).isoformat()[:19] == "2031-02-03T10:00:00"
    caspio_sim.forget_requests()
    run_jobs()
    assert writes(caspio_sim) == []
    assert compare(practice).reviews == []


def test_what_was_said_here_meanwhile_is_newer_than_what_was_read(
    practice: Practice, result: Result, caspio_sim: Any
) -> None:
    from labbridge.reconcile.models import Sweep

    change(caspio_sim, Review_Status="reviewed", Reviewed_By="Dr. Ada")
    comparison = compare(practice)
    mark(result, reviewed=True, by="ben", actor=ADA)
    comparison.apply(Sweep.objects.create(practice=practice))
    result.refresh_from_db()
    assert (result.reviewed_by, result.review_unfiled) == ("ben", True)
    assert compare(practice).reviews == [], "what is still to be filed is not overwritten"


def test_an_amended_version_is_reviewed_anew(
    practice: Practice, result: Result, rupa_sim: Any, caspio_sim: Any, deliver_all: Any, run_jobs: Any
) -> None:
    mark(result, reviewed=True, by="ada", actor=ADA)
    run_jobs()
    rupa_sim.act(result.ordered_test.order.external_id, "amend")
    deliver_all()
    run_jobs()
    (newer,) = to_review([practice])
    assert newer.version == 2
    assert row(caspio_sim, 2)["Review_Status"] == "unreviewed"
    assert row(caspio_sim, 1)["Review_Status"] == "reviewed", "a new version changes no older row"
    mark(result, reviewed=False, by="ada", actor=ADA)
    with pytest.raises(CannotReview, match=REPLACED):
        mark(result, reviewed=True, by="ada", actor=ADA)


@pytest.mark.parametrize(
    ("flags", "urgency"),
    [([], Urgency.UNREAD), (["N", None], Urgency.IN_RANGE), (["N", "H"], Urgency.ABNORMAL),
     (["L", "LL"], Urgency.CRITICAL), (["AA"], Urgency.CRITICAL)],
)  # fmt: skip
def test_urgency_is_the_worst_flag(flags: list[str | None], urgency: Urgency) -> None:
    assert urgency_of({"flag": flag, "status": "F"} for flag in flags) is urgency


def test_a_value_that_the_lab_took_back_is_not_urgent() -> None:
    assert urgency_of([{"flag": "HH", "status": "W"}, {"flag": "N", "status": "F"}]) is Urgency.IN_RANGE
