from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from labbridge.practices.models import Practice
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
    content_index = models.BinaryField(max_length=16, null=True)
    present = models.BooleanField(default=True)
    read_at = models.DateTimeField(default=timezone.now)
    lookup_keys = ArrayField(models.CharField(max_length=32), null=True)  # keyed hashes; None: not made yet
    sync_problem = models.CharField(max_length=300, default="")  # what holds its way to Rupa up

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["practice", "key"], name="chart_once")]
        indexes: ClassVar = [
            GinIndex(fields=["lookup_keys"], name="chart_lookup"),
            models.Index(fields=["practice", "rupa_patient_id"], name="chart_rupa"),
            models.Index(fields=["practice", "email_index"], name="chart_email"),
            models.Index(fields=["practice", "pk_id"], name="chart_pk"),
        ]

    def __str__(self) -> str:
        return f"chart {self.pk}"


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
    clock = models.JSONField(default=dict)  # part -> age of what is held, see merge.py
    as_of = models.DateTimeField(null=True)
    lookup_keys = ArrayField(models.CharField(max_length=32), null=True)  # keyed hashes; None: not made yet

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="patient_once")
        ]
        indexes: ClassVar = [GinIndex(fields=["lookup_keys"], name="patient_lookup")]

    def __str__(self) -> str:
        return self.external_id

    @property
    def unread(self) -> bool:
        """Whether the peer has not said yet what a link is made by: null is an answer, silence is none."""
        return self.person is None or not {"email", "birthday"} <= self.person.keys()


class PatientLink(models.Model):
    """A Caspio patient who is a certain Rupa patient, with the reasons."""

    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="links")
    chart = models.OneToOneField(Chart, on_delete=models.PROTECT, related_name="link")
    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="link")
    reasons = models.JSONField(default=list)  # sentences without patient data
    base = models.JSONField(null=True)  # keyed hashes of the particulars that both sides last agreed on
    made_by = models.CharField(max_length=150, default="labbridge")
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.patient.external_id} linked"


class CaseState(models.TextChoices):
    OPEN = "open"
    DECIDED = "decided"
    UNDONE = "undone"


class ReviewCase(models.Model):
    """A question for a person: is this chart that patient at Rupa, or whose value is right?"""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = models.ForeignKey(Practice, on_delete=models.PROTECT, related_name="cases")
    chart = models.ForeignKey(Chart, on_delete=models.PROTECT, related_name="cases")
    patient = models.ForeignKey(
        Patient, null=True, on_delete=models.PROTECT, related_name="cases"
    )  # the likeliest
    candidates = models.JSONField(default=list)  # Rupa patient ids that may be chosen
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
    opened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["opened_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chart"], condition=models.Q(state="open"), name="case_open_once")
        ]

    def __str__(self) -> str:
        return f"case {self.pk}"


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


class Phase(models.TextChoices):
    DRAFT = "draft"
    AWAITING_PAYMENT = "awaiting_payment"
    IN_PROGRESS = "in_progress"
    PARTIAL_RESULTS = "partial_results"
    COMPLETE = "complete"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


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

    # How far this order has come. A revision is one change of what Caspio should hold.
    revision = models.PositiveIntegerField(default=0)
    filed_revision = models.PositiveIntegerField(default=0)
    filing_queued = models.BooleanField(default=False)
    filed_at = models.DateTimeField(null=True)
    filing_problem = models.CharField(max_length=300, default="")
    pull_queued = models.BooleanField(default=False)
    poll_queued = models.BooleanField(default=False)
    pull_problem = models.CharField(max_length=300, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "external_id"], name="order_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["practice"],
                name="order_unfiled",
                condition=models.Q(filed_revision__lt=models.F("revision")),
            ),
            models.Index(fields=["practice", "phase"], name="order_phase"),
            models.Index(fields=["practice", "order_intent_id"], name="order_intent"),
        ]

    def __str__(self) -> str:
        return self.external_id


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

    def __str__(self) -> str:
        return self.external_id


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

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "sha256"], name="stored_file_once")
        ]

    def __str__(self) -> str:
        return self.sha256


class Result(models.Model):
    """One version of one test's result. Versions are numbered in the order in which Rupa showed them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
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

    class Meta:
        ordering: ClassVar = ["version"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ordered_test", "version"],
                name="result_version_once",
                deferrable=models.Deferrable.DEFERRED,
            )
        ]

    def __str__(self) -> str:
        return f"{self.ordered_test.external_id}-v{self.version}"


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
