"""Tests that are due again: by intervals that the practice sets for each test, since neither peer tells one."""

from __future__ import annotations

from datetime import date

from labbridge.analytics.answers import Answer, Behind, Cell, Column, fetch
from labbridge.analytics.behind import REPEATS, words
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

_BY_TEST = f"""
SELECT r.lab_test_key, coalesce(nullif(max(l.name), ''), r.lab_test_key), count(*),
       count(*) FILTER (WHERE r.tests > 1),
       count(*) FILTER (WHERE r.resulted_on IS NULL), count(*) FILTER (WHERE r.soon), count(*) FILTER (WHERE r.due)
FROM ({REPEATS}) r
LEFT JOIN mirror_labtest l ON l.practice_id = %(practice)s AND l.external_id = r.lab_test_key
GROUP BY 1
"""  # noqa: S608  # texts of ours
NO_INTERVAL = (
    "No interval is set. Set months by Rupa's id of a test: [analytics.repeat_months] of practice.toml."
)


def repeats_due(practice: Practice, today: date) -> Answer:
    """Patients whose newest result of a test is older than its interval, and who did not have it ordered since."""
    months = config_of(practice).analytics.repeat_months
    values = {
        "practice": practice.pk, "practices": [practice.pk], "today": today, "repeat_keys": list(months),
        "repeat_months": list(months.values()),
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
