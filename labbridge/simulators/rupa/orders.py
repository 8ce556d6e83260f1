"""The life of an order: draft, submitted, paid, shipped, resulted, done; and the ways it leaves that path.

Literals other than `Pending Payment`, `In Progress` and `Results Received` are ASSUMED (rupa-api.md 6).
"""

from typing import Any

from labbridge.simulators.rupa import catalogue
from labbridge.simulators.rupa.errors import ApiError
from labbridge.simulators.rupa.events import order_updated
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, new_id

DRAFT = "Draft"
PENDING_PAYMENT = "Pending Payment"  # documented
IN_PROGRESS = "In Progress"  # documented
RESULTS_RECEIVED = "Results Received"  # seen by an integrator
PAYERS = ("patient", "practitioner")  # the second literal is ASSUMED (rupa-api.md 5.13)
PHYSICIAN_SERVICES_CENTS = 2500


def conflict(sentence: str) -> ApiError:
    return ApiError(409, "conflict", sentence)


def open_intent(world: World, intent: Doc) -> Doc:
    """Return the order of an intent, made as a draft at the first visit (rupa-api.md 6)."""
    if intent["order"]:
        return world.store.need("order", intent["order"])
    patient = world.store.need("patient", intent["patient"])
    order = _new(world, patient, intent["practitioner"], intent["lab_tests"], intent)
    intent["order"] = order["id"]
    world.store.save("order_intent", intent)
    order_updated(world, order)
    return order


def make(world: World, raw: Doc) -> Doc:
    """Make an order that has no intent, as one made in Rupa itself; see `POST /_sim/orders`."""
    patient = world.store.need("patient", raw["patient"])
    practitioner = raw.get("practitioner") or patient["practitioner"]
    order = _new(world, patient, practitioner, raw["lab_tests"], None)
    order["is_demo"] = bool(raw.get("is_demo", False))
    order["payer"] = raw.get("payer", "patient")
    order["metadata"] = raw.get("metadata")
    world.store.save("order", order)
    order_updated(world, order)
    if raw.get("submitted", True):
        submit(world, order, at=raw.get("at"))
    return order


def _new(world: World, patient: Doc, practitioner: str, tests: list[str], intent: Doc | None) -> Doc:
    order: Doc = {
        "id": new_id("order"),
        "clinic": patient["clinic"],
        "patient": patient["id"],
        "patients_practitioner": patient["practitioner"],
        "signing_practitioner": practitioner,
        "order_intent": intent["id"] if intent else None,
        "metadata": intent["metadata"] if intent else None,
        "status": DRAFT,
        "payer": "patient",
        "notes_to_patient": None,
        "is_demo": False,
        "ordered_tests": [],
        "line_items": [],
        "total_cents": 0,
        **dict.fromkeys(_DATES),
    }
    world.store.add("order", order, clinic=order["clinic"])
    for test in tests:
        _put_test(world, order, test)
    _price(world, order)
    return order


_DATES = ("date_submitted", "date_paid", "date_patient_checkout", "date_completed", "date_canceled")


# --- the cart -------------------------------------------------------------------------------------------
def add_test(world: World, order: Doc, lab_test: str) -> None:
    _must_be_draft(order)
    found = world.store.one("lab_test", lab_test)
    if found is None or found["disabled"] or found["unavailable_reason"]:
        raise conflict("This test cannot be ordered.")
    _put_test(world, order, lab_test)
    _price(world, order)
    order_updated(world, order)


def remove_test(world: World, order: Doc, ordered_test: str) -> None:
    _must_be_draft(order)
    if ordered_test not in order["ordered_tests"]:
        raise conflict("This order has no such test.")
    order["ordered_tests"].remove(ordered_test)
    world.store.remove("ordered_test", ordered_test)
    _price(world, order)
    order_updated(world, order)


def replace_tests(world: World, order: Doc, tests: list[str]) -> None:
    _must_be_draft(order)
    for ordered_test in order["ordered_tests"]:
        world.store.remove("ordered_test", ordered_test)
    order["ordered_tests"] = []
    for test in tests:
        _put_test(world, order, test)
    _price(world, order)
    order_updated(world, order)


def choose_payer(world: World, order: Doc, payer: str) -> None:
    _must_be_draft(order)
    if payer not in PAYERS:
        raise conflict("The payer is the patient or the practitioner.")
    _change(world, order, payer=payer)


def problems_before_submit(world: World, order: Doc) -> list[str]:
    """Say in sentences why the order cannot be submitted yet."""
    tests = [catalogue.find(world.store, test["lab_test"]) for test in ordered_tests(world, order)]
    present = {test["id"] for test in tests}
    found = [] if tests else ["Add at least one test."]
    for test in tests:
        if test["is_addon"] and test["parent"] not in present:
            found.append(f"{test['name']} is an add-on: add its parent test too.")
        if test["disabled"] or test["unavailable_reason"]:
            found.append(f"{test['name']} cannot be ordered now.")
    return found


def _put_test(world: World, order: Doc, lab_test: str) -> None:
    doc: Doc = {
        "id": new_id("ordered_test"),
        "order": order["id"],
        "clinic": order["clinic"],
        "lab_test": lab_test,
        "received_at": None,
        "hl7": None,
        "pdf": None,
        "versions": [],
    }
    world.store.add("ordered_test", doc, clinic=order["clinic"])
    order["ordered_tests"].append(doc["id"])


def _price(world: World, order: Doc) -> None:
    """Write line items and the total anew."""
    for line in order["line_items"]:
        world.store.remove("line_item", line)
    lines = []
    for test in ordered_tests(world, order):
        lab_test = catalogue.find(world.store, test["lab_test"])
        lines.append(("test", lab_test["name"], lab_test["price_cents"]))
    if world.options.physician_services_fee and lines:
        lines.append(("physician_services", "Physician Services", PHYSICIAN_SERVICES_CENTS * len(lines)))
    order["line_items"] = []
    for kind, description, cents in lines:
        line = {"id": new_id("line_item"), "clinic": order["clinic"], "kind": kind, "cents": cents}
        world.store.add(
            "line_item", {**line, "description": description, "quantity": 1}, clinic=order["clinic"]
        )
        order["line_items"].append(line["id"])
    order["total_cents"] = sum(cents for _, _, cents in lines)
    world.store.save("order", order)


# --- after the cart -------------------------------------------------------------------------------------
def submit(world: World, order: Doc, at: str | None = None) -> None:
    _must_be_draft(order)
    if problems := problems_before_submit(world, order):
        raise conflict(" ".join(problems))
    moment = at or world.now()
    if order["payer"] == "practitioner":  # ASSUMED: the practice's card is charged at once
        _change(world, order, date_submitted=moment, date_paid=moment, status=IN_PROGRESS)
    else:
        _change(world, order, date_submitted=moment, status=PENDING_PAYMENT)


def pay(world: World, order: Doc, at: str | None = None) -> None:
    _must_be_live(order)
    if not order["date_submitted"] or order["date_paid"]:
        raise conflict("This order awaits no payment.")
    moment = at or world.now()
    _change(world, order, date_paid=moment, date_patient_checkout=moment, status=IN_PROGRESS)


def ship(world: World, order: Doc, status: str = "Kit Shipped") -> None:
    _must_be_paid(order)
    _change(world, order, status=status)


def receive_sample(world: World, order: Doc, status: str = "Sample Received") -> None:
    _must_be_paid(order)
    _change(world, order, status=status)


def pause(world: World, order: Doc, status: str = "Paused") -> None:
    _must_be_live(order)
    _change(world, order, status=status)


def cancel(world: World, order: Doc, at: str | None = None, status: str = "Canceled") -> None:
    _must_be_live(order)
    _change(world, order, date_canceled=at or world.now(), status=status)


def complete(world: World, order: Doc, at: str | None = None, status: str = "Completed") -> None:
    _must_be_paid(order)
    _change(world, order, date_completed=at or world.now(), status=status)


def set_status(world: World, order: Doc, status: str) -> None:
    """Put any words there, as Rupa may one day."""
    _change(world, order, status=status)


def annotate(world: World, order: Doc, notes: str | None) -> None:
    _change(world, order, notes_to_patient=notes)


def ordered_tests(world: World, order: Doc) -> list[Doc]:
    return [world.store.need("ordered_test", test) for test in order["ordered_tests"]]


def orderable(world: World, words: str, limit: int = 20) -> list[Doc]:
    """Find tests by name or lab for the checkout page; those that can be ordered first come first."""
    found = world.store.many("lab_test", search=(words, ("name", "lab_company_name")), limit=limit)
    return sorted(found, key=lambda test: test["disabled"] or bool(test["unavailable_reason"]))


def change_lab_test(world: World, lab_test: Doc, raw: Doc) -> None:
    """Change a catalogue entry by the names of `POST /_sim/lab-tests/{id}`."""
    reasons = raw.get("disabled_reason"), raw.get("unavailable_reason")
    if {"disabled_reason", "unavailable_reason"} & raw.keys():
        lab_test.update(catalogue.availability(*reasons))
    lab_test.update({name: value for name, value in raw.items() if name in lab_test and name != "id"})
    world.store.save("lab_test", lab_test)


def _change(world: World, order: Doc, **values: Any) -> None:
    order.update(values)
    world.store.save("order", order)
    order_updated(world, order)


def _must_be_draft(order: Doc) -> None:
    if order["date_submitted"] or order["date_canceled"]:
        raise conflict("This order was submitted and cannot be edited.")


def _must_be_live(order: Doc) -> None:
    if order["date_canceled"] or order["date_completed"]:
        raise conflict("This order has ended.")


def _must_be_paid(order: Doc) -> None:
    _must_be_live(order)
    if not order["date_paid"]:
        raise conflict("This order is not paid.")
