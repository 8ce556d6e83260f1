"""How pages say things: our words as people write them, their tone, and times in the practice's zone."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from labbridge.practices.models import Practice

register = template.Library()

#: Words of ours that call for attention or say that all is well; every other word is neutral.
TONES = {
    **dict.fromkeys(
        ("complete", "paid", "linked", "created", "resulted", "reviewed", "ready", "ordered", "active", "handled"),
        "good",
    ),
    **dict.fromkeys(
        ("awaiting_payment", "awaiting_patient", "partial_results", "waiting", "review", "open", "unreviewed",
         "received_file_pending", "expired", "reconnect"),
        "wait",
    ),
    **dict.fromkeys(("failed", "problem", "invalid", "dead", "quarantined", "ended", "overdue"), "harm"),
}  # fmt: skip


@register.filter
def words(value: str) -> str:
    """`awaiting_payment` as "awaiting payment"."""
    return str(value).replace("_", " ")


@register.filter
def thing(subject: str) -> str:
    """What an event is about: `order:ord_1` as "order ord_1"."""
    return subject.replace(":", " ", 1)


@register.filter
def commands(sentence: str) -> SafeString:
    """A sentence whose commands stand between backticks, as the command line prints it."""
    parts = str(sentence).split("`")
    if len(parts) % 2 == 0:  # one without its other: no pair to mark
        return format_html("{}", sentence)
    marked = (format_html("<code>{}</code>" if at % 2 else "{}", part) for at, part in enumerate(parts))
    return mark_safe("".join(marked))  # noqa: S308  # each part was escaped above


#: What calls to Caspio are counted for, in words.
PURPOSES = {
    "catalog": "lab test catalogue", "filing": "orders and results", "provision": "tables and fields",
    "token": "signing in", "connect": "trying the connection", "init": "reading the account's tables",
    "setup": "the first-run guide", "sweep": "comparison", "ehr": "other systems", "ping": "checking that it answers",
    "doctor": "the check of everything",
}  # fmt: skip


@register.filter
def purpose(word: str) -> str:
    return PURPOSES.get(word, words(word))


@register.simple_tag
def tag(word: str, text: str = "") -> SafeString:
    """A state as a small label; its tone comes from the word, never from colour alone.

    Written here and not in a template of its own: a list has one in every row.
    """
    tone = TONES.get(str(word), "")
    return format_html('<span class="tag{}">{}</span>', f" {tone}" if tone else "", text or words(word))


@register.simple_tag
def when(moment: datetime | None, practice: Practice) -> SafeString | str:
    """A moment on the practice's wall clock: "Today 3:47 am", "Nov 20, 4:10 pm", with the year when another's."""
    if moment is None:
        return "—"
    local = moment.astimezone(practice.zone)
    return _time(local, f"{_day(local)} {_clock(local)}")


@register.simple_tag
def ago(moment: datetime | None, practice: Practice) -> SafeString | str:
    """How long ago something was, in its largest unit: "12 min ago"."""
    if moment is None:
        return "never"
    return _time(moment.astimezone(practice.zone), age(timezone.now() - moment))


def age(passed: timedelta) -> str:
    minutes = int(passed.total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{minutes // (24 * 60)} days ago"


def _time(local: datetime, text: str) -> SafeString:
    # Not Django's own formats: they read every letter of theirs anew, and a list has two such cells in each row.
    whole = f"{local:%A, %B} {local.day}, {local.year}, {_clock(local)} {local.tzname()}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), whole, text
    )


def _day(local: datetime) -> str:
    now = timezone.now().astimezone(local.tzinfo)
    days = (now.date() - local.date()).days
    if days == 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    day = f"{local:%b} {local.day},"
    return day if local.year == now.year else f"{day} {local.year},"


def _clock(local: datetime) -> str:
    """3:47 am."""
    return f"{local.hour % 12 or 12}:{local:%M} {'am' if local.hour < 12 else 'pm'}"
