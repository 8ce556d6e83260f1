"""Applying a `practice.toml`: repeatable, shows the difference, never loses a newer authorisation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel

from labbridge.peers.caspio.session import check_account, check_principal
from labbridge.practices.config import (
    STORED,
    ConfigProblem,
    PracticeConfig,
    certificate_bodies,
    optional_secret,
    resolve_secret,
    valid,
)
from labbridge.practices.models import ConfigVersion, Connection, ConnectionState, Practice
from labbridge.practices.text import put, whole
from labbridge.practices.versions import By, Secrets, Standing, Undo, check_base, note
from labbridge.practices.words import sentences
from labbridge.trust.audit import Actor, operator, record
from labbridge.trust.keys import keyring

Part = TypeVar("Part", bound=BaseModel)

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Applied:
    """What an application of a file did, or would do."""

    practice: Practice
    created: bool
    changes: list[str] = field(default_factory=list)
    new_authorisations: list[Connection] = field(default_factory=list)
    refile: bool = False  # values in Caspio depend on what changed
    moved: set[str] = field(default_factory=set)  # our words for tables that are others now, without our rows
    sentences: list[str] = field(default_factory=list)  # the changes in plain words
    version: ConfigVersion | None = None  # where they are kept; none when nothing changed


def without_secrets(config: PracticeConfig) -> dict[str, Any]:
    kept = config.model_dump(mode="json")
    kept["caspio"].update(client_id=STORED, client_secret=STORED, webhook_secret="")
    for practitioner in kept["rupa"]["practitioners"]:
        practitioner["refresh_token"] = ""
    kept["alerts"]["channels"] = []
    kept["caspio"]["patients"].pop("WRITTEN", None)
    if config.caspio.sign_in:
        given = resolve_secret(config.caspio.sign_in.certificate, "caspio.sign_in.certificate")
        kept["caspio"]["sign_in"]["certificate"] = _checked_certificate(given)
    return kept


def _checked_certificate(text: str) -> str:
    """Kept whole, since it is public and answers are checked against it long after the file is gone."""
    try:
        certificate_bodies(text)
    except ValueError as error:
        raise ConfigProblem(f"caspio.sign_in.certificate: {error}") from None
    return text


def config_of(practice: Practice) -> PracticeConfig:
    """The applied configuration, without its secrets."""
    return PracticeConfig.model_validate(practice.config)


def part_of(practice: Practice, kind: type[Part], name: str) -> Part:
    """One part of the applied configuration, for who asks it of all practices: the whole takes ten times as long."""
    return kind.model_validate(practice.config.get(name, {}))


def apply(
    config: PracticeConfig, *, dry_run: bool = False, by: By | None = None, secrets: Secrets | None = None
) -> Applied:
    """Create or change the practice as the file says.

    Without `secrets` they are those that the file gives or refers to; where it says `stored`, what is kept stays.

    Raises:
        ConfigProblem: a secret that the file refers to is not there, or the account's address cannot be one.
        ChangedMeanwhile: somebody was quicker.

    """
    _check_caspio(config)
    given = secrets or _given(config)
    who = by or By(operator())
    with transaction.atomic():
        practice = Practice.objects.select_for_update().filter(slug=config.practice.slug).first()
        created = practice is None
        if practice is None:
            practice = Practice.objects.create(slug=config.practice.slug, name=config.practice.name)
        check_base(practice, who.base)
        before = Standing.of(practice)
        applied = Applied(practice, created)
        _apply(applied, config, given)
        _apply_channels(applied, given.channels)
        if applied.changes:
            _keep_version(applied, before, who)
        if dry_run:
            transaction.set_rollback(True)
    return applied


def change(
    practice: Practice,
    changes: Mapping[str, Any],  # any: values of settings
    *,
    by: By,
    secrets: Secrets | None = None,
    dry_run: bool = False,
) -> Applied:
    """Change some settings by their paths and keep all others, the secrets too. Raises as `apply` does."""
    with transaction.atomic():
        held = Practice.objects.select_for_update().get(pk=practice.pk)
        check_base(held, by.base)
        kept = whole(held.config)
        for path, value in changes.items():
            put(kept, path, value)
        applied = apply(valid(kept), by=by, secrets=secrets or Secrets())
        if dry_run:
            transaction.set_rollback(True)
    return applied


def take_back(version: ConfigVersion, undo: Undo, by: By, *, dry_run: bool = False) -> Applied:
    """Undo a version (`versions.undo_of`): a change like any other."""
    return change(
        version.practice, undo.settings, by=replace(by, undoes=version), secrets=undo.secrets, dry_run=dry_run
    )


def _keep_version(applied: Applied, before: Standing, by: By) -> None:
    practice = applied.practice
    after = Standing.of(practice)
    said = ["The practice was set up."] if applied.created else sentences(before.kept, after.kept)
    if not applied.created:
        said += _said_of_secrets(before, after)
        said += [
            f"An authorisation of {one.account} at Rupa was brought along."
            for one in applied.new_authorisations
        ]
    applied.sentences = said
    applied.version = note(practice, before, after, said, by)
    more: dict[str, Any] = {"undoes": by.undoes.number} if by.undoes else {}  # any: as `record` takes it
    record(
        "practice.apply", actor=by.actor, practice=practice, count=len(applied.changes), why=by.why,
        subject=f"version:{applied.version.pk}", version=applied.version.number,
        **more,
    )  # fmt: skip


def _said_of_secrets(before: Standing, after: Standing) -> list[str]:
    said = []
    old, new = before.secrets["channels"], after.secrets["channels"]
    if old != new:
        count = f"{len(new)} channel{'' if len(new) == 1 else 's'}"
        said.append(
            f"Alerts go to {count if new else 'the channels of the whole service'}; before, to {len(old)}."
        )
    if any(before.secrets.get(name) != after.secrets.get(name) for name in ("client_id", "client_secret")):
        said.append("The credentials of the Caspio account were replaced.")
    return said


def _given(config: PracticeConfig) -> Secrets:
    """What the file gives. `stored` keeps what is there."""
    caspio, stored = config.caspio, config.alerts.channels == (STORED,)
    return Secrets(
        _needed_unless_stored(caspio.client_id, "caspio.client_id"),
        _needed_unless_stored(caspio.client_secret, "caspio.client_secret"),
        optional_secret(caspio.webhook_secret, "caspio.webhook_secret"),
        None if stored else _channels(config),
    )


def _needed_unless_stored(value: str, name: str) -> str | None:
    return None if value == STORED else _needed_secret(value, name)


def _check_caspio(config: PracticeConfig) -> None:
    """What the client would refuse at its first call, said to the person who can change it."""
    deployment = settings.DEPLOYMENT
    hosts = deployment.caspio_hosts
    try:
        check_account(config.caspio.url, allow_http=deployment.allow_http_peers, custom_domains=hosts)
    except ValueError as error:
        raise ConfigProblem(f"caspio.url: {error}", {"caspio.url": str(error)}) from None
    try:
        check_principal(config.caspio.principal)
    except ValueError as error:
        raise ConfigProblem(f"caspio.principal: {error}", {"caspio.principal": str(error)}) from None


def _channels(config: PracticeConfig) -> list[str]:
    channels = [_needed_secret(value, "alerts.channels") for value in config.alerts.channels]
    for number, url in enumerate(channels, start=1):
        if not is_channel(url):
            raise ConfigProblem(
                f"alerts.channels: number {number} is no address such as mailtos://… (docs/alerts.md)"
            )
    return channels


def is_channel(url: str) -> bool:
    return bool(re.match(r"[a-z][a-z0-9]*://.", url))


def _apply_channels(applied: Applied, channels: list[str] | None) -> None:
    practice = applied.practice
    if channels is not None and (practice.alert_channels or []) != channels:
        applied.changes.append(f"tell {len(channels)} channels of alerts")
        practice.alert_channels = channels
        practice.save(update_fields=["alert_channels"])


def _needed_secret(value: str, name: str) -> str:
    secret = resolve_secret(value, name)
    if not secret:
        raise ConfigProblem(f"{name} is empty.")
    return secret


def _apply(applied: Applied, config: PracticeConfig, secrets: Secrets) -> None:
    practice, created, slug = applied.practice, applied.created, config.practice.slug
    kept = without_secrets(config)
    elsewhere = not created and _place_of_patients(practice.config) != _place_of_patients(kept)
    if created:
        applied.changes.append(f"create practice {slug}")
    else:
        applied.changes.extend(_differences(practice.config, kept))
        applied.moved = _moved(practice.config, kept)
        applied.refile = bool(applied.moved) or _needs_refiling(practice.config, kept)
    practice.name, practice.time_zone = config.practice.name, config.practice.time_zone
    practice.config, practice.applied_at = kept, timezone.now()
    if applied.refile and practice.catalog_read_at is not None:
        practice.catalog_read_at = _LONG_AGO  # the next tick of the clock files the catalogue again
    if not created and _patients_to_be_read(applied.changes):
        practice.charts_read_at = None
    practice.save()
    if elsewhere:  # its rows have other numbers: nothing is written to one before the table was read again
        practice.charts.update(pk_id=None, read_at=timezone.now())
        practice.filed_rows.filter(table="patients").delete()
    _apply_caspio(applied, config, secrets)
    for practitioner in config.rupa.practitioners:
        token = optional_secret(practitioner.refresh_token, f"rupa.practitioners {practitioner.email}")
        _apply_practitioner(applied, practitioner.email, token)


NOTHING_STORED = (
    "caspio.client_id, caspio.client_secret: nothing is stored yet. Give the account's credentials."
)
ANOTHER_ACCOUNT = (
    "caspio.url: another account needs its own Client ID and Client Secret. "
    "What is stored goes to no other account."
)


def _apply_caspio(applied: Applied, config: PracticeConfig, given: Secrets) -> None:
    host = urlsplit(config.caspio.url).netloc
    connection = (
        Connection.objects.select_for_update().filter(practice=applied.practice, peer="caspio").first()
    )
    keeps = given.client_id is None or given.client_secret is None
    if keeps and (applied.created or (connection is None and given.client_id != given.client_secret)):
        raise ConfigProblem(NOTHING_STORED)
    if keeps and connection is not None and connection.account != host:
        raise ConfigProblem(ANOTHER_ACCOUNT, {"caspio.url": ANOTHER_ACCOUNT.partition(": ")[2]})
    if given.client_id is None and given.client_secret is None and not given.webhook_secret:
        return
    if connection is None:
        connection = Connection(practice=applied.practice, peer="caspio", account=host, credentials={})
        applied.changes.append(f"connect Caspio account {host}")
    held = dict(connection.credentials or {})
    new = {"client_id": given.client_id, "client_secret": given.client_secret}
    secrets = {name: value for name, value in new.items() if value is not None}
    webhook_secret = given.webhook_secret
    wanted = {**held, **secrets, **({"webhook_secret": webhook_secret} if webhook_secret else {})}
    if connection.account != host:
        applied.changes.append(f"move to Caspio account {host}")
        wanted.pop("access_token", None)
        if not webhook_secret:  # it was that of a webhook in the other account
            wanted.pop("webhook_secret", None)
    if any(held.get(name) != wanted[name] for name in secrets):
        wanted.pop("access_token", None)
        if held:
            applied.changes.append("change the credentials of the Caspio account")
    if webhook_secret and held.get("webhook_secret") != webhook_secret:
        applied.changes.append("change the secret of the Caspio webhook")
    connection.account, connection.credentials = host, wanted
    connection.state, connection.problem = ConnectionState.ACTIVE, ""
    connection.save()


def _apply_practitioner(applied: Applied, email: str, token: str) -> None:
    seen = keyring().blind(token, "given refresh token").hex() if token else ""
    if token and Connection.objects.filter(practice=applied.practice, given_tokens__contains=[seen]).exists():
        return  # given before, if for another e-mail: Rupa has replaced it since (design.md 6.6.10)
    connections = Connection.objects.select_for_update().filter(practice=applied.practice, peer="rupa")
    connection = connections.filter(account__iexact=email).first()
    if connection is None:
        if not token:
            return  # connected later through the consent page
        connection = Connection(practice=applied.practice, peer="rupa", account=email, credentials={})
        applied.changes.append(f"connect Rupa practitioner {email}")
    if not token:
        return
    connection.given_tokens = [*connection.given_tokens, seen]
    connection.credentials = {"refresh_token": token}
    connection.token_version += 1
    connection.state, connection.problem = ConnectionState.ACTIVE, ""
    connection.save()
    applied.changes.append(f"use the refresh token given for {email}")
    applied.new_authorisations.append(connection)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = dict(_flat(old)), dict(_flat(new))
    return [
        f"change {path}: {before.get(path)!r} -> {after.get(path)!r}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _moved(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """Our words for tables whose rows are not where they were: another name, or another account."""
    before, after = old["caspio"], new["caspio"]
    if urlsplit(before["url"]).netloc != urlsplit(after["url"]).netloc:
        return set(after["tables"])
    return {word for word, name in after["tables"].items() if before["tables"].get(word) != name}


def _place_of_patients(config: dict[str, Any]) -> tuple[str, str]:
    """The account and the table where the patients' rows are."""
    caspio = config["caspio"]
    return urlsplit(caspio["url"]).netloc, caspio["patients"]["table"]


def _patients_to_be_read(changes: list[str]) -> bool:
    return any(line.startswith(("change caspio.patients.", "change caspio.url:")) for line in changes)


def change_price_unit(
    practice: Practice, unit: str, *, actor: Actor | None = None, dry_run: bool = False
) -> Applied:
    """Apply another `[rupa] price_unit` to what is kept: the file needs the same line, or takes it back."""
    return change(practice, {"rupa.price_unit": unit}, by=By(actor or operator()), dry_run=dry_run)


def _needs_refiling(old: dict[str, Any], new: dict[str, Any]) -> bool:
    def filed_by(config: dict[str, Any]) -> list[Any]:
        return [config["practice"]["time_zone"], config["rupa"]["price_unit"]]

    return filed_by(old) != filed_by(new)


__all__ = [
    "Applied", "ConfigProblem", "apply", "change", "change_price_unit", "config_of", "is_channel", "take_back",
    "without_secrets",
]  # fmt: skip
