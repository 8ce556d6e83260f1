"""Where time is lost: from the order to payment, to the first result, to all of them; and how things stand at all.

Rupa dates submission, payment, completion, and each result. It dates neither the kit's way to the patient nor the
sample's to the lab (rupa-api.md 5). Where its status said so (mirror/history.py), the days are those of orders of
which it did; of all others these steps are unknown, and nothing is guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from labbridge.analytics.answers import Answer, Behind, Cell, Column, Period, share
from labbridge.analytics.behind import words
from labbridge.analytics.survival import Waits
from labbridge.analytics.turnaround import TITLES
from labbridge.database.statements import fetch
from labbridge.practices.models import Practice

#: Step -> what it is called, and what one waits for before it.
STEPS = {
    "paid": "Ordered, until paid", "first": "Paid, until the first result", "all": "First result, until all results",
}  # fmt: skip
#: Steps between payment and the first result that only a status can tell.
TOLD = {
    "kit": "Paid, until the kit was sent", "sample": "Kit sent, until the sample was at the lab",
    "lab": "Sample at the lab, until the first result",
}  # fmt: skip
_TOLD = """
SELECT kit_on - coalesce(paid_on, submitted_on), sample_on - kit_on, first_result_on - sample_on, count(*)
FROM analytics_orderfact
WHERE practice_id = %(practice)s AND counts AND counted_on BETWEEN %(first)s AND %(last)s
  AND (kit_on IS NOT NULL OR sample_on IS NOT NULL)
GROUP BY 1, 2, 3
"""
# Orders of the same steps and days are few kinds: one pass counts them, shared between workers of PostgreSQL.
_FUNNEL = """
SELECT phase = 'canceled', reached, %(today)s - waits_since, days_paid, days_first, days_all, count(*)
FROM analytics_orderfact
WHERE practice_id = %(practice)s AND counts AND counted_on BETWEEN %(first)s AND %(last)s
GROUP BY 1, 2, 3, 4, 5, 6
"""

# Both periods in one pass.
_TOTALS = """
SELECT count(*) FILTER (WHERE {now}), coalesce(sum(tests) FILTER (WHERE {now}), 0),
       count(*) FILTER (WHERE phase = 'canceled' AND {now}), count(*) FILTER (WHERE {paid_now}),
       count(*) FILTER (WHERE {then}), coalesce(sum(tests) FILTER (WHERE {then}), 0),
       count(*) FILTER (WHERE phase = 'canceled' AND {then}), count(*) FILTER (WHERE {paid_then})
FROM analytics_orderfact WHERE practice_id = %(practice)s AND counts
""".format(
    now="counted_on BETWEEN %(first)s AND %(last)s", then="counted_on BETWEEN %(from)s AND %(until)s",
    paid_now="revenue_on BETWEEN %(first)s AND %(last)s", paid_then="revenue_on BETWEEN %(from)s AND %(until)s",
)  # fmt: skip
_RESULTED = """
SELECT count(*) FILTER (WHERE resulted_on >= %(first)s), count(*) FILTER (WHERE resulted_on < %(first)s)
FROM analytics_testfact
WHERE practice_id = %(practice)s AND counts AND resulted_on BETWEEN %(from)s AND %(last)s
"""


def funnel(practice: Practice, period: Period, today: date) -> Answer:
    """How many of the period's orders came to each step, and the days between, with those that still wait."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in STEPS}
    days: dict[str, dict[str, Counter[int]]] = {
        name: {"r": Counter(), "w": Counter(), "l": Counter()} for name in STEPS
    }
    untimed: Counter[str] = Counter()
    values = {"practice": practice.pk, "first": period.first, "last": period.last, "today": today}
    for canceled, reached, waits, *steps, count in fetch(_FUNNEL, values):
        for step, (name, taken) in enumerate(zip(STEPS, steps, strict=True)):
            if step > reached:  # did not come so far
                break
            state = "r" if step < reached else "l" if canceled else "w"
            waited = waits if state == "w" else taken
            counts[name][state] += count
            if waited is None or waited < 0:
                untimed[name] += count
            else:
                days[name][state][waited] += count
    whole = sum(counts["paid"].values())
    rows: list[tuple[Cell, ...]] = [("Ordered", whole, share(whole, whole), None, None, None, None, "")]
    for name, label in STEPS.items():
        timed = Waits(days[name]["r"], days[name]["w"] + days[name]["l"])
        came, waiting, lost = (counts[name][state] for state in "rwl")
        known = (timed.percentile(0.5), timed.percentile(0.9))
        remark = "too few" if timed.results and known == (None, None) else ""
        if untimed[name]:
            remark = f"{untimed[name]:,} without days{', too few' if remark else ''}"
        rows.append((label, came, share(came, whole), waiting, lost, *known, remark))
        if name == "paid":
            rows += _told(values, came)
    columns = (
        Column("step", "Step", "text"), Column("reached", "Orders that came so far"),
        Column("share", "Share", "share"), Column("waiting", "Waiting here"), Column("lost", "Canceled here"),
        *(Column(name, TITLES[name], "days") for name in ("p50", "p90")), Column("remark", "Remark", "text"),
    )  # fmt: skip
    notes = (
        "Days count orders that still wait, or were canceled, as longer waits.",
        "Rupa dates no shipment: kit and sample are known of the orders whose status said so, and of no others.",
        "Without days: a date is missing, as where the practice pays, or lies before the one it should follow.",
    )
    return Answer("Where time is lost", columns, rows, notes, _behind(period))


def _told(values: dict[str, Any], of: int) -> list[tuple[Cell, ...]]:
    """The steps of which a status told, with how many orders it told of them: who waits there is not known."""
    days: dict[str, Counter[int]] = {name: Counter() for name in TOLD}
    for *waited, count in fetch(_TOLD, values):
        for name, long in zip(TOLD, waited, strict=True):
            if long is not None and long >= 0:
                days[name][long] += count
    rows: list[tuple[Cell, ...]] = []
    for name, label in TOLD.items():
        waits = Waits(days[name], {})
        known = (waits.percentile(0.5), waits.percentile(0.9))
        remark = f"told of {waits.results} in {of}" if waits.results else "unknown: Rupa did not tell"
        few = ", too few" if waits.results and known == (None, None) else ""
        rows.append((label, None, None, None, None, *known, f"{remark}{few}"))
    return rows


def _behind(period: Period) -> dict[str, Sequence[Behind]]:
    none: list[Behind] = [{} for _ in TOLD]

    def each(kind: str, ordered: Behind) -> list[Behind]:
        paid, first, everything = (words(f"{kind}-{name}", period) for name in STEPS)
        return [ordered, paid, *none, first, everything]

    return {"reached": each("reached", words("ordered", period)), "waiting": each("waits", {})}


def totals(practice: Practice, period: Period) -> Answer:
    """The period beside the one before."""
    then = period.before()  # ends the day before
    values = {"practice": practice.pk, "first": period.first, "last": period.last,
              "from": then.first, "until": then.last}  # fmt: skip
    (orders,), ((resulted, resulted_then),) = fetch(_TOTALS, values), fetch(_RESULTED, values)
    now, before = [*orders[:4], resulted], [*orders[4:], resulted_then]
    names = ("Orders", "Ordered tests", "Canceled orders", "Paid orders", "Results that arrived")
    rows: list[tuple[Cell, ...]] = [
        (name, this, that, this - that) for name, this, that in zip(names, now, before, strict=True)
    ]
    columns = (
        Column("what", "What", "text"), Column("now", "This period"), Column("before", "The period before"),
        Column("change", "Change", "change", of="before"),
    )  # fmt: skip
    figures = ("ordered", "", "canceled", "paid", "")
    shown = [words(figure, period) if figure else {} for figure in figures]
    notes = ("Paid orders count on the day of payment, results on the day of their first version.",)
    return Answer("The period at a glance", columns, rows, notes, {"now": shown})
