"""How often matching is right: `python -m bench.matching [--pairs N] [--seed N]`.

Labelled pairs come from bench/matching_people.py, which knows nothing of the matcher. Two questions are asked. Pairs:
each patient beside one candidate. Clinic: each patient beside everybody of a whole clinic who shares a lookup key.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from bench.matching_people import Case, cases
from labbridge.matching import Action, Candidate, Identity, decide, normalise

TODAY = date(2026, 11, 23)  # no clock: the same pairs get the same answers
PAIRS = 120_000
SEED = 20_261_123
CLINIC = 20_000  # patients of the second question

ACTIONS = (Action.LINK, Action.REVIEW, Action.CREATE)


@dataclass
class Tally:
    """Decisions counted by what was true, and by kind."""

    counts: Counter[tuple[bool, Action]] = field(default_factory=Counter)
    kinds: defaultdict[tuple[bool, str], Counter[Action]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    wrong: list[Case] = field(default_factory=list)

    def add(self, case: Case, action: Action) -> None:
        self.counts[case.same, action] += 1
        self.kinds[case.same, case.kind][action] += 1
        if action is Action.LINK and not case.same:
            self.wrong.append(case)

    def of(self, *actions: Action, same: bool) -> int:
        return sum(self.counts[same, action] for action in actions)

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def precision(self) -> float:
        right = self.of(Action.LINK, same=True)
        return right / (right + self.of(Action.LINK, same=False))

    @property
    def recall(self) -> float:
        return self.of(Action.LINK, same=True) / self.of(*ACTIONS, same=True)

    @property
    def recall_with_review(self) -> float:
        return self.of(Action.LINK, Action.REVIEW, same=True) / self.of(*ACTIONS, same=True)

    @property
    def review_rate(self) -> float:
        return (self.of(Action.REVIEW, same=True) + self.of(Action.REVIEW, same=False)) / self.total


def measure_pairs(drawn: Sequence[Case]) -> tuple[Tally, float]:
    """Every pair normalised and decided alone. Returns the tally and the processor seconds it took."""
    tally = Tally()
    started = time.process_time()
    for case in drawn:
        patient = normalise(case.caspio, today=TODAY)
        candidate = Candidate("pat_1", normalise(case.rupa, today=TODAY))
        tally.add(case, decide(patient, [candidate]).action)
    return tally, time.process_time() - started


def measure_clinic(drawn: Sequence[Case]) -> Counter[str]:
    """Every patient beside all of the clinic's Rupa patients who share a lookup key."""
    at_rupa = [
        Candidate(f"pat_{number}", normalise(case.rupa, today=TODAY)) for number, case in enumerate(drawn)
    ]
    shelves: defaultdict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for candidate in at_rupa:
        for key in candidate.identity.lookup_keys().items():
            shelves[key].append(candidate)
    found: Counter[str] = Counter()
    for number, case in enumerate(drawn):
        patient = normalise(case.caspio, today=TODAY)
        near = {one for key in patient.lookup_keys().items() for one in shelves[key]}
        found[_outcome(patient, near, f"pat_{number}" if case.same else None)] += 1
        found["candidates seen"] += len(near)
    return found


def _outcome(patient: Identity, near: set[Candidate], truth: str | None) -> str:
    decision = decide(patient, near)
    if decision.action is Action.LINK:
        return "linked, right" if decision.chosen == truth else "linked, WRONG"
    if decision.action is Action.CREATE:
        return "created, right" if truth is None else "created, a double"
    if truth is None:
        return "asked, nobody was right"
    return (
        "asked, the right one shown"
        if truth in {decision.chosen, *decision.others}
        else "asked, others shown"
    )


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def show(tally: Tally, seconds: float, clinic: Counter[str]) -> None:
    print(f"{tally.total} pairs, {machine()}\n")
    _table(("truth", *ACTIONS), [
        ("same person", *(tally.of(action, same=True) for action in ACTIONS)),
        ("different people", *(tally.of(action, same=False) for action in ACTIONS)),
    ])  # fmt: skip
    _table(("measure", "value"), [
        ("precision of automatic links", f"{tally.precision:.6f}"),
        ("recall of automatic links", f"{tally.recall:.4f}"),
        ("recall of links including review", f"{tally.recall_with_review:.4f}"),
        ("review rate", f"{tally.review_rate:.4f}"),
        ("pairs per processor second, normalised and decided", f"{tally.total / seconds:.0f}"),
    ])  # fmt: skip
    for same, heading in ((True, "same person"), (False, "different people")):
        kinds = [(kind, *(counts[action] for action in ACTIONS)) for (is_same, kind), counts in tally.kinds.items()
                if is_same is same]  # fmt: skip
        _table((heading, *ACTIONS), sorted(kinds))
    rows = [(what, number) for what, number in sorted(clinic.items()) if what != "candidates seen"]
    patients = sum(number for _, number in rows)
    near = clinic["candidates seen"] / max(1, patients)
    _table((f"clinic of {patients} patients, {near:.1f} candidates each", "patients"), rows)
    for case in tally.wrong[:10]:
        print("WRONG LINK (invented people):", case)


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> None:
    """A table that is also Markdown."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for number, row in enumerate(cells):
        aligned: list[Callable[[int], str]] = [row[0].ljust, *(cell.rjust for cell in row[1:])]
        print("| " + " | ".join(align(width) for align, width in zip(aligned, widths, strict=True)) + " |")
        if number == 0:
            print(
                "|"
                + "|".join(
                    f"{'-' * (width + 1)}{':' if place else '-'}" for place, width in enumerate(widths)
                )
                + "|"
            )
    print()


def run(pairs: int = PAIRS, seed: int = SEED) -> bool:
    """Measure and print. True when the promises are kept: no wrong link, and at most 2 % of links missed."""
    drawn = list(cases(pairs, seed))
    tally, seconds = measure_pairs(drawn)
    clinic = measure_clinic(drawn[:CLINIC])
    show(tally, seconds, clinic)
    kept = not tally.wrong and tally.recall_with_review >= 0.98 and not clinic["linked, WRONG"]
    print("kept" if kept else "MISSED", flush=True)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.matching", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seed", type=int, default=SEED)
    wanted = parser.parse_args()
    raise SystemExit(0 if run(wanted.pairs, wanted.seed) else 1)
