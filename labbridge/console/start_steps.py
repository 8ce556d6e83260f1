"""The steps from an empty installation to a first order. Each ticks itself from what is there; nothing is remembered.

Only what nobody can look up cheaply is kept: whether Caspio's tables were made for the settings as they are
(`Preparation`), and what was said of a practice that does not exist yet (`SetupDraft`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from labbridge.console.models import SetupDraft
from labbridge.filing.provision import is_provisioned
from labbridge.inbox.models import Event
from labbridge.mirror.models import Order
from labbridge.practices.clients import rupa_connections
from labbridge.practices.models import Connection, Practice, Preparing
from labbridge.reconcile.preparing import under_way

IN_GUIDE = "in_guide"  # session: the practice whose first order the person went to place


@dataclass(frozen=True)
class Step:
    key: str
    title: str
    done: bool
    note: str = ""  # what is known of it, once it is done


def caspio_of(practice: Practice) -> Connection | None:
    return Connection.objects.filter(practice=practice, peer="caspio").first()


def hears_caspio(practice: Practice) -> bool:
    held = caspio_of(practice)
    return bool(held and (held.credentials or {}).get("webhook_secret"))


def _practice(practice: Practice | None, said: dict[str, Any]) -> tuple[bool, str]:
    name = practice.name if practice else said.get("name", "")
    return bool(name), name


def _caspio(practice: Practice | None, said: dict[str, Any]) -> tuple[bool, str]:
    if practice is None:
        return bool(said.get("client_secret")), str(said.get("url", "")).partition("//")[2]
    held = caspio_of(practice)
    return held is not None, held.account if held else ""


def _patients(practice: Practice | None, _said: dict[str, Any]) -> tuple[bool, str]:
    return practice is not None, f"Table {practice.config['caspio']['patients']['table']}" if practice else ""


def _tables(practice: Practice | None, _said: dict[str, Any]) -> tuple[bool, str]:
    return practice is not None and is_provisioned(practice), "All tables and fields are there"


def _rupa(practice: Practice | None, _said: dict[str, Any]) -> tuple[bool, str]:
    held = rupa_connections(practice) if practice else []
    return bool(held), f"{len(held)} practitioner{'s' if len(held) > 1 else ''} connected" if held else ""


def _webhooks(practice: Practice | None, _said: dict[str, Any]) -> tuple[bool, str]:
    if practice is None or not hears_caspio(practice) or not settings.DEPLOYMENT.rupa_webhook_signing_secret:
        return False, ""
    heard = Event.objects.filter(peer="rupa").exists()
    return True, "Rupa has told something" if heard else "Rupa's first message comes with the first order"


def _catalogue(practice: Practice | None, _said: dict[str, Any]) -> tuple[bool, str]:
    if practice is None or practice.catalog_read_at is None or practice.charts_read_at is None:
        return False, ""
    busy = under_way(
        practice, Preparing.CATALOGUE
    )  # writing thousands of rows takes a while: nobody waits for it
    return True, "Read; still being written to Caspio" if busy else "Read and written to Caspio"


def _order(practice: Practice | None, _said: dict[str, Any]) -> tuple[bool, str]:
    first = Order.objects.filter(practice=practice).order_by("id").first() if practice else None
    return first is not None, first.external_id if first else ""


def _live(practice: Practice | None, _said: dict[str, Any]) -> tuple[bool, str]:
    filed = practice is not None and Order.objects.filter(practice=practice, filed_at__isnull=False).exists()
    return filed, "An order is in Caspio"


Look = Callable[[Practice | None, dict[str, Any]], tuple[bool, str]]

#: key -> title, and how to see whether it is done.
STEPS: dict[str, tuple[str, Look]] = {
    "practice": ("Your practice", _practice),
    "caspio": ("Connect Caspio", _caspio),
    "patients": ("Where the patients are", _patients),
    "tables": ("Tables in Caspio", _tables),
    "rupa": ("Connect Rupa", _rupa),
    "webhooks": ("News from both sides", _webhooks),
    "catalogue": ("Patients and lab tests", _catalogue),
    "order": ("First order", _order),
    "live": ("You are live", _live),
}


def plan(practice: Practice | None, draft: SetupDraft | None, *, signed_in: bool = False) -> list[Step]:
    """All steps in their order. Nobody reaches the guide without an account and a second step."""
    said = draft.said if draft else {}
    steps = [
        Step("account", "Your account", signed_in),
        Step("second-step", "A second step to sign in", signed_in),
    ]
    for key, (title, look) in STEPS.items():
        done, note = look(practice, said)
        steps.append(Step(key, title, done, note if done else ""))
    return steps


def next_step(steps: list[Step]) -> Step:
    """The first that is not done; the last when all are."""
    return next((one for one in steps if not one.done), steps[-1])
