"""No patient in a de-identified letter: by type, by closed list, by planting, whatever the source fields hold."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import pytest
from django.db import models, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labbridge.handover import deidentified as safe
from labbridge.handover.deidentified import CatalogueId, Count, Deidentified, Month, NotSafe, Word
from labbridge.handover.letters import deidentified_body, deidentified_example, phi_example
from labbridge.handover.preview import example
from labbridge.handover.target import DeidentifiedTarget
from labbridge.mirror.models import (
    Chart,
    LabCompany,
    LabTest,
    Order,
    OrderedTest,
    Patient,
    Result,
    ReviewCase,
)
from labbridge.outbox.models import DataClass, Fact, Kind
from tests.handover.receiver import Connector, carry_all, destination

ROOT = Path(__file__).resolve().parents[2]

#: Every field that a de-identified letter has. A new one is added here by somebody who has thought about it.
ALLOWED = {
    "PhaseChanged": {"month", "phase", "previous_phase", "demo"},
    "ResultFiled": {"month", "amended", "lab_company"},
    "ReviewNeeded": {"month", "question"},
    "PaymentChanged": {"month", "payment_status", "previous_payment_status", "demo"},
    "CatalogueChanged": {"month", "lab_test", "changed"},
    "AlertChanged": {"month", "rule", "severity", "owner", "state"},
    "MonthCounted": {"month", "orders_submitted", "orders_completed", "orders_canceled", "results_found"},
    "Tried": {"month"},
}


def test_every_field_is_on_the_list_and_of_a_safe_type():
    ours = [one for one in Deidentified.__subclasses__() if one.__module__ == safe.__name__]
    assert {one.__name__: {field.name for field in fields(one)} for one in ours} == ALLOWED
    for one in ours:
        for hint in get_type_hints(one).values():
            assert safe.SAFE.issuperset(get_args(hint) if get_origin(hint) else (hint,))


@pytest.mark.parametrize("hint", [str, int, datetime, "str | None", dict, "list[str]", Any, bytes, object])
def test_a_field_without_a_safe_type_cannot_even_be_defined(hint: Any):
    with pytest.raises(NotSafe, match="note has a type that may carry"):
        type(
            "Leaky",
            (Deidentified,),
            {"__annotations__": {"month": Month, "note": hint}, "__module__": __name__},
        )


def test_a_value_that_slipped_by_the_types_is_refused():
    @dataclass(frozen=True)
    class Sound(Deidentified):
        month: Month
        word: Word | None

    for value in ("Testa", 5, 1.5, datetime.now(UTC), ["x"], object(), b"x"):
        with pytest.raises(NotSafe):
            Sound(month=Month(2026, 1), word=value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Word("Testa", {"draft"}), lambda: Month(2026, 13), lambda: Month("2026", 1),
        lambda: Count(-1), lambda: Count(True), lambda: Count("3"), lambda: CatalogueId("Testa"),
    ],
)  # fmt: skip
def test_safe_values_are_made_of_what_they_say(make: Any):
    with pytest.raises(NotSafe) as refused:
        make()
    assert "Testa" not in str(refused.value)


def test_small_numbers_are_hidden():
    assert [Count(number).plain() for number in (0, 1, 10, 11, 500)] == [0, None, None, 11, 500]
    assert CatalogueId.shared_by(7, 10) is None
    assert CatalogueId.shared_by(7, 11) == CatalogueId(7)


def test_a_month_is_that_of_the_practice():
    assert (
        Month.of(datetime(2026, 11, 1, 3, tzinfo=UTC), ZoneInfo("America/Los_Angeles")).plain() == "2026-10"
    )


LEAKS = {
    "text in a payload": "deidentified.ReviewNeeded(month=deidentified.Month(2026, 1), question='Testa')",
    "a patient's moment": "deidentified.Tried(month=datetime.now())",
    "an id": "deidentified.ResultFiled(month=deidentified.Month(2026, 1), amended=False, lab_company=7)",
    "another type": "payload: deidentified.Safe = 'Testa'",
    "patient data to a target without a BAA": "deidentified_target.write('order.phase_changed', phi)",
    "a de-identified body as patient data": "phi_target.write('test', datetime.now(), tried, number=1)",
    "a target by hand": "target.PhiTarget()",
}
SOUND = "deidentified_target.write('test', tried)\nphi_target.write('test', datetime.now(), phi, number=1)"


def test_the_type_checker_closes_the_list(tmp_path: Path):
    """mypy over lines that leak: each is an error, the sound ones are none. One run, because it takes seconds."""
    head = textwrap.dedent(
        """
        from datetime import datetime
        from labbridge.handover import deidentified, target
        from labbridge.handover.letters import PhiBody

        def lines(
            phi: PhiBody, tried: deidentified.Deidentified, phi_target: target.PhiTarget,
            deidentified_target: target.DeidentifiedTarget,
        ) -> None:
        """
    ).strip()
    lines = [*SOUND.splitlines(), *LEAKS.values()]
    file = tmp_path / "leaks.py"
    file.write_text(head + "\n" + "\n".join(f"    {line}" for line in lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", str(file)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    first = len(head.splitlines()) + 1
    found = {int(line.split(":")[1]) - first for line in done.stdout.splitlines() if ": error:" in line}
    assert found == set(range(len(SOUND.splitlines()), len(lines))), done.stdout + done.stderr


@pytest.mark.parametrize("kind", [*Kind.values, "test"])
def test_previews_are_invented_and_have_every_field(kind: str):
    shown = example(kind, DataClass.DEIDENTIFIED)
    assert set(shown) == {"type", "data"}
    assert set(shown["data"]) == ALLOWED[type(deidentified_example(kind, timezone.now())).__name__]
    whole = example(kind, DataClass.PHI)
    assert whole["sequence"] == 4711
    assert kind == "test" or phi_example(kind, timezone.now()).model_dump(exclude_none=True)


# -- planting ------------------------------------------------------------------------------------------------------

MARK = "Zyxwvut"
PLANTS = st.builds(lambda tail: MARK + tail, st.text("abc019-@. ", max_size=8))


def _plant(row: models.Model, text: str) -> None:
    """Write the planted words into every text that the row has, sealed ones too, but what must be a word of ours."""
    for field in row._meta.get_fields():
        if not isinstance(field, models.Field) or field.choices or field.primary_key or field.is_relation:
            continue
        if isinstance(field, models.CharField) and field.name not in KEPT:
            setattr(row, field.name, text[: field.max_length])
        elif type(field).__name__ == "SealedTextField":
            setattr(row, field.name, text)
        elif type(field).__name__ == "SealedJSONField":
            setattr(row, field.name, {"first_name": text, "email": text, "birthday": text})
        elif isinstance(field, models.JSONField) and field.name in {"reasons", "candidates", "rows", "parts"}:
            setattr(row, field.name, [text])
    row.save()


KEPT = {
    "lab_test_id_external",
    "lab_company_id_external",
    "external_id",
    "rule",
}  # by which rows find each other


@pytest.mark.django_db
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=PLANTS, days=st.integers(0, 27))
def test_planted_patients_are_in_no_de_identified_letter(
    willow: Any, connector: Connector, text: str, days: int
):
    from tests.handover.conftest import things_of

    with transaction.atomic():
        made = things_of(willow)
        LabTest.objects.update(lab_company_id_external="lab_willow")
        for number, model in enumerate(
            (Chart, Patient, Order, OrderedTest, Result, ReviewCase, LabTest, LabCompany)
        ):
            row: Any = model.objects.last()
            assert row is not None, number
            _plant(row, text)
        for model in (
            Order,
            OrderedTest,
            Patient,
            LabTest,
            LabCompany,
        ):  # and in their ids, which lead nowhere else
            model.objects.update(external_id=f"{text}"[:64])
        OrderedTest.objects.update(lab_test_id_external=text)
        LabTest.objects.update(lab_company_id_external=text)
        one = destination(willow, connector.url, name=f"d{text}{days}".strip())
        at = datetime(2026, 2, 1 + days, 17, 43, 21, tzinfo=UTC)
        ids = {
            Kind.PHASE: f"order:{made['order_id']}", Kind.PAYMENT: f"order:{made['order_id']}",
            Kind.RESULT: f"order:{made['order_id']}", Kind.REVIEW: f"case:{made['case_id']}",
            Kind.CATALOGUE: f"lab_test:{text}", Kind.ALERT: f"alert:{made['alert_id']}", Kind.MONTH: "month:2026-01",
        }  # fmt: skip
        words = {
            "phase": "complete", "previous_phase": "in_progress", "payment_status": "paid", "demo": False,
            "result_key": f"{text[:64]}-v1", "question": "identity", "changed": "price", "before": text,
            "after": text, "state": "open", "month": "2026-01", "orders_submitted": 3, "orders_completed": 30,
            "orders_canceled": 0, "results_found": 12, "note": text,
        }  # fmt: skip
        facts = [
            Fact.objects.create(practice=willow, kind=kind, about=about, words=words, at=at)
            for kind, about in ids.items()
        ]
        bodies = [
            DeidentifiedTarget(one).write(fact.kind, deidentified_body(fact)).decode() for fact in facts
        ]
        transaction.set_rollback(True)
    assert len(bodies) == len(Kind.values)
    hidden = {
        str(value) for key, value in made.items() if key not in {"lab_test_id", "lab_company_id", "seq"}
    }
    for body in bodies:
        assert MARK not in body
        assert not [one for one in hidden if one in body]
        assert at.strftime("%Y-%m-%d") not in body
        assert "17:43" not in body


@pytest.mark.django_db
def test_a_lab_is_named_only_where_eleven_patients_share_it(willow: Any, things: Any):
    made = things(willow)
    LabTest.objects.update(lab_company_id_external="lab_willow")
    fact = Fact(
        practice=willow, kind=Kind.RESULT, about=f"order:{made['order_id']}", at=timezone.now(),
        words={"result_key": "ot_willow-v1"},
    )  # fmt: skip

    def told() -> Any:
        return safe.plain(deidentified_body(fact))["lab_company"]

    assert told() is None
    for number in range(10):
        patient = Patient.objects.create(practice=willow, external_id=f"pat_{number}")
        order = Order.objects.create(
            practice=willow, external_id=f"ord_{number}", patient=patient, submitted_at=timezone.now()
        )
        OrderedTest.objects.create(
            practice=willow, order=order, external_id=f"ot_{number}", lab_test_id_external="test_willow"
        )
    assert told() == LabCompany.objects.get().pk
    Order.objects.filter(external_id="ord_3").update(submitted_at=timezone.now() - timedelta(days=400))
    assert told() is None


@pytest.mark.django_db
def test_the_envelope_tells_no_moment_and_its_id_no_order(willow: Any, connector: Connector, things: Any):
    """Our own ids begin with the moment at which they were made; those of letters are random."""
    from labbridge.outbox.note import note

    made = things(willow)
    one = destination(willow, connector.url)
    with transaction.atomic():
        note(willow.pk, Kind.REVIEW, f"case:{made['case_id']}", question="identity")
    carry_all(one)
    (letter,) = connector.arrived
    assert letter.said == {
        "type": "review.needed",
        "data": {"month": Month.of(timezone.now(), willow.zone).plain(), "question": "identity"},
    }
    assert letter.id[4:][12] == "4"  # version 4: random
    assert set(letter.headers) <= {
        "host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip
