"""The forms of the guide: what is typed is checked here, and tried at the peer by the guide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.text import slugify

from labbridge.peers.caspio.types import Field
from labbridge.practices.propose import NAMES, NEEDED, PLAIN, Proposal, propose

#: What practices in the United States call their zones (Rupa Health serves them), and then all others.
US_ZONES = {
    "America/New_York": "Eastern (New York)",
    "America/Chicago": "Central (Chicago)",
    "America/Denver": "Mountain (Denver)",
    "America/Phoenix": "Arizona (Phoenix)",
    "America/Los_Angeles": "Pacific (Los Angeles)",
    "America/Anchorage": "Alaska (Anchorage)",
    "Pacific/Honolulu": "Hawaii (Honolulu)",
}
WORDS = {
    "key": "The patient's key", "first_name": "First name", "last_name": "Last name", "email": "E-mail",
    "birthday": "Date of birth", "phone": "Phone", "gender": "Sex", "street": "Street", "city": "City",
    "state": "State", "zipcode": "Zip code",
}  # fmt: skip
CREATE = {
    "full": "Create it there too",
    "link": "Leave it: only patients whom Rupa has already are linked",
}


def _zones() -> list[tuple[str, Any]]:  # any: a choice, or a group of them
    others = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    return [
        ("", "Choose…"),
        ("United States", list(US_ZONES.items())),
        ("Elsewhere", [(zone, zone.replace("_", " ")) for zone in others if zone not in US_ZONES]),
    ]


class PracticeForm(forms.Form):
    name = forms.CharField(label="Name of the practice", max_length=200)
    time_zone = forms.ChoiceField(label="Its time zone", help_text="Dates in Caspio are written in it.")
    slug = forms.SlugField(
        label="Short name in addresses", max_length=50, required=False,
        help_text="Small letters, such as willow. Left empty, it is the first word of the name.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = _zones()  # type: ignore[attr-defined]  # a ChoiceField

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if not name.isprintable():
            raise forms.ValidationError("It holds a character that cannot be shown.")
        return name

    def clean_slug(self) -> str:
        name = str(self.cleaned_data.get("name", ""))
        slug = (
            slugify(str(self.cleaned_data["slug"]) or name.partition(" ")[0])
            .replace("_", "-")
            .strip("-")[:50]
        )
        if not slug:
            raise forms.ValidationError("Say a short name, such as willow.")
        return slug


class CaspioForm(forms.Form):
    url = forms.CharField(
        label="Address of the Caspio account", max_length=200, help_text="As in your browser when you work in "
        "Caspio, such as https://c0abc123.caspio.com",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    client_id = forms.CharField(
        label="Client ID", max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    client_secret = forms.CharField(
        label="Client Secret", max_length=500, widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip

    calls_per_second = forms.FloatField(
        label="Calls a second, at most", min_value=0.5, max_value=100, initial=5,
        help_text="Five is safe to begin with. Caspio counts all calls; more at once only makes long steps shorter.",
    )  # fmt: skip

    def clean_url(self) -> str:
        text = str(self.cleaned_data["url"])
        return (text if "://" in text else f"https://{text}").rstrip("/")

    def clean_client_id(self) -> str:
        return _itself(self.cleaned_data["client_id"])

    def clean_client_secret(self) -> str:
        return _itself(self.cleaned_data["client_secret"])


def _itself(text: str) -> str:
    """A secret typed here is the secret. `practice.toml` may name a file of the host; a page must not."""
    if text.startswith(("env:", "file:")) or not text.isascii() or not text.isprintable():
        raise forms.ValidationError("Copy it from Caspio as it stands there.")
    return text


def _doubt(one: Proposal) -> str:
    """Why it is proposed, unless the field's own name says so."""
    if not one.theirs or one.reason.startswith(PLAIN):
        return ""
    return f"{one.reason[:1].upper()}{one.reason[1:]}."


class PatientsForm(forms.Form):
    """One choice for each field of ours among those of the table, as it is proposed."""

    def __init__(self, table: str, fields: Sequence[Field], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table
        proposed = {one.ours: one for one in propose(fields)}
        names = [(one.name, one.name) for one in fields]
        for ours in ("key", *NAMES):
            needed = ours in NEEDED or ours == "key"
            mine = [("PK_ID", "PK_ID, Caspio's own number"), *names] if ours == "key" else names
            empty = [("", "Choose…" if needed else "Not kept there")]
            one = proposed[ours]
            self.fields[ours] = forms.ChoiceField(
                label=WORDS[ours], choices=[*([] if ours == "key" else empty), *mine], required=needed,
                initial=one.theirs, help_text=_doubt(one),
            )  # fmt: skip
        self.fields["patients"] = forms.ChoiceField(
            label="When a patient of Caspio is not at Rupa", choices=list(CREATE.items()), initial="full",
        )  # fmt: skip

    def chosen(self) -> dict[str, str]:
        said = {ours: theirs for ours, theirs in self.cleaned_data.items() if theirs and ours != "patients"}
        return {"table": self.table, **said}

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        taken = [theirs for ours, theirs in said.items() if theirs and ours not in {"patients", "key"}]
        twice = sorted({theirs for theirs in taken if taken.count(theirs) > 1})
        if twice:
            raise forms.ValidationError(
                f"{', '.join(twice)} is chosen for two things: choose another for one."
            )
        return said
