"""Protocols: read from Caspio, whose they are, and edits made in the console on their way there."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from labbridge.engine.jobs import JobFailed, NotYet
from labbridge.engine.queue import failed, jobs_of, replay
from labbridge.filing.execute import FilingProblem
from labbridge.filing.models import EditState, ProtocolEdit
from labbridge.filing.protocols import ChangedMeanwhile, Content, InProtocol, bring, read_all
from labbridge.mirror.models import CASPIO_KEY, Protocol
from labbridge.practices.apply import config_of
from labbridge.practices.clients import NotConnected, caspio
from labbridge.practices.models import Practice
from labbridge.trust.audit import Actor, record

PROTOCOLS_AGE = timedelta(hours=24)
MOST_TESTS = 100


class CannotSave(Exception):
    """The sentence says why, and what to do."""


# -- reading -------------------------------------------------------------------------------------------------


def pull_protocols(practice: Practice, *, dry_run: bool = False) -> Counter[str]:
    """Read all protocols from Caspio. Two calls, and more only beyond 1,000 rows.

    Raises:
        PeerError: Caspio is away.
        NotConnected: the practice has no Caspio account.

    """
    began = timezone.now()
    with caspio(practice, "protocols") as client:
        found = read_all(client, config_of(practice))
    with transaction.atomic():
        counts = _keep(practice, found, began)
        if dry_run:
            transaction.set_rollback(True)
    return counts


def _keep(practice: Practice, found: dict[str, Content], began: datetime) -> Counter[str]:
    held = {one.external_id: one for one in Protocol.objects.select_for_update().filter(practice=practice)}
    counts: Counter[str] = Counter(read=len(found), changed=0, gone=0)
    for key, content in found.items():
        if len(key) > CASPIO_KEY:
            continue
        one = held.pop(key, None) or Protocol(practice=practice, external_id=key, present=False)
        if one.read_at is not None and one.read_at > began:
            continue  # an edit was written after this reading began
        counts["changed"] += content_of(one) != content or not one.present
        _put(one, content, began)
    for one in held.values():
        if one.present and (one.read_at is None or one.read_at <= began):
            one.present, one.read_at = False, began
            one.save(update_fields=["present", "read_at"])
            counts["gone"] += 1
    return counts


def content_of(protocol: Protocol) -> Content:
    tests = tuple(InProtocol(**one) for one in protocol.tests)
    return Content(protocol.name, protocol.active, protocol.notes or "", tests, there=protocol.has_row)


def _put(one: Protocol, content: Content, at: datetime) -> None:
    one.name, one.active, one.notes = content.name[:255], content.active, content.notes or None
    one.tests = [vars(test) for test in content.tests]
    one.has_row, one.present, one.read_at = content.there, True, at
    one.save()


# -- editing -------------------------------------------------------------------------------------------------


def save(
    practice: Practice,
    protocol: Protocol | None,
    key: UUID,
    *,
    base: Content | None,
    wanted: Content,
    actor: Actor,
) -> ProtocolEdit:
    """Keep what somebody made of a protocol and have it written to Caspio. Saved twice it is one edit.

    Without a `protocol` a new one is made, named after the form's `key`.

    Raises:
        CannotSave: it has no name, or no tests, or too many.

    """
    if not wanted.name.strip():
        raise CannotSave("Give the protocol a name.")
    if not wanted.tests:
        raise CannotSave("A protocol needs at least one test.")
    if len(wanted.tests) > MOST_TESTS:
        raise CannotSave(f"A protocol holds up to {MOST_TESTS} tests.")
    with transaction.atomic():
        known = ProtocolEdit.objects.select_related("protocol").filter(pk=key).first()
        if known is not None:
            if known.protocol.practice_id != practice.pk:
                raise CannotSave("This form belongs to another protocol. Open the page again.")
            return known
        if protocol is None:
            new = {"name": wanted.name[:255], "present": False}
            protocol, _ = Protocol.objects.get_or_create(
                practice=practice, external_id=f"PRT-{key.hex[:12]}", defaults=new
            )
        protocol.edits.filter(state=EditState.CONFLICT).update(state=EditState.DROPPED)
        edit: ProtocolEdit = ProtocolEdit.objects.create(
            pk=key, protocol=protocol, by=actor.name[:150], wanted=wanted.as_json(),
            base=base.as_json() if base else None,
        )  # fmt: skip
        record("protocol.edit", actor=actor, practice=practice, subject=f"protocol:{protocol.pk}")
        _queue(edit)
    return edit


def decide(edit: ProtocolEdit, *, overwrite: bool, key: UUID, actor: Actor) -> None:
    """Of a conflict: write ours over what Caspio holds, or leave Caspio's. Decided twice it stays decided."""
    with transaction.atomic():
        held = (
            ProtocolEdit.objects.select_related("protocol__practice")
            .select_for_update(of=("self",))
            .get(pk=edit.pk)
        )
        if held.state != EditState.CONFLICT:
            return
        held.state = EditState.DROPPED
        held.save(update_fields=["state"])
        if overwrite:
            base = Content.of(held.theirs) if held.theirs else None
            wanted = Content.of(held.wanted)
            save(held.protocol.practice, held.protocol, key, base=base, wanted=wanted, actor=actor)


def try_again(edit: ProtocolEdit, *, actor: Actor) -> None:
    """Have an edit that did not get through written now, also when its attempts are used up."""
    if edit.state != EditState.WAITING:
        return
    practice = edit.protocol.practice
    record("job.replay", actor=actor, practice=practice, subject=f"protocol:{edit.protocol_id}")
    mine = {"edit_id": str(edit.pk)}
    stuck = [one.id for one in failed() if one.task == "file_protocol" and one.ids == mine]
    if not replay(stuck) and not any(
        one.task == "file_protocol" for one in jobs_of([_lock(practice)]) if one.state != "dead"
    ):
        _queue(edit)


def _lock(practice: Practice) -> str:
    return f"{practice.slug}:protocols"


def _queue(edit: ProtocolEdit) -> None:
    from labbridge.handlers import jobs

    jobs.file_protocol.defer(lock=_lock(edit.protocol.practice), edit_id=str(edit.pk))


def file_edit(edit_id: str) -> None:
    """Write one edit to Caspio. May be repeated at any point.

    Raises:
        JobFailed: Caspio refuses, until a person has mended it.
        NotYet: the practice has no Caspio account.
        PeerError: Caspio is away.

    """
    edit = ProtocolEdit.objects.select_related("protocol__practice").get(pk=edit_id)
    if edit.state != EditState.WAITING:
        return
    protocol, practice = edit.protocol, edit.protocol.practice
    #: Those before it that did not get through are part of it: each began with what the one before wanted.
    earlier = list(protocol.edits.filter(state=EditState.WAITING, at__lt=edit.at))
    known = [Content.of(one.base) if one.base else None for one in [*earlier, edit]]
    known += [Content.of(one.wanted) for one in earlier]
    wanted = Content.of(edit.wanted)
    try:
        with caspio(practice, "protocols") as client:
            bring(client, config_of(practice), protocol.external_id, known, wanted)
    except ChangedMeanwhile as conflict:
        _conflict(edit, conflict.theirs)
        return
    except FilingProblem as problem:
        raise JobFailed(problem.sentence, retry=True, retry_after=problem.retry_after) from None
    except NotConnected as error:
        raise NotYet(str(error)) from None
    with transaction.atomic():
        _put(Protocol.objects.select_for_update().get(pk=protocol.pk), wanted, timezone.now())
        for one in [*earlier, edit]:
            one.state, one.problem = EditState.FILED, ""
            one.save(update_fields=["state", "problem"])


def _conflict(edit: ProtocolEdit, theirs: Content | None) -> None:
    with transaction.atomic():
        protocol = Protocol.objects.select_for_update().get(pk=edit.protocol_id)
        if theirs is not None:
            _put(protocol, theirs, timezone.now())
        else:
            protocol.present, protocol.read_at = False, timezone.now()
            protocol.save(update_fields=["present", "read_at"])
        edit.state, edit.problem = EditState.CONFLICT, ""
        edit.theirs = theirs.as_json() if theirs else None
        edit.save(update_fields=["state", "problem", "theirs"])
