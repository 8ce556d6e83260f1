"""Rupa's deliveries, answered ahead of Django's request handling.

Sessions, sign-in, CSRF, page policies and static files have no part in a delivery, yet passing through them costs
more than storing one does (docs/performance.md). Everything else goes on to Django.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from labbridge.practices.clients import RUPA_ASSUMPTIONS
from labbridge.webhooks import views

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/webhooks/rupa"
_SIGNATURE = f"HTTP_{RUPA_ASSUMPTIONS.signature.variable}"


class Front:
    """A WSGI application in front of Django's."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
            return self.application(environ, start_response)
        code = views.rupa_status(
            environ["wsgi.input"], environ.get("CONTENT_LENGTH"), environ.get(_SIGNATURE)
        )
        start_response(f"{code} {HTTPStatus(code).phrase}", [("Content-Length", "0")])
        return (b"",)
