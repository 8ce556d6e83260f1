"""Taking result files: fetched from allowed hosts only, checked, kept sealed, read into values."""

from __future__ import annotations

import structlog
from django.db import transaction

from labbridge.handlers.orders import take_snapshot
from labbridge.mirror.hl7 import Hl7Unreadable, read_oru
from labbridge.mirror.models import Order, ResultSource, SourceState
from labbridge.mirror.results import Content, keep_content, mark_gone, refuse
from labbridge.peers.rupa.client import Rupa
from labbridge.peers.rupa.files import (
    FileExpired,
    FileKind,
    FileRefused,
    ResultFile,
    check_pdf,
    classify,
    classify_bytes,
)

log = structlog.get_logger()

NEITHER = "The result is neither a PDF nor an HL7 message. Look at it in Rupa."


def take_pending(order: Order, rupa: Rupa) -> None:
    """Take every file that was announced and not taken yet, oldest first.

    An address that is over is asked for once more through the order itself, which shows the newest file only.

    Raises:
        PeerError: Rupa is away; what was taken stays taken.

    """
    fresh = False
    while pending := list(_pending(order)):
        for source in pending:
            try:
                content = fetch(source, rupa)
            except FileExpired:
                if not fresh:
                    fresh = True
                    reread(order, rupa, look_again=True)
                    break  # the addresses have changed: start again with the fresh ones
                _note(order, source, gone=True)
            except (FileRefused, Hl7Unreadable) as error:
                log.warning("results.refused", order_id=order.external_id, code=getattr(error, "code", "hl7"))
                _note(order, source, refused=error.reason)
            else:
                _keep(order, source, content)


def reread(order: Order, rupa: Rupa, *, look_again: bool) -> None:
    """Read the order itself from Rupa and merge it."""
    snapshot = rupa.order(order.external_id)
    as_of = rupa.now()
    with transaction.atomic():
        take_snapshot(order.practice, snapshot, as_of, look_again=look_again)


def fetch(source: ResultSource, rupa: Rupa) -> Content:
    """The content of one source.

    Raises:
        FileExpired: an address is over.
        FileRefused: it must not or cannot be kept; `reason` is a sentence.
        Hl7Unreadable: the HL7 cannot be read; `reason` is a sentence.

    """
    files = [_fetch_one(value, rupa) for value in source.files.values() if value]
    pdf = next((file.content for file in files if file.kind is FileKind.PDF), None)
    hl7 = next((file.text for file in files if file.kind is FileKind.HL7), None)
    if pdf is None and hl7 is None:
        raise FileRefused(NEITHER, code="file_unknown")
    if pdf is not None:
        check_pdf(pdf, rupa.max_file_size)
    return Content(pdf=pdf, hl7=hl7, report=read_oru(hl7) if hl7 is not None else None)


def _fetch_one(value: str, rupa: Rupa) -> ResultFile:
    file = classify(value)
    if file.kind is FileKind.URL and file.url is not None:
        file = classify_bytes(rupa.download(file.url))
    if file.kind is FileKind.UNKNOWN:
        raise FileRefused(NEITHER, code="file_unknown")
    return file


def _pending(order: Order) -> list[ResultSource]:
    pending = ResultSource.objects.filter(ordered_test__order=order, state=SourceState.PENDING)
    return list(pending.select_related("ordered_test__practice").order_by("as_of", "id"))


def _keep(order: Order, source: ResultSource, content: Content) -> None:
    with transaction.atomic():
        locked = Order.objects.select_for_update().get(pk=order.pk)
        source.refresh_from_db(fields=["as_of", "latest_as_of", "takes"])
        person = locked.patient.person if locked.patient else None
        changed = keep_content(source, content, person)
        _bump(locked, changed=changed)


def _note(order: Order, source: ResultSource, *, gone: bool = False, refused: str = "") -> None:
    with transaction.atomic():
        locked = Order.objects.select_for_update().get(pk=order.pk)
        changed = mark_gone(source) if gone else refuse(source, refused)
        _bump(locked, changed=changed)


def _bump(order: Order, *, changed: bool) -> None:
    if changed:
        order.revision += 1
        order.save(update_fields=["revision"])
