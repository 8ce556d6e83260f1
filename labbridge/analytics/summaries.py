"""Summary tables in Caspio, from which a practice builds reports of its own (docs/analytics.md).

Only rows that changed are filed, and without changes no call is made. A month or test that is no more (an order
turned out to be a demo) leaves Caspio again: these rows are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

from django.utils import timezone

from labbridge.analytics.answers import Period
from labbridge.analytics.facts import hear_late, refresh
from labbridge.analytics.monthly import months
from labbridge.analytics.orders import UNKNOWN_LAB, lab_names
from labbridge.analytics.survival import TOO_FEW, Waits
from labbridge.analytics.turnaround import USUAL, usual
from labbridge.engine.locks import exclusive
from labbridge.filing.execute import Filer
from labbridge.filing.models import FiledRow
from labbridge.filing.rows import Row
from labbridge.filing.tables import TABLES, fit
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice

GROUP = "summaries"
UNKNOWN = "unknown"  # stands in a key for a lab that is not known


def file_summaries(practice: Practice) -> Counter[str]:
    """Bring both tables up to date.

    Raises:
        FilingProblem: Caspio refused some rows; the others are filed.
        PeerError: Caspio is away; what was filed stays filed.

    """
    with exclusive(f"summaries:{practice.pk}"):  # two at once would insert the same rows
        hear_late(practice)
        refresh(practice)
        rows = summary_rows(practice, timezone.now().astimezone(practice.zone).date())
        if not rows and not FiledRow.objects.filter(practice=practice, group=GROUP).exists():
            return Counter()
        with caspio(practice, GROUP) as client:
            return Filer(practice, config_of(practice), client).file(rows, GROUP)


def summary_rows(practice: Practice, today: date) -> list[Row]:
    return [*_monthly(practice), *_turnaround(practice, today)]


def _monthly(practice: Practice) -> Iterator[Row]:
    for one in months(practice):
        whole = one.lab_id is None
        yield _row("lab_analytics_monthly", f"{one.month}:{'all' if whole else one.lab_id or UNKNOWN}", {
            "Month": one.month, "Scope": "all" if whole else "lab",
            "Rupa_Lab_Company_ID": one.lab_id or "", "Lab_Company_Name": one.lab,
            "Orders": one.orders, "Tests": one.tests, "Canceled": one.canceled,
            "Paid_Orders": one.paid, "Paid_With_Price": one.priced, "Amount": one.amount,
        })  # fmt: skip


def _turnaround(practice: Practice, today: date) -> Iterator[Row]:
    """Of the last year's tests, by lab company and by test."""
    found, names = usual(practice, Period(today - USUAL, today), today), lab_names(practice)
    for key, waits in found.by_test.items():
        test = {"Rupa_Lab_Test_ID": key, "Test_Name": found.name(key).test}
        values = {**_lab(found.name(key).lab_key, names), **test, **_figures("test", waits)}
        yield _row("lab_turnaround", f"test:{key}", values)
    for lab, waits in found.by_lab.items():
        none = {"Rupa_Lab_Test_ID": "", "Test_Name": ""}
        values = {**_lab(lab, names), **none, **_figures("lab", waits)}
        yield _row("lab_turnaround", f"lab:{lab or UNKNOWN}", values)


def _lab(lab: str, names: dict[str, str]) -> dict[str, object]:
    return {"Rupa_Lab_Company_ID": lab, "Lab_Company_Name": names.get(lab, UNKNOWN_LAB)}


def _figures(scope: str, waits: Waits) -> dict[str, object]:
    return {
        "Scope": scope, "Results": waits.results, "Still_Open": waits.open,
        "P50_Days": waits.percentile(0.5), "P90_Days": waits.percentile(0.9),
        "Remark": "too few" if waits.results < TOO_FEW else "",
    }  # fmt: skip


def _row(table: str, key: str, values: dict[str, object]) -> Row:
    spec = TABLES[table]
    return Row(table, key, {name: fit(spec.field(name), value) for name, value in values.items()})
