"""A superbill on paper."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from labbridge.trust.paper import Column, report

COLUMNS = (
    Column("Service (laboratory test)", 70), Column("Laboratory", 45), Column("Codes (CPT/HCPCS)", 35),
    Column("Amount (USD)", 25, "RIGHT"),
)  # fmt: skip
FEE = {"charged": "included", "not_charged": "not charged", "unknown": "not known to be included"}
PLAN = {
    "active": "The order is paid in instalments through a payment plan, which still runs.",
    "completed": "The order was paid in instalments through a payment plan, which is completed.",
}


def draw(heading: dict[str, Any], says: dict[str, Any], at: datetime) -> bytes:  # any: JSON of superbill.py
    return report(
        f"Superbill {number(heading)}",
        _facts(heading, says),
        COLUMNS,
        _rows(says),
        at=at,
        notes=_notes(says),
        total=True,
    )


def number(heading: dict[str, Any]) -> str:
    return f"{heading['number']:05d}-{heading['version']}"


def _facts(heading: dict[str, Any], says: dict[str, Any]) -> list[tuple[str, str]]:
    practice, patient, practitioner = says["practice"], says["patient"], says["practitioner"]
    facts = [
        ("Issued", heading["issued_on"]), ("Practice", practice["name"]), ("Practice address", practice["address"]),
        ("Practice phone", practice["phone"]), ("Tax ID", practice["tax_id"]),
        ("Practitioner", practitioner["name"]), ("NPI", practitioner["npi"]), ("Patient", patient["name"]),
        ("Date of birth", patient["birthday"]), ("Patient address", patient["address"]),
        ("Date of service", says["service_on"]), ("Diagnoses (ICD-10-CM)", ", ".join(says["icd10"])),
        ("Rupa Health order", says["order"]),
    ]  # fmt: skip
    if heading["version"] > 1:
        facts.insert(1, ("Replaces", f"version {heading['version'] - 1} of this superbill"))
    return [(name, value) for name, value in facts if value]


def _rows(says: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = [
        (one["test"], one["lab"], ", ".join(one["cpt"]), one["amount"] or "see total")
        for one in says["tests"]
    ]
    if says["not_itemised"]:
        rows.append(("Fees and services that Rupa does not itemise", "", "", says["not_itemised"]))
    return [*rows, ("Total charged", "", "", says["total"])]


def _notes(says: dict[str, Any]) -> list[str]:
    notes = [
        f"Payment: {says['total']} USD, paid by the patient to Rupa Health on {says['paid_on']}. Balance due: 0.00."
    ]
    if says["payment_plan"] in PLAN:
        notes = [f"Charged: {says['total']} USD; Rupa Health shows payment on {says['paid_on']}.",
                 PLAN[says["payment_plan"]]]  # fmt: skip
    if says["hsa_fsa"] == "confirmed":
        notes.append("Paid with an HSA or FSA card, as confirmed by the practice.")
    notes += [
        f"Rupa's physician services fee: {FEE[says['physician_services']]}.",
        "Codes are as entered by the practice. No claim was submitted to an insurer for this order by Rupa Health.",
    ]
    return notes
