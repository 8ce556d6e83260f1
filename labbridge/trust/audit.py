"""The audit: one call records who did what, on which patient, from where, why, and how it ended (docs/audit.md).

`record` is the only way in. Writes are recorded inside the transaction of what they record: both or neither. Looks
at patient data (read, search, export) are recorded before anything is shown and outside any transaction, so that no
rollback can take the entry back; `record` insists on it.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import HttpRequest

from labbridge.trust.keys import keyring
from labbridge.trust.models import AuditEntry, pseudonym_list


class Kind(StrEnum):
    """What sort of act it is."""

    READ = "read"
    SEARCH = "search"
    EXPORT = "export"
    WRITE = "write"
    DECIDE = "decide"
    SECURITY = "security"
    OPERATE = "operate"


#: Kinds that show patient data to somebody: recorded for good before they are shown.
LOOKS = frozenset({Kind.READ, Kind.SEARCH, Kind.EXPORT})


class Action(NamedTuple):
    kind: Kind
    words: str  # what was done, as a report says it
    code: str  # FHIR's one letter: Create, Read, Update, Delete, Execute
    discloses: str = ""  # to whom patient data went, when it left the practice's own people


#: Everything that is recorded, and nothing else can be. Names are `noun.verb` and stay: old entries have them.
ACTIONS: dict[str, Action] = {
    # people looking at patients
    "patient.read": Action(Kind.READ, "opened a patient", "R"),
    "patient.search": Action(Kind.SEARCH, "searched patients", "E"),
    "case.list": Action(Kind.SEARCH, "opened the list of review cases", "E"),
    "case.read": Action(Kind.READ, "opened both sides of a review case", "R"),
    "order.read": Action(Kind.READ, "opened an order", "R"),
    "order.search": Action(Kind.SEARCH, "searched orders", "E"),
    "result.list": Action(Kind.SEARCH, "opened the list of results", "E"),
    "result.read": Action(Kind.READ, "opened a result", "R"),
    "result.review": Action(Kind.WRITE, "marked a result as reviewed", "U"),
    "result.unreview": Action(Kind.WRITE, "took the review of a result back", "U"),
    "result.assign": Action(Kind.WRITE, "gave a result to somebody to review", "U"),
    "order.assign": Action(Kind.WRITE, "gave an order to somebody to see to", "U"),
    "order.note": Action(Kind.WRITE, "noted something on an order", "C"),
    "order.refresh": Action(Kind.OPERATE, "had orders read from Rupa again", "E"),
    "order.refile": Action(Kind.OPERATE, "had orders filed again", "E"),
    "money.read": Action(Kind.READ, "opened a patient's payments", "R"),
    "money.list": Action(Kind.SEARCH, "listed orders by their payment", "E"),
    "superbill.read": Action(Kind.EXPORT, "took a superbill out", "R"),
    "event.list": Action(Kind.SEARCH, "listed events by their ids", "E"),
    "event.read": Action(Kind.READ, "opened an event", "R"),
    "event.reveal": Action(Kind.READ, "opened what an event says, with its patient", "R"),
    "data.export": Action(Kind.EXPORT, "exported patient data", "R"),
    "practice.export": Action(
        Kind.EXPORT, "took a whole practice out", "R", "whoever was given the practice's export"
    ),
    "practice.import": Action(Kind.OPERATE, "brought a practice in from another installation", "C"),
    "figures.export": Action(Kind.EXPORT, "took figures over all orders out", "R"),
    "database.open": Action(Kind.READ, "opened the database itself", "E"),
    # decisions
    "case.decide": Action(Kind.DECIDE, "decided a review case", "U"),
    "case.undo": Action(Kind.DECIDE, "took a decision back", "U"),
    "result.release": Action(Kind.DECIDE, "released a withheld result", "U"),
    "event.replay": Action(Kind.DECIDE, "had events handled again", "E"),
    "job.replay": Action(Kind.DECIDE, "had failed jobs tried again", "E"),
    "order.request": Action(Kind.DECIDE, "asked for an order", "C"),
    "money.set": Action(Kind.DECIDE, "recorded what was said of a payment", "U"),
    "superbill.make": Action(Kind.DECIDE, "issued a superbill", "C"),
    "superbill.send": Action(
        Kind.DECIDE, "noted that a superbill was sent", "R", "the receiver named in the entry"
    ),
    # what Labbridge itself does at the peers
    "patient.create": Action(Kind.WRITE, "created a patient at Rupa", "C", "Rupa Health"),
    "patient.update": Action(Kind.WRITE, "updated a patient at Rupa", "U", "Rupa Health"),
    "intent.create": Action(Kind.WRITE, "started an order at Rupa", "C", "Rupa Health"),
    "link.make": Action(Kind.WRITE, "linked a chart with a patient at Rupa", "C"),
    "link.break": Action(Kind.WRITE, "broke the link between a chart and a patient at Rupa", "D"),
    "order.file": Action(Kind.WRITE, "filed an order in Caspio", "U", "Caspio"),
    "chart.update": Action(Kind.WRITE, "wrote to a patient's row in Caspio", "U", "Caspio"),
    "result.fetch": Action(Kind.WRITE, "fetched a result file from Rupa", "C"),
    "handover.send": Action(
        Kind.WRITE, "handed data over to another system", "R", "the receiver named in the entry"
    ),
    "sweep.repair": Action(Kind.WRITE, "repaired what a sweep found", "U", "Caspio"),
    # who may do what
    "session.open": Action(Kind.SECURITY, "signed in", "E"),
    "session.refuse": Action(Kind.SECURITY, "could not sign in", "E"),
    "session.close": Action(Kind.SECURITY, "signed out", "E"),
    "session.step_up": Action(Kind.SECURITY, "proved again who they are", "E"),
    "proof.change": Action(Kind.SECURITY, "changed how they sign in", "U"),
    "access.refuse": Action(Kind.SECURITY, "was refused a page", "E"),
    "person.add": Action(Kind.SECURITY, "added a person", "C"),
    "person.reset": Action(Kind.SECURITY, "gave a person a new password", "U"),
    "role.grant": Action(Kind.SECURITY, "gave a person a role", "U"),
    "role.revoke": Action(Kind.SECURITY, "took a person out of a practice", "D"),
    "key.create": Action(Kind.SECURITY, "made an API key", "C"),
    "key.revoke": Action(Kind.SECURITY, "revoked an API key", "D"),
    "agreement.record": Action(Kind.SECURITY, "put a BAA on file", "C"),
    "agreement.end": Action(Kind.SECURITY, "ended a BAA", "D"),
    "feed.add": Action(Kind.SECURITY, "added a destination for data", "C"),
    "feed.pause": Action(Kind.OPERATE, "paused a destination", "U"),
    "feed.resume": Action(Kind.OPERATE, "resumed a destination", "U"),
    "feed.rotate": Action(Kind.SECURITY, "gave a destination another secret", "U"),
    "feed.remove": Action(Kind.SECURITY, "removed a destination", "D"),
    "feed.test": Action(Kind.OPERATE, "sent a test to a destination", "E"),
    "feed.replay": Action(Kind.DECIDE, "had facts sent to a destination again", "E"),
    # operating the service
    "practice.apply": Action(Kind.OPERATE, "applied a practice's configuration", "U"),
    "protocol.edit": Action(Kind.WRITE, "edited a protocol", "U", "Caspio"),
    "practice.provision": Action(Kind.OPERATE, "created tables or fields in Caspio", "C"),
    "connection.make": Action(Kind.OPERATE, "connected an account at a peer", "C"),
    "connection.end": Action(Kind.OPERATE, "ended a connection to a peer", "D"),
    "crosswalk.import": Action(Kind.WRITE, "brought ids of other systems in", "U"),
    "crosswalk.export": Action(Kind.EXPORT, "took the ids of other systems out", "R"),
    "crosswalk.remove": Action(Kind.WRITE, "removed an id of another system", "D"),
    "ehr.check": Action(Kind.READ, "asked the EHR whether it holds results", "R"),
    "order.repeat": Action(Kind.DECIDE, "went on with a test that is open for the patient already", "C"),
    "sync.run": Action(Kind.OPERATE, "pulled changes from a peer", "E"),
    "sweep.run": Action(Kind.OPERATE, "compared with the peers", "E"),
    "keys.rotate": Action(Kind.OPERATE, "rotated encryption keys", "U"),
    "backup.make": Action(Kind.EXPORT, "made a backup", "R"),
    "backup.restore": Action(Kind.OPERATE, "restored a backup", "U"),
    "audit.export": Action(Kind.EXPORT, "exported the audit", "R"),
    "audit.report": Action(Kind.EXPORT, "drew a report from the audit", "R"),
    "audit.verify": Action(Kind.OPERATE, "verified the audit", "E"),
    "ledger.export": Action(Kind.EXPORT, "exported the completeness ledger", "R"),
    "alert.acknowledge": Action(Kind.OPERATE, "acknowledged an alert", "U"),
    "alert.resolve": Action(Kind.OPERATE, "resolved an alert", "U"),
    "alert.test": Action(Kind.OPERATE, "sent a test to a channel of alerts", "E"),
    "mapping.try": Action(Kind.READ, "tried a field mapping on patients' rows", "R"),
    "retention.run": Action(Kind.OPERATE, "removed what is older than its policy", "D"),
    "retention.erase": Action(Kind.OPERATE, "erased a patient", "D"),
    "retention.hold": Action(Kind.OPERATE, "set a legal hold", "C"),
    "retention.release": Action(Kind.OPERATE, "lifted a legal hold", "D"),
}


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class Actor:
    """Who acts. `kind`: person, operator (somebody at the command line), key (of the machine API), job or nobody."""

    kind: str
    id: str = ""
    name: str = ""
    source: str = ""  # address that the request came from


def person(request: HttpRequest) -> Actor:
    """The signed-in person of a request, and where it came from; `nobody` when nobody is signed in."""
    user = getattr(request, "user", None)
    source = address_of(request)
    if user is None or not user.is_authenticated:
        return Actor("nobody", source=source)
    return Actor("person", str(user.pk), user.get_username(), source)


def address_of(request: HttpRequest) -> str:
    """The client's address, as far as a proxy of ours vouches for it (LABBRIDGE_TRUSTED_PROXIES)."""
    from allauth.account.adapter import get_adapter

    try:
        return str(get_adapter(request).get_client_ip(request) or "")[:45]
    except PermissionDenied:  # a socket without addresses, or a proxy of ours that left its header out
        return ""


def api_key(key_id: object, name: str, request: HttpRequest) -> Actor:
    return Actor("key", str(key_id), name, address_of(request))


def operator() -> Actor:
    """Whoever runs a command on the host, by their name there."""
    return Actor("operator", name=getpass.getuser())


def job(task: str) -> Actor:
    return Actor("job", name=task)


Concerned = models.Model | str | None  #: a chart or a patient at Rupa; a string is a pseudonym already


def pseudonym(of: models.Model) -> str:
    """What a chart or a patient at Rupa is called in the audit: a keyed hash of our own key of that row.

    It is the same for the life of the row, tells nothing without this deployment's keys, and is found again from
    the row (`mirror/pseudonyms.py` gives both sides of a link).
    """
    return keyring().blind(f"{of._meta.label_lower}:{of.pk}", "audit pseudonym").hex()


def record(
    action: str,
    *,
    actor: Actor,
    practice: Any = None,  # any: a Practice, which this layer does not know, or its slug
    patient: Concerned | Iterable[Concerned] = None,
    subject: str = "",
    source: str = "",
    why: str = "",
    outcome: Outcome | str = Outcome.DONE,
    count: int | None = None,
    **detail: str | int,
) -> AuditEntry:
    """Add one entry. `subject`, `why` and `detail` hold ids, words of ours and numbers: never a patient's data.

    Args:
        action: a word of `ACTIONS`.
        actor: from `person`, `api_key`, `operator` or `job`.
        practice: a Practice or its slug.
        patient: whom it is about: a chart, a patient at Rupa, or several rows that are one person.
        subject: a kind and an id, such as `case:0192…`.
        source: address of the request, when the actor does not say it.
        why: for what purpose.
        outcome: done, refused or failed.
        count: how many rows, files or patients.
        detail: further short words.

    Raises:
        KeyError: the action is not in the table.
        RuntimeError: a look at patient data inside a transaction, whose rollback would take the entry back.

    """
    looks = ACTIONS[action].kind in LOOKS
    entry = AuditEntry(
        action=action,
        actor_kind=actor.kind,
        actor_id=actor.id[:64],
        actor_name=actor.name[:150],
        practice=str(getattr(practice, "slug", practice) or ""),
        patients=pseudonym_list(_pseudonyms(patient)),
        subject=subject[:120],
        source=(source or actor.source)[:45],
        why=why[:300],
        outcome=Outcome(outcome),
        count=count,
        detail=dict(detail),
    )
    with transaction.atomic(durable=True) if looks else nullcontext():
        entry.save(force_insert=True)
    return entry


def _pseudonyms(patient: Concerned | Iterable[Concerned]) -> Iterable[str]:
    match patient:
        case None:
            return
        case str():
            yield patient
        case models.Model():
            yield pseudonym(patient)
        case _:
            for one in patient:
                yield from _pseudonyms(one)


def body_of(entry: AuditEntry) -> dict[str, Any]:  # any: JSON
    """An entry as the chain holds it and exports show it (docs/audit-format.md)."""
    return {
        "id": entry.pk,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "action": entry.action,
        "actor": {"kind": entry.actor_kind, "id": entry.actor_id, "name": entry.actor_name},
        "practice": entry.practice,
        "patients": list(entry.patients),
        "subject": entry.subject,
        "source": entry.source,
        "why": entry.why,
        "outcome": entry.outcome,
        "count": entry.count,
        "detail": entry.detail,
    }
