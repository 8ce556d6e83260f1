"""What stands around every page: navigation by role, the choice of practice, and when the page goes blank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from labbridge.accounts.access import access_of
from labbridge.accounts.middleware import TOUCH_SECONDS
from labbridge.accounts.roles import ROUTES
from labbridge.console import scope
from labbridge.practices.models import Practice

BLANK_AHEAD = TOUCH_SECONDS + 15  #: seconds by which a page is blank before the service ends the session


@dataclass(frozen=True)
class Entry:
    """A screen in the navigation: `g` and then its key opens it; `within` are the addresses that belong to it."""

    label: str
    route: str
    key: str
    within: frozenset[str] = frozenset()


#: One line for each screen that exists, in this order.
NAVIGATION = (
    Entry("Today", "home", "t"),
    Entry(
        "Pipeline", "pipeline", "p", frozenset({"order-page", "patient", "pipeline-search", "pipeline-act"})
    ),
    Entry("Results", "results", "r"),
    Entry("Matches", "cases", "m", frozenset({"case", "case-undo"})),
    Entry("Catalogue", "catalogue", "c", frozenset({"catalogue-compare", "catalogue-news"})),
    Entry(
        "Protocols",
        "protocols",
        "o",
        frozenset({"protocol", "protocol-new", "protocol-edit", "protocols-news"}),
    ),
    Entry("Billing", "billing", "b", frozenset({"billing-price", "order-billing"})),
    Entry("Analytics", "analytics", "y", frozenset({"analytics-question", "analytics-money"})),
    Entry("Events", "events", "e", frozenset({"event", "replay"})),
    Entry("Health", "health", "h", frozenset({"health-check"})),
    Entry("Feeds", "feeds", "f", frozenset({"feed", "feed-add", "feed-rotate", "agreement-add"})),
    Entry("Audit", "audit", "a"),
    Entry("Settings", "settings", "s", frozenset(name for name in ROUTES if name.startswith("settings-"))),
)


def surroundings(request: HttpRequest) -> dict[str, Any]:  # any: what templates read
    """The context of every template. Nothing for strangers; one query for everybody else."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    place = scope.chosen(request)
    mine = [one.practice for one in access_of(request).memberships]
    return {
        "navigation": [_link(request, one, place) for one in NAVIGATION if _may_open(request, one, place)],
        "places": mine if len(mine) > 1 else [],
        "place": place,
        "list_address": reverse(_screen(request).route),
        "blank_after": int(settings.SESSION_IDLE.total_seconds()) - BLANK_AHEAD,
    }


def _here(request: HttpRequest) -> str:
    return (request.resolver_match and request.resolver_match.url_name) or ""


def _screen(request: HttpRequest) -> Entry:
    """The screen that this page belongs to, else Today: where the choice of practice leads."""
    here = _here(request)
    return next((one for one in NAVIGATION if here == one.route or here in one.within), NAVIGATION[0])


def _may_open(request: HttpRequest, entry: Entry, place: Practice | None) -> bool:
    allowed = access_of(request).practices(ROUTES[entry.route])
    return place in allowed if place else bool(allowed)


def _link(request: HttpRequest, entry: Entry, place: Practice | None) -> dict[str, object]:
    here = _here(request)
    several = len(access_of(request).memberships) > 1
    query = f"?{urlencode({'practice': place.slug})}" if place and several else ""
    return {
        "label": entry.label,
        "address": reverse(entry.route) + query,
        "key": entry.key,
        "current": "page" if here == entry.route else "true" if here in entry.within else "",
    }
