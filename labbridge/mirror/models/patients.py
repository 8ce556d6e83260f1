"""Patients on both sides, the links between them, and the questions that a person is asked about them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from labbridge.mirror.models.keys import CASPIO_KEY, KEY
from labbridge.practices.models import Connection, Practice
from labbridge.trust.fields import SealedJSONField
from labbridge.trust.ids import new_id


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
    in_doubt_until = models.DateTimeField(null=True)  # until then, not finding them there proves nothing

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
