"""Events: the state of an object at the time of its change, kept with the deliveries still owed.

Shape: rupa-api.md 7 (`included` inside `data`); `id` and `type` at the top are inferred there.
"""

import json

from labbridge.simulators.rupa.resources import resource_object
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, new_id

NOT_SENT = "not_sent"  # no address is set, or nobody of the clinic is connected


def emit(world: World, event_type: str, kind: str, doc: Doc) -> str:
    """Record one event and queue its deliveries; return its id. Call it inside of a transaction."""
    event = {
        "created_at": world.now(),
        "data": _body(world, kind, doc),
        "id": new_id("event"),
        "type": event_type,
    }
    if kind == "order" and world.options.metadata_place == "top":
        event["metadata"] = doc["metadata"]
    world.store.run(
        "INSERT INTO events (id, type, object_id, clinic, created_at, body) VALUES (?, ?, ?, ?, ?, ?)",
        *(event["id"], event_type, doc["id"], doc.get("clinic"), event["created_at"], json.dumps(event)),
    )
    if _is_wanted(world, doc.get("clinic")):
        for _ in range(_copies(world, doc.get("clinic"))):
            for delay in world.delivery_plan(event_type):
                queue(world, str(event["id"]), delay)
    return str(event["id"])


def queue(world: World, event_id: str, delay: float = 0.0, signature: str | None = None) -> None:
    """Owe one delivery, `delay` seconds from now; `signature` overrules the option of that name."""
    due = world.seconds + delay
    world.store.run(
        "INSERT INTO deliveries (event, state, due, first_due, signature) VALUES (?, 'pending', ?, ?, ?)",
        *(event_id, due, due, signature),
    )
    world.wake.set()


def order_updated(world: World, order: Doc) -> None:
    emit(world, "order.updated", "order", order)


def _body(world: World, kind: str, doc: Doc) -> Doc:
    data: Doc = {"object": resource_object(world, kind, doc), "included": []}
    if kind == "lab_test":
        company = world.store.need("lab_company", doc["lab_company"])
        data["included"] = [resource_object(world, "lab_company", company)]
    if kind == "order":
        tests = [world.store.need("ordered_test", test) for test in doc["ordered_tests"]]
        data["included"] = [resource_object(world, "ordered_test", test) for test in tests]
        if world.options.metadata_place == "data":
            data["metadata"] = doc["metadata"]
        if world.options.metadata_place == "included" and doc["order_intent"]:
            intent = world.store.need("order_intent", doc["order_intent"])
            data["included"].append(resource_object(world, "order_intent", intent))
    return data


def _is_wanted(world: World, clinic: str | None) -> bool:
    if not world.options.webhook_url:
        return False
    if clinic is None or not world.options.only_connected_clinics:
        return True
    # Events arrive for orders of the connected practitioner or any other of the clinic (rupa-api.md 3).
    return world.store.count("connection", clinic=clinic) > 0


def _copies(world: World, clinic: str | None) -> int:
    if clinic is None or not world.options.deliver_per_connection:
        return 1
    return max(1, world.store.count("connection", clinic=clinic))


def listed(world: World) -> list[Doc]:
    """All events, oldest first, each with its deliveries and `pending | delivered | failed | not_sent`."""
    rows = world.store.run("SELECT id, type, object_id, created_at FROM events ORDER BY seq")
    owed: dict[str, list[Doc]] = {}
    for row in world.store.run("SELECT * FROM deliveries ORDER BY id"):
        owed.setdefault(row["event"], []).append(
            {
                "id": row["id"],
                "status": row["state"],
                "attempts": row["attempts"],
                "last_status": row["last_status"],
                "due": row["due"],
                "signature": row["signature"],
                "log": json.loads(row["log"]),
            }
        )
    return [
        {**dict(row), "status": _status(owed.get(row["id"], [])), "deliveries": owed.get(row["id"], [])}
        for row in rows
    ]


def _status(deliveries: list[Doc]) -> str:
    if not deliveries:
        return NOT_SENT
    states = {delivery["status"] for delivery in deliveries}
    if states & {"pending", "sending"}:
        return "pending"
    return "delivered" if "delivered" in states else "failed"
