"""The tester's home page: all orders with buttons for their life, and the newest events."""

from flask import Blueprint, render_template, request

from labbridge.simulators.rupa import catalogue, events, orders
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, world

routes = Blueprint("console", __name__)

SHOWN_ORDERS = 50
SHOWN_EVENTS = 30


@routes.get("/")
def home() -> str:
    here = world()
    shown = [_row(here, order) for order in here.store.many("order", order="seq DESC", limit=SHOWN_ORDERS)]
    newest = events.listed(here)[: -SHOWN_EVENTS - 1 : -1]
    intents = here.store.many("order_intent", order="seq DESC", limit=SHOWN_ORDERS)
    waiting = [intent for intent in intents if not intent["order"]]
    problem = request.args.get("problem")
    return render_template("home.html", rows=shown, events=newest, waiting=waiting, problem=problem)


def _row(here: World, order: Doc) -> Doc:
    tests = orders.ordered_tests(here, order)
    return {
        "order": order,
        "patient": here.store.need("patient", order["patient"]),
        "tests": [(test, catalogue.find(here.store, test["lab_test"])["name"]) for test in tests],
        "actions": _possible(order, tests),
    }


def _possible(order: Doc, tests: list[Doc]) -> list[tuple[str, str]]:
    """Buttons that make sense now: (action, label)."""
    resulted = any(test["versions"] for test in tests)
    awaited = any(not test["versions"] for test in tests)
    if order["date_canceled"]:
        return []
    if not order["date_submitted"]:
        return [("submit", "Submit"), ("cancel", "Cancel")]
    if not order["date_paid"]:
        return [("pay", "Pay"), ("pause", "Pause"), ("cancel", "Cancel")]
    ended = bool(order["date_completed"])
    found = [] if ended else [("ship", "Ship kit"), ("receive-sample", "Sample arrives")]
    if awaited:
        found += [("result", "Next result"), ("late-file", "Late file")]
    if resulted:
        found.append(("amend", "Amend first result"))
    return found if ended else [*found, ("complete", "Complete"), ("cancel", "Cancel")]


def figures(here: World) -> dict[str, object]:
    """Counts for the page at /_sim/."""
    counted = ("clinic", "practitioner", "patient", "lab_company", "lab_test", "order_intent", "order")
    shown: dict[str, object] = {f"{kind}s".replace("ys", "ies"): here.store.count(kind) for kind in counted}
    for row in here.store.run("SELECT state, count(*) AS n FROM deliveries GROUP BY state"):
        shown[f"deliveries {row['state']}"] = row["n"]
    shown["webhook address"] = here.options.webhook_url or "none: nothing is sent"
    shown["clock"] = here.now()
    return shown
