"""The superbill and HSA/FSA pack: what it must say, what is missing, and its versions.

Everything on it was read at Rupa, stands in the patient's chart, or was entered by staff. Nothing is worked out from
anything else, and what is missing is said instead of being left out.
"""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Max
from django.utils import timezone

from labbridge.billing.details import Details, details, tests_of
from labbridge.billing.models import Superbill
from labbridge.billing.paper import draw
from labbridge.billing.payment import payer, payment
from labbridge.billing.states import current
from labbridge.filing.rows import money
from labbridge.mirror.models import LabTest, Order, OrderedTest, PatientLink, Phase
from labbridge.mirror.person import Person, birthdays_differ, names_differ, normal_birthday
from labbridge.practices.apply import config_of
from labbridge.practices.config import PracticeConfig
from labbridge.practices.models import Practitioner
from labbridge.trust.paper import unprintable

UNPRICED = "The price unit is not known: one price that you look up at Rupa tells (docs/billing.md)."
CENTS = Decimal("0.01")
ADDRESS = ("street", "city", "state", "zipcode")
IN_LATIN = "write it in Latin letters where it comes from, as on the account's card"


class Incomplete(Exception):
    """A superbill cannot be made yet. `missing` are sentences without patient data."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__("\n".join(missing))
        self.missing = missing


class Draft:
    """A superbill as it would be now: what it lacks, and what it says once nothing is lacking."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.config: PracticeConfig = config_of(order.practice)
        self.entered: Details = details(order)
        self.tests: list[OrderedTest] = tests_of(order)
        keys = [test.lab_test_id_external for test in self.tests]
        known = LabTest.objects.filter(practice=order.practice, external_id__in=keys)
        self.lab_tests = {test.external_id: test for test in known}
        link = PatientLink.objects.select_related("chart", "patient").filter(patient=order.patient).first()
        self.link = link if order.patient else None
        self.practitioner, self.npi = practitioner_of(order, self.config)
        price = money(order.total_price, self.config.rupa.price_unit)
        self.total = price.quantize(CENTS) if price else None

    # -- what is missing -----------------------------------------------------------------------------------------

    def missing(self) -> list[str]:
        return [
            *self._payment(), *self._patient(), *self._practitioner(), *self._service(), *self._amounts(),
            *self._letters(),
        ]  # fmt: skip

    def _payment(self) -> list[str]:
        order, found = self.order, []
        if order.is_demo:
            found.append("It is a demo order.")
        if (state := payment(order)) != "paid":
            found.append(f"Rupa does not show it as paid by the patient: its payment is {state}.")
        elif payer(order) != "patient":
            found.append(f"Rupa does not say that the patient paid: the payer is {payer(order)}.")
        if current(order, "medicare") == "billed":
            found.append("It was billed to Medicare, so the patient has nothing to claim.")
        if order.payment_plan_status in {"failed", "canceled"}:
            found.append(f"Its payment plan is {order.payment_plan_status}: what was paid is not known.")
        return found

    def _patient(self) -> list[str]:
        if self.order.erased_at:
            return ["Its contents were erased here."]
        if self.link is None:
            return ["Its patient is not matched with a chart: answer the case under Matches first."]
        ours, theirs = self._person(), self.link.patient.person or {}
        found = [
            f"The chart has no {words}."
            for words, there in (
                ("first name", ours.get("first_name")), ("last name", ours.get("last_name")),
                ("birthday that can be read", normal_birthday(ours.get("birthday"))),
                ("full address", all(ours.get(part) for part in ADDRESS)),
            )
            if not there
        ]  # fmt: skip
        if names_differ(ours, theirs) or birthdays_differ(ours, theirs):
            found.append("Name or birthday differ between the chart and Rupa: set right which is wrong.")
        return found

    def _person(self) -> Person:
        person: Person = self.link.chart.person if self.link else {}
        return person

    def _practitioner(self) -> list[str]:
        found = []
        if not self.practitioner:
            found.append("Rupa names no practitioner for it.")
        if not self.npi:
            found.append(
                "The practitioner's NPI is missing. Whoever set Labbridge up adds it: `npi` under "
                "[[rupa.practitioners]] in practice.toml."
            )
        return found

    def _service(self) -> list[str]:
        order, on, found = self.order, self.entered.service_on, []
        if order.phase != Phase.COMPLETE:
            found.append(f"Its services are not all rendered: the order is {order.phase}.")
        if on is None:
            found.append("The date of service is missing: enter it.")
        elif order.submitted_at and on < order.submitted_at.astimezone(self.config.zone).date():
            found.append("The date of service lies before the day on which the order was submitted.")
        if not self.tests:
            found.append("It has no tests.")
        for test in self.tests:
            known = self.lab_tests.get(test.lab_test_id_external)
            name = (known and known.name) or f"Test {test.external_id}"
            if not known or not known.name:
                found.append(f"The name of test {test.external_id} is not known: `labbridge sync catalog`.")
            if not self.entered.cpt.get(test.external_id):
                found.append(f"{name} has no CPT code: enter it.")
            if any(result.withheld for result in test.results.all()):
                found.append(f"The result of test {test.external_id} names another patient.")
        if not self.entered.icd10:
            found.append("There is no diagnosis: enter it.")
        return found

    def _amounts(self) -> list[str]:
        if self.config.rupa.price_unit == "unknown":
            return [UNPRICED]
        if self.total is None:
            return ["Rupa gives no price of the order."]
        amounts = self._itemised()
        if amounts and len(amounts) < len(self.tests):
            return ["Some tests have an amount and some have none: enter all, or none."]
        if sum(amounts.values()) > self.total:
            return ["The amounts entered are more than the price of the order."]
        return []

    def _letters(self) -> list[str]:
        """What would be printed as "?": an administrator would send such a claim back."""
        ours = {} if self.order.erased_at else self._person()
        names = " ".join(test.name + test.lab_company_name for test in self.lab_tests.values())
        return [
            f"{whose} has letters that the paper's font lacks: {mend}."
            for whose, text, mend in (
                ("The patient's name", _joined(ours, "first_name", "last_name"), IN_LATIN),
                ("The patient's address", _joined(ours, *ADDRESS), IN_LATIN),
                ("The practitioner's name", self.practitioner, IN_LATIN),
                ("The practice's name or address", f"{self.config.practice.name} {self.config.billing.address}",
                 "write it in Latin letters in practice.toml"),
                ("A test's or its lab's name", names, "issue it by hand"),
            )
            if unprintable(text)
        ]  # fmt: skip

    def _itemised(self) -> dict[str, Decimal]:
        keys = {test.external_id for test in self.tests}
        return {key: amount for key, amount in self.entered.amounts.items() if key in keys}

    # -- what it says --------------------------------------------------------------------------------------------

    def content(self) -> dict[str, Any]:  # any: JSON
        """Raises Incomplete."""
        if missing := self.missing():
            raise Incomplete(missing)
        order, person, practice = self.order, self._person(), self.config.billing
        amounts, total = self._itemised(), self.total
        rest = total - sum(amounts.values()) if amounts and total is not None else None
        paid_at = order.paid_at
        return {
            "practice": {"name": self.config.practice.name, **practice.model_dump()},
            "patient": {
                "name": f"{person['first_name']} {person['last_name']}",
                "birthday": normal_birthday(person["birthday"]),
                "address": f"{person['street']}, {person['city']}, {person['state']} {person['zipcode']}",
            },
            "practitioner": {"name": self.practitioner, "npi": self.npi},
            "order": order.external_id,
            "service_on": _day(self.entered.service_on),
            "icd10": self.entered.icd10,
            "tests": [self._line(test, amounts) for test in self.tests],
            "not_itemised": str(rest) if rest else None,
            "total": str(total),
            "paid_on": _day(paid_at.astimezone(self.config.zone).date()) if paid_at else None,
            "hsa_fsa": order.hsa_fsa_status, "payment_plan": order.payment_plan_status,
            "physician_services": current(order, "physician_services") or "unknown",
        }  # fmt: skip

    def _line(self, test: OrderedTest, amounts: dict[str, Decimal]) -> dict[str, Any]:  # any: JSON
        known, amount = self.lab_tests[test.lab_test_id_external], amounts.get(test.external_id)
        return {
            "test": known.name, "lab": known.lab_company_name, "cpt": self.entered.cpt[test.external_id],
            "amount": str(amount) if amount is not None else None,
        }  # fmt: skip


def _joined(person: Person, *parts: str) -> str:
    return " ".join(person.get(part) or "" for part in parts)


def _day(on: date | None) -> str | None:
    return on.isoformat() if on else None


def practitioner_of(order: Order, config: PracticeConfig) -> tuple[str, str]:
    """Name and NPI of the order's practitioner, by Rupa's id: of practice.toml, or of the connection it names."""
    key = order.practitioner_id_external
    known = Practitioner.objects.select_related("connection").filter(external_id=key).first() if key else None
    name = (known.name if known else "") or order.practitioner_name
    own = known.connection.account.lower() if known and known.connection.external_id == key else None
    by_id = [one.npi for one in config.rupa.practitioners if key and one.id == key]
    by_account = [one.npi for one in config.rupa.practitioners if not one.id and one.email.lower() == own]
    return name, next((npi for npi in [*by_id, *by_account] if npi), "")


def make(order: Order, by: str) -> tuple[Superbill, bool]:
    """The superbill as it is now, and whether that is a new version. Inside a transaction, its row locked, under the
    practice's lock for numbers.

    Raises:
        Incomplete: with all that is missing.

    """
    content = Draft(order).content()
    newest = Superbill.objects.filter(order=order).order_by("-version").first()
    if (
        newest is not None
        and order.superbill_status in {"issued", "sent"}
        and newest.content["says"] == content
    ):
        return newest, False
    version = newest.version + 1 if newest else 1
    number = newest.number if newest else _next_number(order)
    at = timezone.now()
    made = Superbill(
        practice=order.practice, order=order, number=number, version=version, made_at=at, made_by=by
    )
    heading = {
        "number": number,
        "version": version,
        "issued_on": _day(at.astimezone(order.practice.zone).date()),
    }
    made.pdf = draw(heading, content, at)
    made.content = {**heading, "says": content}
    made.sha256 = hashlib.sha256(made.pdf).hexdigest()
    made.save()
    return made, True


def _next_number(order: Order) -> int:
    highest = Superbill.objects.filter(practice=order.practice).aggregate(highest=Max("number"))["highest"]
    return (highest or 0) + 1
