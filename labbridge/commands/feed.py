"""`feed …` and `baa …`: other systems that are told what happens, and the agreements that let them (docs/feed.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    PROBLEMS,
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Secret,
    Stop,
    command,
    print_json,
    print_list,
    print_made,
    the_practice,
)

feed_app = typer.Typer(no_args_is_help=True, help="Other systems that are told what happens (docs/feed.md).")
baa_app = typer.Typer(no_args_is_help=True, help="Business associate agreements (BAAs) on file.")

Name = Annotated[str, typer.Argument(help="The destination's name, as `feed list` shows it.")]


@feed_app.command("add")
@command
def add(  # noqa: PLR0917  # a command's options, given by name
    name: Annotated[str, typer.Argument(help="What to call it: the receiving program.")],
    url: Annotated[str, typer.Argument(help="Its https address. It is kept sealed.")],
    kind: Annotated[list[str], typer.Option(help="What it is told of, such as result.filed; once for each.")],
    data: Annotated[
        str, typer.Option("--class", help="de-identified, or phi for patient data.")
    ] = "de-identified",
    baa: Annotated[
        str, typer.Option(help="With --class phi: the company whose BAA is on file (`labbridge baa list`).")
    ] = "",
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Tell another system what happens from now on. Prints the secret for its signatures once."""
    from labbridge.handover import agreements, feeds
    from labbridge.trust.audit import operator

    place = the_practice(practice)
    with _tried(dry_run):
        agreement = agreements.in_force(place, baa) if baa else None
        made = feeds.add(place, feeds.Wish(name, url, kind, data, agreement), actor=operator())
    shown = row(made.destination)
    said = f"{'Would add' if dry_run else 'Added'} {line(shown)}"
    secret = Secret("secret", "Secret for its signatures (Standard Webhooks)", made.secret)
    print_made(shown, said, secret, dry_run=dry_run, as_json=as_json)


@feed_app.command("list")
@command
def list_feeds(practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """Destinations, how they are, and what waits for them."""
    from labbridge.outbox.models import Destination

    living = Destination.objects.select_related("practice", "agreement").filter(removed_at=None)
    found = [row(one) for one in (living.filter(practice=the_practice(practice)) if practice else living)]
    nobody = "Nobody is told anything: `labbridge feed add NAME ADDRESS --kind result.filed` adds somebody."
    print_list(found, line, nobody, as_json=as_json)


@feed_app.command("pause")
@command
def pause(name: Name, practice: PracticeSlug = "", dry_run: DryRun = False) -> None:
    """Send nothing until `resume`. What happens meanwhile waits and is not lost."""
    _change(name, practice, "pause", "Paused", dry_run=dry_run)


@feed_app.command("resume")
@command
def resume(name: Name, practice: PracticeSlug = "", dry_run: DryRun = False) -> None:
    """Send again, what waited first; also after failures, without waiting for the next try."""
    _change(name, practice, "resume", "Resumed", dry_run=dry_run)


@feed_app.command("remove")
@command
def remove(name: Name, practice: PracticeSlug = "", dry_run: DryRun = False) -> None:
    """End a destination for good."""
    _change(name, practice, "remove", "Removed", dry_run=dry_run)


def _change(name: str, practice: str, deed: str, word: str, *, dry_run: bool) -> None:
    from labbridge.handover import feeds
    from labbridge.trust.audit import operator

    deeds = {"pause": feeds.pause, "resume": feeds.resume, "remove": feeds.remove}
    with _tried(dry_run):
        destination = feeds.find(the_practice(practice), name)
        deeds[deed](destination, actor=operator())
    print(f"{'Would have ' if dry_run else ''}{word.lower() if dry_run else word} {destination.name}.")


@feed_app.command("rotate")
@command
def rotate(
    name: Name,
    overlap_hours: Annotated[
        int, typer.Option(help="How long both secrets sign. 0: the old one ends at once.")
    ] = 24,
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give a destination another secret. Prints it once; enter it at the receiver within the overlap."""
    from datetime import timedelta

    from labbridge.handover import feeds
    from labbridge.trust.audit import operator

    if not 0 <= overlap_hours <= 24 * 30:
        raise Stop("The overlap is 0 to 720 hours.", WRONG_USE)
    with _tried(dry_run):
        destination = feeds.find(the_practice(practice), name)
        secret = feeds.rotate(destination, actor=operator(), overlap=timedelta(hours=overlap_hours))
    if as_json:
        print_json({"name": destination.name, "dry_run": dry_run, **({} if dry_run else {"secret": secret})})
    elif dry_run:
        print(f"Would give {destination.name} another secret.")
    else:
        print(f"New secret of {destination.name}, shown once: {secret}")
        print(
            f"For {overlap_hours} hours letters are signed with both."
            if overlap_hours
            else "The old one is over."
        )


@feed_app.command("test")
@command
def send_test(name: Name, practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """Send one test letter now. It says nothing about anybody, and is not repeated."""
    from labbridge.handover import feeds
    from labbridge.handover.carry import try_out
    from labbridge.trust.audit import operator

    with _sentences():
        destination = feeds.find(the_practice(practice), name)
        letter = try_out(destination)
        feeds.note_test(destination, letter, actor=operator())
    if as_json:
        print_json(letter_row(letter))
    elif not letter.problem:
        print(f"{destination.name} took it (answered {letter.status}). Its id was {letter}.")
    if letter.problem:
        raise Stop(f"{destination.name} did not take it. {letter.problem}", PROBLEMS)


@feed_app.command("preview")
@command
def preview(
    kind: Annotated[str, typer.Argument(help="Such as result.filed.")],
    data: Annotated[str, typer.Option("--class", help="de-identified or phi.")] = "de-identified",
) -> None:
    """An invented letter of that kind, field by field, as a destination of that class would get it."""
    from labbridge.handover.preview import example
    from labbridge.outbox.models import DataClass, Kind

    if kind not in {*Kind.values, "test"} or data not in DataClass.values:
        raise Stop(f"Kinds: {', '.join(Kind.values)}. Classes: {', '.join(DataClass.values)}.", WRONG_USE)
    print_json(example(kind, data))


@feed_app.command("replay")
@command
def replay(  # noqa: PLR0917  # a command's options, given by name
    name: Name,
    since: Annotated[
        str, typer.Option(help="From when: a day or a moment, such as 2026-11-02T08:00 (UTC).")
    ] = "",
    until: Annotated[str, typer.Option(help="Until before when.")] = "",
    kind: Annotated[list[str], typer.Option(help="Only these kinds; without it, all it hears of.")] = [],  # noqa: B006  # typer copies it
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up.")] = False,
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send facts again, with the ids they had. A receiver that goes by ids does nothing twice."""
    from labbridge.handover import feeds
    from labbridge.trust.audit import operator

    which = feeds.Range(_moment(since), _moment(until), kind, dead)
    with _tried(dry_run):
        destination = feeds.find(the_practice(practice), name)
        count = feeds.replay(destination, which, actor=operator())
    if as_json:
        print_json({"name": destination.name, "letters": count, "dry_run": dry_run})
    else:
        print(f"{'Would send' if dry_run else 'Sending'} {count} letters to {destination.name} again.")


@feed_app.command("dead")
@command
def dead(practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """Letters whose tries are used up, with the reason. They are kept until they are replayed."""
    from labbridge.outbox.models import Delivery, DeliveryState

    letters = Delivery.objects.filter(state=DeliveryState.DEAD).select_related("destination", "fact")
    if practice:
        letters = letters.filter(destination__practice=the_practice(practice))
    found = [letter_row(one) for one in letters.order_by("settled_at", "fact")]
    print_list(found, _letter_line, "No letter was given up.", as_json=as_json)


def _letter_line(one: dict[str, Any]) -> str:
    return f"{one['at'][:16]} {one['kind']} to {one['destination']}: {one['problem']} ({one['id']})"


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Stop(
            f"{text!r} is no day or moment: write 2026-11-02 or 2026-11-02T08:00.", WRONG_USE
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def _sentences() -> Iterator[None]:
    from labbridge.handover.agreements import AgreementProblem
    from labbridge.handover.feeds import FeedProblem
    from labbridge.handover.target import Held

    try:
        yield
    except (FeedProblem, AgreementProblem) as problem:
        raise Stop(str(problem), WRONG_USE) from None
    except Held as held:
        raise Stop(str(held), PROBLEMS) from None


@contextmanager
def _tried(dry_run: bool) -> Iterator[None]:
    """Do it, and with `dry_run` take it back."""
    from django.db import transaction

    with _sentences(), transaction.atomic():
        yield
        if dry_run:
            transaction.set_rollback(True)


def row(destination: Any) -> dict[str, Any]:
    from labbridge.handover.feeds import state_of, waiting_and_dead

    waiting, given_up = waiting_and_dead([destination])[destination.pk]
    agreement = destination.agreement
    return {
        "id": str(destination.pk), "name": destination.name, "practice": destination.practice.slug,
        "host": destination.host, "class": destination.data_class, "baa": agreement.party if agreement else None,
        "kinds": list(destination.kinds), "state": state_of(destination),
        "problem": destination.paused_why or destination.problem, "waiting": waiting, "dead": given_up,
        "delivered_at": destination.delivered_at,
    }  # fmt: skip


def line(one: dict[str, Any]) -> str:
    why = f" {one['problem']}" if one["problem"] else ""
    return (
        f"{one['name']} of {one['practice']} at {one['host']} ({one['class']}; {one['state']}; waiting "
        f"{one['waiting']}, given up {one['dead']}): {' '.join(one['kinds'])}.{why}"
    )


def letter_row(letter: Any) -> dict[str, Any]:
    return {
        "id": str(letter), "destination": letter.destination.name, "kind": letter.fact.kind,
        "state": letter.state, "at": letter.fact.at.isoformat(), "attempts": letter.attempts,
        "status": letter.status, "problem": letter.problem,
    }  # fmt: skip


# -- agreements ----------------------------------------------------------------------------------------------------


@baa_app.command("add")
@command
def add_baa(  # noqa: PLR0917  # a command's options, given by name
    party: Annotated[str, typer.Argument(help="The company that signed it.")],
    document: Annotated[
        Path,
        typer.Argument(help="The signed document. Only its SHA-256 is kept.", exists=True, dir_okay=False),
    ],
    signed: Annotated[str, typer.Option(help="The day it was signed: 2026-11-02.")],
    expires: Annotated[
        str, typer.Option(help="Its last day; for one without an end, when you will look again.")
    ],
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put a BAA on file: what lets patient data go to a destination or a key."""
    from labbridge.handover.agreements import Signed, digest_of, record_agreement
    from labbridge.trust.audit import operator

    said = Signed(party, _day(signed), _day(expires), digest_of(document.read_bytes()))
    with _tried(dry_run):
        made = record_agreement(the_practice(practice), said, actor=operator())
    shown = {**baa_row(made), "dry_run": dry_run}
    if as_json:
        print_json(shown)
    else:
        print(f"{'Would put' if dry_run else 'Put'} on file: {baa_line(shown)}")


@baa_app.command("list")
@command
def list_baas(practice: PracticeSlug = "", as_json: AsJson = False) -> None:
    """BAAs on file and until when they last."""
    from labbridge.outbox.models import Agreement

    held = Agreement.objects.select_related("practice")
    found = [baa_row(one) for one in (held.filter(practice=the_practice(practice)) if practice else held)]
    nothing = "No BAA is on file: `labbridge baa add PARTY DOCUMENT --signed DAY --expires DAY`."
    print_list(found, baa_line, nothing, as_json=as_json)


@baa_app.command("end")
@command
def end_baa(
    party: Annotated[str, typer.Argument(help="The company.")],
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
) -> None:
    """End the BAAs with a company today. Its destinations and keys are held at once."""
    from labbridge.handover.agreements import end
    from labbridge.trust.audit import operator

    with _tried(dry_run):
        count = end(the_practice(practice), party, actor=operator())
    print(f"{'Would end' if dry_run else 'Ended'} {count} with {party}.")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Stop(f"{text!r} is no day: write it as 2026-11-02.", WRONG_USE) from None


def baa_row(one: Any) -> dict[str, Any]:
    from django.utils import timezone

    today = timezone.now().astimezone(one.practice.zone).date()
    return {
        "id": str(one.pk), "party": one.party, "practice": one.practice.slug, "signed_on": str(one.signed_on),
        "expires_on": str(one.expires_on), "sha256": one.sha256, "in_force": one.holds(today),
        "recorded_by": one.recorded_by,
    }  # fmt: skip


def baa_line(one: dict[str, Any]) -> str:
    state = "in force" if one["in_force"] else "over"
    return (
        f"{one['party']} with {one['practice']} ({state}): signed {one['signed_on']}, last day {one['expires_on']}, "
        f"document {one['sha256'][:12]}…"
    )
