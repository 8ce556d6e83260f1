"""People and roles: invite, change, remove, and help who lost a password or phone. For owners."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts import people
from labbridge.accounts.access import access_of, require
from labbridge.accounts.models import Membership
from labbridge.accounts.people import PersonProblem
from labbridge.accounts.proof import has_factor, step_up
from labbridge.accounts.roles import Role
from labbridge.console import scope
from labbridge.console.forms import InviteForm, PersonForm
from labbridge.console.settings.place import address, at_one_practice, show
from labbridge.practices.models import Practice
from labbridge.trust.audit import person

#: What each role is for, in the words of design.md 8.
ROLES = {
    Role.OWNER: "everything, people and retention too",
    Role.ADMINISTRATOR: "connections, settings, health; no results",
    Role.PRACTITIONER: "orders labs, sees and reviews results",
    Role.FRONT_DESK: "the pipeline, patients, matches; no results",
    Role.BILLER: "payments and superbills",
    Role.AUDITOR: "the audit and the ledger; no patient",
}
CHOICES = [(role.value, f"{role.value.capitalize()}: {words}") for role, words in ROLES.items()]
COLUMNS = ("Person", "Role", "Signs in with", "Last sign-in", "Orders at Rupa as")


@require_GET
@at_one_practice("people.manage")
def people_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    members = list(practice.memberships.select_related("user"))
    kinds: dict[int, set[str]] = {}
    for user_id, kind in Authenticator.objects.filter(user__memberships__practice=practice).values_list(
        "user_id", "type"
    ):
        kinds.setdefault(user_id, set()).add(PROOFS.get(kind, ""))
    rows = [{"member": one, "proofs": _proofs(one.user, kinds.get(one.user_id, set()))} for one in members]
    return show(
        request,
        practice,
        "console/settings_people.html",
        "settings-people",
        {"rows": rows, "columns": COLUMNS},
    )


PROOFS = {Authenticator.Type.TOTP: "app", Authenticator.Type.WEBAUTHN: "passkey"}


def _proofs(user: User, kinds: set[str]) -> str:
    first = "password" if user.has_usable_password() else "Caspio directory"
    return ", ".join([first, *sorted(filter(None, kinds))])


@require_http_methods(["GET", "POST"])
@at_one_practice("people.manage")
@step_up
def invite_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    """A new account with a role; or a role for somebody of another practice of the same owner."""
    form = InviteForm(CHOICES, request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        try:
            password = _invite(request, practice, given)
        except PersonProblem as refused:
            form.refuse(refused, "name")
        else:
            context = {**given, "password": password}
            return show(request, practice, "console/settings_invited.html", "settings-people", context)
    context = {"form": form, "back": address(request, practice, "settings-people")}
    return show(request, practice, "console/settings_invite.html", "settings-people", context)


def _invite(
    request: HttpRequest, practice: Practice, given: dict[str, Any]
) -> str:  # any: what a form makes of it
    """The password of a new account, to be shown once. Raises PersonProblem."""
    role, actor, directory = people.role_of(given["role"]), person(request), given["directory"]
    with transaction.atomic():
        user, password = people.locked(given["name"]), ""
        if user is None:
            added = people.add(given["name"], None, generate=not directory, actor=actor)
            user, password = added.user, added.password
        elif Membership.objects.filter(user=user, practice=practice).exists():
            raise PersonProblem(
                f"{user.get_username()} belongs to this practice already: change their role there."
            )
        elif people.belongs_elsewhere(user, access_of(request).practices("people.manage")):
            raise PersonProblem(
                f"{user.get_username()} belongs to another practice too: whoever runs this service gives them a role "
                "here (labbridge user grant)."
            )
        elif not user.memberships.exists():
            # Whoever had the account before must not have this role with it: it begins anew.
            password = people.reset(user, None, generate=not directory, second_factor=True, actor=actor)
        elif directory and user.has_usable_password():
            raise PersonProblem(
                f"{user.get_username()} signs in with a password at another practice of yours: leave the directory "
                "unticked."
            )
        people.grant(user, practice, role, given["rupa_email"], actor=actor, why=given["why"])
    return password


@require_http_methods(["GET", "POST"])
@require("people.manage")
@step_up
def person_page(request: HttpRequest, membership_id: int) -> HttpResponse:
    """One person: another role, out of the practice, a new password. Never the last owner, never one's own proofs."""
    member = Membership.objects.select_related("user", "practice").filter(pk=membership_id).first()
    if member is None:
        raise Http404
    practice = scope.enter(request, "people.manage", member.practice.slug)
    back = address(request, practice, "settings-people")
    asked = request.POST if request.POST.get("do") == "role" else None
    form = PersonForm(CHOICES, asked, initial={"role": member.role, "rupa_email": member.rupa_email})
    if request.method == "POST" and (asked is None or form.is_valid()):
        try:
            answer = _act(request, member, form)
        except PersonProblem as problem:
            messages.error(request, str(problem))
            return redirect(address(request, practice, "settings-person", member.pk))
        if isinstance(answer, HttpResponse):
            return answer
        if answer:
            messages.success(request, answer)
            return redirect(back)
    context = {"member": member, "form": form, "why_not": _why_no_reset(request, member), "back": back,
               "factor": has_factor(member.user)}  # fmt: skip
    return show(request, practice, "console/settings_person.html", "settings-people", context)


def _act(request: HttpRequest, member: Membership, form: PersonForm) -> str | HttpResponse:
    """What was done; "" when the form says why it was not."""
    user, practice, actor = member.user, member.practice, person(request)
    why, name = request.POST.get("why", "").strip(), member.user.get_username()
    if request.POST.get("was") not in {None, member.role}:
        raise PersonProblem(
            f"Somebody else has just made {name} {member.role}. Nothing of yours was saved: look again."
        )
    match request.POST.get("do"):
        case "role":
            given = form.cleaned_data
            try:
                role = people.role_of(given["role"])
                people.grant(user, practice, role, given["rupa_email"], actor=actor, why=given["why"])
            except PersonProblem as refused:
                form.refuse(refused, "role")
                return ""
            return f"{name}: saved. History can undo it."
        case "remove":
            people.revoke(user, practice, actor=actor, why=why)
            return f"{name} no longer belongs to the practice. Their account stays; History can undo it."
        case "reset":
            problem = _why_no_reset(request, member)
            if problem:
                raise PersonProblem(problem)
            password = people.reset(
                user, None, generate=True, second_factor="factor" in request.POST, actor=actor
            )
            context = {"name": name, "role": member.role, "password": password, "reset": True}
            return show(request, practice, "console/settings_invited.html", "settings-people", context)
    raise PersonProblem("Nothing was asked for.")


def _why_no_reset(request: HttpRequest, member: Membership) -> str:
    """An owner helps people of their own practices only: elsewhere a new password would open more than is theirs."""
    if member.user_id == request.user.pk:
        return "Change your own password and second step under your name at the top."
    if people.belongs_elsewhere(member.user, access_of(request).practices("people.manage")):
        return "They belong to another practice too: whoever runs this service resets them (labbridge user reset)."
    if not member.user.has_usable_password():
        return "They sign in through the practice's Caspio directory: their password is reset there."
    return ""
