"""`/start`: from an empty installation to a first order, one step at a time, without the command line.

The page shows the first step that is not done, or the one that its address names. A step that is done shows what is
known of it. Nothing is applied but through `practices.apply`, as from a `practice.toml`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from labbridge.accounts import people
from labbridge.accounts.access import access_of
from labbridge.accounts.first import MANAGE, require_setup
from labbridge.accounts.roles import Role
from labbridge.console import scope
from labbridge.console.health_page import checked
from labbridge.console.models import SetupDraft
from labbridge.console.order import practitioner_of
from labbridge.console.scope import Viewer
from labbridge.console.start_forms import CaspioForm, PatientsForm, PracticeForm
from labbridge.console.start_steps import IN_GUIDE, Step, hears_caspio, next_step, plan
from labbridge.filing.provision import provision
from labbridge.inbox.models import Event
from labbridge.mirror.models import Chart, LabTest, Order
from labbridge.ordering.choice import CannotOrder
from labbridge.ordering.models import OrderRequest
from labbridge.ordering.start import connection_of
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio.types import Field
from labbridge.peers.errors import Forbidden, PeerError, Unauthorized, Unavailable
from labbridge.practices.apply import ConfigProblem, apply
from labbridge.practices.clients import NotConnected, rupa_connections
from labbridge.practices.config import PracticeConfig, valid
from labbridge.practices.models import Practice, Preparation, Preparing
from labbridge.practices.propose import NEEDED, fitness, likely_tables
from labbridge.practices.versions import By, Secrets
from labbridge.reconcile.preparing import ask, under_way
from labbridge.trust.audit import person

KEPT = ("url", "client_id", "calls_per_second")  # of the account's form, shown again; the secret never is
SUGGESTED = 5  #: patients of whom one may be taken for the first order

Context = dict[str, Any]  # any: what a template reads


@dataclass
class Guide:
    """One request's view of the way: the practice, or what was said of it so far."""

    request: HttpRequest
    practice: Practice | None
    draft: SetupDraft | None

    @classmethod
    def of(cls, request: HttpRequest) -> Guide:
        practice = _practice(request)
        mine = SetupDraft.objects.filter(user_id=request.user.pk or 0)
        return cls(request, practice, None if practice else mine.first())

    @property
    def said(self) -> Context:
        return self.draft.said if self.draft else {}

    def note(self, **more: Any) -> None:  # any: JSON
        draft = self.draft or SetupDraft(user_id=self.request.user.pk or 0)
        draft.add(**more)

    def plan(self) -> list[Step]:
        return plan(self.practice, self.draft, signed_in=True)

    def at(self) -> Practice:
        """The practice, for a step that needs one. Raises Http404."""
        if self.practice is None:
            raise Http404
        return self.practice

    def onward(self, step: str = "") -> HttpResponse:
        """To the next step by itself, or to this one."""
        several = len(access_of(self.request).memberships) > 1
        query = {**({"practice": self.practice.slug} if self.practice and several else {}),
                 **({"step": step} if step else {})}  # fmt: skip
        return redirect(reverse("start") + (f"?{urlencode(query)}" if query else ""))


def _practice(request: HttpRequest) -> Practice | None:
    slug = request.GET.get("practice", "")
    if slug:
        return scope.enter(request, MANAGE, slug)
    mine = access_of(request).practices(MANAGE)
    return scope.enter(request, MANAGE, mine[0].slug) if mine else None


@require_http_methods(["GET", "POST"])
@require_setup
def start(request: HttpRequest) -> HttpResponse:
    guide = Guide.of(request)
    steps = guide.plan()
    wanted = request.GET.get("step", "")
    current = next((one for one in steps if one.key == wanted), next_step(steps))
    reachable = current.done or current == next_step(steps)
    if not reachable:
        return guide.onward()
    more: Context = {}
    if request.method == "POST":
        act = ACTS.get((current.key, request.POST.get("action", "")))
        if act is None:
            return guide.onward()
        answer = act(guide)
        if isinstance(answer, HttpResponse):
            return answer
        more = answer
    elif current.key in SHOWN:
        more = SHOWN[current.key](guide)
    watching = any(one.busy for one in more.get("work", ())) or bool(more.get("waiting"))
    context = {
        "watching": watching and not more.get("wrong"), "steps": steps, "current": current,
        "practice": guide.practice, "said": guide.said,
        "done": sum(one.done for one in steps), "template": f"console/start/{current.key}.html", **more,
    }  # fmt: skip
    return render(request, "console/start.html", context, status=400 if more.get("wrong") else 200)


def _shown(form: forms.Form, **more: Any) -> Context:  # any: what a template reads
    return {"form": form, "wrong": bool(form.errors) or bool(more.get("problem")), **more}


# -- the practice and its Caspio account --------------------------------------------------------------------------


def _facts(guide: Guide) -> Context:
    return {} if guide.practice else {"form": PracticeForm(initial=guide.said)}


def _keep_facts(guide: Guide) -> HttpResponse | Context:
    if guide.practice:
        return guide.onward()
    form = PracticeForm(guide.request.POST)
    if not form.is_valid():
        return _shown(form)
    guide.note(**form.cleaned_data)
    return guide.onward()


def _account(guide: Guide) -> Context:
    if guide.practice:
        return {}
    return {"form": CaspioForm(initial={name: guide.said[name] for name in KEPT if name in guide.said})}


def _keep_account(guide: Guide) -> HttpResponse | Context:
    """Nothing is kept that Caspio did not accept a moment ago."""
    if guide.practice:
        return guide.onward()
    form = CaspioForm(guide.request.POST)
    if not form.is_valid():
        return _shown(form)
    try:
        with _Opened(form.cleaned_data) as client:
            client.tables()
    except ValueError as error:
        form.add_error("url", f"{error}.")
        return _shown(form)
    except PeerError as error:
        return _shown(form, problem=_sentence(error))
    guide.note(**form.cleaned_data)
    messages.success(guide.request, "Caspio answers, and the credentials are kept, encrypted.")
    return guide.onward()


class _Opened:
    """The account that is being connected, before there is a practice whose limits and meters could be used.

    Raises ValueError: the address can be no Caspio account.
    """

    def __init__(self, said: Context) -> None:
        deployment = settings.DEPLOYMENT
        self._client = Caspio(
            said["url"], said["client_id"], said["client_secret"], purpose="setup", timeout=15.0,
            allow_http=deployment.allow_http_peers, custom_domains=deployment.caspio_hosts,
        )  # fmt: skip

    def __enter__(self) -> Caspio:
        return self._client

    def __exit__(self, *_error: object) -> None:
        self._client.close()


def _sentence(error: PeerError) -> str:
    """For somebody who has typed it a moment ago."""
    match error:
        case Unauthorized():
            return (
                "Caspio does not accept this Client ID and Client Secret. Copy both again from the profile."
            )
        case Forbidden():
            return "Caspio knows this profile, but it may not read tables. Give it the rights below, then try again."
        case Unavailable():
            return (
                "No Caspio account answers at this address. Compare it with your browser's, then try again."
            )
        case _:
            return f"{error}. {error.advice}"


# -- the patients' table -------------------------------------------------------------------------------------------


def _mapping(guide: Guide, data: Any = None) -> Context:  # any: a form's data
    """The table that was asked for, else the likeliest, and what its fields seem to be."""
    if guide.practice:
        return {"mapped": guide.practice.config["caspio"]["patients"]}
    try:
        with _Opened(guide.said) as client:
            tables = sorted(client.tables(), key=str.lower)
            table, fields = _table(client, tables, guide.request.GET.get("table", ""))
    except PeerError as error:
        return {"problem": _sentence(error), "wrong": True}
    context: Context = {"tables": tables, "table": table}
    if not fields:
        return context
    form = PatientsForm(table, fields, data)
    missing = sum(1 for ours in NEEDED if not form.fields[ours].initial)
    return {**context, "form": form, "missing": missing}


def _table(client: Caspio, tables: Sequence[str], wanted: str) -> tuple[str, Sequence[Field]]:
    if wanted in tables:
        return wanted, client.table(wanted).fields()
    known = [(name, client.table(name).fields()) for name in likely_tables(tables)]
    best = max(known, key=lambda one: fitness(one[1]), default=("", ()))
    return best if best[1] and fitness(best[1]) else ("", ())


def _apply(guide: Guide) -> HttpResponse | Context:
    """The practice comes into being: what `labbridge practice apply` would do with the same words."""
    if guide.practice:
        return guide.onward()
    context = _mapping(guide, guide.request.POST)
    form = context.get("form")
    if form is None:
        return context
    if not form.is_valid():
        return {**context, "wrong": True}
    try:
        with transaction.atomic():
            held = SetupDraft.objects.select_for_update().filter(user_id=guide.request.user.pk or 0).first()
            if held is None or Practice.objects.exists():  # another window was first
                return guide.onward()
            by, given = By(person(guide.request)), Secrets(held.said["client_id"], held.said["client_secret"])
            applied = apply(_config(held.said, form), by=by, secrets=given)
            user: Any = guide.request.user  # any: signed in, or the guide would not open
            people.grant(user, applied.practice, Role.OWNER, actor=person(guide.request))
            SetupDraft.objects.all().delete()
    except ConfigProblem as problem:
        return {**context, "problem": str(problem), "wrong": True}
    messages.success(
        guide.request, f"{applied.practice.name} is set up here. Nothing was changed in Caspio so far."
    )
    return redirect("start")


def _config(said: Context, form: PatientsForm) -> PracticeConfig:
    account = {name: said[name] for name in (*KEPT, "client_secret")}
    return valid({
        "practice": {name: said[name] for name in ("slug", "name", "time_zone")},
        "caspio": {**account, "patients": form.chosen()},
        "sync": {"patients": form.cleaned_data["patients"]},
    })  # fmt: skip


# -- what is missing in Caspio -------------------------------------------------------------------------------------


def _tables(guide: Guide) -> Context:
    return {"work": [_work(guide.at(), Preparing.TABLES)]}


@dataclass(frozen=True)
class Work:
    """A long step as the page shows it."""

    title: str
    held: Preparation | None
    busy: bool


TITLES = {
    Preparing.TABLES: "Tables and fields in Caspio",
    Preparing.PATIENTS: "Patients of both sides",
    Preparing.CATALOGUE: "Rupa's lab tests",
}


def _work(practice: Practice, what: Preparing) -> Work:
    held = Preparation.objects.filter(practice=practice, what=what).first()
    return Work(TITLES[what], held, under_way(practice, what))


def _preview(guide: Guide) -> HttpResponse | Context:
    practice = guide.at()
    try:
        found = provision(practice, dry_run=True)
    except (PeerError, NotConnected) as error:
        problem = _sentence(error) if isinstance(error, PeerError) else str(error)
        return {**_tables(guide), "problem": problem, "wrong": True}
    return {**_tables(guide), "preview": found}


def _create(guide: Guide) -> HttpResponse:
    ask(guide.at(), Preparing.TABLES, guide.request.user.get_username())
    return guide.onward("" if not guide.request.GET.get("step") else "tables")


# -- Rupa, news, the catalogue -------------------------------------------------------------------------------------


def _rupa(guide: Guide) -> Context:
    deployment = settings.DEPLOYMENT
    return {
        "known": bool(deployment.rupa_client_id),
        "callback": f"{deployment.public_url}{reverse('rupa-callback')}",
        "held": rupa_connections(guide.at()),
    }


def _webhooks(guide: Guide) -> Context:
    deployment = settings.DEPLOYMENT
    return {
        "address": f"{deployment.public_url}/webhooks/rupa",
        "signed": bool(deployment.rupa_webhook_signing_secret),
        "caspio_tells": hears_caspio(guide.at()),
        "heard": Event.objects.filter(peer="rupa").order_by("-received_at").first(),
    }


def _catalogue(guide: Guide) -> Context:
    practice = guide.at()
    return {
        "work": [_work(practice, Preparing.PATIENTS), _work(practice, Preparing.CATALOGUE)],
        "creates": practice.config["sync"]["patients"] == "full",
        "tests": LabTest.objects.filter(practice=practice, retired=False).count(),
        "charts": Chart.objects.filter(practice=practice, present=True).count(),
    }


def _read(guide: Guide) -> HttpResponse:
    for what in (Preparing.PATIENTS, Preparing.CATALOGUE):
        ask(guide.at(), what, guide.request.user.get_username())
    return guide.onward()


# -- the first order, and after it ---------------------------------------------------------------------------------


def _order(guide: Guide) -> Context:
    practice = guide.at()
    guide.request.session[IN_GUIDE] = practice.slug  # Rupa's checkout leads back here, not to this page
    begun = OrderRequest.objects.filter(practice=practice).order_by("-created_at").first()
    context: Context = {
        "may_order": access_of(guide.request).may("orders.place", practice),
        "charts": Chart.objects.filter(practice=practice, present=True).order_by("pk_id")[:SUGGESTED],
        "first": Order.objects.filter(practice=practice).order_by("id").first(),
        "begun": begun,
        "waiting": begun is not None,
    }
    try:
        connection_of(practice, practitioner_of(guide.request, practice))
    except CannotOrder:
        context["accounts"] = [one.account for one in rupa_connections(practice)]
    return context


def _order_as(guide: Guide) -> HttpResponse:
    """Which practitioner at Rupa this person orders as, where it is not told by the e-mail."""
    practice, account = guide.at(), guide.request.POST.get("account", "")
    if account in {one.account for one in rupa_connections(practice)}:
        user: Any = guide.request.user  # any: signed in, or the guide would not open
        people.grant(user, practice, None, account, actor=person(guide.request))
    return guide.onward()


def _live(guide: Guide) -> Context:
    practice = guide.at()
    guide.request.session.pop(IN_GUIDE, None)
    first = Order.objects.filter(practice=practice).order_by("id").first()
    return {
        "first": first,
        "waiting": first is not None and first.filed_at is None,
        "heard": Event.objects.filter(peer="rupa", practice=practice).exists(),
        "caspio_tells": hears_caspio(practice),
        "tests": LabTest.objects.filter(practice=practice, retired=False).count(),
    }


def _check(guide: Guide) -> Context:
    viewer = Viewer.of(access_of(guide.request), [guide.at()])
    return {**_live(guide), "found": checked(viewer), "waiting": False}


#: What a step shows, and what can be done in it.
SHOWN: dict[str, Callable[[Guide], Context]] = {
    "practice": _facts, "caspio": _account, "patients": _mapping, "tables": _tables, "rupa": _rupa,
    "webhooks": _webhooks, "catalogue": _catalogue, "order": _order, "live": _live,
}  # fmt: skip
ACTS: dict[tuple[str, str], Callable[[Guide], HttpResponse | Context]] = {
    ("practice", "keep"): _keep_facts,
    ("caspio", "keep"): _keep_account,
    ("patients", "apply"): _apply,
    ("tables", "look"): _preview,
    ("tables", "create"): _create,
    ("catalogue", "read"): _read,
    ("order", "order-as"): _order_as,
    ("live", "check"): _check,
}
