"""What a tester may do to an order from outside, as JSON and as buttons: /_sim/orders/…"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from labbridge.simulators.rupa import orders, results
from labbridge.simulators.rupa.errors import ApiError
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, world

routes = Blueprint("lifecycle", __name__, url_prefix="/_sim")

Action = Callable[[World, Doc, Doc], None]


def chosen(here: World, order: Doc, raw: Doc, *, default: str) -> list[Doc]:
    """Pick ordered tests by `ordered_test` (id), `index`, `all`; else the first pending or resulted one."""
    tests = orders.ordered_tests(here, order)
    if "ordered_test" in raw:
        tests = [test for test in tests if test["id"] == raw["ordered_test"]]
    elif "index" in raw:
        tests = tests[int(raw["index"]) :][:1]
    else:
        tests = [test for test in tests if bool(test["versions"]) == (default == "resulted")]
        tests = tests if raw.get("all") else tests[:1]
    if not tests:
        raise orders.conflict(f"This order has no such test, or none that is {default}.")
    return tests


def _result(here: World, order: Doc, raw: Doc) -> None:
    results.arrive(
        here,
        order,
        tests=chosen(here, order, raw, default="pending"),
        files=raw.get("files"),
        late=bool(raw.get("late")),
        at=raw.get("at"),
    )


def _amend(here: World, order: Doc, raw: Doc) -> None:
    for test in chosen(here, order, raw, default="resulted"):
        results.amend(
            here,
            order,
            test,
            files=raw.get("files"),
            keep_received_date=bool(raw.get("keep_received_date")),
            at=raw.get("at"),
        )


def _late_file(here: World, order: Doc, raw: Doc) -> None:
    for test in chosen(here, order, raw, default="pending"):
        results.late_file(here, order, test, files=raw.get("files"), silent=bool(raw.get("silent")))


ACTIONS: dict[str, Action] = {
    "submit": lambda here, order, raw: orders.submit(here, order, raw.get("at")),
    "pay": lambda here, order, raw: orders.pay(here, order, raw.get("at")),
    "ship": lambda here, order, raw: orders.ship(here, order, **_status(raw)),
    "receive-sample": lambda here, order, raw: orders.receive_sample(here, order, **_status(raw)),
    "result": _result,
    "late-file": _late_file,
    "amend": _amend,
    "pause": lambda here, order, raw: orders.pause(here, order, **_status(raw)),
    "cancel": lambda here, order, raw: orders.cancel(here, order, raw.get("at"), **_status(raw)),
    "complete": lambda here, order, raw: orders.complete(here, order, raw.get("at"), **_status(raw)),
    "status": lambda here, order, raw: orders.set_status(here, order, str(raw["status"])),
    "notes": lambda here, order, raw: orders.annotate(here, order, raw.get("notes_to_patient")),
}


def _status(raw: Doc) -> dict[str, Any]:
    return {"status": str(raw["status"])} if raw.get("status") else {}


@routes.post("/orders")
def make_order() -> tuple[Response, int]:
    """An order made elsewhere: patient, lab_tests; practitioner, payer, is_demo, submitted, metadata, at."""
    here = world()
    raw = request.get_json()
    try:
        with here.store.transaction():
            order = orders.make(here, raw)
    except KeyError as error:
        return jsonify({"error": str(error.args[0])}), 400
    except ApiError as error:
        return jsonify({"error": error.detail}), error.status
    return jsonify(told(here, order)), 201


@routes.post("/orders/<order_id>/<action>")
def advance(order_id: str, action: str) -> tuple[Response, int] | AnyResponse:
    """Do one action to one order; a form (the buttons of the page) is led back to the page."""
    here = world()
    from_page = request.mimetype == "application/x-www-form-urlencoded"
    raw = request.form.to_dict() if from_page else (request.get_json(silent=True) or {})
    try:
        with here.store.transaction():
            order = here.store.need("order", order_id)
            ACTIONS[action](here, order, raw)
    except KeyError as error:
        return jsonify({"error": str(error.args[0])}), 404
    except ApiError as error:
        if not from_page:
            return jsonify({"error": error.detail}), error.status
        return redirect(url_for("console.home", problem=error.detail))
    if from_page:
        return redirect(url_for("console.home", _anchor=order_id), 303)
    return jsonify(told(here, order)), 200


def told(here: World, order: Doc) -> Doc:
    """An order as the controls tell it: all stored fields, its tests, all versions of their results."""
    return {**order, "tests": orders.ordered_tests(here, order)}
