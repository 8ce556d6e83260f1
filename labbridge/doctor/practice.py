"""Checks of one practice: its Caspio account, tables and webhook, and its authorisations at Rupa."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from django.utils import timezone

from labbridge.doctor.findings import Checked, fail, ok, warn
from labbridge.filing.provision import provision, webhook_url
from labbridge.peers.errors import ConnectionEnded, Forbidden, NotFound, PeerError
from labbridge.practices.clients import NotConnected, caspio, rupa
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.reconcile.watch.peers import forecast

PROVISION = "Run `labbridge provision` (with --dry-run to see first)."


def _unanswered(check: str, practice: Practice, error: PeerError) -> Checked:
    return Checked(check, practice.slug, "fail", f"{error}.", error.advice, unreachable=error.retryable)


def caspio_account(practice: Practice) -> Iterator[Checked]:
    """Token, permissions, tables, fields with their types, the outgoing webhook: some fifteen calls."""
    slug = practice.slug
    try:
        missing = provision(practice, dry_run=True)
    except NotConnected as error:
        yield fail("caspio", str(error), "Run `labbridge practice apply FILE`.", practice=slug)
        return
    except Forbidden as error:
        yield Checked(
            "caspio", slug, "fail", f"{error}.",
            "Give the Web Services profile of Labbridge the right to read and change tables and outgoing webhooks.",
        )  # fmt: skip
        return
    except PeerError as error:
        yield _unanswered("caspio", practice, error)
        return
    yield ok("caspio", "The account answers and the token is good.", practice=slug)
    for problem in missing.problems:
        sentence, _, action = problem.partition(". ")
        yield fail("caspio tables", f"{sentence.rstrip('.')}.", action or PROVISION, practice=slug)
    if missing.tables or missing.fields:
        names = ", ".join([*missing.tables, *missing.fields][:8])
        count = len(missing.tables) + len(missing.fields)
        yield fail(
            "caspio tables", f"Missing tables and fields: {count} ({names}).", PROVISION, practice=slug
        )
    elif not missing.problems:
        yield ok("caspio tables", "All tables and fields are there, with the right types.", practice=slug)
    if missing.problems:
        return  # the webhook is looked at when the tables are right
    if missing.webhooks:
        todo = "; ".join(missing.webhooks[:3])
        yield fail(
            "caspio webhook",
            f"Caspio does not tell of changes as it should: {todo}.",
            PROVISION,
            practice=slug,
        )
    else:
        yield from _webhook(practice)


def _webhook(practice: Practice) -> Iterator[Checked]:
    slug, url = practice.slug, webhook_url(practice)
    try:
        with caspio(practice, "doctor") as client:
            held = next(hook for hook in client.outgoing_webhooks() if url in (hook.outgoing_urls or []))
            numbers = client.outgoing_webhook(held.id)
    except PeerError as error:
        yield _unanswered("caspio webhook", practice, error)
        return
    if not held.active:
        yield fail(
            "caspio webhook", "The webhook is switched off at Caspio.", "Switch it on there.", practice=slug
        )
    elif numbers.errors:
        yield warn(
            "caspio webhook",
            f"Of {numbers.calls or 0} deliveries in 30 days {numbers.errors} were not accepted.",
            "See that this service is reachable at LABBRIDGE_PUBLIC_URL, and its log for refusals.", practice=slug,
        )  # fmt: skip
    else:
        yield ok(
            "caspio webhook",
            "The webhook is registered, switched on, and listens to what it should.",
            practice=slug,
        )


def rupa_connections(practice: Practice) -> Iterator[Checked]:
    slug = practice.slug
    held = list(
        Connection.objects.filter(practice=practice, peer="rupa").exclude(state=ConnectionState.ENDED)
    )
    if not held:
        yield fail(
            "rupa", "The practice is not connected to Rupa.", "Run `labbridge rupa connect`.", practice=slug
        )
    for connection in held:
        yield _rupa(practice, connection)
    if held and not practice.practitioners.exists():
        yield warn(
            "practitioners", "No practitioner is known, so events of this practice cannot be told from others'.",
            "Apply practice.toml again, or run `labbridge rupa connect`.", practice=slug,
        )  # fmt: skip


def _rupa(practice: Practice, connection: Connection) -> Checked:
    again = "Connect again: `labbridge rupa connect`, as the practitioner."
    if connection.state == ConnectionState.RECONNECT:
        return fail(
            "rupa", f"The authorisation of {connection.account} has ended.", again, practice=practice.slug
        )
    try:
        with rupa(connection, "doctor") as client:
            with suppress(NotFound):  # whose token it is, Rupa need not tell (rupa-api.md 16.14)
                client.me()
            next(client.order_pages(), None)
    except ConnectionEnded:
        return fail(
            "rupa", f"The authorisation of {connection.account} has ended.", again, practice=practice.slug
        )
    except Forbidden as error:
        return Checked(
            "rupa", practice.slug, "fail", f"{error}.",
            "The authorisation does not reach far enough: ask Rupa which scopes your application has, then connect "
            "again.",
        )  # fmt: skip
    except PeerError as error:
        return _unanswered("rupa", practice, error)
    return ok("rupa", f"Rupa answers for {connection.account}.", practice=practice.slug)


def quota(practice: Practice) -> Iterator[Checked]:
    limit = practice.config.get("alerts", {}).get("calls_per_month", 0)
    expected = forecast(practice, timezone.now())
    sentence = f"About {expected:,} calls to Caspio by the end of this month"
    if not limit:
        yield ok("caspio calls", f"{sentence}.", practice=practice.slug)
    elif expected > limit:
        yield warn("caspio calls", f"{sentence}, of {limit:,}.", "Sync and sweep less often, or take a larger plan.",
                   practice=practice.slug)  # fmt: skip
    else:
        yield ok("caspio calls", f"{sentence}, of {limit:,}.", practice=practice.slug)
