"""What can be said of an order's money, and in which order: one small table of moves for each track.

Rupa's API tells dates, payer and price only (rupa-api.md 11); all else is known to people, so each word has evidence:
who recorded it, when it happened, and from what source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from labbridge.billing.models import Evidence, Source
from labbridge.billing.payment import payer, payment
from labbridge.mirror.models import LabTest, Order

ANY = frozenset(Source)
#: Of what the practice itself decides, and of what only an account at Rupa or at the bank shows.
STAFF, SHOWN = frozenset({Source.STAFF}), frozenset({Source.STAFF, Source.RUPA})

#: The one lab whose stool tests Rupa lets be billed to Medicare (rupa-api.md 11).
MEDICARE_LAB = "diagnostic solutions"


class CannotSay(Exception):
    """The sentence says why a word does not fit this order, and names no patient."""


@dataclass(frozen=True)
class Track:
    """`moves`: from word to word, and the sources that may say so. "" is where every order begins."""

    title: str
    moves: dict[str, dict[str, frozenset[Source]]]
    column: str = ""  # of the order, and so in Caspio; "": kept as evidence alone
    #: Words that a command of their own sets, with what belongs to it.
    by_command: frozenset[str] = frozenset()

    @property
    def words(self) -> set[str]:
        return {word for moves in self.moves.values() for word in moves}


TRACKS: dict[str, Track] = {
    "superbill": Track(
        "Superbill",
        {
            "": {"requested": ANY, "declined": STAFF, "issued": STAFF},
            "requested": {"declined": STAFF, "issued": STAFF},
            "declined": {"requested": ANY, "issued": STAFF},
            "issued": {"issued": STAFF, "sent": STAFF, "voided": STAFF},
            "sent": {"issued": STAFF, "sent": STAFF, "voided": STAFF},
            "voided": {"requested": ANY, "issued": STAFF},
        },
        "superbill_status",
        frozenset({"issued", "sent"}),
    ),
    "hsa_fsa": Track(
        "HSA/FSA",
        {
            "": {"reported": ANY, "confirmed": SHOWN},
            "reported": {"confirmed": SHOWN, "rejected": SHOWN},
            "confirmed": {"rejected": SHOWN},
            "rejected": {"reported": ANY, "confirmed": SHOWN},
        },
        "hsa_fsa_status",
    ),
    "payment_plan": Track(
        "Payment plan",
        {
            "": {"offered": STAFF, "active": ANY},
            "offered": {"active": ANY, "declined": ANY},
            "declined": {"offered": STAFF, "active": ANY},
            "active": {"completed": ANY, "failed": ANY, "canceled": ANY},
            "failed": {"active": SHOWN, "completed": SHOWN, "canceled": ANY},
        },
        "payment_plan_status",
    ),
    "physician_services": Track(
        "Physician services fee",
        {
            "": {"charged": SHOWN, "not_charged": SHOWN},
            "charged": {"not_charged": SHOWN},
            "not_charged": {"charged": SHOWN},
        },
    ),
    "reminder": Track("Reminder of the payment", {"": {"reminded": STAFF}, "reminded": {"reminded": STAFF}}),
    "medicare": Track(
        "Medicare", {"": {"billed": SHOWN}, "billed": {"not_billed": SHOWN}, "not_billed": {"billed": SHOWN}}
    ),
}


def current(order: Order, track: str) -> str:
    """The word that stands; "" when nothing was said."""
    name = TRACKS[track].column
    if name:
        return str(getattr(order, name))
    newest = Evidence.objects.filter(order=order, track=track).order_by("-id").first()
    return newest.word if newest else ""


@dataclass(frozen=True)
class Said:
    """`by` is who records it, `on` the day it happened in the practice's calendar."""

    track: str
    word: str
    source: Source
    on: date
    by: str
    note: str = ""


def say(order: Order, said: Said) -> bool:
    """Record one word and move the order. Inside a transaction, its row locked. False: it was said already.

    Raises:
        CannotSay: the word is none, does not follow the one that stands, or contradicts what is known.

    """
    before = current(order, said.track)
    if before == said.word and _is_known(order, said):
        return False
    if said.word != before or said.word in TRACKS[said.track].moves.get(before, {}):
        check(order, said, before)
    elif said.source not in _sources(said):
        raise CannotSay(_whose(said))
    Evidence.objects.create(
        practice=order.practice, order=order, track=said.track, before=before, word=said.word,
        source=said.source, happened_on=said.on, recorded_by=said.by,
        content=_content(said),
    )  # fmt: skip
    name = TRACKS[said.track].column
    if name and said.word != before:
        setattr(order, name, said.word)
        order.revision += 1
        order.save(update_fields=[name, "revision"])
    return True


def _is_known(order: Order, said: Said) -> bool:
    if said.word in TRACKS[said.track].by_command:
        return False
    same = {"track": said.track, "word": said.word, "source": said.source, "happened_on": said.on}
    return any(one.content == _content(said) for one in Evidence.objects.filter(order=order, **same))


def _content(said: Said) -> dict[str, str] | None:
    return {"note": said.note} if said.note else None


def _sources(said: Said) -> frozenset[Source]:
    """Who may say this word at all, when it stands already and is only confirmed once more."""
    return frozenset().union(
        *(moves.get(said.word, frozenset()) for moves in TRACKS[said.track].moves.values())
    )


def check(order: Order, said: Said, before: str) -> None:
    """Raises CannotSay."""
    track = TRACKS[said.track]
    if said.word not in track.words:
        raise CannotSay(f"{track.title} has no word {said.word!r}. It has: {', '.join(sorted(track.words))}.")
    allowed = track.moves.get(before, {})
    if said.word not in allowed:
        now = f"is {before!r}" if before else "has no word yet"
        follows = ", ".join(sorted(allowed)) or "nothing"
        raise CannotSay(f"{track.title} of this order {now}: {follows} may follow, not {said.word!r}.")
    if said.source not in allowed[said.word]:
        raise CannotSay(_whose(said))
    if order.is_demo or order.erased_at:
        raise CannotSay("A demo order or one whose contents were erased has no money side.")
    if (reason := _contradiction(order, said)) is not None:
        raise CannotSay(reason)


def _whose(said: Said) -> str:
    able = " or ".join(sorted(_sources(said)))
    return f"That {TRACKS[said.track].title} is {said.word!r} can be said by {able}, not by {said.source}."


def _contradiction(order: Order, said: Said) -> str | None:  # noqa: PLR0911  # a list of cases
    state, pays = payment(order), payer(order)
    match said.track, said.word:
        case ("hsa_fsa", "reported" | "confirmed") | ("payment_plan", "offered" | "active") if (
            pays == "practitioner"
        ):
            return "The practice pays for this order, so the patient has nothing to pay with."
        case "hsa_fsa", "confirmed" if state not in {"paid", "refunded"}:
            return f"Rupa shows no payment of this order (it is {state}), so there is none to confirm."
        case "hsa_fsa", "reported" | "confirmed" if order.payment_plan_status in {"active", "completed"}:
            return (
                "The order is paid in instalments, and Splitit takes credit cards only, no HSA or FSA card."
            )
        case "payment_plan", "offered" if state in {"paid", "refunded", "canceled"}:
            return f"There is nothing left to pay: the order is {state}."
        case "payment_plan", "active" if order.hsa_fsa_status in {"reported", "confirmed"}:
            return "The order is paid with an HSA or FSA card, and Splitit takes credit cards only."
        case "reminder", "reminded" if state != "awaiting_patient":
            return f"The patient has nothing to be reminded of: the payment is {state}."
        case "medicare", "billed" if not has_medicare_lab(order):
            return (
                "Rupa lets only stool tests of Diagnostic Solutions be billed to Medicare, and this order has no "
                "test of that lab."
            )
    return None


def has_medicare_lab(order: Order) -> bool:
    keys = order.ordered_tests.filter(removed=False).values_list("lab_test_id_external", flat=True)
    tests = LabTest.objects.filter(practice=order.practice, external_id__in=list(keys))
    return tests.filter(lab_company_name__istartswith=MEDICARE_LAB).exists()


def attention(order: Order) -> list[str]:
    """What no longer fits since the order was canceled or refunded: a person must set it right."""
    state = payment(order)
    if state not in {"canceled", "refunded"}:
        return []
    found = []
    if order.superbill_status in {"issued", "sent"}:
        found.append(f"A superbill was issued, and the order is {state}: void it and tell whoever has it.")
    if order.hsa_fsa_status == "confirmed":
        found.append(f"An HSA/FSA payment was confirmed, and the order is {state}: the account must be told.")
    if order.payment_plan_status == "active":
        found.append(f"A payment plan runs, and the order is {state}: ask Rupa that it ends.")
    return found
