"""A stand-in for Healthie's GraphQL API: lab orders by client, and nothing else.

Its shapes are assumed, as docs/peers.md says. `create_app(key)` gives a WSGI application; `app.hold(...)` puts a lab
order there; `app.asked` are the clients that were asked about.
"""

from typing import Any

from flask import Flask, request


class Simulator(Flask):
    def __init__(self, key: str) -> None:
        super().__init__(__name__)
        self.key = key
        self.orders: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.add_url_rule("/graphql", view_func=self.graphql, methods=["POST"])

    def hold(self, client: str, rupa_order: str, *, result: bool) -> None:
        """An order of this client which leads to that order at Rupa."""
        self.orders.setdefault(client, []).append({
            "id": str(len(self.asked) + 1000), "status": "Results Received" if result else "In Progress",
            "normalized_status": "results_ready" if result else "ordered",
            "view_rupa_order_url": f"https://labs.rupahealth.com/orders/{rupa_order}",
            "document": None, "pdf_document": {"id": "d1"} if result else None, "lab_results": [],
        })  # fmt: skip

    def graphql(self) -> Any:
        if request.headers.get("Authorization") != f"Basic {self.key}":
            return {"data": None, "errors": [{"message": "API key is not authorized"}]}
        body = request.get_json()
        if "labOrders(client_id: $client)" not in body["query"]:
            return {"errors": [{"message": "Field does not exist"}]}
        client = str(body["variables"]["client"])
        self.asked.append(client)
        return {"data": {"labOrders": self.orders.get(client, [])}}


def create_app(key: str) -> Simulator:
    return Simulator(key)
