"""What the pipeline can be narrowed to. Everything stands in the address, and nothing of it is patient data.

With `figure`, the list shows exactly the orders behind a figure of analytics, by the conditions by which it was
counted (analytics/behind.py); the other words narrow it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django import forms
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import QueryDict

from labbridge.analytics.behind import FIGURES, SEVERAL, UNKNOWN, Asked, condition
from labbridge.billing.payment import PAYMENTS
from labbridge.console.needs import STUCK
from labbridge.mirror.late import overdue
from labbridge.mirror.models import LabCompany, LabTest, Order, OrderedTest, Phase
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice, Practitioner

WORDS = {"awaiting_patient": "Awaiting the patient", "paid": "Paid", "practitioner_pays": "The practice pays",
         "refunded": "Refunded"}  # fmt: skip
SOURCES = {"caspio": "Caspio", "rupa": "Rupa", "ehr": "Another EHR"}
STATES = {"overdue": "Overdue", "stuck": "Not up to date in Caspio", "mine": "Mine", "nobody": "Nobody's"}


#: Ids as the peers make them, and words of ours.
KEY = re.compile(r"[\w:.-]{1,64}", re.ASCII)
PHASES = [(one, one.replace("_", " ").capitalize()) for one in Phase.values]


class Filters(forms.Form):
    """The filters of the pipeline. An address with something else in it is no error: that part is left out."""

    phase = forms.ChoiceField(required=False, choices=[("", "Any phase"), *PHASES])
    payment = forms.ChoiceField(required=False, choices=[("", "Any payment"), *WORDS.items()])
    lab = forms.ChoiceField(required=False, label="Lab company")
    practitioner = forms.ChoiceField(required=False)
    source = forms.ChoiceField(required=False, choices=[("", "Any source"), *SOURCES.items()])
    state = forms.ChoiceField(required=False, label="Needs", choices=[("", "Everything"), *STATES.items()])
    figure = forms.ChoiceField(
        required=False, widget=forms.HiddenInput, choices=[(name, one.label) for name, one in FIGURES.items()]
    )
    since = forms.DateField(required=False, widget=forms.HiddenInput)
    until = forms.DateField(required=False, widget=forms.HiddenInput)
    test = forms.RegexField(KEY, required=False, widget=forms.HiddenInput)

    def __init__(self, query: QueryDict, practices: Sequence[Practice], user_name: str) -> None:
        super().__init__(query)
        self.practices, self.user_name = practices, user_name
        labs = LabCompany.objects.filter(practice__in=practices).exclude(name="").order_by("name")
        people = (
            Practitioner.objects.filter(connection__practice__in=practices).exclude(name="").order_by("name")
        )
        self._choose("lab", "Any lab", labs.values_list("external_id", "name"))
        self._choose("practitioner", "Anybody", people.values_list("external_id", "name"))
        if query.get("figure") in FIGURES:
            self._take_over(query)

    def _choose(self, name: str, nothing: str, rows: Any) -> None:  # any: pairs of a queryset
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # for the type checker: so declared above
        field.choices = [("", nothing), *dict(rows).items()]

    def _take_over(self, query: QueryDict) -> None:
        """Figures are also of labs, people and sources that no list of ours holds: their keys are taken as given."""
        for name, words in (("lab", "Lab"), ("practitioner", "Practitioner"), ("source", "Source")):
            field, given = self.fields[name], query.get(name, "")
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  # for the type checker: so declared above
            known = dict(field.choices)  # type: ignore[arg-type]  # pairs, as we made them
            if KEY.fullmatch(given) and given not in known:
                told = {UNKNOWN: f"{words} not known", SEVERAL: "Several labs"}.get(given, f"{words} {given}")
                field.choices = [
                    *known.items(),
                    (given, "By name alone" if given.startswith("name:") else told),
                ]

    @property
    def behind(self) -> str:
        """What figure the list stands behind, as a sentence; empty for an ordinary list."""
        chosen = self.chosen
        if "figure" not in chosen:
            return ""
        said = [FIGURES[chosen["figure"]].label]
        if chosen.get("since") or chosen.get("until"):
            said.append(f"{chosen.get('since', 'the beginning')} to {chosen.get('until', 'today')}")
        if "test" in chosen:
            test = LabTest.objects.filter(practice__in=self.practices, external_id=chosen["test"]).first()
            said.append((test and test.name) or chosen["test"])
        return " · ".join(said)

    @property
    def chosen(self) -> dict[str, str]:
        """The filters that stand in the address and can be understood."""
        self.is_valid()
        kept = {name: value for name, value in self.cleaned_data.items() if value}
        if "figure" not in kept:
            kept = {name: value for name, value in kept.items() if name not in {"since", "until", "test"}}
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in kept.items()}

    def orders(self, now: datetime) -> QuerySet[Order]:
        found, chosen = Order.objects.filter(practice__in=self.practices), self.chosen
        if "phase" in chosen:
            found = found.filter(phase=chosen["phase"])
        if "payment" in chosen:
            found = found.filter(PAYMENTS[chosen["payment"]])
        if "figure" in chosen:
            return self._in_state(self._behind(found, chosen, now), chosen.get("state", ""), now)
        if "practitioner" in chosen:
            found = found.filter(practitioner_id_external=chosen["practitioner"])
        if "source" in chosen:
            source = chosen["source"]
            found = (
                found.filter(source__startswith="ehr:") if source == "ehr" else found.filter(source=source)
            )
        if "lab" in chosen:
            found = found.filter(Exists(_tests_of(self.practices, chosen["lab"])))
        return self._in_state(found, chosen.get("state", ""), now)

    def _behind(self, found: QuerySet[Order], chosen: dict[str, str], now: datetime) -> QuerySet[Order]:
        """Each practice has its own calendar and intervals: they are asked one by one."""
        behind, days = Q(pk__in=[]), self.cleaned_data
        for practice in self.practices:
            asked = Asked(
                chosen["figure"], days.get("since") or date.min, days.get("until") or date.max,
                *(chosen.get(name, "") for name in ("lab", "test", "practitioner", "source")),
            )  # fmt: skip
            today = now.astimezone(practice.zone).date()
            repeats = config_of(practice).analytics.repeat_months if practice.config else {}
            sql, values = condition(asked, [practice.pk], today, repeats)
            behind |= Q(RawSQL(sql, values, output_field=BooleanField()))  # noqa: S611  # texts of ours
        return found.filter(behind)

    def _in_state(self, found: QuerySet[Order], state: str, now: datetime) -> QuerySet[Order]:
        if state == "overdue":
            return overdue(found, now)
        if state == "stuck":
            return found.filter(STUCK)
        if state in {"mine", "nobody"}:
            return found.filter(assigned_to=self.user_name if state == "mine" else "")
        return found


def _tests_of(practices: Sequence[Practice], lab: str) -> QuerySet[OrderedTest]:
    """Tests of that lab on the order. The catalogue is asked first: it is small."""
    ids = list(
        LabTest.objects.filter(practice__in=practices, lab_company_id_external=lab).values_list(
            "external_id", flat=True
        )
    )
    return OrderedTest.objects.filter(order=OuterRef("pk"), removed=False, lab_test_id_external__in=ids)
