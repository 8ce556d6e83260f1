"""Field mapping: which Caspio field holds what, looked at on one real record, then dry-run on all, then saved."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from labbridge.accounts.access import require
from labbridge.console import scope
from labbridge.console.settings.place import address, at_one_practice, base_of, prove_first, saved, show
from labbridge.handlers import mapping
from labbridge.handlers.mapping import OURS, WRITTEN, Look
from labbridge.mirror.pseudonyms import sides_of
from labbridge.peers.caspio.types import Field
from labbridge.peers.errors import PeerError
from labbridge.practices.apply import change, config_of
from labbridge.practices.clients import NotConnected
from labbridge.practices.config import ConfigProblem, PatientFields
from labbridge.practices.models import DryRun, Practice
from labbridge.practices.propose import NEEDED, propose
from labbridge.practices.versions import By, latest
from labbridge.practices.words import PARTS, ROW, sentences
from labbridge.reconcile.applied import follow_later
from labbridge.trust.audit import person, record

PER_PAGE = 20  #: rows whose differences are read at once
HELP = {
    "key": "Unique, and never given to another patient. Labs are filed under it.",
    "email": "By it a patient is found at Rupa.",
    "rupa_patient_id": "Written by Labbridge, as are the three below.",
}


@dataclass(frozen=True)
class Line:
    """One of our fields with what can be chosen for it."""

    ours: str
    label: str
    value: str
    options: list[tuple[str, str]]
    needed: bool
    problem: str = ""
    help: str = ""
    hint: str = ""


@dataclass
class Editor:
    """The mapping as somebody has it on the screen."""

    practice: Practice
    now: dict[str, str]
    proposal: dict[str, str]
    tables: list[str] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    problem: str = ""  #: Caspio cannot be asked

    @classmethod
    def of(cls, practice: Practice, data: QueryDict | None) -> Editor:
        kept = config_of(practice).caspio.patients.model_dump()
        now = {name: kept[name] for name in ("table", *OURS)}
        given = (
            now if data is None or "table" not in data else {name: data.get(name, "")[:100] for name in now}
        )
        made = cls(practice, now, dict(given))
        try:
            made.tables, made.fields = mapping.fields_of(practice, made.proposal["table"])
        except PeerError as error:
            made.problem = f"{error}. {error.advice}"
        except NotConnected as error:
            made.problem = str(error)
        return made

    @property
    def problems(self) -> dict[str, str]:
        if not self.fields:
            return {"table": "Caspio has no such table"} if self.tables else {}
        return mapping.problems(self.proposal, self.fields, self.now if self.same_table else {})

    @property
    def same_table(self) -> bool:
        return self.proposal["table"].lower() == self.now["table"].lower()

    @property
    def proposed(self) -> PatientFields:
        return PatientFields.model_validate(self.proposal)

    @property
    def changes(self) -> dict[str, str]:
        return {f"caspio.patients.{name}": value for name, value in self.proposal.items()}

    def told(self) -> list[str]:
        """What the proposal says, in words."""
        before, after = ({"caspio": {"patients": one}} for one in (self.now, self.proposal))
        return sentences(before, after)

    def lines(self, *, told: bool) -> list[Line]:
        hints = {one.ours: one for one in propose(self.fields)} if self.fields else {}
        wrong = self.problems if told else {}
        names = [(one.name, f"{one.name} ({one.type})") for one in self.fields]
        lines = []
        for ours in OURS:
            value = self.proposal[ours]
            options = [("", "not written" if ours in WRITTEN else "not read"), *names]
            if ours == "key":
                options = [("PK_ID", "PK_ID (the row's number)"), *names]
            if value and value.lower() not in {name.lower() for name, _ in options}:
                options.append((value, f"{value} (not in Caspio)"))
            hint = hints.get(ours)
            said = (
                f"Looks like {hint.theirs}: {hint.reason}."
                if hint and hint.theirs and hint.theirs != value
                else ""
            )
            problem = wrong.get(ours, "")
            label = ROW[ours][0].upper() + ROW[ours][1:]
            problem = f"{problem[0].upper()}{problem[1:]}." if problem else ""
            needed = ours in NEEDED or ours == "key"
            lines.append(Line(ours, label, value, options, needed, problem, HELP.get(ours, ""), said))
        return lines


@require_http_methods(["GET", "POST"])
@at_one_practice("settings.preview")
def mapping_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    """`do`: table (its fields), one (a record), or run (the dry run, by whose page it is saved)."""
    if not practice.config:
        return show(
            request, practice, "console/settings_mapping.html", "settings-mapping", {"configured": False}
        )
    data = request.POST if request.method == "POST" else None
    said = data or QueryDict()
    editor, do = Editor.of(practice, data), said.get("do", "")
    told = editor.told()
    if do == "run" and not editor.problem and not editor.problems and told:
        with transaction.atomic():
            run = mapping.start(
                practice, editor.proposed, base_of(practice, data), request.user.get_username()
            )
        return redirect(address(request, practice, "settings-dry-run", run.pk))
    context = {
        "configured": True, "editor": editor, "lines": editor.lines(told=do in {"run", "one"} or data is None),
        "base": base_of(practice, data), "key": said.get("record", ""),
        "wrong": do in {"run", "one"} and bool(editor.problems), "nothing": do == "run" and not told,
        **(_looked(request, editor) if do == "one" else {}),
    }  # fmt: skip
    return show(request, practice, "console/settings_mapping.html", "settings-mapping", context)


@at_one_practice("settings.preview")
@require_POST
def look(request: HttpRequest, practice: Practice) -> HttpResponse:
    """One real record by the mapping on the screen: a part of the page, brought up to date with each change of it."""
    if not practice.config:
        raise Http404
    editor = Editor.of(practice, request.POST)
    context = {
        "editor": editor,
        "practice": practice,
        "lines": editor.lines(told=True),
        **_looked(request, editor),
    }
    return render(request, "console/settings_mapping_look.html", context)


def _looked(request: HttpRequest, editor: Editor) -> dict[str, Any]:  # any: what the template reads
    if editor.problem or not editor.fields:
        return {"look_problem": editor.problem or "Caspio has no such table."}
    unread = [
        ROW[ours]
        for ours, words in editor.problems.items()
        if "has no field" in words or "is needed" in words
    ]
    if unread:
        return {"look_problem": f"Choose a field first for: {', '.join(unread)}."}
    try:
        found = mapping.look(
            editor.practice, editor.proposed, editor.fields, request.POST.get("record", "").strip()[:255]
        )
    except PeerError as error:
        return {"look_problem": f"{error}. {error.advice}"}
    if found is None:
        return {"look_problem": "There is no such record that can be shown."}
    record("mapping.try", actor=person(request), practice=editor.practice, patient=sides_of(found.chart),
           subject=f"row:{found.pk_id}", count=1)  # fmt: skip
    return {"look": found, "parts": _named(found)}


def _named(
    found: Look, *, only: set[str] | None = None
) -> list[dict[str, Any]]:  # any: what the template reads
    return [{"label": ROW[one.ours][0].upper() + ROW[one.ours][1:], "one": one}
            for one in found.parts if only is None or one.ours in only]  # fmt: skip


# -- the dry run -------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@require("settings.preview")
def dry_run_page(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """How far it is, what it found, and the button that saves exactly this mapping."""
    run = DryRun.objects.select_related("practice").filter(pk=run_id).first()
    if run is None:
        raise Http404
    practice = scope.enter(request, "settings.preview", run.practice.slug)
    problem = ""
    if request.method == "POST":
        if (away := prove_first(request)) is not None:
            return away
        problem, answer = _save(request, practice, run)
        if answer is not None:
            return answer
    done = run.finished_at is not None and not run.problem
    page = Paginator(run.rows, PER_PAGE).get_page(request.GET.get("page"))
    before = config_of(practice).caspio.patients.model_dump(mode="json")
    proposed = PatientFields.model_validate(run.proposal).model_dump(mode="json")
    context = {
        "run": run, "done": done, "problem": problem, "page": page, "counts": run.counts,
        "told": sentences({"caspio": {"patients": before}}, {"caspio": {"patients": proposed}}),
        "parts": _counted(run), "moves": _moves(run), "stale": run.base != latest(practice),
        "may_save": done and _savable(run) and run.base == latest(practice),
        **(_rows(request, run, list(page.object_list)) if done and "rows" in request.GET else {}),
    }  # fmt: skip
    return show(request, practice, "console/settings_dry_run.html", "settings-mapping", context)


def _savable(run: DryRun) -> bool:
    young = run.finished_at is not None and timezone.now() - run.finished_at < DryRun.KEPT
    return young and not run.counts.get("doubled")


def _save(request: HttpRequest, practice: Practice, run: DryRun) -> tuple[str, HttpResponse | None]:
    if run.finished_at is None or run.problem or not _savable(run):
        return "This dry run cannot be saved. Start another one.", None
    by = By(person(request), request.POST.get("why", "").strip(), base=run.base)
    changes = {f"caspio.patients.{name}": value for name, value in run.proposal.items()}
    try:
        with transaction.atomic():
            done = change(practice, changes, by=by)
            follow_later(done)
            run.delete()
    except ConfigProblem as refused:
        return str(refused), None
    return "", saved(request, practice, done, "settings-mapping")


def _counted(run: DryRun) -> list[dict[str, Any]]:  # any: what the template reads
    held: Mapping[str, Mapping[str, int]] = run.counts.get("parts", {})
    return [{"label": ROW[ours][0].upper() + ROW[ours][1:], **{word: held[ours].get(word, 0) for word in KINDS}}
            for ours in ROW if ours in held]  # fmt: skip


KINDS = ("changed", "filled", "emptied")
MOVES = {
    "to_rupa": "would go to Rupa",
    "to_caspio": "would be replaced by Rupa's",
    "to_ask": "would be asked about",
}


def _moves(run: DryRun) -> list[str]:
    """What the policies would do with linked patients, once their rows are read by the new mapping."""
    held: Mapping[str, Mapping[str, int]] = run.counts.get("moves", {})
    return [f"{PARTS[part][0].upper()}{PARTS[part][1:]}: {count} {MOVES[word]}."
            for part in PARTS for word, count in held.get(part, {}).items()]  # fmt: skip


def _rows(
    request: HttpRequest, run: DryRun, rows: list[Any]
) -> dict[str, Any]:  # any: JSON; what the template reads
    try:
        found = list(mapping.differences(run, rows))
    except (PeerError, NotConnected) as error:
        return {"rows_problem": str(error)}
    sides = [side for one in found for side in sides_of(one.chart)]
    record("mapping.try", actor=person(request), practice=run.practice, patient=sides, count=len(found),
           subject=f"dry_run:{run.pk}")  # fmt: skip
    wanted = {pk_id: set(parts) for pk_id, parts in rows}
    return {"rows": [{"key": one.key, "parts": _named(one, only=wanted[one.pk_id])} for one in found]}
