"""Our answers on the practice's own request rows. Never adds or deletes a row."""

from __future__ import annotations

from collections.abc import Mapping

from labbridge.filing.execute import FilingProblem
from labbridge.peers.caspio import Caspio, Row
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import Forbidden, NotFound, Rejected
from labbridge.practices.config import PracticeConfig

INPUTS = ("Request_ID", "Patient_Key", "Protocol_ID", "Test_IDs", "Practitioner_Email")
ANSWERS = ("Request_Status", "Checkout_Url", "Rupa_Order_ID", "Message")


def read_row(client: Caspio, config: PracticeConfig, pk_id: int) -> Row | None:
    """The row as it stands, our answers included; None when it is gone."""
    table = client.table(config.caspio.tables.lab_order_requests)
    return table.first(where=q.field("PK_ID") == pk_id, select=[*INPUTS, *ANSWERS])


def answer_row(client: Caspio, config: PracticeConfig, row: Row, values: Mapping[str, str]) -> bool:
    """Write those answers that do not stand there yet. Returns whether a call was made.

    Raises:
        FilingProblem: Caspio refuses; the sentence says what to do.
        PeerError: Caspio is away.

    """
    changed = {name: value for name, value in values.items() if str(row.get(name) or "") != value}
    if not changed:
        return False
    table = client.table(config.caspio.tables.lab_order_requests)
    try:
        table.update(q.field("PK_ID") == row["PK_ID"], changed)
    except (NotFound, Forbidden, Rejected) as error:
        raise FilingProblem(
            f"Caspio refused our answer on the table {table.name} ({error.code or error.status}). Run "
            "`labbridge provision`, and give the API profile permission to write there."
        ) from None
    return True
