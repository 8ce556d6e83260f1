"""Which function handles which event. Adding a peer or a type is a line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labbridge.handlers.catalog import on_lab_test
from labbridge.handlers.orders import on_order, on_orders
from labbridge.handlers.patients import on_rows
from labbridge.inbox.models import Event, EventState
from labbridge.peers.errors import Unreadable
from labbridge.peers.rupa import events as rupa

Handler = Callable[[Event], None]
RupaHandler = Callable[[Event, rupa.EventEnvelope], None]


def read(handler: RupaHandler) -> Handler:
    """Parse Rupa's envelope first; what cannot be read is quarantined, never dropped."""

    def handle(event: Event) -> None:
        if (envelope := _envelope(event)) is not None:
            handler(event, envelope)

    return handle


def _envelope(event: Event) -> rupa.EventEnvelope | None:
    try:
        return rupa.EventEnvelope.parse(event.body)
    except Unreadable:
        event.settle(EventState.QUARANTINED, "The event cannot be read. Its body is kept.")
        return None


def on_unknown(event: Event, envelope: rupa.EventEnvelope) -> None:
    """An unknown type: an order inside it is as good as any; everything else is kept and left alone."""
    if envelope.order is not None:
        on_order(event, envelope)
        return
    event.settle(EventState.HANDLED, f"Nothing to do for the type {event.type}; kept as it came.")


HANDLERS: dict[tuple[str, str], Handler] = {
    ("rupa", rupa.ORDER_UPDATED): read(on_order),
    ("rupa", rupa.ORDER_NEW_RESULT): read(on_order),
    ("rupa", rupa.LAB_TEST_CREATED): read(on_lab_test),
    ("rupa", rupa.LAB_TEST_UPDATED): read(on_lab_test),
    ("caspio", "table.recordInsert"): on_rows,
    ("caspio", "table.recordUpdate"): on_rows,
    ("caspio", "table.recordDelete"): on_rows,
}
UNKNOWN: dict[str, Handler] = {"rupa": read(on_unknown), "caspio": on_rows}


def handler_for(event: Event) -> Handler:
    return HANDLERS.get((event.peer, event.type)) or UNKNOWN[event.peer]


ORDERS = {("rupa", rupa.ORDER_UPDATED), ("rupa", rupa.ORDER_NEW_RESULT)}


def handle_together(events: Sequence[Event]) -> None:
    """Handle several events, oldest first, inside a transaction: those of orders as one, the others one by one."""
    ordered = []
    for event in events:
        if (event.peer, event.type) not in ORDERS:
            handler_for(event)(event)
        elif (envelope := _envelope(event)) is not None:
            ordered.append((event, envelope))
    if ordered:
        on_orders(ordered)
