"""What a change of the configuration means, as a sentence for people who do not read TOML."""

from __future__ import annotations

from typing import Any

from labbridge.practices.config import PatientFields, TableNames
from labbridge.practices.text import ABSENT, Kept, changed

#: A patient's particulars in words.
PARTS = {
    "first_name": "first name", "last_name": "last name", "email": "e-mail", "phone": "phone", "birthday": "birthday",
    "gender": "sex", "street": "street", "city": "city", "state": "state", "zipcode": "ZIP code",
}  # fmt: skip
#: What else stands on a patient's row.
ROW = {
    **PARTS, "key": "the patient's key", "rupa_patient_id": "the Rupa patient id", "sync_status": "the sync status",
    "sync_message": "the sync message", "synced_at": "the time of the last sync",
}  # fmt: skip
SIDES = {
    "caspio": "Caspio's value counts", "rupa": "Rupa's value counts", "newest": "the newest change counts",
    "ask": "a person is asked",
}  # fmt: skip

#: Path of a setting -> what it is called. Fields of a patient's row and policies have sentences of their own.
LABELS = {
    "practice.slug": "The practice's name in addresses",
    "practice.name": "The practice's name",
    "practice.time_zone": "The time zone",
    "caspio.url": "The Caspio account",
    "caspio.client_id": "The Client ID",
    "caspio.client_secret": "The Client Secret",
    "caspio.webhook_secret": "The secret of Caspio's webhook",
    "caspio.webhook_signature": "How Caspio signs its messages",
    "caspio.calls_per_second": "Calls to Caspio in a second, at most",
    "caspio.principal": "Labbridge's name in Caspio's audit log",
    "caspio.patients.table": "The patients' table",
    "caspio.sign_in": "Sign-in with the practice's Caspio directory",
    "sync.settle_seconds": "Seconds to wait after a row changes",
    "sync.sweep_minutes": "Minutes between comparisons with the peers",
    "sync.brake_share": "The share of changes at which a sweep stops",
    "sync.confirm": "What must agree beside the e-mail",
    "sync.patients": "What happens with patients whom Rupa does not have",
    "alerts.quiet_from": "Quiet hours begin",
    "alerts.quiet_to": "Quiet hours end",
    "alerts.digest_at": "The daily letter",
    "alerts.remind_hours": "Hours between reminders",
    "alerts.case_hours": "Hours until an undecided match is an alert",
    "alerts.review_days": "Days until an unreviewed result is an alert",
    "alerts.unpaid_days": "Days until an unpaid order is an alert",
    "alerts.calls_per_month": "Calls to Caspio that the plan holds in a month",
    "ordering.back_hosts": "Where the order page may lead back to",
    "ordering.ehr": "Which other systems order through Rupa",
    "rupa.price_unit": "What Rupa's amounts are",
    "rupa.practitioners": "The practitioners",
    "retention.events_days": "Days that bodies of events are kept",
    "retention.files_days": "Days that copies of result files are kept",
    "retention.mirror_days": "Days that contents of ended orders are kept",
    "retention.audit_years": "Years that the audit is kept",
    "billing.address": "The address on superbills",
    "billing.phone": "The phone number on superbills",
    "billing.tax_id": "The tax ID on superbills",
    "analytics.patient_minutes_low": "Minutes saved for a new patient, at least",
    "analytics.patient_minutes_high": "Minutes saved for a new patient, at most",
    "analytics.order_minutes": "Minutes saved for an order",
    "analytics.result_minutes": "Minutes saved for a result",
    "analytics.hour_cost": "Dollars for an hour of staff time",
    "analytics.abandoned_days": "Days after which an unpaid order counts as abandoned",
    "analytics.report_day": "Day of the month on which the monthly report is told of",
    **{
        f"caspio.tables.{word}": f"The table of {word.removeprefix('lab_').replace('_', ' ')}"
        for word in TableNames.model_fields
    },
}  # fmt: skip
#: Values that are words of ours -> what they mean.
MEANINGS = {
    ("sync.patients", "full"): "they are created there",
    ("sync.patients", "link"): "they are left alone until their first order",
    ("rupa.price_unit", "unknown"): "not known, so they are hidden",
}
FOREVER = ("retention.events_days", "retention.files_days", "retention.mirror_days")
UNSAID = (
    "analytics.report_day",
    "alerts.calls_per_month",
    "analytics.hour_cost",
    "analytics.order_minutes",
    "analytics.result_minutes",
)


def sentences(before: Kept, after: Kept) -> list[str]:
    """One for each setting that differs."""
    return [sentence(path, *pair) for path, pair in changed(before, after).items()]


def sentence(path: str, before: Any, after: Any) -> str:  # any: values of settings
    head, _, name = path.rpartition(".")
    if head == "caspio.patients" and name in ROW:
        return _row_sentence(name, before, after)
    if head == "sync.policy":
        old, new = (SIDES["caspio" if side is ABSENT else side] for side in (before, after))
        return f"When the {PARTS[name]} changes later, {new}; before, {old}."
    if path in {"caspio.sign_in", "caspio.webhook_signature", "rupa.practitioners", "ordering.ehr"}:
        return f"{LABELS[path]}: changed."
    label = LABELS.get(path) or f"The setting {path}"
    return f"{label}: {said(path, after)}; before, {said(path, before)}."


def _row_sentence(name: str, before: str, after: str) -> str:
    label = ROW[name][0].upper() + ROW[name][1:]
    deed = "written to" if name in PatientFields.model_fields["WRITTEN"].default else "read from"
    if not after:
        return f"{label} is no longer {deed} a field; before, it was {before}."
    return f"{label} is {deed} the field {after}; before, {f'it was {before}' if before else 'to none'}."


def said(path: str, value: Any) -> str:  # noqa: PLR0911  # any: the value of a setting; one return a kind
    if isinstance(value, str) and (path, value) in MEANINGS:
        return MEANINGS[path, value]
    if value is ABSENT or value is None or value in ("", [], {}):
        return "nothing"
    if path in FOREVER and value == 0:
        return "for good"
    if path in UNSAID and value == 0:
        return "not said"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if path in {"alerts.quiet_from", "alerts.quiet_to", "alerts.digest_at"}:
        return str(value)[:5]
    return str(value)
