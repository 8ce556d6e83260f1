"""The overview, the file, and the sections that are plain forms: the practice, who wins, alerts, retention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from labbridge.accounts.access import access_of
from labbridge.accounts.roles import ROUTES
from labbridge.console.settings import fields
from labbridge.console.settings.fields import Group, SectionForm
from labbridge.console.settings.place import ask, at_one_practice, data_of, prove_first, query, saved, show
from labbridge.handlers.retention import would_remove
from labbridge.mirror.models import Order
from labbridge.practices.apply import Applied, config_of
from labbridge.practices.config import ConfigProblem, PracticeConfig, valid
from labbridge.practices.models import ConnectionState, Practice
from labbridge.practices.text import put, whole
from labbridge.practices.versions import Standing, latest
from labbridge.practices.words import PARTS, said

RECENT = 5  #: changes on the overview


# -- overview ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One section in one sentence; `tone` where something is to be done."""

    label: str
    sentence: str
    address: str
    tone: str = ""


@require_GET
@at_one_practice("settings.see")
def overview(request: HttpRequest, practice: Practice) -> HttpResponse:
    access = access_of(request)
    config = config_of(practice) if practice.config else None
    lines = []
    for label, route, sentence, tone in _lines(practice, config) if config else ():
        opens = access.may(ROUTES[route], practice)
        lines.append(Line(label, sentence, reverse(route) + query(request, practice) if opens else "", tone))
    context = {"lines": lines, "versions": list(practice.versions.select_related("undoes")[:RECENT]),
               "configured": bool(config)}  # fmt: skip
    return show(request, practice, "console/settings.html", "settings", context)


def _lines(practice: Practice, config: PracticeConfig) -> Iterator[tuple[str, str, str, str]]:
    """Label, route, sentence and tone."""
    unit, mapped = config.rupa.price_unit, sum(bool(getattr(config.caspio.patients, part)) for part in PARTS)
    yield (
        "Practice", "settings-practice",
        f"{config.practice.name}, {config.practice.time_zone}. Rupa's amounts are {said('rupa.price_unit', unit)}.",
        "wait" if unit == "unknown" else "",
    )  # fmt: skip
    yield ("Connections", "settings-connections", *_connected(practice))
    of = f"{mapped} of {len(PARTS)} particulars are read from the table {config.caspio.patients.table}."
    yield "Field mapping", "settings-mapping", of, ""
    other = ", ".join(PARTS[part] for part, side in config.sync.policy.items() if side != "caspio")
    but = f"Caspio's values count, but for {other}." if other else "Caspio's values count."
    yield "Who wins", "settings-sync", but, ""
    count = len(practice.alert_channels or [])
    told = f"Told on {count} channel{'' if count == 1 else 's'} of the practice."
    none = "Told on the channels of the whole service only."
    yield "Alerts", "settings-alerts", told if count else none, "" if count else "wait"
    people = practice.memberships.count()
    yield (
        "People",
        "settings-people",
        f"{people} {'person has' if people == 1 else 'people have'} a role.",
        "",
    )
    keys = practice.api_keys.filter(revoked_at=None, expires_at__gt=timezone.now()).count()
    yield "API keys", "settings-keys", f"{keys or 'None'} can be used.", ""
    kept = config.retention
    yield (
        "Retention", "settings-retention",
        ", ".join([
            f"Events {_kept(kept.events_days)}", f"files {_kept(kept.files_days)}",
            f"ended orders {_kept(kept.mirror_days)}", f"audit {kept.audit_years} years.",
        ]), "",
    )  # fmt: skip


def _connected(practice: Practice) -> tuple[str, str]:
    """Sentence and tone."""
    held = [one for one in practice.connections.defer("credentials") if one.state != ConnectionState.ENDED]
    broken = sum(one.state != ConnectionState.ACTIVE for one in held)
    peers = {one.peer for one in held}
    missing = ", ".join(name.title() for name in ("caspio", "rupa") if name not in peers)
    told = [f"{broken} to connect again." if broken else "", f"Not connected: {missing}." if missing else ""]
    if any(told):
        return " ".join(filter(None, told)), "harm"
    return f"{len(held)} connected, as far as we know.", ""


def _kept(days: int) -> str:
    return f"{days} days" if days else "for good"


@require_GET
@at_one_practice("settings.see")
def file(request: HttpRequest, practice: Practice) -> HttpResponse:
    """practice.toml as it stands: `stored` in place of secrets, so that applying it changes nothing."""
    del request
    answer = HttpResponse(Standing.of(practice).text, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{practice.slug}.practice.toml"'
    return answer


# -- forms -------------------------------------------------------------------------------------------------------


Follows = Callable[[Practice, Applied, Mapping[str, Any]], list[str]]


def section_page(
    request: HttpRequest, practice: Practice, groups: tuple[Group, ...], *, route: str, title: str, template: str,
    follows: Follows, more: Mapping[str, Any] | None = None,
) -> HttpResponse:  # fmt: skip
    data = data_of(request)
    form, asked, left = SectionForm(groups, practice.config, data), None, ""
    if data is not None and practice.config:
        if data.get("do") == "save" and (away := prove_first(request)) is not None:
            return away
        values = form.values()
        if not form.errors:
            asked = ask(request, practice, data, values)
            left = form.tell(asked.fields)
            if asked.saved is not None:
                return saved(request, practice, asked.saved, route)
    context = {
        "form": form, "asked": asked, "title": title, "problem": left or (asked.problem if asked else ""),
        "base": asked.base if asked else latest(practice), "why": (data or QueryDict()).get("why", ""),
        "follows": follows(practice, asked.told, asked.changes) if asked and asked.told else [],
        "configured": bool(practice.config), **(more or {}),
    }  # fmt: skip
    return show(request, practice, template, route, context)


def nothing_follows(_practice: Practice, _told: Applied, _changes: Mapping[str, Any]) -> list[str]:
    return []


def of_practice(practice: Practice, told: Applied, _changes: Mapping[str, Any]) -> list[str]:
    if not told.refile:
        return []
    count = Order.objects.filter(practice=practice).count()
    return [f"{count} orders are compared with Caspio again; only what differs is written."]


def of_sync(practice: Practice, told: Applied, changes: Mapping[str, Any]) -> list[str]:
    if not any(path.startswith("sync.policy.") for path in changes) or not told.changes:
        return []
    linked = practice.charts.filter(present=True).exclude(link=None).count()
    return [
        f"It holds for later changes of {linked} linked patients. Nothing is written because of it alone."
    ]


def of_retention(practice: Practice, _told: Applied, changes: Mapping[str, Any]) -> list[str]:
    """What the next nightly run would remove by this policy."""
    kept = whole(practice.config)
    for path, value in changes.items():
        put(kept, path, value)
    try:
        counts = would_remove(practice, valid(kept).retention)
    except ConfigProblem:
        return []
    if counts.get("held"):
        return ["A hold keeps the whole practice: nothing is removed until it is lifted."]
    gone = ", ".join(f"{counts[name]} {word}" for name, word in REMOVED.items())
    return [
        f"The next nightly run would remove {gone}. That cannot be brought back here; Caspio keeps its own."
    ]


REMOVED = {
    "events": "bodies of events",
    "facts": "facts of the feed with their letters",
    "files": "copies of files",
    "orders": "orders' contents",
    "audit": "audit entries",
}
TOLD = "console/settings_section.html"


@require_http_methods(["GET", "POST"])
@at_one_practice("settings.change")
def practice_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    return section_page(request, practice, fields.PRACTICE, route="settings-practice", title="Practice",
                        template=TOLD, follows=of_practice)  # fmt: skip


@require_http_methods(["GET", "POST"])
@at_one_practice("settings.change")
def sync_page(request: HttpRequest, practice: Practice) -> HttpResponse:
    return section_page(request, practice, fields.SYNC, route="settings-sync", title="Who wins",
                        template=TOLD, follows=of_sync)  # fmt: skip
