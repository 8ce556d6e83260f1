"""Later changes of a linked patient: what goes to Rupa, what comes into Caspio, and what a person is asked.

What stood on both sides when the two were linked is settled, even where it differs: only a change since then moves
anything (`PatientLink.base`). Pure but for the hashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils import timezone

from labbridge.handlers.judging import are_called_differently, identity_of
from labbridge.handlers.links import agreed, hashed, settled, was_renamed
from labbridge.mirror.models import Chart, Patient, PatientLink
from labbridge.mirror.person import Person
from labbridge.practices.config import SyncPart


@dataclass
class Plan:
    """Parts of a person by what is to become of them. Values are those fit to be sent."""

    to_rupa: Person = field(default_factory=dict, repr=False)
    to_caspio: Person = field(default_factory=dict, repr=False)
    to_ask: list[str] = field(default_factory=list)
    stays_at_rupa: list[str] = field(default_factory=list)  # changed there; Caspio's value stays in Caspio
    renamed: bool = False  # a first name goes to Rupa that is no spelling of the former

    @property
    def moves(self) -> bool:
        """Whether a peer has to be asked."""
        return bool(self.to_rupa or self.to_caspio or self.to_ask)


def plan(made: PatientLink, chart: Chart, patient: Patient, sync: SyncPart) -> Plan:
    """Compare both sides with what was settled."""
    base = settled(made, chart, patient)
    ours, theirs = identity_of(chart).as_person(), identity_of(patient).as_person()
    here, there = hashed(ours), hashed(theirs)
    found = Plan()
    for part, value in ours.items():
        changed_here = here[part] != base["caspio"].get(part)
        changed_there = there[part] != base["rupa"].get(part)
        other = theirs.get(part)
        if value == other or not (changed_here or changed_there):
            continue
        newest_is_ours = changed_here and (
            not changed_there or chart.changed.get(part, 0) >= patient.changed.get(part, 0)
        )
        match sync.policy_of(part):
            case "ask":
                found.to_ask.append(part)
            case "rupa":
                _bring(found, part, other, patient)
            case "newest" if not newest_is_ours:
                _bring(found, part, other, patient)
            case _ if changed_here:
                if value is not None:
                    found.to_rupa[part] = value
            case _:
                found.stays_at_rupa.append(part)
    found.renamed = "first_name" in found.to_rupa and are_called_differently(chart, patient)
    return found


def _bring(found: Plan, part: str, value: str | None, patient: Patient) -> None:
    """Rupa's value for Caspio, as Rupa writes it; nothing there takes nothing away here."""
    if value is not None:
        found.to_caspio[part] = (patient.person or {}).get(part) if part != "birthday" else value


def settle(made: PatientLink, chart: Chart, patient: Patient, done: Plan) -> None:
    """Note that what stands now is settled, except for the parts that a person is asked about."""
    now, before = agreed(chart, patient), settled(made, chart, patient)
    for part in done.to_ask:
        for side in now:
            now[side][part] = before[side].get(part)
    if done.renamed:
        now["renamed"] = {"at": timezone.now().isoformat()}
    elif was_renamed(before):
        now["renamed"] = before["renamed"]
    PatientLink.objects.filter(pk=made.pk).update(base=now)
    made.base = now
