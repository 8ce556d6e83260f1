"""A stored value that cannot be opened ends in a page that says so. Pages that can do without say it in its place."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from labbridge.trust.envelope import KeyDestroyed
from labbridge.trust.fields import ContentRemoved
from labbridge.trust.keys import CannotOpen

log = structlog.get_logger()


class Unopened:
    """Django's middleware for it: the last one, so that the page is drawn for whoever is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, CannotOpen):
            return None
        gone = isinstance(error, ContentRemoved | KeyDestroyed)
        log.warning("console.unopened", exception_type=type(error).__name__)
        context = {"gone": gone, "sentence": str(error)}
        return render(request, "console/unopened.html", context, status=410 if gone else 503)
