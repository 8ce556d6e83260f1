"""`/order-for/{key}`: the practice's "Order at Rupa" link, for a patient named by the practice's own key.

In the real world the practice's application calls Rupa with the patient's particulars. Here the stand-in asks the
practice's stand-in (option `practice_url`) for the row of that key, so that no address holds patient data.
"""

from typing import Any

import httpx2
from flask import Blueprint, abort, redirect, render_template
from werkzeug.wrappers import Response

from labbridge.simulators.rupa import intents, patients, reading, seed
from labbridge.simulators.rupa.auth import Caller
from labbridge.simulators.rupa.errors import Problems
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, world

routes = Blueprint("practice_link", __name__)

COLUMNS = {  # ours = the demo practice's
    "first_name": "First_Name",
    "last_name": "Last_Name",
    "email": "Email",
    "birthday": "Date_of_Birth",
    "phone_number": "Phone",
}


@routes.get("/order-for/<key>")
def begin(key: str) -> Response | tuple[str, int]:
    """Make an order intent for the patient and go on to its checkout."""
    here = world()
    row = _row(here, key)
    with here.store.transaction():
        doctor = here.store.need("practitioner", seed.practitioner_id("Ada"))
        who = Caller(doctor["id"], doctor["clinic"])
        patient, problems = _patient(here, who, row)
        if patient is None:
            return render_template("not_ready.html", problems=problems, back=_back(here, key)), 422
        intent = intents.new_intent(here, who, patient, {"return_url": _back(here, key)}, [])
    return redirect(intent["checkout_url"], 303)


def _row(here: World, key: str) -> Doc:
    if not here.options.practice_url:
        abort(404, "This simulator knows no practice: start it with the option practice_url.")
    try:
        answer = httpx2.get(f"{here.options.practice_url.rstrip('/')}/_sim/dump", timeout=10)
        answer.raise_for_status()
    except httpx2.HTTPError:
        abort(502, "The practice's own pages do not answer.")
    rows = [row for row in answer.json().get("Patients", []) if str(row.get("Patient_ID")) == key]
    if not rows:
        abort(404, f"The practice has no patient {key}.")
    return dict(rows[0])


def _patient(here: World, who: Caller, row: Doc) -> tuple[Doc | None, list[str]]:
    """Find the patient by Rupa's id or by e-mail, else make one; or sentences about what is missing."""
    known = here.store.one("patient", str(row.get("Rupa_Patient_ID") or ""))
    if known is not None and known["clinic"] == who.clinic:
        return known, []
    problems: Problems = {}
    fields = reading.patient(_particulars(row), problems)
    if problems:
        return None, [f"{name[-1].replace('_', ' ').capitalize()}: {why}" for name, why in problems.items()]
    return patients.with_email(here, who.clinic, fields["email"]) or patients.make(here, who, fields), []


def _particulars(row: Doc) -> dict[str, Any]:
    found = {ours: row.get(theirs) or None for ours, theirs in COLUMNS.items()}
    if found["birthday"]:
        found["birthday"] = str(found["birthday"])[:10]
    digits = "".join(filter(str.isdigit, str(found["phone_number"] or "")))
    found["phone_number"] = f"+1{digits}" if len(digits) == 10 else None
    return found


def _back(here: World, key: str) -> str:
    return f"{here.options.practice_url.rstrip('/')}/patients/{key}"
