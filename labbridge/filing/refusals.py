"""What Caspio's refusals mean for the practice: the table, the field, and what to do. Never data."""

from __future__ import annotations

from labbridge.filing.tables import ATTACHMENT, TableSpec
from labbridge.peers.errors import Conflict, Forbidden, NotFound, PeerError, Rejected


def refusal(table: str, spec: TableSpec, key: str, error: PeerError) -> str:
    """A sentence for people about one row, whose `table` is named as the practice names it."""
    fields = ", ".join(error.fields)
    if isinstance(error, NotFound):
        missing = (
            f"no field {fields} in the table {table}" if fields and fields != table else f"no table {table}"
        )
        return f"Caspio has {missing}. Run `labbridge provision` to create it."
    if isinstance(error, Forbidden):
        return (
            f"Caspio does not let us write to the table {table}. Give the API profile permission for it "
            "(Integrations, API Profiles)."
        )
    if isinstance(error, Conflict):
        return (
            f"Another row of the table {table} already holds a value of the row {key} that must be unique there. "
            f"Only {spec.unique} may be a unique field: look at the table's design in Caspio."
        )
    if isinstance(error, Rejected) and error.status == 413:
        return (
            f"Caspio found the file of the row {key} in the table {table} too large. Look at the limits of the "
            f"field {ATTACHMENT} in Caspio, and at the result in Rupa meanwhile."
        )
    what = error.code or f"status {error.status}"
    about = f"the field {fields}" if fields else f"the row {key}"
    return (
        f"Caspio refused {about} of the table {table} ({what}, request {error.request_id or 'without an id'}). "
        "Compare the table with `labbridge provision --dry-run`."
    )


def alike(table: str, spec: TableSpec, key: str) -> str:
    """What to do where Caspio takes another row for ours."""
    return (
        f"In the table {table} stands the row of another {spec.unique} that differs from {key} only in capitals, and "
        f"Caspio takes the two for one, so nothing was written: look at {key} in Rupa meanwhile. If somebody changed "
        f"the capitals in Caspio, write {key} there."
    )
