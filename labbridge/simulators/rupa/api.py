"""The API host: what can be read, errors, and the browser's preflight."""

import json

from flask import Blueprint, Response, request

from labbridge.simulators.rupa import auth, errors, jsonapi
from labbridge.simulators.rupa.errors import ApiError
from labbridge.simulators.rupa.resources import RESOURCES
from labbridge.simulators.rupa.world import world

routes = Blueprint("api", __name__)

KINDS = {  # path -> type (rupa-api.md 2: kebab-case plural in paths, snake_case singular in types)
    "patients": "patient",
    "practitioners": "practitioner",
    "clinics": "clinic",
    "lab-companies": "lab_company",
    "lab-tests": "lab_test",
    "orders": "order",
}
PATHS = f"any({', '.join(repr(path) for path in KINDS)})"
ALLOWED_HEADERS = "authorization, content-type, x-rupa-user-agent"


@routes.get(f"/<{PATHS}:path>")
def collection(path: str) -> Response:
    here = world()
    return jsonapi.collection(here, KINDS[path], auth.caller(here).clinic)


@routes.get(f"/<{PATHS}:path>/<doc_id>")
def one(path: str, doc_id: str) -> Response:
    here = world()
    who = auth.caller(here)
    kind = KINDS[path]
    if kind == "practitioner" and doc_id == here.options.me_path:
        doc_id = who.practitioner
    doc = here.store.one(kind, doc_id)
    belongs = not RESOURCES[kind].of_clinic or (doc or {}).get("clinic") == who.clinic
    if doc is None or not (belongs or (kind == "clinic" and doc_id == who.clinic)):
        raise errors.not_found()
    return jsonapi.document(here, kind, doc)


@routes.post("/publishable-keys")
def mint_publishable_key() -> Response:
    """ASSUMED: that an access token mints a key for its practitioner here (rupa-api.md 5.10)."""
    here = world()
    key = auth.new_publishable_key(here, auth.caller(here))
    lifetime = int(key["expires_at"] - here.seconds + 0.5)
    shown = {"publishable_key": key["id"], "expires_in": lifetime}
    if errors.wants_flat():
        return Response(json.dumps(shown), 201, mimetype="application/json")
    body = {"data": {"type": "publishable_key", "id": key["id"][-7:], "attributes": shown}}
    return Response(json.dumps(body), 201, mimetype=errors.JSON_API)


@routes.before_app_request
def answer_preflight() -> Response | None:
    if request.method != "OPTIONS":
        return None
    return Response(
        "",
        204,
        {
            "Access-Control-Allow-Methods": "GET, POST, PATCH, OPTIONS",
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": "86400",
        },
    )


@routes.after_app_request
def allow_browsers(response: Response) -> Response:
    """rupa-js calls from the pages of any integrator, without cookies."""
    if "Origin" in request.headers:
        response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@routes.app_errorhandler(ApiError)
def refuse(error: ApiError) -> Response:
    return errors.answer(error)


@routes.app_errorhandler(405)
def refuse_method(_error: Exception) -> Response:
    detail = f'Method "{request.method}" not allowed.'
    return errors.answer(ApiError(405, "method_not_allowed", detail))
