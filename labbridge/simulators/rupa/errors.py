"""Errors in both of Rupa's forms: JSON:API for server calls, the rupa-js form for application/json."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request

JSON_API = "application/vnd.api+json"
CODES = {  # rupa-api.md 9: the codes of rupa-js
    400: "RupaValidationError",
    401: "RupaNotAuthenticatedError",
    403: "RupaPermissionDeniedError",
    404: "RupaNotFoundError",
}
MESSAGES = {  # the sentences in rupa-js's own tests
    400: "Invalid request, please check the `fields` for more information.",
    401: "Not authenticated.",
    403: "Permission denied.",
}
Problems = dict[tuple[str, ...], str]


class ApiError(Exception):
    """One refusal. `problems` maps the path of a field in the flat body to a sentence."""

    def __init__(
        self, status: int, code: str, detail: str, *, pointer: str = "/data", problems: Problems | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.problems = problems or {}


def invalid(problems: Problems) -> ApiError:
    return ApiError(400, "invalid", "Invalid input.", problems=problems)


def not_found() -> ApiError:
    return ApiError(404, "not_found", "Not found.")


def wants_flat() -> bool:
    """Say whether the caller at hand speaks plain JSON, as rupa-js does (rupa-api.md 2.2)."""
    return is_flat(request.headers.get("Content-Type", ""), request.headers.get("Accept", ""))


def is_flat(content_type: str, accept: str) -> bool:
    if content_type:
        # The docs' sample puts quotes around the type (rupa-api.md 2).
        return content_type.strip("\"' ").lower().startswith("application/json")
    return "application/json" in accept and JSON_API not in accept


def answer(error: ApiError) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="api"'} if error.status == 401 else {}
    if wants_flat():
        body, media = json.dumps(flat_body(error)), "application/json"
    else:
        body, media = json.dumps(json_api_body(error)), JSON_API
    return Response(body, error.status, headers, mimetype=media)


def flat_body(error: ApiError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": CODES.get(error.status, "RupaUnknownError"), "message": error.detail}
    if error.status in MESSAGES:
        body["message"] = MESSAGES[error.status]
    if error.status == 400:
        body["fields"] = _nested(error.problems or {("non_field_errors",): error.detail})
    return body


def json_api_body(error: ApiError) -> dict[str, Any]:
    found = [(_pointer(path), detail, error.code) for path, detail in error.problems.items()]
    return {
        "errors": [
            {"detail": detail, "status": str(error.status), "source": {"pointer": pointer}, "code": code}
            for pointer, detail, code in found or [(error.pointer, error.detail, error.code)]
        ]
    }


def _pointer(path: tuple[str, ...]) -> str:
    inside = "relationships" if path[0] in ("patient", "lab_tests", "practitioner") else "attributes"
    return "/".join(("/data", inside, *path))


def _nested(problems: Problems) -> dict[str, Any]:
    """Put messages under their fields as in the library's fixture: {"patient_data": {"email": [..]}}."""
    fields: dict[str, Any] = {}
    for path, detail in problems.items():
        place = fields
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place.setdefault(path[-1], []).append(detail)
    return fields


def fault_body(environ: Mapping[str, Any], status: int, kind: str) -> tuple[list[tuple[str, str]], bytes]:
    """Shape a simulated fault as Rupa's own errors are shaped; for `Faults`."""
    error = ApiError(status, kind, {429: "Request was throttled."}.get(status, f"Simulated: {kind}."))
    if is_flat(environ.get("CONTENT_TYPE", ""), environ.get("HTTP_ACCEPT", "")):
        return [("Content-Type", "application/json")], json.dumps(flat_body(error)).encode()
    return [("Content-Type", JSON_API)], json.dumps(json_api_body(error)).encode()
