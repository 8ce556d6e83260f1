"""Order intents, "similar to carts", in both wire formats on one path (rupa-api.md 2.2 and 5.6)."""

import json
from typing import Any

from flask import Blueprint, Response, request

from labbridge.simulators.rupa import auth, errors, jsonapi, orders, patients, reading
from labbridge.simulators.rupa.auth import Caller
from labbridge.simulators.rupa.errors import Problems
from labbridge.simulators.rupa.files import own_address
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, new_id, world

routes = Blueprint("intents", __name__)


@routes.post("/order-intents")
def create() -> Response:
    here = world()
    who = auth.caller(here, publishable=True)
    raw = reading.body("order_intent")
    with here.store.transaction():
        problems: Problems = {}
        reading.web_address(raw.get("return_url"), problems, "return_url")
        tests = _tests(here, raw.get("lab_tests") or [], problems)
        _check_metadata(raw, problems)
        patient = _patient(here, who, raw, problems)
        reading.check(problems)
        intent = new_intent(here, who, patient or _new_patient(here, who, raw), raw, tests)
    return _shown(here, intent, 201)


def new_intent(here: World, who: Caller, patient: Doc, raw: Doc, tests: list[str]) -> Doc:
    """Keep a new intent; call it inside of a transaction."""
    intent_id = new_id("order_intent")
    app = here.options.app_url.rstrip("/") or own_address()
    intent: Doc = {
        "id": intent_id,
        "clinic": who.clinic,
        "practitioner": who.practitioner,
        "patient": patient["id"],
        "lab_tests": tests,
        "line_items": [],
        "return_url": raw["return_url"],
        "metadata": raw.get("metadata"),
        "icd10_codes": raw.get("icd10_codes") or [],
        "checkout_url": f"{app}/checkout/{intent_id}",
        "order": None,
        "made_at": here.seconds,
    }
    return here.store.add("order_intent", intent, clinic=who.clinic)


@routes.get("/order-intents")
def listed() -> Response:
    here = world()
    return jsonapi.collection(here, "order_intent", auth.caller(here).clinic)


@routes.get("/order-intents/<intent_id>")
def one(intent_id: str) -> Response:
    here = world()
    return _shown(here, _own(here, auth.caller(here, publishable=True), intent_id))


@routes.patch("/order-intents/<intent_id>")
def change(intent_id: str) -> Response:
    """ASSUMED verb; an update before the order is submitted exists (rupa-api.md 5.6)."""
    here = world()
    who = auth.caller(here, publishable=True)
    with here.store.transaction():
        intent = _own(here, who, intent_id)
        raw = reading.body("order_intent", intent_id)
        problems: Problems = {}
        if "return_url" in raw:
            reading.web_address(raw["return_url"], problems, "return_url")
        if "lab_tests" in raw:
            raw["lab_tests"] = _tests(here, raw["lab_tests"], problems)
        _check_metadata(raw, problems)
        reading.check(problems)
        _apply(here, intent, raw)
    return _shown(here, intent)


def _apply(here: World, intent: Doc, raw: Doc) -> None:
    kept: Doc = {
        name: raw[name] for name in ("return_url", "metadata", "icd10_codes", "lab_tests") if name in raw
    }
    intent.update(kept)
    if intent["order"]:
        order = here.store.need("order", intent["order"])
        if order["date_submitted"]:
            raise orders.conflict("The order of this intent was submitted.")
        order["metadata"] = intent["metadata"]
        orders.replace_tests(here, order, intent["lab_tests"])
    here.store.save("order_intent", intent)


def _own(here: World, who: Caller, intent_id: str) -> Doc:
    intent = here.store.one("order_intent", intent_id)
    if intent is None or intent["clinic"] != who.clinic:
        raise errors.not_found()
    return intent


def _tests(here: World, raw: Any, problems: Problems) -> list[str]:
    if not isinstance(raw, list):
        problems["lab_tests",] = "Expected a list of items."
        return []
    for test in raw:
        found = here.store.one("lab_test", test) if isinstance(test, str) else None
        if found is None:
            problems["lab_tests",] = f'Invalid pk "{test}" - object does not exist.'
        elif found["disabled"]:  # ASSUMED
            problems["lab_tests",] = f'Lab test "{test}" is disabled.'
    return list(raw)


def _check_metadata(raw: Doc, problems: Problems) -> None:
    if not isinstance(raw.get("metadata") or {}, dict):
        problems["metadata",] = "Value must be a JSON object."


def _patient(here: World, who: Caller, raw: Doc, problems: Problems) -> Doc | None:
    """Find the patient by id, or by the e-mail of patient_data; None when a new one is to be made."""
    if raw.get("patient") is not None:
        patient = here.store.one("patient", raw["patient"]) if isinstance(raw["patient"], str) else None
        if patient is None or patient["clinic"] != who.clinic:
            problems["patient",] = f'Invalid pk "{raw["patient"]}" - object does not exist.'
        return patient
    if raw.get("patient_data") is None:
        problems["patient_data",] = "One of patient or patient_data is required."
        return None
    fields = reading.patient(raw["patient_data"], problems, ("patient_data",))
    return patients.with_email(here, who.clinic, fields["email"]) if not problems else None


def _new_patient(here: World, who: Caller, raw: Doc) -> Doc:
    return patients.make(here, who, reading.patient(raw["patient_data"], {}))


def _shown(here: World, intent: Doc, status: int = 200) -> Response:
    if not errors.wants_flat():
        return jsonapi.document(here, "order_intent", intent, status)
    shown = {"id": intent["id"], "redirect_url": intent["checkout_url"]}
    if request.method != "POST":
        names = ("return_url", "patient", "lab_tests", "metadata", "order")
        shown |= {name: intent[name] for name in names}
    return Response(json.dumps(shown), status, mimetype="application/json")
