"""Patients: made directly, changed, or found again by e-mail within the clinic (rupa-api.md 5.3)."""

from flask import Blueprint, Response

from labbridge.simulators.rupa import auth, errors, jsonapi, reading
from labbridge.simulators.rupa.auth import Caller
from labbridge.simulators.rupa.errors import ApiError, Problems
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, new_id, world

routes = Blueprint("patients", __name__)

EXISTS = "A patient with this email already exists."


@routes.post("/patients")
def create() -> Response:
    """ASSUMED shape; a connector's list of actions says only that it exists."""
    here = world()
    who = auth.caller(here)
    _check_offered(here)
    problems: Problems = {}
    fields = reading.patient(reading.body("patient"), problems)
    reading.check(problems)
    with here.store.transaction():
        known = with_email(here, who.clinic, fields["email"])
        if known and here.options.duplicate_email == "reject":
            raise errors.invalid({("email",): EXISTS})
        if known and here.options.duplicate_email == "use_existing":
            return jsonapi.document(here, "patient", known, 200)
        patient = make(here, who, fields)
    return jsonapi.document(here, "patient", patient, 201)


@routes.patch("/patients/<patient_id>")
def change(patient_id: str) -> Response:
    here = world()
    who = auth.caller(here)
    _check_offered(here)
    with here.store.transaction():
        patient = here.store.one("patient", patient_id)
        if patient is None or patient["clinic"] != who.clinic:
            raise errors.not_found()
        problems: Problems = {}
        fields = reading.patient(reading.body("patient", patient_id), problems, partial=True)
        reading.check(problems)
        other = with_email(here, who.clinic, fields.get("email", ""))
        if other and other["id"] != patient_id and here.options.duplicate_email != "create":
            raise errors.invalid({("email",): EXISTS})
        patient.update(fields)
        here.store.save("patient", patient)
    return jsonapi.document(here, "patient", patient)


def with_email(here: World, clinic: str, email: str) -> Doc | None:
    """Find the clinic's patient of that e-mail, in any case (ASSUMED); the oldest when there are two."""
    found = here.store.many("patient", clinic=clinic, equal={"email": email.strip()}, limit=1)
    return found[0] if found else None


def make(here: World, who: Caller, fields: Doc) -> Doc:
    doc: Doc = {
        "id": new_id("patient"),
        "clinic": who.clinic,
        "practitioner": who.practitioner,
        "created_at": here.now(),
        **dict.fromkeys(reading.PATIENT_FIELDS),
        **fields,
    }
    return here.store.add("patient", doc, clinic=who.clinic)


def _check_offered(here: World) -> None:
    if not here.options.patient_endpoint:
        raise ApiError(405, "method_not_allowed", "Patients are made with an order intent.")
