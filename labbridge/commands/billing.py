"""`billing list|show|set|superbill`: the money side of orders, with who said what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labbridge.commands.base import (
    DONE,
    PROBLEMS,
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    print_json,
    the_practice,
    write_private,
)

if TYPE_CHECKING:  # Django is not there yet when this module is imported
    from labbridge.billing.models import Superbill
    from labbridge.mirror.models import Order

billing_app = typer.Typer(no_args_is_help=True, help="Payments, superbills, HSA/FSA and payment plans.")

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Rupa's id of the order.")]
Day = Annotated[str, typer.Option("--on", help="YYYY-MM-DD, the day it happened; today when left out.")]
Word = Annotated[str, typer.Option(help="A word of docs/billing.md.")]


@billing_app.command("list")
@command
def list_orders(
    unpaid: Annotated[bool, typer.Option(help="Only orders that wait for the patient's payment.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 200,
    practice: PracticeSlug = "",
    as_json: AsJson = False,
) -> None:
    """Orders by their payment: the newest first, or with --unpaid those that wait longest. Names no patient."""
    from labbridge.trust.audit import operator, record

    one = the_practice(practice)
    found = [_line(order) for order in _orders(one, unpaid=unpaid, limit=limit)]
    record("money.list", actor=operator(), practice=one, count=len(found), why="payment")
    if as_json:
        print_json(found)
        return
    for row in found:
        words = " ".join(
            f"{name}={row[name]}" for name in ("superbill", "hsa_fsa", "payment_plan") if row[name]
        )
        waits = f" for {row['days_unpaid']} days" if row["days_unpaid"] is not None else ""
        print(f"{row['order']}  {row['payment']}{waits}  {row['amount'] or ''}  {words}".rstrip())
        for sentence in row["attention"]:
            print(f"    {sentence}")
    if not found:
        print("None.")


def _orders(practice: Any, *, unpaid: bool, limit: int) -> Iterator[Order]:
    from itertools import islice

    from django.db.models import F
    from django.utils import timezone

    from labbridge.billing.payment import awaiting_payment
    from labbridge.mirror.models import Order, Phase

    if unpaid:
        yield from islice(awaiting_payment(practice, before=timezone.now()), limit)
        return
    orders = Order.objects.filter(practice=practice, is_demo=False).exclude(phase=Phase.DRAFT)
    yield from orders.order_by(F("submitted_at").desc(nulls_last=True), "external_id")[:limit]


def _line(order: Order) -> dict[str, Any]:
    from labbridge.billing.payment import payer, payment
    from labbridge.billing.states import attention
    from labbridge.filing.rows import money
    from labbridge.handlers.billing import today
    from labbridge.practices.apply import config_of

    practice = order.practice
    state = payment(order)
    amount = money(order.total_price, config_of(practice).rupa.price_unit)
    submitted = order.submitted_at and order.submitted_at.astimezone(practice.zone).date()
    paid = order.paid_at and order.paid_at.astimezone(practice.zone).date()
    waits = (today(practice) - submitted).days if submitted and state == "awaiting_patient" else None
    return {
        "order": order.external_id, "payment": state, "payer": payer(order), "submitted_on": submitted,
        "paid_on": paid, "days_unpaid": waits, "amount": f"{amount:.2f}" if amount is not None else None,
        "superbill": order.superbill_status, "hsa_fsa": order.hsa_fsa_status,
        "payment_plan": order.payment_plan_status, "attention": attention(order),
    }  # fmt: skip


def _the_order(practice: Any, external_id: str) -> Order:
    from labbridge.mirror.models import Order

    orders = Order.objects.select_related("practice", "patient")
    found = orders.filter(practice=practice, external_id=external_id).first()
    if found is None:
        raise Stop("There is no such order. `labbridge billing list` shows those there are.", WRONG_USE)
    return found


@billing_app.command("show")
@command
def show(order: OrderId, practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """One order's money side: payment, words with their evidence, what a superbill lacks, what was sent."""
    from labbridge.billing.payment import proof
    from labbridge.billing.states import current
    from labbridge.handlers.billing import can_issue
    from labbridge.mirror.pseudonyms import sides_of
    from labbridge.trust.audit import operator, record

    found = _the_order(the_practice(practice), order)
    record(
        "money.read", actor=operator(), practice=found.practice, patient=sides_of(found),
        subject=f"order:{found.pk}", why="payment",
    )  # fmt: skip
    shown = {
        **_line(found),
        "physician_services": current(found, "physician_services") or "unknown",
        "medicare": current(found, "medicare"),
        "proof": [{"what": what, "at": at.isoformat(), "source": "rupa"} for what, at in proof(found)],
        "evidence": _evidence(found),
        "superbills": [_superbill(one) for one in found.superbills.all()],
        "superbill_lacks": can_issue(found),
    }
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        if isinstance(value, list):
            for one in value:
                words = (
                    "  ".join(str(part) for part in one.values() if part) if isinstance(one, dict) else one
                )
                print(f"{name.replace('_', ' ')}: {words}")
        elif value not in {"", None}:
            print(f"{name.replace('_', ' ')}: {value}")


def _evidence(order: Order) -> list[dict[str, Any]]:
    return [
        {
            "track": one.track, "word": one.word, "before": one.before, "source": str(one.source),
            "on": one.happened_on, "by": one.recorded_by, "recorded_at": one.recorded_at.isoformat(),
            "said": None if order.erased_at else one.content,
        }
        for one in order.billing_evidence.all()
    ]  # fmt: skip


def _superbill(one: Superbill) -> dict[str, Any]:
    sendings = [
        {"receiver": each.receiver, "way": each.way, "on": each.sent_on, "by": each.recorded_by}
        for each in one.sendings.all()
    ]
    return {
        "number": one.number, "version": one.version, "made_at": one.made_at.isoformat(), "made_by": one.made_by,
        "sha256": one.sha256, "sent": sendings,
    }  # fmt: skip


@billing_app.command("set")
@command
def set_words(
    order: OrderId,
    *,
    superbill: Word = "", hsa_fsa: Word = "", payment_plan: Word = "", physician_services: Word = "",
    medicare: Word = "", reminder: Word = "",
    source: Annotated[str, typer.Option(help="Who said so: rupa (seen there), staff or patient.")] = "staff",
    on: Day = "",
    note: Annotated[str, typer.Option(help="Kept sealed with the evidence.")] = "",
    icd10: Annotated[list[str] | None, typer.Option(help="A diagnosis; may be given again.")] = None,
    cpt: Annotated[list[str] | None, typer.Option(help="ORDERED_TEST=CODE; may be given again.")] = None,
    amount: Annotated[list[str] | None, typer.Option(help="ORDERED_TEST=DOLLARS; may be given again.")] = None,
    service_date: Annotated[str, typer.Option(help="YYYY-MM-DD")] = "",
    practice: PracticeSlug = "", dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Record what was said of an order's money, or enter what its superbill needs. All of it, or nothing."""
    from labbridge.billing.details import entered
    from labbridge.billing.models import Source
    from labbridge.billing.states import CannotSay, Said
    from labbridge.handlers import billing
    from labbridge.trust.audit import operator

    found = _the_order(the_practice(practice), order)
    who, now = operator(), billing.today(found.practice)
    if source not in list(Source):
        raise Stop(f"--source is one of {', '.join(Source)}.", WRONG_USE)
    words = {
        "superbill": superbill, "hsa_fsa": hsa_fsa, "payment_plan": payment_plan,
        "physician_services": physician_services, "medicare": medicare,
        "reminder": reminder,
    }  # fmt: skip
    day = _day(on, now)
    said = [Said(track, word, Source(source), day, who.name, note) for track, word in words.items() if word]
    service_on = _day(service_date, now) if service_date else None
    try:
        details = entered(
            found, icd10=icd10 or (), cpt=cpt or (), amounts=amount or (), service_on=service_on, today=now
        )
        if not said and not details:
            raise Stop("Say what to record: see `labbridge billing set --help`.", WRONG_USE)
        changed = billing.set_words(found, said, details or None, actor=who, dry_run=dry_run)
    except CannotSay as problem:
        raise Stop(str(problem), WRONG_USE) from None
    if as_json:
        print_json({"order": order, "changes": changed, "dry_run": dry_run})
        return
    for line in changed or ["nothing to change"]:
        print(("would change " if dry_run and changed else "") + line)


def _day(text: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError:
        raise Stop("A day is written YYYY-MM-DD.", WRONG_USE) from None


@billing_app.command("superbill")
@command
def superbill(
    order: OrderId,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write the PDF to.")] = None,
    sent_to: Annotated[
        str, typer.Option(help="Note that it went to: patient, administrator or insurer.")
    ] = "",
    way: Annotated[str, typer.Option(help="portal, email, post, fax or hand; with --sent-to.")] = "",
    on: Day = "",
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Issue a superbill, or say all that it lacks. The same facts give the same version again.

    With --sent-to, note to whom the newest one went instead.
    """
    from labbridge.billing.superbill import Incomplete
    from labbridge.handlers import billing
    from labbridge.trust.audit import operator

    found = _the_order(the_practice(practice), order)
    if sent_to or way:
        _note_sending(found, sent_to, way, on, dry_run=dry_run, as_json=as_json)
        return
    if dry_run:
        _say_what_lacks(order, billing.can_issue(found), as_json=as_json)
        return
    try:
        made, new = billing.issue(found, actor=operator())
    except Incomplete as incomplete:
        _say_what_lacks(order, incomplete.missing, as_json=as_json)
        return
    if out is not None:
        _write(made, found, out)
    if as_json:
        print_json({"order": order, **_superbill(made), "new": new, "lacks": []})
    else:
        print(
            f"Superbill {made.number}, version {made.version}, {'issued' if new else 'as it was issued before'}."
        )


def _say_what_lacks(order: str, lacks: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"order": order, "new": False, "lacks": lacks})
    else:
        for sentence in lacks or ["Nothing is lacking: it can be issued."]:
            print(sentence)
    raise typer.Exit(PROBLEMS if lacks else DONE)


def _note_sending(order: Order, receiver: str, way: str, on: str, *, dry_run: bool, as_json: bool) -> None:
    from labbridge.billing.states import CannotSay
    from labbridge.handlers import billing
    from labbridge.trust.audit import operator

    if receiver not in billing.RECEIVERS or way not in billing.WAYS:
        raise Stop(
            f"--sent-to is one of {', '.join(billing.RECEIVERS)}, with --way one of {', '.join(billing.WAYS)}.",
            WRONG_USE,
        )
    day = _day(on, billing.today(order.practice))
    try:
        billing.sent(order, receiver=receiver, way=way, on=day, actor=operator(), dry_run=dry_run)
    except CannotSay as problem:
        raise Stop(str(problem), WRONG_USE) from None
    if as_json:
        print_json(
            {"order": order.external_id, "receiver": receiver, "way": way, "on": day, "dry_run": dry_run}
        )
    else:
        print("It can be noted." if dry_run else f"Noted: to the {receiver}, by {way}, on {day}.")


def _write(made: Superbill, order: Order, path: Path) -> None:
    """For the person who asked alone: it is patient data in the clear from here on."""
    from labbridge.mirror.pseudonyms import sides_of
    from labbridge.trust.audit import operator, record

    record(
        "superbill.read", actor=operator(), practice=order.practice, patient=sides_of(order),
        subject=f"order:{order.pk}", why="payment", number=made.number, version=made.version,
    )  # fmt: skip
    write_private(path, made.pdf)
