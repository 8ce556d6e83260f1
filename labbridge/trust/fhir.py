"""The audit as FHIR R4 AuditEvent resources (https://hl7.org/fhir/R4/auditevent.html)."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from labbridge.trust.audit import ACTIONS, Kind
from labbridge.trust.models import AuditEntry

Resource = dict[str, Any]  # any: JSON

DICOM = "http://dicom.nema.org/resources/ontology/DCM"
TYPES = {
    Kind.READ: ("110110", "Patient Record"),
    Kind.SEARCH: ("110112", "Query"),
    Kind.EXPORT: ("110106", "Export"),
    Kind.WRITE: ("110110", "Patient Record"),
    Kind.DECIDE: ("110110", "Patient Record"),
    Kind.SECURITY: ("110114", "User Authentication"),
    Kind.OPERATE: ("110100", "Application Activity"),
}
OUTCOMES = {"done": "0", "refused": "8", "failed": "4"}  # success; serious failure (refused); minor failure
OURS = "urn:labbridge:audit"


def audit_event(entry: AuditEntry) -> Resource:
    """One entry. Patients are pseudonyms; the extensions name its place in the chain."""
    action = ACTIONS.get(entry.action)
    kind = action.kind if action else Kind.OPERATE
    code, display = TYPES[kind]
    event: Resource = {
        "resourceType": "AuditEvent",
        "id": str(entry.pk),
        "type": {"system": DICOM, "code": code, "display": display},
        "subtype": [
            {"system": f"{OURS}:action", "code": entry.action, "display": action.words if action else ""}
        ],
        "action": action.code if action else "E",
        "recorded": entry.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "outcome": OUTCOMES[entry.outcome],
        "agent": [_agent(entry)],
        "source": {"observer": {"display": "Labbridge"}, "site": entry.practice or "deployment"},
    }
    if entry.why:
        event["purposeOfEvent"] = [{"text": entry.why}]
    if entities := [*_patients(entry), *_subject(entry)]:
        event["entity"] = entities
    if entry.seq is not None:
        event["extension"] = [
            {"url": f"{OURS}:seq", "valueString": str(entry.seq)},
            {"url": f"{OURS}:digest", "valueString": entry.digest},
        ]
    found: Resource = _without_empty(event)
    return found


def bundle(events: list[Resource]) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": f"{OURS}:entry:{one['id']}", "resource": one} for one in events],
    }


def _agent(entry: AuditEntry) -> Resource:
    who = {
        "identifier": {
            "system": f"{OURS}:{entry.actor_kind}",
            "value": entry.actor_id or entry.actor_name or "-",
        },
        "display": entry.actor_name or entry.actor_kind,
    }
    agent: Resource = {"who": who, "requestor": entry.actor_kind != "job"}
    if entry.source:
        agent["network"] = {"address": entry.source, "type": "2"}  # 2: an IP address
    return agent


def _patients(entry: AuditEntry) -> list[Resource]:
    role = {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1", "display": "Patient"}
    kind = {
        "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
        "code": "1",
        "display": "Person",
    }
    return [
        {"what": {"identifier": {"system": f"{OURS}:pseudonym", "value": one}}, "type": kind, "role": role}
        for one in entry.patients
    ]


def _subject(entry: AuditEntry) -> list[Resource]:
    detail = dict(entry.detail)
    if entry.count is not None:
        detail["count"] = entry.count
    if not entry.subject and not detail:
        return []
    system = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
    return [
        {
            "what": {"identifier": {"system": f"{OURS}:subject", "value": entry.subject or entry.action}},
            "type": {"system": system, "code": "2", "display": "System Object"},
            "detail": [{"type": name, "valueString": str(value)} for name, value in sorted(detail.items())],
        }
    ]


def _without_empty(value: Any) -> Any:  # any: JSON
    """FHIR has no empty strings, lists or objects."""
    match value:
        case dict():
            kept = {name: _without_empty(one) for name, one in value.items()}
            return {name: one for name, one in kept.items() if one not in ("", [], {}, None)}
        case list():
            return [_without_empty(one) for one in value]
        case _:
            return value
