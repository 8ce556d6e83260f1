"""The settings that forms show, by section: one literal table. What is allowed is decided by practices/config.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from django import forms
from django.forms.utils import flatatt
from django.http import QueryDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labbridge.practices.text import ABSENT, Kept, leaves, whole
from labbridge.practices.words import LABELS, PARTS


class Setting(NamedTuple):
    """`kind`: text, area, number, time, choice, checks or lines."""

    path: str
    label: str
    kind: str = "text"
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()


class Group(NamedTuple):
    title: str
    settings: tuple[Setting, ...]
    help: str = ""


def _s(path: str, kind: str = "text", help: str = "", choices: tuple[tuple[str, str], ...] = ()) -> Setting:  # noqa: A002  # as in forms
    return Setting(path, LABELS[path], kind, help, choices)


ZONES = tuple(
    (name, name) for name in sorted(available_timezones()) if "/" in name and not name.startswith("Etc")
)
UNITS = (("unknown", "Not known: amounts stay hidden"), ("dollars", "Dollars"), ("cents", "Cents"))
WINNERS = (
    ("caspio", "Caspio's value goes to Rupa"),
    ("rupa", "Rupa's value goes to Caspio"),
    ("newest", "The newest change goes to the other side"),
    ("ask", "A person is asked, under Matches"),
)

PRACTICE = (
    Group("The practice", (
        _s("practice.name"),
        _s("practice.time_zone", "choice", "Dates in Caspio are written in it.", ZONES),
        _s("rupa.price_unit", "choice", "Compare one price with Rupa's own catalogue before you choose.", UNITS),
        _s("ordering.back_hosts", "lines", "One host a line, beside your Caspio account."),
    )),
    Group("On superbills", (
        _s("billing.address", "area"), _s("billing.phone"), _s("billing.tax_id", help="Such as 12-3456789."),
    ), "May be left empty."),
    Group("What the integration saves", (
        _s("analytics.patient_minutes_low", "number"), _s("analytics.patient_minutes_high", "number"),
        _s("analytics.order_minutes", "number"), _s("analytics.result_minutes", "number"),
        _s("analytics.hour_cost", "number", "0: no amount is shown."),
    ), "Your assumptions behind the figures of analytics."),
)  # fmt: skip

SYNC = (
    Group("When a patient's value changes after the link", tuple(
        Setting(f"sync.policy.{part}", words[0].upper() + words[1:], "choice", "", WINNERS)
        for part, words in PARTS.items()
    ), "Holds from the next change of a row. What differed before the link is left alone."),
    Group("Who is who", (
        _s("sync.confirm", "checks", "Beside the e-mail, before two are linked without a person.",
           (("birthday", "Birthday"), ("name", "Name"))),
        _s("sync.patients", "choice", "", (("full", "They are created there"),
                                           ("link", "They are left alone until their first order"))),
    )),
    Group("How often", (
        _s("sync.settle_seconds", "number", "Several changes of one row in this time are one."),
        _s("sync.sweep_minutes", "number"),
        _s("sync.brake_share", "number", "0.5 is half of all. More at once looks like a mistake."),
    )),
)  # fmt: skip

ALERTS = (
    Group("When", (
        _s("alerts.quiet_from", "time", "Between these only what is critical is told. Leave both empty for none."),
        _s("alerts.quiet_to", "time"),
        _s("alerts.digest_at", "time", "Empty: no daily letter."),
        _s("alerts.remind_hours", "number"),
    ), "On the practice's own clock."),
    Group("From when on something is an alert", (
        _s("alerts.case_hours", "number"), _s("alerts.review_days", "number"), _s("alerts.unpaid_days", "number"),
        _s("alerts.calls_per_month", "number", "0: not known, so there is no forecast."),
    )),
)  # fmt: skip

RETENTION = (
    Group("How long our copies are kept", (
        _s("retention.events_days", "number", "Counted from the day that Caspio held what they say. 0: for good."),
        _s("retention.files_days", "number", "What Caspio holds is never touched. 0: for good."),
        _s("retention.mirror_days", "number", "Counted from the day that the order ended. 0: for good."),
        _s("retention.audit_years", "number", "Six years at least (45 CFR 164.316)."),
    )),
)  # fmt: skip

CASPIO = (
    Group("Calls to Caspio", (
        _s("caspio.calls_per_second", "number", "What the account's plan allows."),
        _s("caspio.principal", help="Caspio's audit log names us so."),
    )),
)  # fmt: skip


class LongSelect(forms.Select):
    """As Django's own, which draws every choice by a template: 600 time zones took longest of the whole page."""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:  # any: as Django has it
        del renderer
        held = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        options = _options(tuple(self.choices))
        for one in self.format_value(value):
            plain = format_html('<option value="{}"', one)
            options = options.replace(f"{plain}>", f"{plain} selected>")
        return format_html("<select{}>{}</select>", flatatt(held), SafeString(options))


@lru_cache(maxsize=8)
def _options(choices: tuple[tuple[str, str], ...]) -> str:
    return format_html_join("", '<option value="{}">{}</option>', choices)


def _field(setting: Setting) -> forms.Field:
    common: dict[str, Any] = {"label": setting.label, "help_text": setting.help, "required": False}
    if setting.kind == "choice":
        return forms.ChoiceField(choices=setting.choices, widget=LongSelect, **common)
    if setting.kind == "checks":
        return forms.MultipleChoiceField(
            choices=setting.choices, widget=forms.CheckboxSelectMultiple, **common
        )
    widget: forms.Widget = {
        "time": forms.TextInput({"type": "time"}),
        "number": forms.TextInput({"inputmode": "decimal"}),
        "lines": forms.Textarea({"rows": 3}),
        "area": forms.Textarea({"rows": 3}),
    }.get(setting.kind) or forms.TextInput()
    return forms.CharField(widget=widget, max_length=1000, **common)


class SectionForm(forms.Form):
    """The settings of one section; the values are checked where the configuration is."""

    def __init__(self, groups: tuple[Group, ...], kept: Kept, data: QueryDict | None = None) -> None:
        self.groups = groups
        self.now = now = dict(leaves(whole(kept)))
        self.settings = [one for group in groups for one in group.settings]
        initial = {one.path: _shown(one, now.get(one.path, ABSENT)) for one in self.settings}
        super().__init__(data, initial=initial, label_suffix="")
        for one in self.settings:
            field = self.fields[one.path] = _field(one)
            if one.kind != "checks":
                field.widget.attrs["autocomplete"] = "off"

    def values(self) -> dict[str, Any]:  # any: values of settings
        """What was given, by path."""
        self.is_valid()
        given = {one: self.cleaned_data[one.path] for one in self.settings if one.path in self.cleaned_data}
        meant = {one.path: _meant(one, value) for one, value in given.items()}
        said = {path for path, value in meant.items() if value is ABSENT and self.now.get(path) == "caspio"}
        return {path: "caspio" if path in said else value for path, value in meant.items()}

    def tell(self, problems: Mapping[str, str]) -> str:
        """Put what is wrong beside its field. Returns what belongs to none."""
        left = []
        for path, words in problems.items():
            near = next(
                (one.path for one in self.settings if path == one.path or path.startswith(f"{one.path}.")),
                None,
            )
            if near is None:
                left.append(words)
            elif near not in self.errors:
                self.add_error(near, words)
        return " ".join(left)

    def shown(self) -> list[tuple[Group, list[forms.BoundField]]]:
        return [(group, [self[one.path] for one in group.settings]) for group in self.groups]


def _shown(setting: Setting, value: Any) -> Any:  # any: the value of a setting
    if setting.path.startswith("sync.policy."):
        return "caspio" if value is ABSENT else value
    if value is ABSENT or value is None:
        return ""
    if setting.kind == "lines":
        return "\n".join(value)
    if setting.kind == "time":
        return str(value)[:5]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _meant(setting: Setting, given: Any) -> Any:  # any: what a form makes of it
    if setting.path.startswith("sync.policy."):
        return ABSENT if given in {"caspio", ""} else given
    if setting.kind == "lines":
        return [line.strip() for line in given.splitlines() if line.strip()]
    if setting.kind == "time":
        return given or None
    return given
