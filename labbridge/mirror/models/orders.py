"""Orders, their tests, and what was said of them at which moment."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from labbridge.mirror.models.keys import KEY
from labbridge.mirror.models.patients import Patient
from labbridge.practices.models import Practice
from labbridge.trust.fields import SealedTextField
from labbridge.trust.ids import new_id


class Phase(models.TextChoices):
    DRAFT = "draft"
    AWAITING_PAYMENT = "awaiting_payment"
    IN_PROGRESS = "in_progress"
    PARTIAL_RESULTS = "partial_results"
    COMPLETE = "complete"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


UNDER_WAY = models.Q(phase__in=["awaiting_payment", "in_progress", "partial_results"], is_demo=False)

#: Of which `billing.states.attention` has something to say: canceled or refunded after something was recorded.
TO_SET_RIGHT = (models.Q(phase="canceled") | models.Q(status__icontains="refund")) & (
    models.Q(superbill_status__in=["issued", "sent"])
    | models.Q(hsa_fsa_status="confirmed")
    | models.Q(payment_plan_status="active")
)


class Order(models.Model):
    """A lab order at Rupa. `status` is the peer's literal, `phase` our coarse word."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="orders")
    external_id = models.CharField(max_length=KEY)
    patient = models.ForeignKey(Patient, null=True, on_delete=models.PROTECT, related_name="orders")
    practitioner_id_external = models.CharField(max_length=KEY, default="")
    practitioner_name = models.CharField(max_length=200, default="")
    order_intent_id = models.CharField(max_length=KEY, default="")
    request_id = models.CharField(max_length=255, default="")
    source = models.CharField(max_length=60, default="rupa")
    status = models.CharField(max_length=255, default="")
    phase = models.CharField(max_length=20, choices=Phase.choices, default=Phase.UNKNOWN)
    payer = models.CharField(max_length=60, default="")
    total_price = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    notes_to_patient = SealedTextField(null=True)
    submitted_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    checked_out_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    canceled_at = models.DateTimeField(null=True)
    is_demo = models.BooleanField(default=False)
    clock = models.JSONField(default=dict)  # field -> age of what is held, see merge.py
    as_of = models.DateTimeField(null=True)  # the peer's time of the newest snapshot
    first_seen_at = models.DateTimeField(default=timezone.now)
    #: `phases.expected_by`, kept by the database itself (migration `expected_at`): what is written here is not kept.
    #: None where it is not known, or the order was closed when that began.
    expected_at = models.DateTimeField(null=True, editable=False)

    # Where billing stands, in the words of docs/billing.md; "" while nobody has said anything.
    superbill_status = models.CharField(max_length=20, default="", db_default="")
    hsa_fsa_status = models.CharField(max_length=20, default="", db_default="")
    payment_plan_status = models.CharField(max_length=20, default="", db_default="")

    # How far this order has come. A revision is one change of what Caspio should hold.
    revision = models.PositiveIntegerField(default=0)
    filed_revision = models.PositiveIntegerField(default=0)
    filing_queued = models.BooleanField(default=False)
    filed_at = models.DateTimeField(null=True)
    filing_problem = models.CharField(max_length=300, default="")
    pull_queued = models.BooleanField(default=False)
    poll_queued = models.BooleanField(default=False)
    pull_problem = models.CharField(max_length=300, default="")
    erased_at = models.DateTimeField(
        null=True
    )  # its contents were removed: Caspio keeps the rows as they are
    assigned_to = models.CharField(max_length=150, default="")  # user name of who sees to it

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="order_once")
        ]
        indexes: ClassVar = [
            # With what `analytics/facts.py` compares of every order.
            models.Index(
                fields=["practice", "id"], include=["revision", "filed_at", "erased_at"], name="order_pages"
            ),
            models.Index(fields=["practice", "phase", "id"], name="order_phase_pages"),
            models.Index(fields=["practice", "practitioner_id_external", "id"], name="order_practitioner"),
            models.Index(
                fields=["practice"],
                name="order_unfiled",
                condition=models.Q(filed_revision__lt=models.F("revision")),
            ),
            models.Index(fields=["practice", "phase"], include=["is_demo"], name="order_phases"),
            models.Index(fields=["practice", "order_intent_id"], name="order_intent"),
            models.Index(
                fields=["practice", "submitted_at"],
                name="order_under_way",
                condition=models.Q(phase__in=["awaiting_payment", "in_progress", "partial_results"]),
            ),
            models.Index(
                fields=["practice", "id"],
                name="order_refunded",
                condition=models.Q(status__icontains="refund"),
            ),
            models.Index(
                fields=["practice", "id", "expected_at"], name="order_late_pages", condition=UNDER_WAY
            ),
            models.Index(fields=["practice", "expected_at"], name="order_late", condition=UNDER_WAY),
            models.Index(fields=["practice", "id"], name="order_to_set_right", condition=TO_SET_RIGHT),
            models.Index(
                fields=["practice"],
                name="order_stuck",
                condition=~models.Q(filing_problem="") | ~models.Q(pull_problem=""),
            ),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.patient.sealed_for if self.patient else self.practice_id


class PhaseTally(models.Model):
    """How many orders stand in each phase, training orders left out, so that nobody counts a million.

    Triggers on the orders' table add rows (migration `phase_tally`), in the transaction of what they count: a sum
    over the rows is exact at any moment and no transaction waits for another. `mirror/tally.py` sums up and folds.
    """

    practice = models.ForeignKey(Practice, on_delete=models.CASCADE, related_name="+")
    phase = models.CharField(max_length=20)
    orders = models.BigIntegerField()  # a change: may be negative

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["practice", "phase"], include=["orders"], name="phase_tally")
        ]

    def __str__(self) -> str:
        return f"{self.phase} {self.orders:+}"


class OrderNote(models.Model):
    """What somebody at the practice noted on an order. It stays here: no peer is told."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="notes")
    text = SealedTextField()
    by = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"note {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.order.sealed_for


class ResultState(models.TextChoices):
    NONE = "none"
    FILE_PENDING = "received_file_pending"
    RESULTED = "resulted"
    AMENDED = "amended"
    PROBLEM = "problem"


class OrderedTest(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="ordered_tests")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="ordered_tests")
    external_id = models.CharField(max_length=KEY)
    lab_test_id_external = models.CharField(max_length=KEY, default="")
    results_received_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, default="")  # why its result is not in the chart: a sentence
    removed = models.BooleanField(default=False)  # taken off the order at checkout
    clock = models.JSONField(default=dict)  # field -> age of what is held, see merge.py
    as_of = models.DateTimeField(null=True)  # the newest snapshot that named it
    polls = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="ordered_test_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["practice", "results_received_at", "id"],
                name="ordered_test_problem",
                condition=~models.Q(problem=""),
            ),
            models.Index(fields=["practice", "lab_test_id_external"], name="ordered_test_kind"),
        ]

    def __str__(self) -> str:
        return self.external_id


class What(models.TextChoices):
    """What a moment of an order tells."""

    STATUS = "status"  # the peer's literal
    PHASE = "phase"
    PAYMENT = "payment"  # Payment_Status
    RESULT = "result"  # of one ordered test: the lab's date


class OrderMoment(models.Model):
    """What an order was said to be at a moment. Only added to, which the database sees to; no patient data.

    See mirror/history.py: the rows of an order do not depend on the order in which they came, and `OrderChange` reads
    them as changes.
    """

    VALUE = 255

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="moments")
    ordered_test = models.ForeignKey(OrderedTest, null=True, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=8, choices=What.choices)
    value = models.CharField(max_length=VALUE)
    step = models.SmallIntegerField()  # of one moment the higher is the later one
    at = models.DateTimeField()  # the peer's date of it where it has one, else the age of the snapshot
    event_id = models.UUIDField(null=True)  # the first event that told it; None: it was read
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "ordered_test", "what", "at", "value"],
                name="order_moment_once",
                nulls_distinct=False,
            )
        ]
        indexes: ClassVar = [models.Index(fields=["practice", "id"], name="order_moment_heard")]

    def __str__(self) -> str:
        return f"{self.what} of {self.order_id}"


class OrderChange(models.Model):
    """A view: moments of an order that differ from the one before, with what was before (None: nothing known)."""

    practice = models.ForeignKey(Practice, on_delete=models.DO_NOTHING, related_name="+")
    order = models.ForeignKey(Order, on_delete=models.DO_NOTHING, related_name="changes")
    ordered_test = models.ForeignKey(OrderedTest, null=True, on_delete=models.DO_NOTHING, related_name="+")
    what = models.CharField(max_length=8, choices=What.choices)
    before = models.CharField(max_length=OrderMoment.VALUE, null=True)
    after = models.CharField(max_length=OrderMoment.VALUE)
    step = models.SmallIntegerField()
    at = models.DateTimeField()
    event_id = models.UUIDField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "mirror_orderchange"
        ordering: ClassVar = ["at", "step", "after", "id"]

    def __str__(self) -> str:
        return f"{self.what} of {self.order_id}"
