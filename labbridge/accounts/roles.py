"""The one table of permissions (design.md 8). A permission is a word; a role is what a person is at one practice."""

from __future__ import annotations

from django.db import models


class Role(models.TextChoices):
    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    PRACTITIONER = "practitioner"
    FRONT_DESK = "front desk"
    BILLER = "biller"
    AUDITOR = "auditor"


OWN, ADM, PRA, DESK, BILL, AUD = Role

#: permission -> who has it. Nothing else in the code asks for a role.
PERMISSIONS: dict[str, frozenset[Role]] = {
    "pipeline.see": frozenset(
        {OWN, ADM, PRA, DESK, BILL, AUD}
    ),  # orders by their ids, phases, problems: no patient
    "patients.see": frozenset({OWN, ADM, PRA, DESK, BILL}),
    "patients.sync": frozenset({OWN, ADM, DESK}),
    "cases.decide": frozenset({OWN, ADM, PRA, DESK}),
    "cases.undo": frozenset({OWN, ADM, PRA}),
    "orders.place": frozenset({OWN, PRA}),
    "results.see": frozenset({OWN, PRA}),
    "results.review": frozenset({OWN, PRA}),
    "money.see": frozenset({OWN, ADM, BILL}),
    "analytics.see": frozenset({OWN, ADM, PRA, BILL}),
    "connections.manage": frozenset({OWN, ADM}),
    "events.see": frozenset({OWN, ADM, AUD}),
    "events.replay": frozenset({OWN, ADM}),
    "ledger.see": frozenset({OWN, ADM, AUD}),
    "audit.see": frozenset({OWN, ADM, AUD}),
    "audit.export": frozenset({OWN, AUD}),
    "keys.rotate": frozenset({OWN, ADM}),
    "people.manage": frozenset({OWN, ADM}),
}

#: Permissions that open patient data: the auditor has none of them.
PHI = frozenset({"patients.see", "patients.sync", "cases.decide", "cases.undo", "orders.place", "results.see",
                 "results.review", "money.see"})  # fmt: skip


def allows(role: str, permission: str) -> bool:
    """Whether a role has a permission.

    Raises:
        KeyError: the word is not in the table, which is a mistake in our code.

    """
    return role in PERMISSIONS[permission]
