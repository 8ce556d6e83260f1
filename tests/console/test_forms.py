"""What a form says when it is sent back: beside the field, tied to it, and the focus there."""

from __future__ import annotations

import re

import pytest

from labbridge.console.forms import FeedForm, HoldForm, InviteForm, KeyForm, PlainForm
from labbridge.handover.feeds import FeedProblem
from labbridge.handover.keys import KeyProblem

ROLES = [("biller", "Biller: payments")]


def focused(form: PlainForm) -> list[str]:
    """Names of the fields that ask for the focus."""
    return re.findall(r'<(?:input|select)[^>]* name="(\w+)"[^>]* autofocus', str(form))


def test_the_focus_is_at_the_first_field_that_is_wrong_and_nowhere_else():
    form = InviteForm(ROLES, {"name": "bea@willow.example", "role": "", "rupa_email": "bea"})
    assert not form.is_valid()
    assert list(form.errors) == ["role", "rupa_email"]
    assert focused(form) == ["role"]
    form.add_error("name", "They belong to this practice already.")
    assert focused(form) == ["name"]


def test_a_form_that_nobody_has_sent_asks_for_no_focus():
    assert focused(InviteForm(ROLES)) == []
    assert not InviteForm(ROLES).errors


def test_nobody_is_made_owner_by_overlooking_the_role():
    assert 'value="" selected' in str(InviteForm([("owner", "Owner"), *ROLES])["role"])


def test_the_sentence_is_tied_to_its_field():
    form = HoldForm({"patient": "P-1"})
    assert not form.is_valid()
    assert 'aria-invalid="true"' in str(form["why"])
    assert 'aria-describedby="id_why_helptext id_why_error"' in str(form["why"])
    assert 'id="id_why_error"' in str(form["why"].errors)


def test_a_refusal_stands_beside_what_it_is_about_or_above_all():
    form = FeedForm(
        [], {"name": "n", "url": "https://h.example", "kind": ["alert"], "class": "de-identified"}
    )
    assert form.is_valid()
    form.refuse(FeedProblem("Choose another.", "name"), "name")
    form.refuse(FeedProblem("This destination was removed meanwhile."))
    assert form.errors["name"] == ["Choose another."]
    assert form.non_field_errors() == ["This destination was removed meanwhile."]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("results:read show patient data: give the key --phi phi if …", "scope"),
        ("Say who will see the patient data: --baa PARTY …", "phi"),
        ("That BAA is not in force.", "phi"),
        ("willow has or had a key 'n': choose another.", "name"),
    ],
)
def test_what_the_command_line_says_of_a_key_is_put_beside_its_field(said: str, field: str):
    form = KeyForm({}, {"name": "n", "phi": "none", "scope": ["alerts:read"], "days": "9", "per_minute": "9"})
    assert form.is_valid()
    form.refuse_key(KeyProblem(said))
    assert list(form.errors) == [field]
    assert "--" not in form.errors[field][0], "an option of the command line means nothing here"
