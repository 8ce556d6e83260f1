"""Questions for a person: opened, kept up to date while they are open, and closed when they answer themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labbridge.matching.decide import Decision
from labbridge.mirror.models import CaseKind, CaseState, Chart, Patient, ReviewCase
from labbridge.outbox.models import Kind
from labbridge.outbox.note import note
from labbridge.trust.keys import CannotOpen, keyring

#: What can be decided in Labbridge; `correct_caspio` is done in Caspio, and the row is then matched again.
IDENTITY_ACTIONS = ("link", "choose_another", "create", "not_the_same", "ask_patient")
VALUE_ACTIONS = ("use_caspio", "use_rupa", "ask_patient")

VALUE_WAYS = {
    "use_caspio": "The value in Caspio is right: send it to Rupa.",
    "use_rupa": "The value at Rupa is right: write it into Caspio.",
    "ask_patient": "Ask the patient, then correct the row in Caspio.",
}

CHOOSE_A_ROW = "Choose the right row in Caspio, or add one with the same e-mail: it is then found by itself."
NOBODY_HERE = "Nobody in Caspio is this patient, and nothing is to be done now."


def open_case(chart: Chart, decision: Decision, *, reopened: bool = False) -> ReviewCase:
    """Ask who this row is at Rupa; a question that is open already is brought up to date."""
    patient = Patient.objects.filter(practice=chart.practice, external_id=decision.chosen or "").first()
    offered = {one.action for one in decision.ways_out}
    return _open(
        {"chart": chart, "kind": CaseKind.IDENTITY},
        practice=chart.practice,
        patient=patient,
        candidates=[key for key in (decision.chosen, *decision.others) if key],
        reasons=_reasons(decision),
        ways_out=[{"action": one.action, "words": one.words} for one in decision.ways_out],
        actions=[action for action in IDENTITY_ACTIONS if action in offered],
        seen={"chart": chart.person, "patient": patient.person if patient else None},
        **({"reopened": True} if reopened else {}),
    )


def open_case_without_row(patient: Patient, decision: Decision) -> ReviewCase | None:
    """Ask which row a patient of Rupa is, whom no row surely is; None where a person has said: nobody."""
    if ReviewCase.objects.filter(
        chart=None, patient=patient, state=CaseState.DECIDED, decision="not_the_same"
    ).exists():
        return None
    rows = [key for key in (decision.chosen, *decision.others) if key]
    keys = dict(Chart.objects.filter(pk__in=rows).values_list("pk", "key"))
    ordered = [keys[pk] for row in rows for pk in keys if str(pk) == row]
    return _open(
        {"chart": None, "patient": patient, "kind": CaseKind.IDENTITY},
        practice=patient.practice,
        rows=ordered,
        reasons=_reasons(decision),
        ways_out=[
            {"action": "choose_another", "words": CHOOSE_A_ROW},
            {"action": "not_the_same", "words": NOBODY_HERE},
        ],
        actions=["choose_another", "not_the_same"],
        seen={"chart": None, "patient": patient.person},
    )


def open_value_case(
    chart: Chart, patient: Patient, parts: list[str], why: str = "", actions: Sequence[str] = VALUE_ACTIONS
) -> ReviewCase:
    """Ask whose values are right: where the practice wants to be asked, or where Rupa cannot take ours."""
    names = ", ".join(part_name(part) for part in parts)
    words = why or f"Caspio and Rupa differ in: {names}. Your policy for this is to ask."
    reasons = [{"words": words, "weight": 0, "field": "rule"}]
    ways = [{"action": action, "words": VALUE_WAYS[action]} for action in actions]
    return _open(
        {"chart": chart, "kind": CaseKind.VALUES},
        practice=chart.practice,
        patient=patient,
        parts=parts,
        reasons=reasons,
        ways_out=ways,
        actions=list(actions),
        seen={"chart": chart.person, "patient": patient.person},
    )


def _open(about: dict[str, Any], **values: Any) -> ReviewCase:  # any: columns of the case
    with transaction.atomic():
        # One at a time for this row or patient, also while there is no case yet.
        if about["chart"] is not None:
            Chart.objects.select_for_update(no_key=True).get(pk=about["chart"].pk)
        else:
            Patient.objects.select_for_update(no_key=True).get(pk=about["patient"].pk)
        held = (
            ReviewCase.objects.select_for_update(of=("self",)).filter(**about, state=CaseState.OPEN).first()
        )
        case = held or ReviewCase(**about)
        for name, value in values.items():
            setattr(case, name, value)
        case.save()
        if held is None:
            note_question(case)
        return case


def note_question(case: ReviewCase) -> None:
    """Others hear that a person is wanted. Inside the transaction that opens the question."""
    note(case.practice_id, Kind.REVIEW, f"case:{case.pk}", question=case.kind)


def fingerprint(case: ReviewCase) -> str | None:
    """A keyed hash of what is asked and of both sides as they are now: with an answer it tells what was looked at.

    None where nothing is to be decided, or where a side cannot be opened.
    """
    if case.state != CaseState.OPEN:
        return None
    chart, patient = case.chart, case.patient
    try:
        sides = [chart.person if chart else None, patient.person if patient else None]
    except CannotOpen:
        return None
    whom = patient.external_id if patient else None
    shown = [str(case.pk), whom, case.candidates, case.rows, case.parts, sides]
    return keyring().blind(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS).decode(), "question seen").hex()


def _reasons(decision: Decision) -> list[dict[str, Any]]:
    return [{"words": one.words, "weight": one.weight, "field": str(one.field)} for one in decision.reasons]


def is_asked_about(patient: Patient) -> bool:
    """Whether an open question names this patient."""
    named = Q(patient=patient) | Q(candidates__contains=[patient.external_id])
    asked = ReviewCase.objects.filter(named, practice=patient.practice, state=CaseState.OPEN)
    return asked.filter(kind=CaseKind.IDENTITY).exists()


def close_cases(chart: Chart, decision: str = "resolved", *, kind: CaseKind | None = None) -> None:
    """The question has answered itself: the row or the patient at Rupa was corrected, or the row is gone."""
    cases = ReviewCase.objects.filter(chart=chart, state=CaseState.OPEN)
    if kind is not None:
        cases = cases.filter(kind=kind)
    _close(cases, decision)


def close_cases_without_row(patient: Patient) -> None:
    """A row was found for them."""
    _close(ReviewCase.objects.filter(chart=None, patient=patient, state=CaseState.OPEN), "resolved")


def _close(cases: Any, decision: str) -> None:  # any: a queryset of cases
    cases.update(
        state=CaseState.DECIDED,
        decision=decision,
        decided_by="labbridge",
        decided_at=timezone.now(),
        reopened=False,
    )


def review_sentence(decision: Decision) -> str:
    """What front desk reads on the patient's row: why, and the ways out."""
    rules = [one.words for one in decision.reasons if str(one.field) == "rule"]
    ways = [one.words for one in decision.ways_out if one.action in {"ask_patient", "correct_caspio"}]
    words = [*(rules[:2] or ["It is not certain who this is at Rupa."]), *ways[:2]]
    return " ".join([*words, "Decide in Labbridge, under Matches."])


def part_name(part: str) -> str:
    """A particular in the words of front desk."""
    words = {"email": "e-mail", "gender": "sex", "zipcode": "ZIP code"}
    return words.get(part, part.replace("_", " "))
