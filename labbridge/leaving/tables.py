"""What goes with a practice: one literal table, in an order in which rows can be added again.

A new model must be put here or into `STAYS`, with its reason: a test goes over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models

from labbridge.alerts.models import Alert
from labbridge.billing.models import Evidence, Sending, Superbill
from labbridge.filing.models import FiledRow, ProtocolEdit
from labbridge.inbox.models import Event
from labbridge.mirror.models import (
    Chart,
    EhrId,
    LabCompany,
    LabTest,
    LabTestChange,
    NotSame,
    Order,
    OrderedTest,
    OrderMoment,
    OrderNote,
    Patient,
    PatientLink,
    Protocol,
    Result,
    ResultSource,
    ResultValue,
    ReviewCase,
    StoredFile,
    Take,
)
from labbridge.ordering.models import FormerIntent, OrderRequest
from labbridge.outbox.models import Agreement
from labbridge.practices.models import ConfigVersion, Connection, Practice, Practitioner
from labbridge.reconcile.models import FileCheck, LedgerEntry, Listed, Repair, RowRound, Sweep
from labbridge.trust.models import AuditEntry, AuditHead, FormerKey, FormerPseudonym, LegalHold


@dataclass(frozen=True)
class Table:
    """`path` leads from a row to its practice (or to its slug); `owners` to whose data key seals its values."""

    name: str
    model: type[models.Model]
    path: str
    owners: tuple[str, ...] = ()
    secret: frozenset[str] = frozenset()  # fields that are nobody's business elsewhere: tokens, passwords
    by_slug: bool = False


def manager_of(table: Table) -> models.Manager[models.Model]:
    manager: models.Manager[models.Model] = table.model._default_manager  # noqa: SLF001  # Django's public name for it
    return manager


_OF_TEST = "ordered_test__order__patient"

TABLES = (
    Table("practice", Practice, "pk", secret=frozenset({"alert_channels"})),
    Table("agreements", Agreement, "practice"),
    Table("connections", Connection, "practice", secret=frozenset({"credentials", "given_tokens"})),
    Table("config_versions", ConfigVersion, "practice", secret=frozenset({"sealed"})),
    Table("practitioners", Practitioner, "practice"),
    Table("charts", Chart, "practice"),
    Table("patients", Patient, "practice"),
    Table("ehr_ids", EhrId, "practice"),
    Table("patient_links", PatientLink, "practice", ("chart", "patient")),
    Table("review_cases", ReviewCase, "practice", ("chart", "patient")),
    Table("not_same", NotSame, "chart__practice"),
    Table("lab_companies", LabCompany, "practice"),
    Table("lab_tests", LabTest, "practice"),
    Table("lab_test_changes", LabTestChange, "practice"),
    Table("protocols", Protocol, "practice", ("practice",)),
    Table("protocol_edits", ProtocolEdit, "protocol__practice", ("protocol__practice",)),
    Table("orders", Order, "practice", ("patient",)),
    Table("order_notes", OrderNote, "order__practice", ("order__patient",)),
    Table("ordered_tests", OrderedTest, "practice"),
    Table("order_moments", OrderMoment, "practice"),
    Table("files", StoredFile, "practice"),
    Table("result_sources", ResultSource, "ordered_test__practice", (_OF_TEST,)),
    Table("takes", Take, "source__ordered_test__practice"),
    Table("results", Result, "ordered_test__practice", (_OF_TEST,)),
    Table("result_values", ResultValue, "result__ordered_test__practice", (f"result__{_OF_TEST}",)),
    Table("order_requests", OrderRequest, "practice"),
    Table("former_intents", FormerIntent, "practice"),
    Table("billing_evidence", Evidence, "practice", ("order__patient",)),
    Table("superbills", Superbill, "practice", ("order__patient",)),
    Table("superbill_sendings", Sending, "superbill__practice"),
    Table("events", Event, "practice"),
    Table("filed_rows", FiledRow, "practice", ("practice",)),
    Table("listed", Listed, "practice"),
    Table("sweeps", Sweep, "practice"),
    Table("repairs", Repair, "sweep__practice"),
    Table("row_rounds", RowRound, "practice"),
    Table("file_checks", FileCheck, "source__ordered_test__practice"),
    Table("ledger", LedgerEntry, "practice"),
    Table("alerts", Alert, "practice"),
    Table("legal_holds", LegalHold, "practice", by_slug=True),
    Table("audit", AuditEntry, "practice", by_slug=True),
    Table("audit_heads", AuditHead, "practice", by_slug=True),
    Table("former_pseudonyms", FormerPseudonym, "practice", by_slug=True),
    Table("former_keys", FormerKey, "chain", by_slug=True),
)
BY_NAME = {table.name: table for table in TABLES}

#: What does not go, and why. By label, since some of these are in layers above.
STAYS = {
    "accounts.Membership": "people sign in where they are; the audit names them",
    "accounts.DirectorySignIn": "a sign-in under way",
    "accounts.SigningKey": "a person's second step belongs to one address",
    "alerts.Digest": "when a summary was sent from here",
    "alerts.Notice": "which channel was told from here",
    "analytics.OrderFact": "made from the orders again",
    "analytics.TestFact": "made from the orders again",
    "analytics.ResultFact": "made from the orders again",
    "mirror.PhaseTally": "counted anew as the orders arrive",
    "backup.Backup": "of the whole installation",
    "console.SavedView": "a person's own",
    "engine.Pulse": "of the whole installation",
    "engine.Tally": "of the whole installation",
    "engine.Failure": "of jobs, which are made anew",
    "handover.ApiKey": "a key opens one installation; new ones are made",
    "handover.KeptCall": "answers to keys of this installation",
    "mirror.OrderChange": "a view of the moments",
    "mirror.RowTouch": "of jobs; the patients table is read whole after the move",
    "outbox.Destination": "its address and secret are of an agreement with this installation; new ones are made",
    "outbox.Fact": "what was to be told from here",
    "outbox.Delivery": "what was told from here; the audit has it",
    "console.SetupDraft": "of a practice that does not exist yet",
    "practices.Preparation": "a step of setting up under way here",
    "practices.Consent": "a journey to Rupa under way",
    "practices.DryRun": "an answer of this day",
    "practices.PeerClock": "of the whole installation",
    "practices.CallCount": "of the Caspio account's meter here",
    "trust.DataKey": "keys stay: values are opened here and sealed anew there",
}
