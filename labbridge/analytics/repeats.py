"""Tests that are due again: by intervals that the practice sets for each test, since neither peer tells one."""

from __future__ import annotations

from datetime import date, timedelta

from labbridge.analytics.answers import Answer, Behind, Cell, Column
from labbridge.analytics.behind import HAD, NEWEST, due_until, words
from labbridge.database.statements import fetch
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

# Test by test. Who had it more than once is counted apart: one window over all of them took longer than both.
_BY_TEST = f"""
SELECT g.lab_test_key, coalesce(nullif(l.name, ''), g.lab_test_key), n.patients, m.again, n.waiting, n.soon, n.due
FROM unnest(%(practices)s::uuid[]) p(practice_id)
CROSS JOIN unnest(%(repeat_keys)s::text[], %(repeat_due)s::date[], %(repeat_soon)s::date[]) g(lab_test_key, due, soon)
CROSS JOIN LATERAL (
  SELECT count(*) AS patients, count(*) FILTER (WHERE resulted_on IS NULL) AS waiting,
         count(*) FILTER (WHERE resulted_on > g.due AND resulted_on <= g.soon) AS soon,
         count(*) FILTER (WHERE resulted_on <= g.due) AS due
  FROM ({NEWEST}) newest) n
CROSS JOIN LATERAL (SELECT count(*) AS again FROM (SELECT {HAD} GROUP BY patient_id HAVING count(*) > 1) often) m
LEFT JOIN mirror_labtest l ON l.practice_id = p.practice_id AND l.external_id = g.lab_test_key
WHERE n.patients > 0
"""  # noqa: S608  # texts of ours
SOON = timedelta(days=30)
NO_INTERVAL = (
    "No interval is set. Set months by Rupa's id of a test: [analytics.repeat_months] of practice.toml."
)


def repeats_due(practice: Practice, today: date) -> Answer:
    """Patients whose newest result of a test is older than its interval, and who did not have it ordered since."""
    months = config_of(practice).analytics.repeat_months
    values = {
        "practices": [practice.pk], "repeat_keys": list(months),
        "repeat_due": [due_until(today, one) for one in months.values()],
        "repeat_soon": [due_until(today + SOON, one) for one in months.values()],
    }  # fmt: skip
    found = fetch(_BY_TEST, values) if months else []
    found.sort(key=lambda row: (-row[6], row[1], row[0]))
    rows: list[tuple[Cell, ...]] = [(name, months[key], *counts) for key, name, *counts in found]
    shown: list[Behind] = [words("due", test=key) for key, *_ in found]
    columns = (
        Column("test", "Test", "text"), Column("months", "Again after, months", "days"),
        Column("patients", "Patients"), Column("again", "Had it more than once", shared=False),
        Column("waiting", "Under way", shared=False), Column("soon", "Due within 30 days", shared=False),
        Column("due", "Due now", of="patients"),
    )  # fmt: skip
    notes = [
        "Due: the newest result is older than the practice's interval, and the test was not ordered since.",
        "The interval is the practice's own rule: neither Rupa nor Caspio tells one, and nobody is advised by it.",
        "Patients are told apart as Rupa tells them apart; orders that name no patient are left out.",
    ]
    said = (NO_INTERVAL, *notes) if not months else tuple(notes)
    return Answer("Tests due again", columns, rows, said, {"due": shown})
