"""Who may do what (design.md 8): roles have permissions, and every page asks for one."""

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
    "orders.work": frozenset({OWN, ADM, PRA, DESK, BILL}),  # read again, file again, note, assign
    "orders.export": frozenset({OWN, ADM, BILL, AUD}),
    "results.see": frozenset({OWN, PRA}),
    "results.review": frozenset({OWN, PRA}),
    "catalogue.see": frozenset({OWN, ADM, PRA, DESK, BILL}),
    "protocols.edit": frozenset({OWN, ADM, PRA}),
    "money.see": frozenset({OWN, ADM, BILL}),
    "money.set": frozenset({OWN, ADM, BILL}),
    "analytics.see": frozenset({OWN, ADM, PRA, BILL}),
    "connections.manage": frozenset({OWN, ADM}),
    "events.see": frozenset({OWN, ADM, AUD}),
    "events.replay": frozenset({OWN, ADM}),
    "events.reveal": frozenset({OWN, ADM}),  # a payload with its patient, for a reason
    "ledger.see": frozenset({OWN, ADM, AUD}),
    "health.see": frozenset({OWN, ADM, AUD}),
    "alerts.answer": frozenset({OWN, ADM}),
    "audit.see": frozenset({OWN, ADM, AUD}),
    "audit.export": frozenset({OWN, AUD}),
    "keys.rotate": frozenset({OWN, ADM}),
    "settings.see": frozenset({OWN, ADM, AUD}),  # holds no patient and no secret
    "settings.change": frozenset({OWN, ADM}),
    "settings.preview": frozenset({OWN, ADM}),  # a field mapping tried on a real record
    "retention.manage": frozenset({OWN}),  # what is removed is gone
    "people.manage": frozenset({OWN}),
    "apikeys.manage": frozenset({OWN}),  # a key may do more than an administrator may
    "feeds.manage": frozenset({OWN, ADM}),
}

#: Name of an address -> the permission it asks for. A page that is missing here opens for nobody (`Guard`), and the
#: navigation shows what this table lets a person open.
ROUTES: dict[str, str] = {
    "home": "pipeline.see",
    "cases": "cases.decide",
    "case": "cases.decide",
    "case-undo": "cases.undo",
    "pipeline": "pipeline.see",
    "pipeline-search": "patients.see",
    "pipeline-views": "pipeline.see",
    "pipeline-act": "orders.work",
    "pipeline-export": "orders.export",
    "order-page": "pipeline.see",
    "order-act": "orders.work",
    "patient": "patients.see",
    "results": "results.see",
    "result-review": "results.review",
    "result-pdf": "results.see",
    "order": "orders.place",
    "order-request": "orders.place",
    "publishable-key": "orders.place",
    "rupa-js": "orders.place",
    "rupa-connect": "connections.manage",
    "start": "connections.manage",
    "events": "events.see",
    "event": "events.see",
    "replay": "events.replay",
    "health": "health.see",
    "health-check": "connections.manage",
    "alert": "alerts.answer",
    "catalogue": "catalogue.see",
    "catalogue-compare": "catalogue.see",
    "catalogue-news": "catalogue.see",
    "analytics": "analytics.see",
    "analytics-question": "analytics.see",
    "analytics-export": "analytics.see",
    "analytics-money": "money.see",
    "analytics-money-export": "money.see",
    "analytics-report": "money.see",
    "protocols": "catalogue.see",
    "protocol": "catalogue.see",
    "protocols-news": "catalogue.see",
    "protocols-read": "protocols.edit",
    "protocols-seen": "protocols.edit",
    "protocol-new": "protocols.edit",
    "protocol-edit": "protocols.edit",
    "protocol-decide": "protocols.edit",
    "protocol-again": "protocols.edit",
    "billing": "money.see",
    "billing-price": "money.set",
    "order-billing": "money.see",
    "order-billing-act": "money.set",
    "superbill-pdf": "money.see",
    "feeds": "feeds.manage",
    "feed-add": "feeds.manage",
    "agreement-add": "feeds.manage",
    "feed": "feeds.manage",
    "feed-act": "feeds.manage",
    "feed-rotate": "feeds.manage",
    "audit": "audit.see",
    "audit-export": "audit.export",
    "audit-breach": "audit.export",
    "settings": "settings.see",
    "settings-file": "settings.see",
    "settings-history": "settings.see",
    "settings-version": "settings.see",
    "settings-undo": "settings.change",
    "settings-practice": "settings.change",
    "settings-sync": "settings.change",
    "settings-alerts": "settings.change",
    "settings-channels": "settings.change",
    "settings-channel-test": "settings.change",
    "settings-mapping": "settings.preview",
    "settings-mapping-look": "settings.preview",
    "settings-dry-run": "settings.preview",
    "settings-connections": "connections.manage",
    "settings-caspio": "connections.manage",
    "settings-rupa-end": "connections.manage",
    "settings-retention": "retention.manage",
    "settings-hold": "retention.manage",
    "settings-hold-lift": "retention.manage",
    "settings-people": "people.manage",
    "settings-invite": "people.manage",
    "settings-person": "people.manage",
    "settings-keys": "apikeys.manage",
    "settings-key-new": "apikeys.manage",
    "settings-key-revoke": "apikeys.manage",
}

#: Permissions that open patient data: the auditor has none of them.
PHI = frozenset({"patients.see", "patients.sync", "cases.decide", "cases.undo", "orders.place", "orders.work",
                 "results.see", "results.review", "money.see", "money.set", "events.reveal",
                 "settings.preview"})  # fmt: skip


def allows(role: str, permission: str) -> bool:
    """Whether a role has a permission.

    Raises:
        KeyError: the word is not in the table, which is a mistake in our code.

    """
    return role in PERMISSIONS[permission]
