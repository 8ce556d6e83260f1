"""Creating what is missing in the practice's Caspio account: tables, fields, the outgoing webhook.

Repeatable: what is there is left alone. A field of the wrong type is named, never changed: it may hold data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from labbridge.filing.tables import TABLES, CaspioType, Field
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio.types import (
    EventType,
    NewField,
    Webhook,
    WebhookChange,
)
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio, caspio_connection
from labbridge.practices.config import PracticeConfig
from labbridge.practices.models import Connection, Practice, Preparation, Preparing

EVENTS = (EventType("table.recordInsert"), EventType("table.recordUpdate"), EventType("table.recordDelete"))


@dataclass
class Provisioned:
    """What was created, or would be, and what a person must mend first."""

    tables: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    webhooks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {name: len(items) for name, items in vars(self).items()}


Progress = Callable[[int, int], None]


def provision(
    practice: Practice, *, dry_run: bool = False, progress: Progress = lambda _done, _total: None
) -> Provisioned:
    """Create what is missing. Raises PeerError; what was created before stays."""
    config, done = config_of(practice), Provisioned()
    wanted = list(wanted_tables(config))
    total = len(wanted) + 2
    with caspio(practice, "provision") as client:
        existing = {name.lower(): name for name in client.tables()}
        for number, (name, fields) in enumerate(wanted, start=1):
            _table(client, existing.get(name.lower()), name, fields, done, dry_run=dry_run)
            progress(number, total)
        _patients(client, config, existing, done, dry_run=dry_run)
        progress(len(wanted) + 1, total)
        if not done.problems:
            _webhook(client, practice, config, done, dry_run=dry_run)
        progress(total, total)
    if not dry_run and not done.problems:
        Preparation.objects.update_or_create(
            practice=practice, what=Preparing.TABLES,
            defaults={"fingerprint": fingerprint(config), "finished_at": timezone.now(), "problem": ""},
        )  # fmt: skip
    return done


def fingerprint(config: PracticeConfig) -> str:
    """What provisioning goes by: another account, table or field, and it must be done again."""
    part = config.caspio
    written = [getattr(part.patients, ours) for ours in part.patients.WRITTEN]
    said = [part.url, part.patients.table, *written, *part.tables.model_dump().values()]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def is_provisioned(practice: Practice) -> bool:
    """Whether everything was created for the configuration as it is. Asks nobody: the doctor asks Caspio."""
    held = Preparation.objects.filter(practice=practice, what=Preparing.TABLES).first()
    return held is not None and held.fingerprint == fingerprint(config_of(practice))


def wanted_tables(config: PracticeConfig) -> Iterator[tuple[str, tuple[Field, ...]]]:
    names = config.caspio.tables.model_dump()
    for word, spec in TABLES.items():
        yield names[word], spec.fields


def _table(
    client: Caspio,
    existing: str | None,
    name: str,
    fields: tuple[Field, ...],
    done: Provisioned,
    *,
    dry_run: bool,
) -> None:
    if existing is None:
        done.tables.append(name)
        if not dry_run:
            client.create_table(name, [new_field(item) for item in fields])
        return
    _fields(client, existing, fields, done, dry_run=dry_run)


def _fields(
    client: Caspio, table: str, fields: tuple[Field, ...], done: Provisioned, *, dry_run: bool
) -> None:
    held = {item.name.lower(): item for item in client.table(table).fields()}
    for wanted in fields:
        found = held.get(wanted.name.lower())
        if found is None:
            done.fields.append(f"{table}.{wanted.name}")
            if not dry_run:
                client.table(table).create_field(new_field(wanted))
            continue
        kind = found.kind.value if found.kind else found.type
        if kind not in {wanted.type, *wanted.also}:
            done.problems.append(
                f"The field {wanted.name} of the table {table} is of the type {found.type}; Labbridge needs "
                f"{wanted.type}. Rename or change it in Caspio, then run provision again."
            )
        elif wanted.unique and found.unique is False:
            done.problems.append(
                f"The field {wanted.name} of the table {table} is not unique; Labbridge finds its rows by it. "
                "Tick Unique in Caspio's table design, then run provision again."
            )


def new_field(item: Field) -> NewField:
    if item.unique:
        return NewField(name=item.name, type=item.type, unique=True)
    return NewField(name=item.name, type=item.type)


def _patients(
    client: Caspio, config: PracticeConfig, existing: dict[str, str], done: Provisioned, *, dry_run: bool
) -> None:
    """The patients table is the practice's own: only the fields that Labbridge writes are added to it."""
    part = config.caspio.patients
    table = existing.get(part.table.lower())
    if table is None:
        done.problems.append(
            f"Caspio has no table {part.table}, which [caspio.patients] names. Create it or correct the name."
        )
        return
    held = {item.name.lower(): item for item in client.table(table).fields()}
    key = held.get(part.key.lower())
    if (
        key is not None and key.unique is False
    ):  # two patients could share it, and one would get the other's results
        done.problems.append(
            f"The field {part.key} of the table {table} is not unique; [caspio.patients] names it as the key. "
            "Tick Unique in Caspio's table design, or name another field."
        )
    read = {ours: theirs for ours, theirs in part.read_fields().items() if ours not in part.WRITTEN}
    done.problems.extend(
        f"The table {table} has no field {theirs}, which [caspio.patients] names for {ours}. Correct the name."
        for ours, theirs in read.items()
        if theirs != "PK_ID" and theirs.lower() not in held
    )
    types: dict[str, CaspioType] = {"sync_message": "TEXT", "synced_at": "DATE/TIME"}
    written = tuple(
        Field(getattr(part, ours), types.get(ours, "STRING"), also=("TEXT", "STRING"))
        for ours in part.WRITTEN
        if getattr(part, ours)
    )
    _fields(client, table, written, done, dry_run=dry_run)


# -- the outgoing webhook ------------------------------------------------------------------------------------


def webhook_url(practice: Practice) -> str:
    return f"{settings.DEPLOYMENT.public_url}/webhooks/caspio/{practice.slug}"


def _webhook(
    client: Caspio, practice: Practice, config: PracticeConfig, done: Provisioned, *, dry_run: bool
) -> None:
    url = webhook_url(practice)
    connection = caspio_connection(practice)
    secret = (connection.credentials or {}).get("webhook_secret")
    held = next((hook for hook in client.outgoing_webhooks() if url in (hook.outgoing_urls or [])), None)
    if held is not None and not secret:
        # Its secret was told once, to somebody else: without it no delivery can be trusted, so it is made anew.
        done.webhooks.append(f"replace webhook {held.name} (its secret is not known here)")
        if not dry_run:
            client.delete_webhook(held.id)
        held = None
    elif held is None:
        done.webhooks.append(f"create webhook to {url}")
    hook = held
    if hook is None and not dry_run:
        hook = _create_webhook(client, practice, connection, url)
        if not (hook.secret or secret):
            done.problems.append(
                "Caspio did not tell the secret of the new webhook, without which no delivery is trusted. Set "
                "webhook_secret in practice.toml to the one that Caspio shows, and apply it."
            )
    _events(client, hook, config, done, dry_run=dry_run)


def _create_webhook(client: Caspio, practice: Practice, connection: Connection, url: str) -> Webhook:
    name = f"Labbridge {practice.slug}"
    taken = {hook.name for hook in client.outgoing_webhooks()}
    number = 2
    while name in taken:
        name, number = f"Labbridge {practice.slug} {number}", number + 1
    hook = client.create_webhook(WebhookChange(name=name, outgoing_urls=[url]))
    if hook.secret:  # told now and never again: keep it before anything else can fail
        with transaction.atomic():
            held = Connection.objects.select_for_update().get(pk=connection.pk)
            held.credentials = {**(held.credentials or {}), "webhook_secret": hook.secret}
            held.save(update_fields=["credentials"])
    return hook


def _events(
    client: Caspio, hook: Webhook | None, config: PracticeConfig, done: Provisioned, *, dry_run: bool
) -> None:
    """What the webhook listens to; `hook` is None where it would be created first."""
    listed = client.webhook_events(hook.id) if hook is not None else []
    held = {(event.type, (event.object_name or "").lower()) for event in listed}
    for table in (config.caspio.patients.table, config.caspio.tables.lab_order_requests):
        for kind in EVENTS:
            if (kind.value, table.lower()) in held:
                continue
            done.webhooks.append(f"listen to {kind.value} of {table}")
            if hook is not None and not dry_run:
                client.listen(hook.id, kind, table)
