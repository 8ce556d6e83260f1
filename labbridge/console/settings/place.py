"""What all pages of the settings share: one practice, the tabs, and the way from an answer to a version.

A change is first told (what would be different, and what follows), then saved, over what the person saw and nothing
else. Whoever proved too long ago who they are does that first and finds what they typed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

import orjson
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from labbridge.accounts.access import access_of, require
from labbridge.accounts.proof import freshly_proved, proof_address
from labbridge.accounts.roles import ROUTES
from labbridge.console import scope
from labbridge.practices.apply import Applied, change
from labbridge.practices.config import ConfigProblem
from labbridge.practices.models import Practice
from labbridge.practices.versions import By, ChangedMeanwhile, Secrets, latest
from labbridge.reconcile.applied import follow_later
from labbridge.trust.audit import person
from labbridge.trust.keys import keyring

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Practice, P], HttpResponseBase]
DRAFT = (
    "settings_draft"  # session, which is sealed: what somebody typed before they had to prove who they are
)

#: Label -> the route of each tab.
TABS = {
    "Overview": "settings", "Practice": "settings-practice", "Connections": "settings-connections",
    "Field mapping": "settings-mapping", "Who wins": "settings-sync", "Alerts": "settings-alerts",
    "People": "settings-people", "API keys": "settings-keys", "Retention": "settings-retention",
    "History": "settings-history",
}  # fmt: skip


def at_one_practice(
    permission: str,
) -> Callable[[View[P]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]]:
    """Guard a view of the settings, which are one practice's: who has several and named none chooses first."""

    def decorate(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            found = scope.practices(request, permission)
            if len(found) > 1:
                return render(request, "console/settings_choose.html", {"choices": found})
            scope.enter(request, permission, found[0].slug)
            return view(request, found[0], *args, **kwargs)

        return require(permission)(cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", guarded))

    return decorate


def query(request: HttpRequest, practice: Practice) -> str:
    """What keeps an address at this practice, for people who have several."""
    return f"?{urlencode({'practice': practice.slug})}" if len(access_of(request).memberships) > 1 else ""


def address(request: HttpRequest, practice: Practice, route: str, *args: object) -> str:
    return reverse(route, args=args) + query(request, practice)


def show(
    request: HttpRequest,
    practice: Practice,
    template: str,
    tab: str,
    context: Mapping[str, Any],
) -> HttpResponse:
    """A page of the settings, with the tabs that this person may open."""
    access = access_of(request)
    tabs = [
        {"label": label, "address": address(request, practice, route), "current": route == tab}
        for label, route in TABS.items()
        if access.may(ROUTES[route], practice)
    ]
    around = {"practice": practice, "tabs": tabs, "at": query(request, practice)}
    return render(request, template, {**around, **context})


# -- changing settings -------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """What somebody wants the settings to be, and what became of it."""

    changes: Mapping[str, Any]  # any: values of settings
    base: int
    told: Applied | None = None  #: what would change
    problem: str = ""
    fields: dict[str, str] = field(default_factory=dict)  #: path -> what is wrong there
    saved: Applied | None = None
    seen: str = ""  #: proves that exactly this was shown before it is saved


def data_of(request: HttpRequest) -> QueryDict | None:
    """What was posted, or typed before the person had to prove who they are; None: nothing yet."""
    if request.method == "POST":
        return request.POST
    kept = request.session.pop(DRAFT, None)
    if not isinstance(kept, dict) or kept.get("address") != request.get_full_path():
        return None
    draft = QueryDict(mutable=True)
    draft.update({"do": "look"})
    for name, values in kept["fields"].items():
        if name != "do":
            draft.setlist(name, values)
    return draft


def prove_first(request: HttpRequest) -> HttpResponse | None:
    """The way to a fresh proof, with what was typed kept; None when the person has just proved who they are."""
    if freshly_proved(request):
        return None
    fields = {name: values for name, values in request.POST.lists() if name != "csrfmiddlewaretoken"}
    request.session[DRAFT] = {"address": request.get_full_path(), "fields": fields}
    return redirect(proof_address(request, request.get_full_path()))


def base_of(practice: Practice, data: QueryDict | None) -> int:
    text = (data or QueryDict()).get("base", "")
    return int(text) if text.isdecimal() and len(text) < 10 else latest(practice)


def ask(
    request: HttpRequest, practice: Practice, data: QueryDict, changes: Mapping[str, Any],
    *, secrets: Secrets | None = None,
) -> Asked:  # fmt: skip
    """Tell what would change; save it when that was asked for and is what was told before."""
    asked = Asked(changes, base_of(practice, data))
    asked.seen = _seen(request, practice, asked)
    save = data.get("do") == "save" and data.get("seen") == asked.seen
    why = data.get("why", "").strip()
    try:
        with transaction.atomic():
            by = By(person(request), why=why, base=asked.base)
            done = change(practice, changes, by=by, secrets=secrets, dry_run=not save)
            if save:
                follow_later(done)
    except ChangedMeanwhile as problem:
        asked.problem, asked.base = str(problem), latest(practice)
    except ConfigProblem as problem:
        asked.fields = {path: _plain(words) for path, words in problem.fields.items()}
        asked.problem = "" if asked.fields else str(problem)
    else:
        asked.saved, asked.told = (done, None) if save else (None, done)
    return asked


def _seen(request: HttpRequest, practice: Practice, asked: Asked) -> str:
    what = orjson.dumps(
        [str(practice.pk), request.user.pk, asked.base, asked.changes],
        option=orjson.OPT_SORT_KEYS, default=lambda _absent: "absent",
    )  # fmt: skip
    return keyring().blind(what.decode(), "settings shown").hex()


def _plain(words: str) -> str:
    """What pydantic says, in our words."""
    plain = words.removeprefix("Input should be ").partition(", unable to parse")[0]
    said = f"must be {plain}" if plain != words else words
    return f"It {said}." if said.startswith(("must", "is")) else f"{said[0].upper()}{said[1:]}."


def saved(request: HttpRequest, practice: Practice, done: Applied, route: str) -> HttpResponse:
    """Say what was saved, and lead back."""
    if done.version is None:
        messages.info(request, "Nothing was different, so nothing was saved.")
    else:
        messages.success(
            request,
            f"Saved as version {done.version.number}. {' '.join(done.sentences)} History can undo it.",
        )
    return redirect(address(request, practice, route))
