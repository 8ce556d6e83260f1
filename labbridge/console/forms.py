"""Forms that ask for a few things at once; what the deed itself refuses is put beside the field that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django import forms
from django.utils.html import format_html

from labbridge.handover.keys import MOST_DAYS, MOST_PER_MINUTE, SCOPES, KeyProblem
from labbridge.outbox.models import Agreement, Kind

IN_HOUSE = "in house"
WHO_SEES = "Say who will see the patient data: your own staff, or somebody whose BAA is in force."
NO_CHANNEL = (
    "This is no address that can be used, such as mailtos://user:password@example.org (docs/alerts.md)."
)
INSIDE_CHANNEL = (
    "This address leads to a machine of this network, or names a file of it: a channel leads to the public internet "
    "(docs/alerts.md)."
)
DOCUMENT = "Choose the signed document, at most 2.5 MB. For a larger one: `labbridge baa add` on the server."


class PlainForm(forms.Form):
    """Labels without a colon; after a refusal the focus is at the first field that cannot be used.

    A screen reader then says that field with what is wrong with it, which Django ties to it (aria-describedby).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        for field in self.fields.values():
            field.widget.attrs.setdefault("autocomplete", "off")

    def refuse(self, problem: Exception, about: str = "") -> None:
        """Say beside a field what whoever did the work refused; above them all when it is about none."""
        self.add_error(about if about in self.fields else None, str(problem))

    def add_error(self, field: str | None, error: Any) -> None:  # any: as Django takes it
        super().add_error(field, error)
        first = next((name for name in self.fields if name in self.errors), None)
        for name, one in self.fields.items():
            one.widget.attrs.pop("autofocus", None)
            if name == first:
                one.widget.attrs["autofocus"] = True


def _text(label: str, most: int, help_text: str = "", **more: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=most, help_text=help_text, **more)


def _why() -> forms.CharField:
    return _text("Reason", 300, required=False)


def _number(label: str, most: int, unit: str, initial: int) -> forms.IntegerField:
    wrong = f"Give a number from 1 to {most}."
    return forms.IntegerField(
        label=label, min_value=1, max_value=most, initial=initial, help_text=unit,
        widget=forms.TextInput({"inputmode": "numeric", "maxlength": len(str(most))}),
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), wrong),
    )  # fmt: skip


class PersonForm(PlainForm):
    """What somebody may do in a practice. `roles`: value and words of each role."""

    role = forms.ChoiceField(label="Role")
    rupa_email = forms.EmailField(
        label="Orders at Rupa as", max_length=254, required=False,
        help_text="The practitioner's e-mail at Rupa, where it is another one.",
    )  # fmt: skip
    why = _why()

    def __init__(self, roles: Sequence[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [("", "Choose…"), *roles]  # type: ignore[attr-defined]  # a ChoiceField


class InviteForm(PersonForm):
    name = forms.EmailField(label="E-mail, which is their user name", max_length=150)
    directory = forms.BooleanField(
        label="They sign in through the practice's Caspio directory only", required=False
    )

    field_order = ("name", "role", "rupa_email", "directory", "why")


class KeyForm(PlainForm):
    """A key of the machine API. `agreements`: those that hold today, and until when."""

    name = _text(
        "The program that uses it", 100, "The audit calls it by this name, so each program has its own."
    )
    phi = forms.ChoiceField(
        label="Patient data", widget=forms.RadioSelect, error_messages={"invalid_choice": WHO_SEES}
    )
    scope = forms.MultipleChoiceField(
        label="It may", widget=forms.CheckboxSelectMultiple, choices=[
            (name, format_html(
                '{} <code>{}</code> <span class="soft">{}</span>', one.words[0].upper() + one.words[1:], name,
                "· patient data" if one.phi else "",
            ))
            for name, one in SCOPES.items()
        ],
        error_messages={"required": "Tick at least one thing that the key may do."},
    )  # fmt: skip
    days = _number("Days until it expires", MOST_DAYS, f"{MOST_DAYS} at most.", 365)
    per_minute = _number("Calls a minute, at most", MOST_PER_MINUTE, "", 120)

    def __init__(self, agreements: Mapping[Agreement, date], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["phi"].initial = "none"
        self.fields["phi"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            ("none", "It never sees any"),
            (IN_HOUSE, "It may; only the practice's own staff use it"),
            *(
                (str(one.pk), f"It may; {one.party} runs it, with a BAA until {last_day}")
                for one, last_day in agreements.items()
            ),
        ]

    def refuse_key(self, problem: KeyProblem) -> None:
        """The sentence of the command line, without its options, beside the field that is meant."""
        words = str(problem)
        if "--phi" in words:
            self.add_error(
                "scope", "What you ticked shows patient data: say above who will see it, or tick less."
            )
        elif "--baa" in words or "BAA" in words:
            self.add_error("phi", WHO_SEES)
        else:
            self.refuse(problem, "name")


class ChannelForm(PlainForm):
    url = forms.CharField(
        label="Its address", max_length=1000,
        widget=forms.PasswordInput({"spellcheck": "false"}, render_value=False),
        help_text="Such as mailtos://user:password@example.org for e-mail, or slack://… for Slack; docs/alerts.md "
        "lists the kinds. It is sealed and never shown again. Alerts hold no patient data.",
        error_messages={"required": NO_CHANNEL, "max_length": NO_CHANNEL},
    )  # fmt: skip
    why = _why()


class AccountForm(PlainForm):
    """Of Caspio. Both credentials are written once and never shown."""

    url = forms.CharField(
        label="Address of the account", max_length=200, widget=forms.TextInput({"inputmode": "url"}),
        help_text="Another account: all rows are filed anew there, and the old ones are left alone. Then run "
        "labbridge provision.",
    )  # fmt: skip
    client_id = _text("Client ID", 500)
    client_secret = forms.CharField(
        label="Client Secret", max_length=500, widget=forms.PasswordInput(render_value=False)
    )
    why = _why()


class HoldForm(PlainForm):
    patient = _text(
        "Patient", 255, "The key in Caspio, the Rupa patient id, or a pseudonym of the audit.", required=False
    )
    whole = forms.BooleanField(label="The whole practice instead", required=False)
    why = _text(
        "Reason", 300, "It is kept with your name. No patient's name, please.",
        error_messages={"required": "Say why: the record needs a reason."},
    )  # fmt: skip


class FeedForm(PlainForm):
    """A destination as somebody wants it. `parties`: with whom a BAA holds today."""

    name = forms.CharField(
        label="Name", max_length=100, help_text="The program that is told, such as “Keragon, results”.",
        error_messages={"required": "Give it a name, such as that of the program."},
    )  # fmt: skip
    url = forms.CharField(
        label="Its address", max_length=2000, widget=forms.TextInput({"inputmode": "url", "spellcheck": "false"}),
        help_text="Copy it from that program. It begins with https:// and is kept sealed: it often is a password.",
    )  # fmt: skip
    kind = forms.MultipleChoiceField(
        label="What it is told of", choices=Kind.choices, widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one thing that it is to be told of."},
    )  # fmt: skip

    def __init__(self, parties: Sequence[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [("de-identified", "Nothing about anybody (de-identified): right for Zapier, Make and chat")]
        if parties:
            known.append(("phi", "Patient data, under a BAA"))
        # What is not offered is refused where destinations are made, with the reason.
        self.fields["class"] = forms.CharField(
            label="What it may know", initial="de-identified", widget=forms.RadioSelect(choices=known)
        )
        self.fields["party"] = forms.CharField(
            label="BAA with", required=False,
            widget=forms.Select(choices=[("", "None"), *((one, one) for one in parties)])
            if parties else forms.HiddenInput,
        )  # fmt: skip

    #: Where `handover.feeds` says what is wrong -> the field.
    ABOUT: Mapping[str, str] = {"kinds": "kind", "data_class": "class", "agreement": "class"}


class AgreementForm(PlainForm):
    party = _text("With which company", 200)
    signed_on = forms.DateField(label="Signed on", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    expires_on = forms.DateField(
        label="Last day", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        help_text="For one without an end, the day on which you will look at it again. A month before, an alert "
        "reminds you.",
    )  # fmt: skip
    document = forms.FileField(
        label="The signed document", help_text="It is not kept here: only its fingerprint, by which you can show "
        "later which document it was.",
        error_messages=dict.fromkeys(("required", "invalid", "missing", "empty"), DOCUMENT),
    )  # fmt: skip


class EndForm(PlainForm):
    """`parties`: with whom there is an agreement that was not ended."""

    def __init__(self, parties: Sequence[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, auto_id="id_end_%s", **kwargs)
        self.fields["party"] = forms.ChoiceField(
            label="With which company", choices=[("", "Choose…"), *((one, one) for one in parties)],
            help_text="At once, nothing about patients is sent to its destinations, and its keys open nothing. "
            "What waits is kept.",
        )  # fmt: skip
