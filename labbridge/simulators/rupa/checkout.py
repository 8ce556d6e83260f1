"""The labs web app: the practitioner's checkout of an intent, and the patient's payment page."""

from typing import NoReturn

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from labbridge.simulators.rupa import catalogue, orders
from labbridge.simulators.rupa.errors import ApiError
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, world

routes = Blueprint("checkout", __name__)


@routes.get("/checkout/<intent_id>")
def open_checkout(intent_id: str) -> Response:
    """Visiting the address makes the order and leads to it (rupa-api.md 6)."""
    here = world()
    with here.store.transaction():
        intent = here.store.one("order_intent", intent_id)
        if intent is None:
            _gone(404, "This checkout does not exist.")
        lifetime = here.options.intent_lifetime
        if lifetime is not None and not intent["order"] and intent["made_at"] + lifetime < here.seconds:
            _gone(410, "This checkout has expired.")
        order = orders.open_intent(here, intent)
    return redirect(url_for("checkout.edit", order_id=order["id"]), 303)


@routes.get("/app/orders/<order_id>")
def edit(order_id: str) -> str:
    here = world()
    order = _order(here, order_id)
    words = request.args.get("q", "").strip()
    found = orders.orderable(here, words) if words else []
    return render_template("checkout.html", words=words, found=found, **_page(here, order))


@routes.post("/app/orders/<order_id>/<action>")
def act(order_id: str, action: str) -> tuple[str, int] | Response:
    """Add or remove a test, choose the payer, submit."""
    here = world()
    try:
        with here.store.transaction():
            _do(here, _order(here, order_id), action)
    except ApiError as error:
        page = _page(here, _order(here, order_id))
        return render_template(
            "checkout.html", words="", found=[], problem=error.detail, **page
        ), error.status
    return redirect(url_for("checkout.edit", order_id=order_id), 303)


def _do(here: World, order: Doc, action: str) -> None:
    match action:
        case "add":
            orders.add_test(here, order, request.form.get("lab_test", ""))
        case "remove":
            orders.remove_test(here, order, request.form.get("ordered_test", ""))
        case "payer":
            orders.choose_payer(here, order, request.form.get("payer", ""))
        case "notes":
            orders.annotate(here, order, request.form.get("notes_to_patient") or None)
        case "submit":
            orders.submit(here, order)
        case "cancel":
            orders.cancel(here, order)
        case _:
            _gone(404, "There is no such action.")


@routes.get("/pay/<order_id>")
def payment_page(order_id: str) -> str:
    here = world()
    return render_template("pay.html", **_page(here, _order(here, order_id)))


@routes.post("/pay/<order_id>")
def pay(order_id: str) -> tuple[str, int] | Response:
    here = world()
    try:
        with here.store.transaction():
            orders.pay(here, _order(here, order_id))
    except ApiError as error:
        return render_template(
            "pay.html", problem=error.detail, **_page(here, _order(here, order_id))
        ), error.status
    return redirect(url_for("checkout.payment_page", order_id=order_id), 303)


def _order(here: World, order_id: str) -> Doc:
    order = here.store.one("order", order_id)
    if order is None:
        _gone(404, "This order does not exist.")
    return order


def _gone(status: int, sentence: str) -> NoReturn:
    abort(status, sentence)


def _page(here: World, order: Doc) -> Doc:
    tests = [
        (test, catalogue.find(here.store, test["lab_test"])) for test in orders.ordered_tests(here, order)
    ]
    intent = here.store.one("order_intent", order["order_intent"])
    return {
        "order": order,
        "patient": here.store.need("patient", order["patient"]),
        "practitioner": here.store.need("practitioner", order["signing_practitioner"]),
        "tests": tests,
        "lines": [here.store.need("line_item", line) for line in order["line_items"]],
        "payers": orders.PAYERS,
        "blockers": orders.problems_before_submit(here, order),
        "return_url": intent["return_url"] if intent else None,
    }
