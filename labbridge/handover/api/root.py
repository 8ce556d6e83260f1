"""The API itself: how answers look, what becomes of errors, its OpenAPI document, its addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.urls import URLPattern, path
from django.utils.http import parse_etags
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.renderers import JSONRenderer

from labbridge.engine.jobs import where
from labbridge.handover.api.auth import allowance_of
from labbridge.handover.api.document import finish
from labbridge.handover.api.problems import Flaw, Problem
from labbridge.peers.errors import PeerError
from labbridge.trust.keys import CannotOpen

log = structlog.get_logger()

PREFIX = "api/v1/"
AWAY = "Caspio or Rupa cannot be reached now. Nothing is lost: ask again with the same idempotency key."


class MachineApi(NinjaAPI):
    """django-ninja with our answers: ETags, the allowance in headers, no caching, problems instead of errors."""

    def create_response(
        self, request: HttpRequest, data: Any, *, status: int | None = None, temporal_response: Any = None
    ) -> HttpResponse:
        answer = super().create_response(request, data, status=status, temporal_response=temporal_response)
        if request.method == "GET" and answer.status_code == 200:
            etag = f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
            if _matches(request.headers.get("If-None-Match", ""), etag):
                answer = HttpResponse(status=304)
            answer["ETag"] = etag
        return answer

    def get_root_path(self, path_params: Any) -> str:
        del path_params
        return f"/{PREFIX}"

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__  # one name for each call: methods of generated clients have it

    def get_openapi_schema(self, *, path_prefix: str | None = None, path_params: Any = None) -> OpenAPISchema:
        return finish(super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params))


def _matches(given: str, etag: str) -> bool:
    """RFC 9110, 13.1.2: compared weakly."""
    tags = parse_etags(given) if given else []
    return "*" in tags or etag in {tag.removeprefix("W/") for tag in tags}


def make() -> MachineApi:
    api = MachineApi(
        title="Labbridge",
        version="1",
        description="The machine API of one Labbridge service. Each key belongs to one practice (docs/api.md).",
        docs_url=None,  # its pages load scripts inline, which our policy forbids; the document is what programs read
        openapi_url="/openapi.json",
        urls_namespace="api",
        renderer=JSONRenderer(),
    )
    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)
    return api


def no_such_thing() -> Problem:
    return Problem("not_found", "There is no such thing at the practice of this key.")


def _unreadable() -> Problem:
    return Problem("unreadable", "The body is no JSON that can be read. Send an object in UTF-8.")


def _suspicious(_request: HttpRequest, error: Exception) -> HttpResponse:
    if isinstance(error, RequestDataTooBig):
        return Problem("too_large", "The request is larger than any that makes sense here.").answer()
    return _unreadable().answer()


def _mistakes(error: ValidationError) -> Problem:
    """Where and what, never what was sent: pydantic's messages name the rule, and `input` is left out."""
    flaws = [
        Flaw(where=".".join(str(part) for part in one.get("loc", ())), message=str(one.get("msg", "")))
        for one in error.errors
    ]
    return Problem("unacceptable", "Correct what `errors` names and send it again.", errors=flaws)


def _unforeseen(_request: HttpRequest, error: Exception) -> HttpResponse:
    """Its text may quote a patient: only its kind and place are told, and only to the log."""
    log.error("api.failed", exception_type=type(error).__name__, function=where(error))
    return Problem(
        "unexpected", "Something went wrong here and was noted. Try again; then tell the operator."
    ).answer()


def _cannot_open(_request: HttpRequest, error: Exception) -> HttpResponse:
    """Its own sentence is for people and quotes nothing."""
    log.warning("api.unopened", exception_type=type(error).__name__)
    return Problem("cannot_open", f"{error} Tell the operator: `labbridge doctor` says more.").answer()


_HANDLERS: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
    Problem: lambda _request, problem: problem.answer(),
    Http404: lambda _request, _error: no_such_thing().answer(),
    ValidationError: lambda _request, error: _mistakes(error).answer(),
    HttpError: lambda _request, _error: (
        _unreadable().answer()
    ),  # of django-ninja itself: a body that is no JSON
    SuspiciousOperation: _suspicious,
    UnreadablePostError: lambda _request, _error: _unreadable().answer(),
    CannotOpen: _cannot_open,
    PeerError: lambda _request, _error: Problem("peer_away", AWAY, wait=30).answer(),
    Exception: _unforeseen,
}


# -- addresses ---------------------------------------------------------------------------------------------------


def urls(api: NinjaAPI) -> list[URLPattern]:
    """Every address of the API, guarded by its keys alone: no session, no cookie, no CSRF token has a part in it."""
    patterns, _, _ = api.urls
    ours = [
        path(PREFIX + str(one.pattern), machine(_reads_only(one)), name=f"api-{one.name}")
        for one in patterns
        if isinstance(one, URLPattern) and one.name != "api-root"
    ]
    return [*ours, path(PREFIX, machine(_nowhere)), path(f"{PREFIX}<path:rest>", machine(_nowhere))]


def _reads_only(one: URLPattern) -> Callable[..., Any]:
    """The document's own view of django-ninja answers every method alike."""
    view: Callable[..., Any] = require_GET(one.callback) if one.name == "openapi-json" else one.callback
    return view


def machine(view: Callable[..., Any]) -> Callable[..., Any]:
    @login_not_required
    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        said: HttpResponse = view(request, *args, **kwargs)
        if said.status_code == 405:
            allow = said.headers.get("Allow", "")
            said = Problem("method_not_allowed", f"This address takes {allow}.").answer()
            said["Allow"] = allow
        allowance = allowance_of(request)
        for name, value in (allowance.headers() if allowance else {}).items():
            said[name] = value
        said["Cache-Control"] = "no-store"
        return said

    return answer


def _nowhere(_request: HttpRequest, rest: str = "") -> HttpResponse:
    del rest
    return Problem("not_found", "There is no such address. /api/v1/openapi.json lists all.").answer()
