"""Protocols: bundles of tests that the practice keeps in its own Caspio tables; we only read them."""

from __future__ import annotations

from labbridge.ordering.choice import CannotOrder
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import NotFound
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice


def protocol_tests(practice: Practice, client: Caspio, protocol_id: str) -> list[str]:
    """Test ids of one protocol, in its own order.

    Raises:
        CannotOrder: there is no such protocol or it is empty.
        PeerError: Caspio is away.

    """
    table = client.table(config_of(practice).caspio.tables.lab_protocol_tests)
    try:
        rows = table.all(select=["Rupa_Lab_Test_ID", "Sort"], where=q.field("Protocol_ID") == protocol_id)
    except NotFound:
        rows = []
    ordered = sorted(rows, key=lambda row: (row.get("Sort") is None, row.get("Sort") or 0, row["PK_ID"]))
    tests = [str(row["Rupa_Lab_Test_ID"]) for row in ordered if row.get("Rupa_Lab_Test_ID")]
    if not tests:
        raise CannotOrder(f"The protocol {protocol_id} has no tests. Choose another, or name tests.")
    return tests
