"""What the completeness ledger counts (docs/ledger.md): every order that Rupa lists, with its result versions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from labbridge.database.statements import fetch
from labbridge.practices.models import Practice

MISSING = "Rupa lists this order and Labbridge does not hold it."
UNDER_WAY = "It is held and not filed yet; it is being filed or waits for a peer."
UNFETCHED = "A result file that Rupa showed has not been fetched yet."

# Every listed order in exactly one state. What is not known to be right is under way, never filed.
_ORDERS = """
SELECT listed.external_id AS order_id, held.id, CASE
    WHEN listed.verdict = 'rejected' THEN 'rejected'
    WHEN listed.verdict = 'review' THEN 'in_review'
    WHEN held.id IS NULL THEN 'missing'
    WHEN EXISTS (SELECT 1 FROM mirror_orderedtest test
                  JOIN mirror_resultsource source ON source.ordered_test_id = test.id
                  WHERE test.order_id = held.id AND (source.state = 'pending' OR source.state = 'gone'
                    AND NOT EXISTS (SELECT 1 FROM mirror_result result WHERE result.ordered_test_id = test.id)))
      THEN 'unfetched'
    WHEN link.id IS NULL AND held.filing_problem <> '' AND NOT held.filing_queued AND NOT held.pull_queued
      THEN 'in_review'
    WHEN link.id IS NULL OR held.revision <> held.filed_revision OR held.filing_queued
      OR EXISTS (SELECT 1 FROM filing_filedrow row WHERE row.practice_id = held.practice_id
                  AND row."group" = 'order:' || held.id AND row.state <> 'confirmed')
      THEN 'under_way'
    WHEN problem.why IS NOT NULL THEN 'in_review'
    ELSE 'filed' END AS state,
  COALESCE(NULLIF(listed.reason, ''), problem.why, NULLIF(held.pull_problem, ''), NULLIF(held.filing_problem, ''), '')
    AS why
  FROM reconcile_listed listed
  LEFT JOIN mirror_order held ON held.practice_id = listed.practice_id AND held.external_id = listed.external_id
  LEFT JOIN mirror_patientlink link ON link.patient_id = held.patient_id
  LEFT JOIN LATERAL (SELECT min(test.problem) AS why FROM mirror_orderedtest test
              WHERE test.order_id = held.id AND test.problem <> '' AND (NOT test.removed
                OR EXISTS (SELECT 1 FROM mirror_result result WHERE result.ordered_test_id = test.id))
            ) problem ON true
 WHERE listed.practice_id = %(practice)s AND listed.present
"""
_RESULTS = f"""
WITH orders AS ({_ORDERS})
SELECT CASE
    WHEN result.superseded THEN 'rejected'
    WHEN result.withheld THEN 'in_review'
    WHEN orders.state = 'in_review' AND filed.id IS NULL THEN 'in_review'
    WHEN filed.id IS NULL THEN 'under_way'
    ELSE 'filed' END AS state, count(*)
  FROM orders JOIN mirror_orderedtest test ON test.order_id = orders.id
  JOIN mirror_result result ON result.ordered_test_id = test.id
  LEFT JOIN mirror_storedfile pdf ON pdf.id = result.pdf_id
  LEFT JOIN filing_filedrow filed ON filed.practice_id = %(practice)s AND filed."table" = 'lab_results'
       AND filed.key = test.external_id || '-v' || result.version AND filed.state = 'confirmed'
       AND filed.file_sha256 = COALESCE(pdf.sha256, '')
 GROUP BY 1
UNION ALL
SELECT CASE WHEN newest.state IS NULL THEN 'awaiting_file' WHEN newest.state = 'refused' THEN 'in_review'
            ELSE 'under_way' END, count(*)
  FROM orders JOIN mirror_orderedtest test ON test.order_id = orders.id AND NOT test.removed
  LEFT JOIN LATERAL (SELECT source.state FROM mirror_resultsource source WHERE source.ordered_test_id = test.id
              ORDER BY source.latest_as_of DESC, source.as_of DESC, source.id DESC LIMIT 1) newest ON true
 WHERE newest.state IN ('refused', 'pending') OR test.results_received_at IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM mirror_result result WHERE result.ordered_test_id = test.id)
 GROUP BY 1
"""  # noqa: S608  # our own constants

WORDS = {"missing": MISSING, "unfetched": UNFETCHED, "under_way": UNDER_WAY}


@dataclass
class Figures:
    """Counts of orders; of result versions in `results`; which orders differ and why, and what waits for whom."""

    listed: int = 0
    held: int = 0
    filed: int = 0
    in_review: int = 0
    rejected: int = 0
    no_longer_listed: int = 0
    results: dict[str, int] = field(default_factory=dict)
    differences: list[dict[str, str]] = field(default_factory=list)  # {"id", "why"}
    in_review_because: list[dict[str, Any]] = field(default_factory=list)  # {"why", "count", "ids"}
    rejected_because: list[dict[str, Any]] = field(default_factory=list)

    @property
    def difference(self) -> int:
        return self.listed - self.filed - self.in_review - self.rejected


SHOWN = 100  #: ids of one kind that an entry names; the counts are always whole


def figures_of(practice: Practice) -> Figures:
    """Count from what Rupa listed last. Three statements."""
    values = {"practice": practice.pk}
    orders = fetch(f"SELECT order_id, state, why FROM ({_ORDERS}) orders ORDER BY order_id", values)  # noqa: S608  # our own constant
    results = Counter[str]()
    for state, count in fetch(_RESULTS, values):
        results[state] += count
    ((gone,),) = fetch(
        "SELECT count(*) FROM reconcile_listed WHERE practice_id = %(practice)s AND NOT present", values
    )
    states = Counter(state for _, state, _ in orders)
    return Figures(
        listed=len(orders),
        held=len(orders) - states["missing"],
        filed=states["filed"],
        in_review=states["in_review"],
        rejected=states["rejected"],
        no_longer_listed=int(gone),
        results=_result_figures(results),
        differences=[
            {"id": order_id, "why": why if why and state == "under_way" else WORDS[state]}
            for order_id, state, why in orders
            if state in WORDS
        ][:SHOWN],
        in_review_because=_by_reason(orders, "in_review"),
        rejected_because=_by_reason(orders, "rejected"),
    )


def _result_figures(results: Counter[str]) -> dict[str, int]:
    held = sum(count for state, count in results.items() if state != "awaiting_file")
    return {
        "listed": held,
        "held": held,
        **{state: results[state] for state in ("filed", "in_review", "rejected")},
        "difference": results["under_way"],
        "awaiting_file": results["awaiting_file"],
    }


def _by_reason(orders: list[tuple[str, str, str]], wanted: str) -> list[dict[str, Any]]:
    found: dict[str, list[str]] = {}
    for order_id, state, why in orders:
        if state == wanted:
            found.setdefault(why, []).append(order_id)
    return [{"why": why, "count": len(ids), "ids": ids[:SHOWN]} for why, ids in sorted(found.items())]
