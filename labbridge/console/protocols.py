"""Protocols: bundles of tests that the practice keeps in Caspio: what they cost and take, building, what changed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from django.contrib import messages
from django.core import signing
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labbridge.accounts.access import access_of, require
from labbridge.catalog.protocols import Item, Whole, suggestions, touched, whole, wholes
from labbridge.console import scope
from labbridge.console.catalogue import tellable, told, units_of
from labbridge.filing.models import EditState, ProtocolEdit
from labbridge.filing.protocols import Content, InProtocol
from labbridge.handlers.protocols import (
    MOST_TESTS,
    CannotSave,
    content_of,
    decide,
    pull_protocols,
    save,
    try_again,
)
from labbridge.mirror.models import KEY, LabTest, Protocol
from labbridge.ordering.choice import find
from labbridge.peers.errors import PeerError
from labbridge.practices.clients import NotConnected
from labbridge.practices.models import Practice
from labbridge.trust.audit import person

SALT = "protocol"
LONGEST_NAME, LONGEST_NOTES = 255, 4000
NEWS_PER_PAGE = 50


@dataclass(frozen=True)
class Line:
    protocol: Protocol
    whole: Whole
    edit: ProtocolEdit | None
    unseen: int


@require("catalogue.see")
@require_GET
def protocol_list(request: HttpRequest) -> HttpResponse:
    practices = scope.practices(request, "catalogue.see")
    access = access_of(request)
    held = (
        Protocol.objects.filter(practice__in=practices).select_related("practice").prefetch_related("edits")
    )
    news = {one.protocol.pk: len(one.unseen) for one in touched(practices, timezone.now())}
    shown = [(one, edit) for one in held for edit in [_open_edit(one)] if one.present or edit is not None]
    made = wholes([(one.practice, _shown(one, edit)) for one, edit in shown])
    lines = [
        Line(one, each, edit, news.get(one.pk, 0)) for (one, edit), each in zip(shown, made, strict=True)
    ]
    may_edit = access.practices("protocols.edit")
    context = {
        "lines": lines,
        "read_at": max((one.read_at for one in held if one.read_at), default=None),
        "zone_of": practices[0],
        "makers": [one for one in practices if one in may_edit],
    }
    return render(request, "console/protocols.html", context)


@require("protocols.edit")
@require_POST
def protocols_read(request: HttpRequest) -> HttpResponse:
    """Read them from Caspio now."""
    for practice in scope.practices(request, "protocols.edit"):
        try:
            counts = pull_protocols(practice)
        except NotConnected as error:
            messages.error(request, str(error))
        except PeerError as error:
            messages.error(request, f"The protocols of {practice.name} cannot be read now. {error.advice}")
        else:
            number, changed = counts["read"], counts["changed"] + counts["gone"]
            messages.success(
                request, f"Read {number} from the Caspio of {practice.name}; {changed} had changed."
            )
    return redirect(_list_address(request))


def _list_address(request: HttpRequest) -> str:
    place = request.GET.get("practice", "")
    return reverse("protocols") + (f"?practice={place}" if place else "")


@require("catalogue.see")
@require_GET
def protocol_page(request: HttpRequest, protocol_id: uuid.UUID) -> HttpResponse:
    one, practice = _protocol(request, protocol_id, "catalogue.see")
    edit, access = _open_edit(one), access_of(request)
    content = _shown(one, edit)
    made = whole(practice, content)
    known = {(practice.pk, item.external_id): item.test for item in made.items if item.test}
    changes = [
        change
        for each in touched([practice], timezone.now())
        if each.protocol == one
        for change in each.changes
    ]
    units = units_of([practice])
    story = [line for change in changes if (line := told(change, known, units))]
    context = {
        "protocol": one, "practice": practice, "content": content, "whole": made, "edit": edit,
        "instead": _instead(practice, made),
        "conflict": _conflict(practice, edit) if edit and edit.state == EditState.CONFLICT else None,
        "story": story, "may_edit": access.may("protocols.edit", practice),
        "may_order": access.may("orders.place", practice) and content.active, "key": uuid.uuid4(),
    }  # fmt: skip
    return render(request, "console/protocol.html", context)


def _instead(practice: Practice, made: Whole) -> list[tuple[Item, object]]:
    """For each test that cannot be ordered: what might do."""
    ids = [one.external_id for one in made.items]
    return [
        (one, suggestions(practice, one.test, ids))
        for one in made.problems
        if one.test is not None and (one.test.retired or not one.test.available)
    ]


def _conflict(practice: Practice, edit: ProtocolEdit) -> list[tuple[str, Content | None, Whole | None]]:
    """Both sides, ours first."""
    theirs = Content.of(edit.theirs) if edit.theirs else None
    ours = Content.of(edit.wanted)
    return [
        (f"As {edit.by} made it here", ours, whole(practice, ours)),
        ("As it stands in Caspio", theirs, whole(practice, theirs) if theirs else None),
    ]


def _protocol(request: HttpRequest, protocol_id: uuid.UUID, permission: str) -> tuple[Protocol, Practice]:
    one = Protocol.objects.select_related("practice").filter(pk=protocol_id).first()
    if one is None:
        raise Http404
    return one, scope.enter(request, permission, one.practice.slug)


def _open_edit(one: Protocol) -> ProtocolEdit | None:
    """The newest that is on its way to Caspio, or that somebody must decide."""
    opened = [edit for edit in one.edits.all() if edit.state in {EditState.WAITING, EditState.CONFLICT}]
    return opened[-1] if opened else None


def _shown(one: Protocol, edit: ProtocolEdit | None) -> Content:
    """As it will be once what is on its way has arrived."""
    return Content.of(edit.wanted) if edit and edit.state == EditState.WAITING else content_of(one)


# -- what changed ------------------------------------------------------------------------------------------------


@require("catalogue.see")
@require_GET
def protocols_news(request: HttpRequest) -> HttpResponse:
    """What a month of catalogue changes did to protocols."""
    practices = scope.practices(request, "catalogue.see")
    now, units = timezone.now(), units_of(practices)
    found = touched(practices, now)
    held = [(one.protocol, change) for one in found for change in one.changes if tellable(change, units)]
    page = Paginator(held, NEWS_PER_PAGE).get_page(request.GET.get("page"))
    ids = {change.external_id for _, change in page}
    tests = LabTest.objects.filter(practice__in=practices, external_id__in=ids).select_related("practice")
    known = {(test.practice_id, test.external_id): test for test in tests}
    may_edit = access_of(request).practices("protocols.edit")
    context = {
        "found": [
            (protocol, [
                (line, change.at > protocol.seen_until)
                for _, change in lines
                if (line := told(change, known, units))
            ])
            for protocol, lines in groupby(page, key=lambda line: line[0])
        ],
        "page": page,
        "unseen": any(one.unseen for one in found if one.protocol.practice in may_edit),
        "until": now.isoformat(), "zone_of": practices[0],
    }  # fmt: skip
    return render(request, "console/protocols_news.html", context)


@require("protocols.edit")
@require_POST
def protocols_seen(request: HttpRequest) -> HttpResponse:
    """What was shown is seen; what came since then is not."""
    practices = scope.practices(request, "protocols.edit")
    try:
        until = min(datetime.fromisoformat(request.POST.get("until", "")), timezone.now())
    except (ValueError, TypeError):  # no moment, or one without a zone
        raise Http404 from None
    Protocol.objects.filter(practice__in=practices, seen_until__lt=until).update(seen_until=until)
    messages.success(request, "Noted as seen.")
    place = request.GET.get("practice", "")
    return redirect(reverse("protocols-news") + (f"?practice={place}" if place else ""))


# -- building ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """The builder's page as it was sent: nothing of it is kept here until it is saved."""

    key: uuid.UUID
    base: str  # signed: what the protocol was when the page was opened
    content: Content
    searched: str = ""
    told: list[str] = field(default_factory=list)


@require("protocols.edit")
@require_http_methods(["GET", "POST"])
def protocol_new(request: HttpRequest, slug: str) -> HttpResponse:
    return _build(request, scope.enter(request, "protocols.edit", slug), None)


@require("protocols.edit")
@require_http_methods(["GET", "POST"])
def protocol_edit(request: HttpRequest, protocol_id: uuid.UUID) -> HttpResponse:
    one, practice = _protocol(request, protocol_id, "protocols.edit")
    return _build(request, practice, one)


def _build(request: HttpRequest, practice: Practice, one: Protocol | None) -> HttpResponse:
    if request.method == "GET":
        content = _shown(one, _open_edit(one)) if one else Content()
        tests = request.GET.get("add", "")
        form = Form(uuid.uuid4(), signing.dumps(content.as_json() if one else None, salt=SALT), content)
        if tests.isprintable() and 0 < len(tests) <= KEY:
            form = _added(practice, form, tests)
        return _builder(request, practice, one, form)
    form = _sent(request.POST)
    deed, _, what = request.POST.get("do", "").partition(":")
    if deed == "save":
        try:
            base = Content.of(said) if (said := signing.loads(form.base, salt=SALT)) else None
            edit = save(practice, one, form.key, base=base, wanted=form.content, actor=person(request))
        except signing.BadSignature:
            raise Http404 from None
        except CannotSave as problem:
            messages.error(request, str(problem))
            return _builder(request, practice, one, form)
        messages.success(request, "Saved. It is being written to Caspio.")
        return redirect("protocol", protocol_id=edit.protocol_id)
    if deed == "add":
        form = _added(practice, form, what)
    elif deed in {"remove", "up", "down"} and what.isdecimal():
        form = replace(
            form, content=replace(form.content, tests=_moved(form.content.tests, deed, int(what[:4])))
        )
    return _builder(request, practice, one, form)


def _sent(sent: QueryDict) -> Form:
    try:
        key = uuid.UUID(sent.get("key", ""))
    except ValueError:
        raise Http404 from None
    pairs = zip(sent.getlist("row"), sent.getlist("test"), strict=False)
    tests = tuple(
        InProtocol(row, test, number)
        for number, (row, test) in enumerate(list(pairs)[:MOST_TESTS], start=1)
        if test and len(test) <= KEY and test.isprintable() and len(row) <= LONGEST_NAME
    )
    name = " ".join(sent.get("name", "").split())[:LONGEST_NAME]
    notes = sent.get("notes", "").replace("\r\n", "\n").replace("\x00", "").strip()[:LONGEST_NOTES]
    content = Content(name, "active" in sent, notes, tests)
    searched = sent.get("q", "").strip()[:LONGEST_NAME]
    return Form(key, sent.get("base", ""), content, searched if searched.isprintable() else "")


def _added(practice: Practice, form: Form, external_id: str) -> Form:
    """With one test more; an add-on brings the test that it belongs to."""
    test = LabTest.objects.filter(practice=practice, external_id=external_id).first()
    if test is None:
        return form
    ids = [one.test for one in form.content.tests]
    wanted, said = [external_id], list(form.told)
    if test.is_addon and test.parent_id_external and test.parent_id_external not in ids:
        parent = LabTest.objects.filter(practice=practice, external_id=test.parent_id_external).first()
        if parent is not None:
            wanted.insert(0, parent.external_id)
            said.append(f"{test.name} is an add-on, so {parent.name} came with it.")
    new = [InProtocol(f"{form.key.hex[:12]}-{one}", one) for one in wanted if one not in ids]
    tests = _numbered([*form.content.tests, *new])
    return replace(form, content=replace(form.content, tests=tests), told=said)


def _numbered(tests: Sequence[InProtocol]) -> tuple[InProtocol, ...]:
    return tuple(replace(one, sort=number) for number, one in enumerate(tests, start=1))


def _moved(tests: Sequence[InProtocol], deed: str, number: int) -> tuple[InProtocol, ...]:
    rest = list(tests)
    if not 0 <= number < len(rest):
        return tuple(rest)
    one = rest.pop(number)
    if deed != "remove":
        rest.insert(max(0, number + (-1 if deed == "up" else 1)), one)
    return _numbered(rest)


def _builder(request: HttpRequest, practice: Practice, one: Protocol | None, form: Form) -> HttpResponse:
    made = whole(practice, form.content)
    by_id = {item.external_id: item for item in made.items}
    chosen = set(by_id)
    context = {
        "protocol": one, "practice": practice, "form": form, "content": form.content, "whole": made,
        "rows": [(row, by_id[row.test]) for row in form.content.tests],
        "found": [test for test in find(practice, form.searched) if test.external_id not in chosen],
        "instead": _instead(practice, made),
    }  # fmt: skip
    return render(request, "console/protocol_edit.html", context)


@require("protocols.edit")
@require_POST
def protocol_decide(request: HttpRequest, protocol_id: uuid.UUID) -> HttpResponse:
    """Of a conflict: whose protocol stands."""
    one, _ = _protocol(request, protocol_id, "protocols.edit")
    edit = one.edits.filter(state=EditState.CONFLICT).last()
    try:
        key = uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        raise Http404 from None
    mine = request.POST.get("whose") == "mine"
    if edit is not None:
        decide(edit, overwrite=mine, key=key, actor=person(request))
        messages.success(request, "It is being written to Caspio." if mine else "Caspio's protocol stands.")
    return redirect("protocol", protocol_id=one.pk)


@require("protocols.edit")
@require_POST
def protocol_again(request: HttpRequest, protocol_id: uuid.UUID) -> HttpResponse:
    """Write what did not get through to Caspio, now and not when its next attempt is due."""
    one, _ = _protocol(request, protocol_id, "protocols.edit")
    edit = _open_edit(one)
    if edit is not None and edit.state == EditState.WAITING:
        try_again(edit, actor=person(request))
        messages.success(request, "It is being tried again.")
    return redirect("protocol", protocol_id=one.pk)
