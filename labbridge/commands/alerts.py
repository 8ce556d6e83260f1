"""`alerts list|ack|resolve|test`: what a person must know."""

from __future__ import annotations

import getpass
import uuid
from datetime import UTC, tzinfo
from typing import Annotated, Any

import typer

from labbridge.commands.base import (
    PROBLEMS,
    WRONG_USE,
    AsJson,
    DryRun,
    Stop,
    command,
    print_json,
    the_practice,
)

alerts_app = typer.Typer(no_args_is_help=True, help="What a person must know. Holds no patient data.")

AlertId = Annotated[str, typer.Argument(metavar="ID", help="As `labbridge alerts list` shows it.")]


def row(alert: Any) -> dict[str, Any]:  # any: an alert; Django is not there yet when this module is imported
    """One alert as `alerts list --json` gives it."""
    rule = alert.definition
    return {
        "id": str(alert.pk),
        "practice": alert.practice.slug if alert.practice else None,
        "rule": alert.rule,
        "subject": alert.subject,
        "severity": rule.severity.value,
        "owner": rule.owner.value,
        "state": alert.state,
        "sentence": alert.sentence(_zone(alert)),
        "action": rule.action,
        "first_seen": alert.first_seen.isoformat(),
        "last_seen": alert.last_seen.isoformat(),
        "acknowledged_by": alert.acknowledged_by or None,
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else None,
        "resolved_by": alert.resolved_by or None,
    }


def _zone(alert: Any) -> tzinfo:  # any: as above
    zone: tzinfo = alert.practice.zone if alert.practice else UTC
    return zone


@alerts_app.command("list")
@command
def list_alerts(
    practice: Annotated[str, typer.Option("--practice", "-p", help="Slug of a practice.")] = "",
    all_states: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open alerts, the gravest first. Exit code 1 when one is critical and nobody is at it."""
    from labbridge.alerts.models import Alert
    from labbridge.alerts.rules import Severity

    alerts = Alert.objects.select_related("practice")
    if practice:
        alerts = alerts.filter(practice=the_practice(practice))
    if not all_states:
        alerts = alerts.exclude(state="resolved")
    ranks = [severity.value for severity in Severity]
    rows = sorted(
        (row(alert) for alert in alerts if alert.ripe or all_states),
        key=lambda one: ranks.index(one["severity"]),
    )
    if as_json:
        print_json(rows)
    else:
        _print(rows)
    if any(one["severity"] == "critical" and one["state"] == "open" for one in rows):
        raise typer.Exit(PROBLEMS)


def _print(rows: list[dict[str, Any]]) -> None:
    if not rows:
        print("Nothing is wrong.")
    for one in rows:
        where = one["practice"] or "service"
        print(f"{one['id']}  {one['severity']:<8}  {one['state']:<12}  {where}  {one['sentence']}")
        print(f"    {one['action']} (For the {one['owner']}; since {one['first_seen']})")


@alerts_app.command("ack")
@command
def ack(alert_id: AlertId, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Say that you are at it: no more reminders. It ends by itself when its cause is gone."""
    _change(alert_id, "acknowledge", dry_run=dry_run, as_json=as_json)


@alerts_app.command("resolve")
@command
def resolve(alert_id: AlertId, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Say that the cause is gone. If it is not, the next look raises it anew."""
    _change(alert_id, "resolve", dry_run=dry_run, as_json=as_json)


def _change(alert_id: str, what: str, *, dry_run: bool, as_json: bool) -> None:
    from django.utils import timezone

    from labbridge.alerts import observe
    from labbridge.alerts.models import Alert

    try:
        alert = Alert.objects.select_related("practice").filter(pk=uuid.UUID(alert_id)).first()
    except ValueError:
        alert = None
    if alert is None:
        raise Stop("There is no such alert. `labbridge alerts list` shows the ids.", WRONG_USE)
    if alert.state == "resolved":
        raise Stop("This alert is over already.", WRONG_USE)
    if not dry_run:
        change = observe.acknowledge if what == "acknowledge" else observe.resolve
        change(alert, timezone.now(), by=getpass.getuser())
    if as_json:
        print_json({**row(alert), "dry_run": dry_run})
    else:
        print(f"would {what} it" if dry_run else f"{alert.state}: {alert.sentence(_zone(alert))}")


@alerts_app.command("test")
@command
def send_test(
    practice: Annotated[str, typer.Option("--practice", "-p", help="Only this practice's channels.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send a test message to every channel. Exit code 1 when one does not take it."""
    from labbridge.alerts.channels import send, usable
    from labbridge.reconcile.watch.look import all_recipients

    only = the_practice(practice).pk if practice else None
    rows = []
    for recipient in all_recipients():
        if only and recipient.practice_id != only:
            continue
        title = f"Labbridge {recipient.name}: test"
        for channel in recipient.channels:
            took = (
                usable(channel.url, outside=channel.outside)
                if dry_run
                else send(channel, title, "This channel works.")
            )
            rows.append({"recipient": recipient.name, "channel": channel.number, "works": took})
    if as_json:
        print_json(rows)
    for one in [] if as_json else rows:
        word = (
            ("address is understood" if dry_run else "took it")
            if one["works"]
            else "FAILED: correct its address"
        )
        print(f"{one['recipient']} channel {one['channel']}: {word}")
    if not rows and not as_json:
        print(
            "There are no channels: set LABBRIDGE_ALERT_CHANNELS, or channels in [alerts] (docs/alerts.md)."
        )
    if not all(one["works"] for one in rows):
        raise typer.Exit(PROBLEMS)
