"""History: every change of the settings, who made it and why, the text before and after, and its undo."""

from __future__ import annotations

import difflib
import uuid

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts import people
from labbridge.accounts.access import access_of, require
from labbridge.accounts.proof import step_up
from labbridge.console import scope
from labbridge.console.settings.place import address, at_one_practice, show
from labbridge.handlers.mapping import OURS
from labbridge.practices.apply import config_of, take_back
from labbridge.practices.config import ConfigProblem
from labbridge.practices.models import Area, ConfigVersion, Practice
from labbridge.practices.versions import By, CannotUndo, latest, undo_of
from labbridge.reconcile.applied import follow_later
from labbridge.trust.audit import Actor, person

PER_PAGE = 30
#: What an administrator may not undo, since it gives or removes more than their role may: path -> the permission.
GRAVER = {"retention.": "retention.manage", "caspio.sign_in": "people.manage"}


@require_GET
@at_one_practice("settings.see")
def history(request: HttpRequest, practice: Practice) -> HttpResponse:
    versions = practice.versions.select_related("undoes").prefetch_related("undone_by")
    page = Paginator(versions, PER_PAGE).get_page(request.GET.get("page"))
    return show(request, practice, "console/settings_history.html", "settings-history", {"page": page})


def _version(request: HttpRequest, version_id: uuid.UUID, permission: str) -> ConfigVersion:
    found = ConfigVersion.objects.select_related("practice", "undoes").filter(pk=version_id).first()
    if found is None:
        raise Http404
    scope.enter(request, permission, found.practice.slug)
    return found


@require_GET
@require("settings.see")
def version_page(request: HttpRequest, version_id: uuid.UUID) -> HttpResponse:
    version = _version(request, version_id, "settings.see")
    lines = difflib.unified_diff(version.before.splitlines(), version.after.splitlines(), lineterm="", n=2)
    shown = [(line[0] if line else " ", line) for line in list(lines)[2:]]
    why_not = _why_not(request, version)
    context = {
        "version": version,
        "lines": shown,
        "why_not": why_not,
        "undone": list(version.undone_by.all()),
    }
    return show(request, version.practice, "console/settings_version.html", "settings-history", context)


def _why_not(request: HttpRequest, version: ConfigVersion) -> str:
    """Why this person cannot undo it; "" when they can."""
    try:
        _may(request, version)
        _look(request, version)
    except PermissionDenied:
        return "Only the owner can undo this."
    except CannotUndo as problem:
        return str(problem)
    return ""


def _may(request: HttpRequest, version: ConfigVersion) -> None:
    """Raises PermissionDenied."""
    access, needed = access_of(request), {"settings.change"}
    if version.area == Area.PEOPLE:
        needed = {"people.manage"}
    else:
        paths = undo_of(version).paths
        needed |= {word for start, word in GRAVER.items() if any(path.startswith(start) for path in paths)}
    if not all(access.may(permission, version.practice) for permission in needed):
        raise PermissionDenied


def _look(request: HttpRequest, version: ConfigVersion) -> list[str]:
    """What undoing it would change, in words. Raises CannotUndo."""
    if version.area == Area.PEOPLE:
        return people.would_take_back(version, access_of(request).practices("people.manage"))
    undo = undo_of(version)
    try:
        return take_back(version, undo, By(Actor("nobody")), dry_run=True).sentences
    except ConfigProblem as problem:
        raise CannotUndo(str(problem)) from None


@require_http_methods(["GET", "POST"])
@require("settings.change")
@step_up
def undo_page(request: HttpRequest, version_id: uuid.UUID) -> HttpResponse:
    """GET says what would change and asks why; POST does it, unless somebody was quicker."""
    version = _version(request, version_id, "settings.change")
    back = address(request, version.practice, "settings-version", version.pk)
    try:
        _may(request, version)
        told = _look(request, version)
        if request.method == "POST":
            done = _take_back(request, version)
            messages.success(request, f"Undone, as version {done.number}. {' '.join(done.sentences)}")
            return redirect(address(request, version.practice, "settings-history"))
    except (CannotUndo, ConfigProblem, people.PersonProblem) as problem:
        messages.error(request, str(problem))
        return redirect(back)
    context = {"version": version, "told": told, "base": latest(version.practice), "back": back,
               "mapping": _mapping(version)}  # fmt: skip
    return show(request, version.practice, "console/settings_undo.html", "settings-history", context)


def _mapping(version: ConfigVersion) -> dict[str, str]:
    """The field mapping as it would be, to be tried in a dry run first; nothing where the mapping stays."""
    start = "caspio.patients."
    undone = {} if version.area == Area.PEOPLE else undo_of(version).settings
    former = {path.removeprefix(start): value for path, value in undone.items() if path.startswith(start)}
    kept: dict[str, str] = config_of(version.practice).caspio.patients.model_dump()
    return {name: former.get(name, kept[name]) for name in ("table", *OURS)} if former else {}


def _take_back(request: HttpRequest, version: ConfigVersion) -> ConfigVersion:
    why, actor = request.POST.get("why", "").strip(), person(request)
    if version.area == Area.PEOPLE:
        managed = access_of(request).practices("people.manage")
        return people.take_back(version, managed=managed, actor=actor, why=why)
    base = request.POST.get("base", "")
    by = By(actor, why=why, base=int(base) if base.isdecimal() and len(base) < 10 else None)
    with transaction.atomic():
        done = take_back(version, undo_of(version), by)
        follow_later(done)
    if done.version is None:
        raise CannotUndo("Everything is as it was before it already.")
    return done.version
