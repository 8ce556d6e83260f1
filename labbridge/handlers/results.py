"""Taking result files: fetched from allowed hosts only, checked, kept sealed, read into values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

import structlog
from django.db import transaction

from labbridge.handlers.orders import take_snapshot
from labbridge.mirror.hl7 import Hl7Unreadable, read_oru
from labbridge.mirror.merge import read_at
from labbridge.mirror.models import Order, ResultSource, SourceState
from labbridge.mirror.results import Content, check_names, keep_content, mark_gone, refuse
from labbridge.peers.errors import NotFound, Unavailable, Unreadable
from labbridge.peers.lab import LabPeer
from labbridge.peers.rupa.files import (
    A_PAGE,
    FileExpired,
    FileKind,
    FileRefused,
    ResultFile,
    check_pdf,
    classify,
    classify_bytes,
)

log = structlog.get_logger()

SEVERAL = "hl7_of_several"
NEITHER = "The result is neither a PDF nor an HL7 message. Look at it in Rupa."


def take_pending(order: Order, rupa: LabPeer) -> None:
    """Take every file that was announced and not taken yet, oldest first.

    An address that is over is asked for once more through the order itself, which shows the newest file only. One
    that answers with a page even then (maintenance, perhaps) is left for the next attempt; the others go on.

    Raises:
        PeerError: Rupa is away; what was taken stays taken.

    """
    fresh, put_off = False, set[object]()
    while pending := [source for source in _pending(order) if source.pk not in put_off]:
        for source in pending:
            try:
                content = fetch(source, rupa)
            except FileExpired as expired:
                if not fresh:
                    fresh = True
                    _read_afresh(order, rupa)
                    break  # the addresses have changed: start again with the fresh ones
                if expired.code == A_PAGE:
                    put_off.add(source.pk)
                else:
                    _change(order, partial(mark_gone, source))
            except FileRefused as error:
                log.warning("results.refused", order_id=order.external_id, code=error.code)
                _change(order, partial(refuse, source, error.reason))
            else:
                _change(order, partial(keep_content, source, content))
    if put_off:
        raise Unavailable("rupa", "fetch a result file", code=A_PAGE)


def _read_afresh(order: Order, rupa: LabPeer) -> None:
    try:
        reread(order, rupa)
    except NotFound:  # the order itself is gone from Rupa: there is no fresh address to be had
        log.warning("results.order_gone", order_id=order.external_id)


def reread(order: Order, rupa: LabPeer) -> None:
    """Read the order itself from Rupa and merge it.

    Raises:
        PeerError: Rupa is away, does not know the order, or tells of another one.

    """
    known = Order.objects.values_list("as_of", flat=True).get(pk=order.pk)
    snapshot = rupa.order(order.external_id)
    if snapshot.id != order.external_id:
        raise Unreadable("rupa", "read an order", code="another_order")
    as_of = read_at(rupa.now(), known)
    with transaction.atomic():
        take_snapshot(order.practice, snapshot, as_of)


def fetch(source: ResultSource, rupa: LabPeer) -> Content:
    """The content of one source. What is good of it is kept, though the other part may be refused.

    Raises:
        FileExpired: an address is over.
        FileRefused: nothing of it can be kept; `reason` is a sentence.

    """
    pdf: bytes | None = None
    hl7: str | None = None
    problems: list[FileRefused] = []
    for value in filter(None, source.files.values()):
        try:
            file = _fetch_one(value, rupa)
        except FileRefused as refused:
            problems.append(refused)
            continue
        pdf, hl7 = pdf or file.content, hl7 or file.text
    if pdf is None and hl7 is not None:
        pdf = _embedded_pdf(hl7, rupa.max_file_size)
    if pdf is None and hl7 is None:
        raise problems[0] if problems else FileRefused(NEITHER, code="file_unknown")
    if any(problem.code == SEVERAL for problem in problems):  # then whose the PDF is, is in doubt too
        raise problems[0]
    return Content(pdf=pdf, hl7=hl7, note=problems[0].reason if problems else "")


def _fetch_one(value: str, rupa: LabPeer) -> ResultFile:
    """One file, checked: a PDF that opens or HL7 that can be read."""
    file = classify(value)
    if file.kind is FileKind.URL and file.url is not None:
        file = classify_bytes(rupa.download(file.url))
    if file.content is not None:
        check_pdf(file.content, rupa.max_file_size)
    elif file.text is not None:
        _check_hl7(file.text)
    else:
        raise FileRefused(NEITHER, code="file_unknown")
    return file


def _check_hl7(text: str) -> None:
    try:
        read_oru(text)
    except Hl7Unreadable as error:
        raise FileRefused(error.reason, code=SEVERAL if error.several else "hl7") from None


def _embedded_pdf(text: str, max_size: int) -> bytes | None:
    """The report that a lab put inside its message, where Rupa gave no PDF beside it: the first one that opens."""
    for document in read_oru(text).documents:
        if document.content is not None:
            with contextlib.suppress(FileRefused):
                check_pdf(document.content, max_size)
                return document.content
    return None


def _pending(order: Order) -> list[ResultSource]:
    pending = ResultSource.objects.filter(
        ordered_test__order=order, state=SourceState.PENDING,
        ordered_test__order__erased_at=None, ordered_test__order__patient__erased_at=None,
    )  # fmt: skip
    return list(pending.select_related("ordered_test__practice").order_by("as_of", "id"))


def _change(order: Order, change: Callable[[], bool]) -> None:
    """Let a source come to its end with the order locked; what changed by it belongs into Caspio.

    Not of an order whose contents were removed while its file was on its way: it would hold them again.
    """
    with transaction.atomic():
        locked = Order.objects.select_related("patient").select_for_update(of=("self",)).get(pk=order.pk)
        if locked.erased_at or (locked.patient and locked.patient.erased_at):
            return
        changed = change()
        changed |= check_names(locked, [locked.patient.person if locked.patient else None])
        if changed:
            locked.revision += 1
            locked.save(update_fields=["revision"])
