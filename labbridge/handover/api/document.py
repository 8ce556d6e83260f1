"""The OpenAPI document: what django-ninja leaves out of it, so that a checker can hold every answer against it."""

from __future__ import annotations

from typing import Any

from ninja.openapi.schema import OpenAPISchema

from labbridge.handover.api.problems import CODES, MEDIA_TYPE, ProblemBody

Operation = dict[str, Any]  # any: JSON

_INTEGER = {"schema": {"type": "integer"}}
_ALLOWANCE = {
    "RateLimit-Limit": {"description": "Calls a minute of this key.", **_INTEGER},
    "RateLimit-Remaining": {"description": "Calls that are left now.", **_INTEGER},
    "RateLimit-Reset": {"description": "Seconds until all are free again.", **_INTEGER},
}
_ETAG = {"ETag": {"description": "Send it as If-None-Match.", "schema": {"type": "string"}}}
_RETRY = {"Retry-After": {"description": "Seconds.", **_INTEGER}}


#: Where an answer leads: of a call, to which calls, with which of their parameters from where in the answer.
LINKS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "list_ledger": (("get_ledger_row", {"seq": "/items/0/seq"}),),
    "list_alerts": (("get_alert", {"alert_id": "/items/0/id"}),),
    "list_lab_tests": (("get_lab_test", {"lab_test_id": "/items/0/id"}),),
    "list_patients": (("get_patient", {"patient_id": "/items/0/id"}),),
    "look_up_patient": (("get_patient", {"patient_id": "/id"}), ("list_orders", {"patient_id": "/id"})),
    "get_patient": (("sync_patient", {"patient_id": "/id"}), ("list_orders", {"patient_id": "/id"})),
    "list_orders": (
        ("get_order", {"order_id": "/items/0/id"}),
        ("list_ordered_tests", {"order_id": "/items/0/id"}),
    ),
    "get_order": (("list_ordered_tests", {"order_id": "/id"}), ("list_results", {"order_id": "/id"})),
    "list_ordered_tests": (("get_ordered_test", {"ordered_test_id": "/items/0/id"}),),
    "get_ordered_test": (("list_results", {"ordered_test_id": "/id"}),),
    "list_results": (("get_result", {"result_id": "/items/0/id"}),),
    "get_result": (("list_result_values", {"result_id": "/id"}), ("make_file_address", {"result_id": "/id"})),
    "create_order_request": (("get_order_request", {"request_id": "/id"}),),
    "list_order_requests": (("get_order_request", {"request_id": "/items/0/id"}),),
    "list_review_cases": (("get_review_case", {"case_id": "/items/0/id"}),),
    "get_review_case": (("decide_review_case", {"case_id": "/id"}),),
}


def finish(document: OpenAPISchema) -> OpenAPISchema:
    schemas = document["components"].setdefault("schemas", {})
    schema = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    schemas["Problem"] = {**schema, "title": "Problem"}
    for methods in document["paths"].values():
        for method, operation in methods.items():
            _finish(method, operation)
    return document


def _finish(method: str, operation: Operation) -> None:
    answers: dict[Any, Operation] = operation["responses"]
    _link(operation["operationId"], answers)
    guarded = bool(operation.get("security"))
    for status in list(answers):
        if int(status) < 400 and guarded:
            answers[status].setdefault("headers", {}).update(_ALLOWANCE)
    if method == "get" and guarded and "application/json" in answers.get(200, {}).get("content", {}):
        answers[200]["headers"] |= _ETAG
        answers[304] = {
            "description": "You hold the newest (If-None-Match)",
            "headers": {**_ETAG, **_ALLOWANCE},
        }
    for status in _problems(method, operation, guarded=guarded):
        titles = sorted({title for code, title in CODES.values() if code == status})
        answers[status] = {
            "description": "; ".join(titles),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": _RETRY} if status in {429, 503} else {}),
        }
    operation.pop("x-problems", None)


def _link(name: str, answers: dict[Any, Operation]) -> None:
    done = next(answer for status, answer in answers.items() if int(status) < 300)
    for target, parameters in LINKS.get(name, ()):
        done.setdefault("links", {})[target] = {
            "operationId": target,
            "parameters": {one: f"$response.body#{place}" for one, place in parameters.items()},
        }


def _problems(method: str, operation: Operation, *, guarded: bool) -> list[int]:
    """Every status with which a call of this kind can fail."""
    found = {500, *operation.get("x-problems", ())}
    if guarded:
        found |= {401, 403, 429}
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    if "path" in places:
        found.add(404)
    if places or "requestBody" in operation:
        found.add(422)
    if method == "post":
        found |= {400, 413, 422}
    return sorted(found)
