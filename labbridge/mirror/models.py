from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from labbridge.practices.models import Connection, Practice
from labbridge.trust.fields import SealedField, SealedJSONField, SealedTextField
from labbridge.trust.ids import new_id

KEY = 64  # a peer's key: Rupa's are about 12 characters, Caspio's unique fields up to 255
CASPIO_KEY = 255


class Chart(models.Model):
    """A patient as the practice keeps them in Caspio: one row of its patients table."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="charts")
    key = models.CharField(max_length=CASPIO_KEY)
    pk_id = models.BigIntegerField(null=True)
    rupa_patient_id = models.CharField(max_length=KEY, default="")  # as it stands in Caspio
    person = SealedJSONField(
        default=dict
    )  # first_name, last_name, email, phone, birthday, gender, address parts
    email_index = models.BinaryField(max_length=16, null=True)
    birthday_index = models.BinaryField(max_length=16, null=True)
    name_tags = models.BinaryField(null=True)  # see mirror/names.py; None: not made yet, or erased
    content_index = models.BinaryField(max_length=16, null=True)
    present = models.BooleanField(default=True)
    read_at = models.DateTimeField(default=timezone.now)
    lookup_keys = ArrayField(models.CharField(max_length=32), null=True)  # keyed hashes; None: not made yet
    sync_problem = models.CharField(max_length=300, default="")  # what holds its way to Rupa up
    erased_at = models.DateTimeField(null=True)  # a person had it erased: nothing is read into it again
    sync_status = models.CharField(
        max_length=8, default=""
    )  # the outcome said on its row; "" when none was yet
    sync_message = models.CharField(max_length=1000, default="")
    changed = models.JSONField(default=dict)  # part -> when its value was first seen, as `Patient.clock`
    #: When Rupa was asked to create this patient and has not answered yet: looked up before it is asked again.
    asked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["practice", "key"], name="chart_once")]
        indexes: ClassVar = [
            GinIndex(fields=["lookup_keys"], name="chart_lookup"),
            models.Index(fields=["practice", "rupa_patient_id"], name="chart_rupa"),
            models.Index(fields=["practice", "email_index"], name="chart_email"),
            models.Index(fields=["practice", "birthday_index"], name="chart_birthday"),
            models.Index(
                fields=["practice", "id"],
                include=["name_tags"],
                name="chart_names",
                condition=models.Q(present=True, name_tags__isnull=False),
            ),
            models.Index(
                fields=["practice"],
                name="chart_untagged",
                condition=models.Q(name_tags__isnull=True, person__isnull=False, erased_at__isnull=True),
            ),
            models.Index(fields=["practice", "pk_id"], name="chart_pk"),
            models.Index(
                fields=["practice"], name="chart_unindexed", condition=models.Q(lookup_keys__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"chart {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id if self.erased_at else self.pk


class RowTouch(models.Model):
    """A row of the patients table that changed in Caspio and is to be read again: bursts become one reading."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    pk_id = models.BigIntegerField()
    queued = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["practice", "pk_id"], name="row_touch_once")]

    def __str__(self) -> str:
        return f"row {self.pk_id}"


class Patient(models.Model):
    """A patient at Rupa."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="patients")
    external_id = models.CharField(max_length=KEY)
    person = SealedJSONField(null=True)  # None until it was read
    email_index = models.BinaryField(max_length=16, null=True)
    birthday_index = models.BinaryField(max_length=16, null=True)
    name_tags = models.BinaryField(null=True)  # as a chart's
    clock = models.JSONField(default=dict)  # part -> age of what is held, see merge.py
    as_of = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)  # as a chart's
    changed = models.JSONField(default=dict)  # part -> age of the snapshot that first showed this value
    lookup_keys = ArrayField(models.CharField(max_length=32), null=True)  # keyed hashes; None: not made yet
    connection = models.ForeignKey(
        Connection, null=True, on_delete=models.SET_NULL, related_name="+"
    )  # whose clinic they were seen in; None: not known

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="patient_once")
        ]
        indexes: ClassVar = [
            GinIndex(fields=["lookup_keys"], name="patient_lookup"),
            models.Index(fields=["practice", "email_index"], name="patient_email"),
            models.Index(fields=["practice", "birthday_index"], name="patient_birthday"),
            models.Index(
                fields=["practice", "id"],
                include=["name_tags"],
                name="patient_names",
                condition=models.Q(name_tags__isnull=False),
            ),
            models.Index(
                fields=["practice"],
                name="patient_untagged",
                condition=models.Q(name_tags__isnull=True, person__isnull=False, erased_at__isnull=True),
            ),
            models.Index(
                fields=["practice"], name="patient_unindexed", condition=models.Q(lookup_keys__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id if self.erased_at else self.pk

    @property
    def unread(self) -> bool:
        """Whether the peer has not said yet what a link is made by: null is an answer, silence is none."""
        if self.erased_at:
            return False
        return self.person is None or not {"email", "birthday"} <= self.person.keys()


class PatientLink(models.Model):
    """A Caspio patient who is a certain Rupa patient, with the reasons."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="links")
    chart = models.OneToOneField(Chart, on_delete=models.PROTECT, related_name="link")
    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="link")
    reasons = models.JSONField(default=list)  # sentences without patient data
    base = models.JSONField(null=True)  # side -> part -> keyed hash of the value that was last settled
    made_by = models.CharField(max_length=150, default="labbridge")
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.patient.external_id} linked"


class CaseState(models.TextChoices):
    OPEN = "open"
    DECIDED = "decided"
    UNDONE = "undone"


class CaseKind(models.TextChoices):
    IDENTITY = "identity"  # is this chart that patient?
    VALUES = "values"  # they are one, and differ in values of which the practice wants to be asked


class ReviewCase(models.Model):
    """A question for a person: is this chart that patient at Rupa, or whose value is right?

    Without a chart it is about a patient at Rupa for whom no row in Caspio was found.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="cases")
    kind = models.CharField(max_length=8, choices=CaseKind.choices, default=CaseKind.IDENTITY)
    chart = models.ForeignKey(Chart, null=True, on_delete=models.PROTECT, related_name="cases")
    patient = models.ForeignKey(
        Patient, null=True, on_delete=models.PROTECT, related_name="cases"
    )  # the likeliest
    candidates = models.JSONField(default=list)  # Rupa patient ids that may be chosen
    rows = models.JSONField(default=list)  # without a chart: keys of rows that may be chosen, likeliest first
    parts = models.JSONField(default=list)  # of a question of values: which
    reopened = models.BooleanField(default=False)  # by an undo: nothing is linked here without a person
    reasons = models.JSONField(default=list)  # [{"words", "weight", "field"}]: sentences without patient data
    ways_out = models.JSONField(default=list)  # [{"action", "words"}]
    actions = models.JSONField(default=list)  # those that can be decided here
    state = models.CharField(max_length=8, choices=CaseState.choices, default=CaseState.OPEN)
    decision = models.CharField(max_length=20, default="")
    decided_patient = models.ForeignKey(Patient, null=True, on_delete=models.PROTECT, related_name="+")
    decided_by = models.CharField(max_length=150, default="")
    decided_at = models.DateTimeField(null=True)
    why = models.CharField(max_length=500, default="")
    undone_by = models.CharField(max_length=150, default="")
    undone_at = models.DateTimeField(null=True)
    seen = SealedJSONField(default=dict)  # both sides as they were when the case was opened
    before = models.JSONField(default=dict)  # what stood on the row when it was decided, for an undo
    opened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["opened_at"]
        indexes: ClassVar = [
            models.Index(
                fields=["practice", "opened_at", "id"], name="case_open", condition=models.Q(state="open")
            ),
            models.Index(
                fields=["practice", "-decided_at", "-id"], name="case_over", condition=~models.Q(state="open")
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["chart", "kind"], condition=models.Q(state="open"), name="case_open_once_of_kind"
            ),
            models.UniqueConstraint(
                fields=["patient"],
                condition=models.Q(state="open", chart__isnull=True),
                name="case_open_once_without_chart",
            ),
        ]

    def __str__(self) -> str:
        return f"case {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        whose = self.chart or self.patient
        return whose.sealed_for if whose is not None else self.practice_id


class NotSame(models.Model):
    """A person has said that this chart is not that patient: never proposed again."""

    chart = models.ForeignKey(Chart, on_delete=models.CASCADE, related_name="not_same")
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="not_same")
    said_by = models.CharField(max_length=150)
    said_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["chart", "patient"], name="not_same_once")]

    def __str__(self) -> str:
        return f"not the same {self.pk}"


class EhrId(models.Model):
    """What another system calls a patient, who is a row of Caspio, a patient at Rupa, or both: the crosswalk.

    A name of theirs stands for one person; a person may have as many as wanted, in as many systems.
    """

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    system = models.CharField(max_length=40)  # as in `[ordering] ehr`: healthie, practice-better, cerbo, …
    external_id = models.CharField(max_length=255)
    chart = models.ForeignKey(Chart, null=True, on_delete=models.CASCADE, related_name="ehr_ids")
    patient = models.ForeignKey(Patient, null=True, on_delete=models.CASCADE, related_name="ehr_ids")
    brought_by = models.CharField(max_length=150, default="")
    brought_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["system", "external_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "system", "external_id"], name="ehr_id_once")
        ]

    def __str__(self) -> str:
        return f"{self.system} id {self.pk}"


class LabCompany(models.Model):
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="lab_companies")
    external_id = models.CharField(max_length=KEY)
    name = models.CharField(max_length=255, default="")
    short_name = models.CharField(max_length=255, default="")
    as_of = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="lab_company_once")
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class LabTest(models.Model):
    """A test of the catalogue. Removed tests stay, marked retired, so that old orders keep their names."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="lab_tests")
    external_id = models.CharField(max_length=KEY)
    name = models.CharField(max_length=500, default="")
    lab_company_id_external = models.CharField(max_length=KEY, default="")
    lab_company_name = models.CharField(max_length=255, default="")
    category = models.CharField(max_length=255, default="")
    price = models.DecimalField(
        max_digits=14, decimal_places=4, null=True
    )  # as the peer gives it, unit unknown
    turnaround_days = models.IntegerField(null=True)
    shipping_days_min = models.IntegerField(null=True)
    shipping_days_max = models.IntegerField(null=True)
    is_addon = models.BooleanField(default=False)
    parent_id_external = models.CharField(max_length=KEY, default="")
    available = models.BooleanField(default=True)
    unavailable_reason = models.CharField(max_length=500, default="")
    url = models.CharField(max_length=1000, default="")
    sample_report_url = models.CharField(max_length=1000, default="")
    retired = models.BooleanField(default=False)
    as_of = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="lab_test_once")
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class LabTestChange(models.Model):
    """One change of a test that matters to whoever orders it. By the test's key: the row may be made later."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="+")
    external_id = models.CharField(max_length=KEY)
    field = models.CharField(max_length=32)  # a word of `mirror/lab_tests.py`, or "new"
    before = models.CharField(max_length=64, default="")  # "" where nothing was known
    after = models.CharField(max_length=64, default="")
    at = models.DateTimeField()  # the peer's time of what told it

    class Meta:
        ordering: ClassVar = ["at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["practice", "at"], name="lab_test_change_at"),
            models.Index(fields=["practice", "external_id"], name="lab_test_change_of"),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} {self.field}"


class Protocol(models.Model):
    """A bundle of tests that the practice keeps in its own Caspio tables, as it was last read there."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="protocols")
    external_id = models.CharField(max_length=CASPIO_KEY)
    name = models.CharField(max_length=255, default="")
    active = models.BooleanField(default=True)
    notes = SealedTextField(null=True)  # the practice's own words
    tests = models.JSONField(default=list)  # [{"key", "test", "sort"}]: their key, Rupa's id of the test
    #: Whether it has a row of its own in Caspio; else its tests alone name it.
    has_row = models.BooleanField(default=True)
    present = models.BooleanField(default=True)  # False: made here and not in Caspio yet, or deleted there
    read_at = models.DateTimeField(null=True)
    #: Until when somebody has seen what the catalogue changed in it. What changed before it was known is no news.
    seen_until = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["name", "external_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="protocol_once")
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.practice_id


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


class SourceState(models.TextChoices):
    PENDING = "pending"
    TAKEN = "taken"  # its content is kept, as a new version or as one we had
    GONE = "gone"  # expired or replaced before it could be taken
    REFUSED = "refused"  # not a PDF, too large, from a host not allowed, names another patient


class ResultSource(models.Model):
    """What the peer said about one test's files: addresses or contents, to be taken as soon as possible."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ordered_test = models.ForeignKey(OrderedTest, on_delete=models.PROTECT, related_name="sources")
    as_of = models.DateTimeField()  # the oldest snapshot that showed it
    latest_as_of = models.DateTimeField()  # the newest one, whose addresses are the freshest
    received_at = models.DateTimeField(null=True)
    files = SealedJSONField(default=dict)  # {"pdf": text or null, "hl7": text or null} as the peer gave them
    fingerprint = models.BinaryField(
        max_length=16
    )  # of the lab's date and the addresses without their queries
    state = models.CharField(max_length=8, choices=SourceState.choices, default=SourceState.PENDING)
    reason = models.CharField(max_length=300, default="")

    class Meta:
        ordering: ClassVar = ["as_of", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ordered_test", "fingerprint"], name="result_source_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["ordered_test"], name="result_source_open", condition=models.Q(state="pending")
            )
        ]

    def __str__(self) -> str:
        return f"source {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.ordered_test.order.sealed_for


class Take(models.Model):
    """What one source held when it was taken. The next take of the same source is kept when it held another."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source = models.ForeignKey(ResultSource, on_delete=models.PROTECT, related_name="takes")
    as_of = models.DateTimeField()  # the snapshot whose address led to it
    pdf = models.ForeignKey("StoredFile", null=True, on_delete=models.PROTECT, related_name="+")
    hl7 = models.ForeignKey("StoredFile", null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["as_of", "id"]

    def __str__(self) -> str:
        return f"take {self.pk}"


class StoredFile(models.Model):
    """A file's content, sealed, once per practice and content hash."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="files")
    sha256 = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)  # pdf, hl7
    size = models.PositiveIntegerField()
    content = SealedField()
    stored_at = models.DateTimeField(default=timezone.now)
    emptied_at = models.DateTimeField(null=True)  # the content was removed; the hash stays

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "sha256"], name="stored_file_once")
        ]

    def __str__(self) -> str:
        return self.sha256

    #: Whose result it is, said by whoever makes the row; the value itself names its key.
    owner: uuid.UUID | None = None

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.owner or self.practice_id


class Urgency(models.IntegerChoices):
    """How far a result is out of range, by the lab's own flags. What and how much is in its sealed values only."""

    IN_RANGE = 0, "nothing flagged"
    UNREAD = 1, "no values to read"
    ABNORMAL = 2, "abnormal"
    CRITICAL = 3, "critical"


class Result(models.Model):
    """One version of one test's result. Versions are numbered in the order in which Rupa showed them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(
        Practice, on_delete=models.PROTECT, related_name="results"
    )  # its test's: the queue of one practice is read by an index of its own, whatever the others hold
    ordered_test = models.ForeignKey(OrderedTest, on_delete=models.PROTECT, related_name="results")
    version = models.PositiveIntegerField()
    as_of = models.DateTimeField()  # the oldest snapshot that showed it: what versions are ordered by
    received_at = models.DateTimeField(null=True)  # the lab's time, from Rupa
    pdf = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="+")
    hl7 = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="+")
    superseded = models.BooleanField(default=False)  # replaced before its file could be taken
    problem = models.CharField(max_length=300, default="")
    named = SealedJSONField(null=True)  # whom the lab's own report names: first_name, last_name, birthday
    withheld = models.BooleanField(default=False)  # names another patient: not filed until a person decides
    chart = models.ForeignKey(
        Chart, null=True, on_delete=models.SET_NULL, related_name="+"
    )  # whose it was found to be
    found_at = models.DateTimeField(default=timezone.now)
    urgency = models.PositiveSmallIntegerField(choices=Urgency.choices, default=Urgency.UNREAD)

    # Its review, made here or in Caspio; the newest word counts in both places.
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=150, default="")
    review_changed_at = models.DateTimeField(null=True)
    review_unfiled = models.BooleanField(default=False)  # said here, and not in Caspio yet
    assigned_to = models.CharField(max_length=150, default="")
    due_on = models.DateField(null=True)  # None: as soon as the practice reviews by default

    class Meta:
        ordering: ClassVar = ["version"]
        indexes: ClassVar = [
            models.Index(
                models.F("urgency").desc(),
                "found_at",
                "id",
                name="result_to_review",
                condition=models.Q(reviewed_at=None, superseded=False, withheld=False),
            ),
            models.Index(
                "practice",
                models.F("urgency").desc(),
                "found_at",
                "id",
                name="result_queue",
                condition=models.Q(reviewed_at=None, superseded=False, withheld=False),
            ),
            models.Index(
                fields=["practice", "assigned_to"],
                name="result_assigned",
                condition=~models.Q(assigned_to=""),
            ),
            models.Index(
                fields=["practice", "-reviewed_at", "-id"],
                name="result_reviewed",
                condition=models.Q(reviewed_at__isnull=False, superseded=False, withheld=False),
            ),
            models.Index(
                fields=["ordered_test"], name="result_review_unfiled", condition=models.Q(review_unfiled=True)
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ordered_test", "version"],
                name="result_version_once",
                deferrable=models.Deferrable.DEFERRED,
            )
        ]

    def __str__(self) -> str:
        return f"{self.ordered_test.external_id}-v{self.version}"

    def save(self, *args: Any, **options: Any) -> None:  # any: Django's shape
        if self.practice_id is None:
            self.practice_id = self.ordered_test.practice_id
        super().save(*args, **options)

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.ordered_test.order.sealed_for


class ResultValue(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    result = models.ForeignKey(Result, on_delete=models.CASCADE, related_name="values")
    number = models.PositiveIntegerField()  # by OBX order, from 1
    analyte = models.CharField(max_length=255)
    loinc = models.CharField(max_length=20, default="")
    reading = SealedJSONField()  # text, number, units, reference_range, flag, comments: the measured part
    observed_at = models.DateTimeField(null=True)
    observed_text = models.CharField(max_length=19, default="")  # the lab's wall clock when it names no zone

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["result", "number"], name="result_value_once")
        ]

    def __str__(self) -> str:
        return f"value {self.pk}"

    @property
    def sealed_for(self) -> uuid.UUID:
        return self.result.sealed_for
