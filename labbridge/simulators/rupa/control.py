"""What a tester may see and change: /_sim/… (no part of Rupa; `Faults` lets loopback in only)."""

from flask import Blueprint, Response, jsonify, request
from werkzeug.wrappers import Response as AnyResponse

from labbridge.simulators.rupa import auth, catalogue, events, oauth, orders, seed, tokens
from labbridge.simulators.rupa.auth import Caller
from labbridge.simulators.rupa.lifecycle import told
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, world

routes = Blueprint("control", __name__, url_prefix="/_sim")

SHOWN_KINDS = ("clinic", "practitioner", "patient", "lab_company", "lab_test", "order_intent", "connection")


@routes.errorhandler(KeyError)
def unknown(error: KeyError) -> tuple[Response, int]:
    return jsonify({"error": str(error.args[0]) if error.args else "missing"}), 400


@routes.errorhandler(ValueError)
def senseless(error: ValueError) -> tuple[Response, int]:
    return jsonify({"error": str(error)}), 400


# --- connecting -----------------------------------------------------------------------------------------
@routes.route("/oauth/authorize", methods=["GET", "POST"])
def accept_at_once() -> AnyResponse:
    """As the consent page, accepted at once for `practitioner` (the first one when left out)."""
    return oauth.accept(world(), request.values.get("practitioner") or seed.practitioner_id("Ada"))


@routes.post("/tokens")
def connect() -> tuple[Response, int]:
    """Connect a practitioner without a browser: the answer is that of the token endpoint."""
    here = world()
    with here.store.transaction():
        pair = tokens.grant(here, _practitioner(request.get_json(silent=True) or {}))
    return jsonify(pair), 201


@routes.post("/tokens/disconnect")
def disconnect() -> tuple[str, int]:
    """The practitioner ends the connection on Rupa's side: every token of theirs dies."""
    here = world()
    with here.store.transaction():
        tokens.disconnect(here, _practitioner(request.get_json(silent=True) or {}))
    return "", 204


@routes.post("/publishable-keys")
def make_key() -> tuple[Response, int]:
    here = world()
    raw = request.get_json(silent=True) or {}
    doctor = here.store.need("practitioner", _practitioner(raw))
    key = auth.new_publishable_key(here, Caller(doctor["id"], doctor["clinic"]), raw.get("lifetime"))
    return jsonify({"publishable_key": key["id"], "expires_at": key["expires_at"]}), 201


def _practitioner(raw: Doc) -> str:
    return str(raw.get("practitioner") or seed.practitioner_id("Ada"))


# --- the world ------------------------------------------------------------------------------------------
@routes.get("/state")
def state() -> Response:
    here = world()
    shown: Doc = {f"{kind}s".replace("ys", "ies"): here.store.many(kind) for kind in SHOWN_KINDS}
    shown["orders"] = [told(here, order) for order in here.store.many("order")]
    return jsonify({**shown, "now": here.now(), "options": here.options.as_json()})


@routes.post("/reset")
def reset() -> tuple[str, int]:
    """Forget everything but the options; seed anew. Tokens die too."""
    here = world()
    with here.store.transaction():
        here.store.clear()
        here.store.set_setting("clock_offset", 0)
        seed.fill(here)
    if here.faults:
        here.faults.clear()
        here.faults.clear_requests()
    return "", 204


@routes.route("/options", methods=["GET", "POST"])
def options() -> Response:
    here = world()
    if request.method == "POST":
        here.change_options(request.get_json())
    return jsonify(here.options.as_json())


@routes.post("/clock")
def clock() -> Response:
    """Put the simulator's clock forward by `advance` seconds."""
    here = world()
    with here.store.transaction():
        offset = float(here.store.setting("clock_offset") or 0) + float(request.get_json()["advance"])
        here.store.set_setting("clock_offset", offset)
    here.wake.set()
    return jsonify({"now": here.now(), "offset": offset})


@routes.post("/patients")
def add_patients() -> tuple[Response, int]:
    """Add one patient or a list, with given demographics, past every rule about e-mails."""
    raw = request.get_json()
    made = seed.seed(world(), raw if isinstance(raw, list) else [raw])
    return jsonify(made if isinstance(raw, list) else made[0]), 201


# --- the catalogue --------------------------------------------------------------------------------------
@routes.post("/lab-tests")
def make_lab_test() -> tuple[Response, int]:
    here = world()
    with here.store.transaction():
        seconds = f"{here.real_time()}"
        test = here.store.add("lab_test", catalogue.new_test(here.store, request.get_json(), seconds))
        events.emit(here, "labtest.created", "lab_test", test)
    return jsonify(test), 201


@routes.post("/lab-tests/<test_id>")
def change_lab_test(test_id: str) -> Response:
    here = world()
    with here.store.transaction():
        test = here.store.need("lab_test", test_id)
        orders.change_lab_test(here, test, request.get_json())
        events.emit(here, "labtest.updated", "lab_test", test)
    return jsonify(test)


@routes.delete("/lab-tests/<test_id>")
def remove_lab_test(test_id: str) -> tuple[str, int]:
    """Take a test out of the catalogue; no event tells, and orders keep pointing to it."""
    here = world()
    with here.store.transaction():
        catalogue.retire(here.store, test_id)
    return "", 204


# --- events ---------------------------------------------------------------------------------------------
@routes.get("/events")
def list_events() -> Response:
    return jsonify(events.listed(world()))


@routes.get("/events/<event_id>")
def show_event(event_id: str) -> Response:
    """The raw body, as it is delivered."""
    return Response(_event(world(), event_id)["body"], mimetype="application/json")


@routes.post("/events/redeliver")
def redeliver() -> tuple[Response, int]:
    """Deliver again: `event` (id), or `type`, or `all`; `times`, `reverse`, `signature`, `delay`."""
    here = world()
    raw = request.get_json(silent=True) or {}
    with here.store.transaction():
        found = _chosen_events(here, raw)
        for event in reversed(found) if raw.get("reverse") else found:
            for _ in range(int(raw.get("times", 1))):
                events.queue(here, event["id"], float(raw.get("delay", 0)), raw.get("signature"))
    return jsonify({"events": [event["id"] for event in found]}), 202


def _chosen_events(here: World, raw: Doc) -> list[Doc]:
    if "event" in raw:
        return [_event(here, raw["event"])]
    if not raw.get("all") and "type" not in raw:
        raise ValueError("say which: event, type or all")
    rows = [dict(row) for row in here.store.run("SELECT * FROM events ORDER BY seq")]
    return [row for row in rows if raw.get("all") or row["type"] == raw["type"]]


def _event(here: World, event_id: str) -> Doc:
    rows = here.store.run("SELECT * FROM events WHERE id = ?", event_id)
    if not rows:
        raise KeyError(f"no event {event_id}")
    return dict(rows[0])


@routes.post("/trigger/<event_type>")
def trigger(event_type: str) -> tuple[Response, int]:
    """Send a sample event of any type about `order` or `lab_test`, or about the newest; nothing changes."""
    here = world()
    raw = request.get_json(silent=True) or {}
    with here.store.transaction():
        if event_type.startswith("labtest."):
            kind, doc = "lab_test", _newest(here, "lab_test", raw.get("lab_test"))
        else:
            kind, doc = "order", _newest(here, "order", raw.get("order"))
        event_id = events.emit(here, event_type, kind, doc or _sample_order(here))
    return jsonify({"event": event_id}), 202


def _newest(here: World, kind: str, wanted: str | None) -> Doc | None:
    if wanted:
        return here.store.need(kind, wanted)
    found = here.store.many(kind, order="seq DESC", limit=1)
    return found[0] if found else None


def _sample_order(here: World) -> Doc:
    patient = here.store.many("patient", limit=1)[0]
    tests = [t["id"] for t in here.store.many("lab_test", limit=50) if not (t["disabled"] or t["is_addon"])]
    return orders.make(here, {"patient": patient["id"], "lab_tests": tests[:2], "submitted": False})
