"""Facts: one narrow row for each order, ordered test and filed result, in the calendar of the practice.

They are derived from the mirror alone and can be dropped and made again at any time (`facts.refresh`). They hold no
patient data: no name, no key of a chart. Whose a test is stands there by our own id, and not once that was erased.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, Expression, F, Func, Q, Value, When
from django.db.models.functions import Coalesce

from labbridge.mirror.models import KEY, Order, OrderedTest, Result
from labbridge.practices.models import Practice


def _days(begun: Expression | F, ended: Expression | F) -> Func:
    return Func(
        ended, begun, template="(%(expressions)s)", arg_joiner=" - ", output_field=models.IntegerField()
    )


# The steps of an order that Rupa's dates tell; each implies those before it. The database works them out when a fact
# is stored, so that a question over a million orders only counts.
_ALL = Q(done_on__isnull=False)
_FIRST = _ALL | Q(first_result_on__isnull=False)
_PAID = (
    _FIRST | Q(paid_on__isnull=False) | Q(payment="practitioner_pays")
    | Q(phase__in=["in_progress", "partial_results", "complete"])
)  # fmt: skip
_CANCELED = Q(phase="canceled")
_STARTED = Coalesce(F("paid_on"), F("submitted_on"))


def _taken(came: Q | None, went: Q, begun: Expression | F, ended: F) -> Case:
    """Days of one step, or until it was canceled there; none of who did not come so far, or waits there."""
    lost = _CANCELED if came is None else _CANCELED & came
    return Case(
        When(went, then=_days(begun, ended)),
        When(lost, then=_days(begun, F("canceled_on"))),
        default=None,
        output_field=models.IntegerField(null=True),
    )


def _kept(expression: Expression, field: Any) -> models.GeneratedField:  # any: of whatever type
    return models.GeneratedField(expression=expression, output_field=field, db_persist=True)


class OrderFact(models.Model):
    order = models.OneToOneField(Order, primary_key=True, on_delete=models.CASCADE, related_name="fact")
    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    revision = models.PositiveIntegerField()  # of the order that this was made from
    zone = models.CharField(max_length=64)  # whose calendar the dates are in
    counts = models.BooleanField()  # neither a demo nor a draft (design.md 6.6.6)
    counted_on = models.DateField()  # submitted, else the day we first saw it
    dated = models.BooleanField()  # False: Rupa gave no date of submission
    backwards = (
        models.BooleanField()
    )  # a date precedes one that must come before it: no duration is taken from it
    source = models.CharField(max_length=60)
    practitioner_key = models.CharField(max_length=KEY)
    practitioner_name = models.CharField(max_length=200)
    payer = models.CharField(max_length=60)
    payment = models.CharField(max_length=20)
    phase = models.CharField(max_length=20)
    price = models.DecimalField(max_digits=14, decimal_places=4, null=True)  # as the peer gives it
    submitted_on = models.DateField(null=True)
    paid_on = models.DateField(null=True)
    kit_on = models.DateField(
        null=True
    )  # when Rupa first said that the kit was sent (facts.KIT); most never say
    sample_on = models.DateField(null=True)  # and that the lab has the sample
    first_result_on = models.DateField(null=True)
    done_on = models.DateField(null=True)  # completed, else the last result when all tests have one
    canceled_on = models.DateField(null=True)
    tests = models.PositiveSmallIntegerField()
    resulted = models.PositiveSmallIntegerField()
    filed = models.BooleanField(default=False)  # Caspio has it
    erased = models.BooleanField(default=False)  # its contents were removed
    #: Rupa prices an order as a whole: the one known lab of its tests, `SEVERAL`, or "" where none is known.
    lab = models.CharField(max_length=KEY, default="")
    labs = models.PositiveSmallIntegerField(default=0)  # an unknown one is one of them

    #: The last step it came to: 0 ordered, 1 paid, 2 first result, 3 all results; and the days of each (funnel.py).
    reached = _kept(
        Case(
            When(_ALL, then=Value(3)),
            When(_FIRST, then=Value(2)),
            When(_PAID, then=Value(1)),
            default=Value(0),
        ),
        models.SmallIntegerField(),
    )
    days_paid = _kept(_taken(None, _PAID, F("submitted_on"), F("paid_on")), models.IntegerField(null=True))
    days_first = _kept(_taken(_PAID, _FIRST, _STARTED, F("first_result_on")), models.IntegerField(null=True))
    days_all = _kept(_taken(_FIRST, _ALL, F("first_result_on"), F("done_on")), models.IntegerField(null=True))
    #: Since when it waits at the next step; none once it is over.
    waits_since = _kept(
        Case(
            When(_CANCELED | _ALL, then=None), When(_FIRST, then=F("first_result_on")), When(_PAID, then=_STARTED),
            default=F("submitted_on"), output_field=models.DateField(null=True),
        ),
        models.DateField(null=True),
    )  # fmt: skip
    #: The day of payment; where the practice pays and nobody dated it, of the order. None: it is not paid for.
    revenue_on = _kept(
        Case(
            When(payment__in=["paid", "practitioner_pays"], then=Coalesce(F("paid_on"), F("counted_on"))),
            default=None, output_field=models.DateField(null=True),
        ),
        models.DateField(null=True),
    )  # fmt: skip

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["practice", "counted_on"], name="order_fact_day"),
            models.Index(
                fields=["practice", "counted_on"],
                name="order_fact_told",
                condition=Q(kit_on__isnull=False) | Q(sample_on__isnull=False),
            ),
            # All that tells whether an order has changed since, so that a million are compared without being read.
            models.Index(
                fields=["practice", "order"],
                include=["revision", "zone", "filed", "erased"],
                name="order_fact_made",
            ),
        ]

    def __str__(self) -> str:
        return f"fact of {self.order_id}"


class TestFact(models.Model):
    __test__ = False  # pytest takes every class of this name for its own

    ordered_test = models.OneToOneField(
        OrderedTest, primary_key=True, on_delete=models.CASCADE, related_name="fact"
    )
    order = models.ForeignKey(OrderFact, on_delete=models.CASCADE, related_name="test_facts")
    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    lab_test_key = models.CharField(max_length=KEY)
    counted_on = models.DateField()
    counts = models.BooleanField()
    started_on = models.DateField(null=True)  # paid, else submitted: when the lab's clock starts
    resulted_on = models.DateField(null=True)  # of the first version
    ended_on = models.DateField(null=True)  # canceled or complete without a result: the wait was cut short
    open = models.BooleanField(default=False)  # counted, begun, and its result awaited today
    patient_id = models.UUIDField(null=True)  # ours; None: not known, or erased
    lab = models.CharField(
        max_length=KEY, default=""
    )  # Rupa's id, by the catalogue of then (facts.py: `_MOVED`)
    #: The first of its order at that lab, so that orders are counted by lab without being grouped; and, on that one,
    #: whether any test of them was canceled without a result.
    leads = models.BooleanField(default=False)
    lab_ended = models.BooleanField(default=False)
    #: Days until the result, below 0 where a clock ran backwards; none where it is not counted, not begun, or open.
    waited = _kept(
        Case(
            When(
                Q(counts=True, started_on__isnull=False, resulted_on__isnull=False),
                then=_days(F("started_on"), F("resulted_on")),
            ),
            default=None,
            output_field=models.IntegerField(null=True),
        ),
        models.IntegerField(null=True),
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["practice", "counted_on"], name="test_fact_day"),
            models.Index(fields=["practice", "lab_test_key", "lab"], name="test_fact_lab"),
            models.Index(
                fields=["practice", "lab_test_key", "patient_id", "-counted_on", "ordered_test"],
                include=["order", "resulted_on"],
                name="test_fact_again",
                condition=Q(counts=True, ended_on=None, patient_id__isnull=False),
            ),
            models.Index(
                fields=["practice", "lab", "lab_test_key", "started_on"],
                name="test_fact_open",
                condition=Q(open=True),
            ),
            # Test by test and day by day, so that waits are counted as they come, without sorting or hashing them.
            models.Index(
                fields=["practice", "lab_test_key", "waited", "counted_on"],
                include=["lab"],
                name="test_fact_waits",
                condition=Q(waited__isnull=False),
            ),
            models.Index(
                fields=["practice", "counted_on"],
                include=["lab_test_key", "lab", "started_on", "ended_on"],
                name="test_fact_cut_short",
                condition=Q(counts=True, started_on__isnull=False, resulted_on=None),
            ),
        ]

    def __str__(self) -> str:
        return f"fact of {self.ordered_test_id}"


class ResultFact(models.Model):
    """One version of a result that Caspio has, of an order that counts."""

    result = models.OneToOneField(Result, primary_key=True, on_delete=models.CASCADE, related_name="fact")
    order = models.ForeignKey(OrderFact, on_delete=models.CASCADE, related_name="result_facts")
    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    found_on = models.DateField()  # when it was first seen here
    value_count = models.PositiveIntegerField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["practice", "found_on"], include=["value_count"], name="result_fact_day")
        ]

    def __str__(self) -> str:
        return f"fact of {self.result_id}"
