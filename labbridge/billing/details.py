"""What staff enter for a superbill: codes, amounts, the date of service. Shapes are checked, meanings are theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from labbridge.billing.models import Evidence, Source
from labbridge.billing.states import CannotSay
from labbridge.mirror.models import Order, OrderedTest

TRACK = "details"
CPT = re.compile(r"\d{4}[0-9A-Z]|[A-Z]\d{4}", re.ASCII)  # CPT, or HCPCS level II
ICD10 = re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?", re.ASCII)


@dataclass
class Details:
    """As entered so far. By ordered test: `cpt` codes and `amounts` in dollars."""

    icd10: list[str] = field(default_factory=list)
    cpt: dict[str, list[str]] = field(default_factory=dict)
    amounts: dict[str, Decimal] = field(default_factory=dict)
    service_on: date | None = None

    def __bool__(self) -> bool:
        return bool(self.icd10 or self.cpt or self.amounts or self.service_on)

    def as_json(self) -> dict[str, Any]:  # any: JSON
        return {
            "icd10": self.icd10, "cpt": self.cpt, "amounts": {key: str(one) for key, one in self.amounts.items()},
            "service_on": self.service_on.isoformat() if self.service_on else None,
        }  # fmt: skip


def tests_of(order: Order) -> list[OrderedTest]:
    """The tests that stay on the order, as filing takes them."""
    tests = order.ordered_tests.prefetch_related("results").order_by("external_id")
    return [test for test in tests if not test.removed or test.results.all()]


def entered(
    order: Order, *, icd10: Iterable[str] = (), cpt: Iterable[str] = (), amounts: Iterable[str] = (),
    service_on: date | None = None, today: date,
) -> Details:  # fmt: skip
    """What was typed, checked. `cpt` and `amounts` are `ORDERED_TEST=VALUE`.

    Raises:
        CannotSay: with a sentence that repeats no code.

    """
    known = {test.external_id for test in tests_of(order)}
    made = Details([_code(one, ICD10, "ICD-10-CM code") for one in icd10], service_on=service_on)
    for key, code in (_pair(one, known) for one in cpt):
        made.cpt.setdefault(key, []).append(_code(code, CPT, "CPT or HCPCS code"))
    made.amounts = {key: dollars(text) for key, text in (_pair(one, known) for one in amounts)}
    if service_on is not None and service_on > today:
        raise CannotSay("The date of service lies in the future.")
    return made


def _pair(text: str, known: set[str]) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or key not in known:
        names = ", ".join(sorted(known)) or "none"
        raise CannotSay(f"Write ORDERED_TEST=VALUE with one of this order's tests: {names}.")
    return key, value


def _code(text: str, shape: re.Pattern[str], what: str) -> str:
    code = text.strip().upper()
    if not shape.fullmatch(code):
        raise CannotSay(f"One of them has not the shape of a {what}. It is printed as you enter it.")
    return code


def dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip().removeprefix("$").replace(",", ""))
        fine = amount.is_finite() and 0 <= amount < 10**6 and amount == amount.quantize(Decimal("0.01"))
    except InvalidOperation:
        fine = False
    if not fine:
        raise CannotSay("An amount is dollars and cents, such as 299.00.")
    return amount.quantize(Decimal("0.01"))


def enter(order: Order, made: Details, *, source: Source, on: date, by: str) -> None:
    """Keep it as evidence. What is entered later replaces what it names and leaves the rest."""
    Evidence.objects.create(
        practice=order.practice, order=order, track=TRACK, word="entered", source=source, happened_on=on,
        recorded_by=by, content=made.as_json(),
    )  # fmt: skip


def details(order: Order) -> Details:
    """All that was entered for an order, the newest of each."""
    found = Details()
    if order.erased_at:
        return found
    for one in Evidence.objects.filter(order=order, track=TRACK).order_by("id"):
        content = one.content
        found.icd10 = content["icd10"] or found.icd10
        found.cpt |= content["cpt"]
        found.amounts |= {key: Decimal(text) for key, text in content["amounts"].items()}
        if content["service_on"]:
            found.service_on = date.fromisoformat(content["service_on"])
    return found
