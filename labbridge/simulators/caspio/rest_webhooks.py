"""REST v3: outgoing webhooks and their events (caspio-api.md 2.8). Lists are bare arrays, not `Result`."""

from flask import Response, jsonify

from labbridge.simulators.caspio.rest import account_of, blueprint, body_object, texts, whole

routes = blueprint("webhooks")

Answer = Response | tuple[Response | str, int]
ONE = "/outgoingWebhooks/<webhook_id>"


@routes.get("/outgoingWebhooks")
def list_webhooks() -> Answer:
    return jsonify(account_of().webhooks.listed())


@routes.post("/outgoingWebhooks")
@whole
def create_webhook() -> Answer:
    return jsonify(account_of().webhooks.create(texts(body_object()))), 201


@routes.get(ONE)
def show_webhook(webhook_id: str) -> Answer:
    return jsonify(account_of().webhooks.shown(webhook_id))


@routes.put(ONE)
@whole
def change_webhook(webhook_id: str) -> Answer:
    return jsonify(account_of().webhooks.change(webhook_id, texts(body_object())))


@routes.delete(ONE)
@whole
def delete_webhook(webhook_id: str) -> Answer:
    account_of().webhooks.remove(webhook_id)
    return "", 204


@routes.get(f"{ONE}/events")
def list_events(webhook_id: str) -> Answer:
    return jsonify(account_of().webhooks.events(webhook_id))


@routes.post(f"{ONE}/events")
@whole
def create_event(webhook_id: str) -> Answer:
    return jsonify(account_of().webhooks.create_event(webhook_id, texts(body_object()))), 201


@routes.get(f"{ONE}/events/<event_id>")
def show_event(webhook_id: str, event_id: str) -> Answer:
    return jsonify(account_of().webhooks.event(webhook_id, event_id))


@routes.put(f"{ONE}/events/<event_id>")
@whole
def change_event(webhook_id: str, event_id: str) -> Answer:
    return jsonify(account_of().webhooks.change_event(webhook_id, event_id, texts(body_object())))


@routes.delete(f"{ONE}/events/<event_id>")
@whole
def delete_event(webhook_id: str, event_id: str) -> Answer:
    account_of().webhooks.remove_event(webhook_id, event_id)
    return "", 204
