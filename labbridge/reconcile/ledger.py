"""The completeness ledger: one signed, chained entry for every sweep, and whether the chain is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labbridge.engine.locks import exclusive
from labbridge.practices.models import Practice
from labbridge.reconcile.figures import SHOWN, Figures, figures_of
from labbridge.reconcile.models import LedgerEntry, Sweep
from labbridge.trust.chain import Entry, Finding, Head, check, link
from labbridge.trust.former import heads_of, hex_keys_of, keys_of, signed_too_late
from labbridge.trust.signing import anchor_file, public_keys, signer

log = structlog.get_logger()

#: The fields of `ledger show --json` (design.md 6.1), in this order; others follow.
FIELDS = ("date", "practice", "listed", "held", "filed", "in_review", "rejected", "repaired", "difference")
NOT_ANCHORED = (
    "The newest row ({seq}) is not in the anchor file {path}: look at that path. The next sweep writes it."
)

LATE_KEY = "Row {seq} was signed with the key of a former installation, after the practice had left it."


#: Among the counts of a sweep that had nothing to compare with: the practice has ended its connections.
ENDED = {"ended": 1}


def chain_of(practice: Practice) -> str:
    return f"ledger:{practice.slug}"


def write_entry(sweep: Sweep) -> LedgerEntry:
    """Count, and add the entry of a sweep to its practice's ledger. The caller anchors it (`anchor`)."""
    practice = sweep.practice
    body = _body(sweep, figures_of(practice))
    with exclusive(f"ledger:{practice.pk}"), transaction.atomic():
        last = LedgerEntry.objects.filter(practice=practice).last()
        made = link(chain_of(practice), last.entry().head if last else None, body, signer())
        return LedgerEntry.objects.create(
            practice=practice, seq=made.seq, chain=made.chain, date=date.fromisoformat(body["date"]),
            previous=made.previous, body=body, digest=made.digest, key=made.key, signature=made.signature,
        )  # fmt: skip


def _body(sweep: Sweep, figures: Figures) -> dict[str, Any]:
    now, repairs = (
        timezone.now(),
        list(sweep.repairs.order_by("kind", "subject").values_list("kind", "subject")),
    )
    kinds = [kind for kind, _ in repairs]
    return {
        "date": now.astimezone(sweep.practice.zone).date().isoformat(),
        "practice": sweep.practice.slug,
        "listed": figures.listed,
        "held": figures.held,
        "filed": figures.filed,
        "in_review": figures.in_review,
        "rejected": figures.rejected,
        "repaired": len(repairs),
        "difference": figures.difference,
        "at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "results": figures.results,
        "differences": figures.differences,
        "in_review_because": figures.in_review_because,
        "rejected_because": figures.rejected_because,
        "no_longer_listed": figures.no_longer_listed,
        "repairs": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        **({"ended": True} if sweep.counts.get("ended") else {}),
        "repaired_ids": [f"{kind} {subject}" for kind, subject in repairs[:SHOWN]],
        "sweep": {
            "id": str(sweep.pk),
            "depth": sweep.depth,
            "started_at": sweep.started_at.astimezone(UTC).isoformat(timespec="seconds"),
            "listed_whole": sweep.listed_whole,
            "left": list(sweep.left),
        },
    }


# -- the anchor outside ------------------------------------------------------------------------------------------


def anchor(practice: Practice) -> str:
    """Write the newest entry's head to the anchor file, unless it stands there. Returns what went wrong, or ""."""
    newest = LedgerEntry.objects.filter(practice=practice).last()
    if newest is None:
        return ""
    file = anchor_file()
    heads, _ = file.heads(newest.chain, public_keys())
    if heads and (heads[-1].seq, heads[-1].digest) == (newest.seq, newest.digest):
        return ""
    return _append(Head(newest.chain, newest.seq, newest.digest, _now()))


def note_restart(practice: Practice, reason: str) -> str:
    """After a backup was restored: say so outside, so that heads written since no longer count. As `anchor`."""
    newest = LedgerEntry.objects.filter(practice=practice).last()
    seq, digest = newest.entry().head if newest else (0, "0" * 64)
    return _append(Head(chain_of(practice), seq, digest, _now(), restart=reason))


def _append(head: Head) -> str:
    file = anchor_file()
    try:
        file.append(head, signer())
    except OSError as error:
        log.error("ledger.not_anchored", kind=type(error).__name__)  # noqa: TRY400  # the kind is all there is to say
        return f"The ledger could not be anchored: {file.path} cannot be written ({error.strerror}). Mend that path."
    return ""


def _now() -> str:
    return timezone.now().astimezone(UTC).isoformat(timespec="seconds")


# -- reading and checking ----------------------------------------------------------------------------------------


def day_entries(practice: Practice) -> list[LedgerEntry]:
    """The entry of each day, oldest first: the last one that was written on it."""
    newest = LedgerEntry.objects.filter(practice=practice).values("date").annotate(newest=Max("seq"))
    return list(LedgerEntry.objects.filter(practice=practice, seq__in=newest.values("newest")))


def shown(entry: LedgerEntry) -> dict[str, Any]:
    """An entry as `ledger show --json` gives it: the fields of the contract, then all else it holds."""
    chained = {"seq": entry.seq, "previous": entry.previous, "digest": entry.digest}
    said = {name: entry.body.get(name) for name in FIELDS}
    return {**said, **entry.body, **chained, "key": entry.key, "signature": entry.signature}


def export_lines(practice: Practice) -> Iterator[dict[str, Any]]:
    """The ledger as docs/audit-format.md describes it: the public keys, then each entry, oldest first."""
    yield {"public_keys": hex_keys_of(chain_of(practice))}
    for row in LedgerEntry.objects.filter(practice=practice).order_by("seq").iterator(500):
        yield asdict(row.entry())


def verify(practice: Practice) -> list[Finding]:
    """Whatever is wrong with a practice's ledger; nothing when it is whole and anchored."""
    chain, file = chain_of(practice), anchor_file()
    try:
        heads, findings = file.heads(chain, public_keys())
    except OSError as error:
        sentence = f"The anchor file {file.path} cannot be read ({error.strerror}). Mend that path."
        heads, findings = [], [Finding(None, sentence)]
    came_with = heads_of(chain)
    findings += check(_entries(practice, findings), keys_of(chain), chain=chain, heads=[*came_with, *heads])
    rows = LedgerEntry.objects.filter(practice=practice).order_by("seq").values_list("seq", "key")
    findings += [Finding(seq, LATE_KEY.format(seq=seq)) for seq in signed_too_late(rows.iterator(), chain)]
    newest = LedgerEntry.objects.filter(practice=practice).last()
    if newest is not None and (not heads or heads[-1].seq < newest.seq):
        findings.append(Finding(newest.seq, NOT_ANCHORED.format(seq=newest.seq, path=file.path)))
    return findings


def _entries(practice: Practice, findings: list[Finding]) -> Iterator[Entry]:
    """The entries in the order in which they were written; what the columns beside them claim is compared too."""
    for row in LedgerEntry.objects.filter(practice=practice).order_by("seq").iterator(500):
        said = row.entry().body
        if said.get("date") != row.date.isoformat() or said.get("practice") != practice.slug:
            findings.append(
                Finding(row.seq, f"Row {row.seq} stands under another day or practice than it says.")
            )
        yield row.entry()
