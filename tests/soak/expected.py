"""What Caspio must hold, worked out from what the simulated Rupa knows and from nothing of ours.

Written against design.md 6.5 and 6.6, not against `filing/`: the two must not be wrong together. It knows what a soak
makes: orders of patients with a chart, every result in its first version.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

Doc = dict[str, Any]
Rows = dict[str, dict[str, Any]]  # one table: each row by its key

KEYS = {
    "Lab_Orders": "Rupa_Order_ID",
    "Lab_Order_Tests": "Rupa_Ordered_Test_ID",
    "Lab_Results": "Result_Key",
    "Lab_Result_Values": "Value_Key",
}
#: Given by Caspio; the time of the last write; what nobody fills yet (docs/decisions.md).
LEFT_OUT = {"PK_ID", "Synced_At", "Rupa_Url", "Superbill_Status", "HSA_FSA_Status", "Payment_Plan_Status"}
ESCAPES = (("\\F\\", "|"), ("\\S\\", "^"), ("\\T\\", "&"), ("\\R\\", "~"), ("\\E\\", "\\"))


class Expectation:
    """The tables of one practice. `charts`: each patient's key in Caspio by the id at Rupa."""

    def __init__(self, store: Any, clinic: str, zone: str, charts: dict[str, str]) -> None:
        self.store, self.clinic, self.zone, self.charts = store, clinic, ZoneInfo(zone), charts
        self.tables: dict[str, Rows] = {name: {} for name in KEYS}
        for order in store.many("order", clinic=clinic):
            self._order(order)

    def _order(self, order: Doc) -> None:
        tests = [self.store.need("ordered_test", one) for one in order["ordered_tests"]]
        catalogue = [self.store.need("lab_test", one["lab_test"]) for one in tests]
        phase = phase_of(order, tests)
        self._add(
            "Lab_Orders",
            Rupa_Order_ID=order["id"],
            Patient_Key=self.charts[order["patient"]],
            Rupa_Patient_ID=order["patient"],
            Practitioner_Name=self.store.need("practitioner", order["patients_practitioner"])[
                "titled_full_name"
            ],
            Rupa_Status=order["status"],
            Phase=phase,
            Payment_Status=payment_of(order, phase),
            Payer=order["payer"],
            Total_Price=Decimal(order["total_cents"]) / 100,
            Submitted_At=self._wall(order["date_submitted"]),
            Paid_At=self._wall(order["date_paid"]),
            Completed_At=self._wall(order["date_completed"]),
            Canceled_At=self._wall(order["date_canceled"]),
            Tests_Total=len(tests),
            Tests_Resulted=sum(1 for one in tests if one["versions"]),
            Expected_By=self._wall(order["date_paid"] or order["date_submitted"], days=_slowest(catalogue)),
            Overdue=False,
            Order_Source="rupa",
            Request_ID="",
            Is_Demo=order["is_demo"],
        )
        for test, described in zip(tests, catalogue, strict=True):
            self._test(order, test, described)

    def _test(self, order: Doc, test: Doc, described: Doc) -> None:
        shared = {
            "Rupa_Order_ID": order["id"],
            "Patient_Key": self.charts[order["patient"]],
            "Rupa_Ordered_Test_ID": test["id"],
            "Test_Name": described["name"],
            "Lab_Company_Name": described["lab_company_name"],
        }
        state = "resulted" if test["versions"] else "received_file_pending" if test["received_at"] else "none"
        self._add(
            "Lab_Order_Tests",
            **shared,
            Rupa_Lab_Test_ID=test["lab_test"],
            Result_State=state,
            Results_Received_At=self._wall(test["received_at"]),
            Latest_Version=1 if test["received_at"] else None,
        )
        if test["versions"]:
            (version,) = test["versions"]
            self._result(order, test, version, shared)

    def _result(self, order: Doc, test: Doc, version: Doc, shared: Doc) -> None:
        key, pdf, hl7 = f"{test['id']}-v1", version["pdf"], version["hl7"]
        readings = list(observations(hl7["text"])) if hl7 else []
        self._add(
            "Lab_Results",
            **shared,
            Result_Key=key,
            Version=1,
            Amended=False,
            Received_At=self._wall(test["received_at"]),
            Result_PDF=pdf["sha256"] if pdf else "",
            Pdf_Sha256=pdf["sha256"] if pdf else "",
            Has_Values=bool(readings),
            Review_Status="unreviewed",
            Reviewed_By="",
            Reviewed_At="",
        )
        for number, reading in enumerate(readings, 1):
            self._add(
                "Lab_Result_Values",
                Value_Key=f"{key}-{number}",
                Result_Key=key,
                Patient_Key=shared["Patient_Key"],
                Observed_At=self._wall(order["date_paid"]),
                **reading,
            )

    def _add(self, table: str, **row: Any) -> None:
        self.tables[table][row[KEYS[table]]] = {name: plain(value) for name, value in row.items()}

    def _wall(self, moment: str | None, days: int = 0) -> str | None:
        """Rupa's time as Caspio keeps it: naive, in the practice's zone, to the second."""
        if moment is None:
            return None
        local = (datetime.fromisoformat(moment) + timedelta(days=days)).astimezone(self.zone)
        return local.replace(tzinfo=None, microsecond=0).isoformat()


def phase_of(order: Doc, tests: list[Doc]) -> str:
    received = [bool(test["received_at"]) for test in tests]
    if order["date_canceled"]:
        return "canceled"
    if order["date_completed"] or all(received):
        return "complete"
    if any(received):
        return "partial_results"
    if order["date_paid"]:
        return "in_progress"
    return "awaiting_payment" if order["date_submitted"] else "draft"


def payment_of(order: Doc, phase: str) -> str:
    if phase == "canceled":
        return "canceled"
    if order["date_paid"]:
        return "paid"
    return {"draft": "not_due", "awaiting_payment": "awaiting_patient"}[phase]


def _slowest(catalogue: list[Doc]) -> int:
    return max(test["estimated_days_for_results"] + 2 * test["shipping_days_max"] for test in catalogue)


def observations(message: str) -> Iterable[Doc]:
    """The values of an HL7 message as the simulated lab writes it: one OBX each."""
    for segment in message.split("\r"):
        if not segment.startswith("OBX|"):
            continue
        fields = segment.split("|")
        kind, coded, text = fields[2], fields[3].split("^"), fields[5]
        yield {
            "Analyte": unescaped(coded[1]),
            "Loinc": coded[0] if coded[2] == "LN" else "",
            "Value_Text": unescaped(text.split("^")[1] if kind == "CE" else text),
            "Value_Number": Decimal(text) if kind == "NM" else None,
            "Units": unescaped(fields[6]),
            "Reference_Range": unescaped(fields[7]),
            "Flag": fields[8],
        }


def unescaped(text: str) -> str:
    for escape, letter in ESCAPES:
        text = text.replace(escape, letter)
    return text


def plain(value: Any) -> str:
    """One spelling for what Caspio may hand back in several: empty, numbers, Yes/No, an attachment by its hash."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float | Decimal):
        return f"{Decimal(str(value)).normalize():f}"
    if isinstance(value, dict):
        return str(value["sha256"])
    return str(value)


def held(dump: dict[str, list[Doc]]) -> dict[str, Rows]:
    """What the simulated Caspio holds, in the same form. A key that stands there twice is a fault of its own."""
    tables: dict[str, Rows] = {}
    for table, key in KEYS.items():
        rows = [
            {name: plain(value) for name, value in row.items() if name not in LEFT_OUT} for row in dump[table]
        ]
        tables[table] = {row[key]: row for row in rows}
        assert len(tables[table]) == len(rows), f"{table}: a key stands there twice"
    return tables


def differences(wanted: dict[str, Rows], found: dict[str, Rows]) -> list[str]:
    lines = []
    for table, rows in wanted.items():
        there = found[table]
        lines += [f"{table}: {key} is missing" for key in sorted(rows.keys() - there.keys())]
        lines += [f"{table}: {key} is too much" for key in sorted(there.keys() - rows.keys())]
        for key in sorted(rows.keys() & there.keys()):
            lines += [
                f"{table}: {key}.{name} is {there[key].get(name)!r} instead of {rows[key].get(name)!r}"
                for name in sorted(rows[key].keys() | there[key].keys())
                if rows[key].get(name) != there[key].get(name)
            ]
    return lines
