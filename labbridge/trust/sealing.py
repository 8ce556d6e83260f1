"""Puts new audit entries into their chains: one chain for each practice, and one for what concerns none.

Entries are added without waiting for one another. This step gives each its place afterwards, every minute and before
anything is exported or verified, so an entry lies outside the chain for a minute at most (docs/audit.md says what
that means). Each step ends with a signed head, kept here and in the anchor file outside.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path

import structlog
from django.db import connection, transaction
from django.utils import timezone

from labbridge.trust.audit import body_of
from labbridge.trust.chain import GENESIS, Head, head_line, link
from labbridge.trust.former import hex_keys_of, too_new
from labbridge.trust.models import AuditEntry, AuditHead, FormerKey
from labbridge.trust.signing import anchor_file, public_keys, signer
from labbridge.trust.verifier import AUDIT, Report, check

log = structlog.get_logger()

AT_ONCE = 2000  #: entries sealed in one transaction
LATE = timedelta(minutes=10)  #: an older entry without a place means that nobody seals
_LOCK = 0x6C62_6175_6469_74  # "lbaudit"


def chain_of(practice: str) -> str:
    return f"audit:{practice}"


def seal() -> int:
    """Give every committed entry its place. Returns how many got one."""
    practices = AuditEntry.objects.filter(seq=None).order_by().values_list("practice", flat=True).distinct()
    return sum(_seal_chain(practice) for practice in practices)


def _seal_chain(practice: str) -> int:
    sealed = 0
    while count := _seal_some(practice):
        sealed += count
    newest = AuditHead.objects.filter(practice=practice).last()
    if newest is not None and sealed:
        _anchor(newest)
    return sealed


def _seal_some(practice: str) -> int:
    with transaction.atomic():
        _lock()
        waiting = list(AuditEntry.objects.filter(practice=practice, seq=None)[:AT_ONCE])
        if not waiting:
            return 0
        last, name = _end_of(practice), chain_of(practice)
        places: list[tuple[int, int, str, str]] = []
        for entry in waiting:
            linked = link(name, last, body_of(entry))
            last = linked.head
            places.append((entry.pk, linked.seq, linked.previous, linked.digest))
        _place(places)
        if last is not None:
            head = Head(name, *last, _now())
            line = head_line(head, signer()).decode()
            AuditHead.objects.create(practice=practice, seq=last[0], line=line)
    return len(waiting)


def _lock() -> None:
    """One sealer at a time; the lock falls with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _end_of(practice: str) -> tuple[int, str] | None:
    sealed = AuditEntry.objects.filter(practice=practice, seq__isnull=False)
    newest = sealed.order_by("-seq").only("seq", "digest").first()
    return None if newest is None or newest.seq is None else (newest.seq, newest.digest)


def _place(places: list[tuple[int, int, str, str]]) -> None:
    ids, numbers, previous, digests = (list(column) for column in zip(*places, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE trust_auditentry AS e SET seq = p.seq, previous = p.previous, digest = p.digest FROM "
            "unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS p(id, seq, previous, digest) "
            "WHERE e.id = p.id",
            [ids, numbers, previous, digests],
        )


def _anchor(head: AuditHead) -> None:
    """Outside after the commit: a head that was anchored and then rolled back would raise a false alarm."""
    said = json.loads(head.line)
    try:
        anchor_file().append(Head(said["chain"], said["seq"], said["digest"], said["at"]), signer())
    except OSError as error:
        log.error("audit.not_anchored", exception_type=type(error).__name__)  # noqa: TRY400  # a path, no data


def anchor_all() -> None:
    """Once a day: each chain's head again, so that one whose line could not be written is outside all the same."""
    for practice in AuditHead.objects.order_by().values_list("practice", flat=True).distinct():
        newest = AuditHead.objects.filter(practice=practice).last()
        heads, _ = anchor_file().heads(chain_of(practice), public_keys())
        if newest is not None and newest.seq > max((head.seq for head in heads), default=0):
            _anchor(newest)


def restarted(why: str) -> None:
    """After a backup was restored: heads outside that name newer rows no longer hold; the anchor file says why."""
    practices = set(AuditEntry.objects.order_by().values_list("practice", flat=True).distinct())
    for practice in sorted(practices):
        seq, digest = _end_of(practice) or (0, GENESIS)
        anchor_file().append(Head(chain_of(practice), seq, digest, _now(), restart=why[:200]), signer())


def late() -> int:
    """Entries that should have a place by now: more than none means that no worker seals."""
    return AuditEntry.objects.filter(seq=None, at__lt=timezone.now() - LATE).count()


def _now() -> str:
    return timezone.now().astimezone(UTC).isoformat(timespec="seconds")


# -- exports and checks ------------------------------------------------------------------------------------------


def export_lines(practice: str | None = None) -> Iterator[bytes]:
    """The chains as docs/audit-format.md describes them: keys, heads, then rows. `None`: every chain."""
    yield from head_lines(practice)
    yield from entry_lines(practice)


def head_lines(practice: str | None = None) -> Iterator[bytes]:
    yield _line({"public_keys": _keys_in_hex(practice)})
    heads = AuditHead.objects.all() if practice is None else AuditHead.objects.filter(practice=practice)
    limits: dict[str, dict[str, int]] = {}
    for slug, line in heads.values_list("practice", "line").iterator():
        known = limits.setdefault(slug, too_new(chain_of(slug)))
        if known and _signed_too_late(line, known):
            continue  # a former key, after the chain had moved away from it: such a head says nothing
        yield line.encode()


def _keys_in_hex(practice: str | None) -> list[str]:
    """Whose signatures count: ours, and those of installations that a practice came from."""
    came = FormerKey.objects.filter(chain__startswith=AUDIT) if practice is None else None
    chains = [chain_of(practice)] if practice is not None else sorted({one.chain for one in came or ()})
    return list(
        dict.fromkeys([*public_keys().in_hex(), *(key for one in chains for key in hex_keys_of(one))])
    )


def _signed_too_late(line: str, limits: dict[str, int]) -> bool:
    said = json.loads(line)
    return said["key"] in limits and said["seq"] > limits[said["key"]]


def entry_lines(practice: str | None = None) -> Iterator[bytes]:
    entries = AuditEntry.objects.filter(seq__isnull=False)
    if practice is not None:
        entries = entries.filter(practice=practice)
    for entry in entries.order_by("practice", "seq").iterator(chunk_size=AT_ONCE):
        yield _line(
            {
                "chain": chain_of(entry.practice), "seq": entry.seq, "previous": entry.previous,
                "body": body_of(entry), "digest": entry.digest, "key": "", "signature": "",
            }
        )  # fmt: skip


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def verify(practice: str | None = None, anchor: Path | None = None) -> Report:
    """Check the chains as they lie, against the anchor file too. The code is the offline verifier's."""
    seal()
    path = anchor or anchor_file().path
    with path.open("rb") if path.exists() else contextlib.nullcontext(()) as lines:
        return check(
            head_lines(practice),
            entry_lines(practice),
            lines,
            _keys_in_hex(practice),
            lambda chain: chain.startswith(AUDIT) if practice is None else chain == chain_of(practice),
        )
