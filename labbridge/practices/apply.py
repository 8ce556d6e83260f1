"""Applying a `practice.toml`: repeatable, shows the difference, never loses a newer authorisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from labbridge.peers.caspio.session import check_account, check_principal
from labbridge.practices.config import (
    ConfigProblem,
    PracticeConfig,
    certificate_bodies,
    optional_secret,
    resolve_secret,
)
from labbridge.practices.models import Connection, ConnectionState, Practice
from labbridge.trust.keys import keyring

STORED = (
    "stored"  # stands in the kept configuration where a secret stood; the secret itself is sealed elsewhere
)

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


def without_secrets(config: PracticeConfig) -> dict[str, Any]:
    kept = config.model_dump(mode="json")
    kept["caspio"].update(client_id=STORED, client_secret=STORED, webhook_secret="")
    for practitioner in kept["rupa"]["practitioners"]:
        practitioner["refresh_token"] = ""
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


def apply(config: PracticeConfig, *, dry_run: bool = False) -> Applied:
    """Create or change the practice as the file says.

    Raises:
        ConfigProblem: a secret that the file refers to is not there, or the account's address cannot be one.

    """
    _check_caspio(config)
    secrets = {
        "client_id": _needed_secret(config.caspio.client_id, "caspio.client_id"),
        "client_secret": _needed_secret(config.caspio.client_secret, "caspio.client_secret"),
    }
    webhook_secret = optional_secret(config.caspio.webhook_secret, "caspio.webhook_secret")
    with transaction.atomic():
        applied = _apply(config, secrets, webhook_secret)
        if dry_run:
            transaction.set_rollback(True)
    return applied


def _check_caspio(config: PracticeConfig) -> None:
    """What the client would refuse at its first call, said to the person who can change it."""
    deployment = settings.DEPLOYMENT
    hosts = deployment.caspio_hosts
    try:
        check_account(config.caspio.url, allow_http=deployment.allow_http_peers, custom_domains=hosts)
    except ValueError as error:
        raise ConfigProblem(f"caspio.url: {error}") from None
    try:
        check_principal(config.caspio.principal)
    except ValueError as error:
        raise ConfigProblem(f"caspio.principal: {error}") from None


def _needed_secret(value: str, name: str) -> str:
    secret = resolve_secret(value, name)
    if not secret:
        raise ConfigProblem(f"{name} is empty.")
    return secret


def _apply(config: PracticeConfig, secrets: dict[str, str], webhook_secret: str) -> Applied:
    slug = config.practice.slug
    practice = Practice.objects.select_for_update().filter(slug=slug).first()
    created = practice is None
    if practice is None:
        practice = Practice.objects.create(slug=slug, name=config.practice.name)
    applied = Applied(practice, created)
    kept = without_secrets(config)
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
    if not created and _patients_moved(applied.changes):
        practice.charts_read_at = None
    practice.save()
    _apply_caspio(applied, config, secrets, webhook_secret)
    for practitioner in config.rupa.practitioners:
        token = optional_secret(practitioner.refresh_token, f"rupa.practitioners {practitioner.email}")
        _apply_practitioner(applied, practitioner.email, token)
    return applied


def _apply_caspio(
    applied: Applied, config: PracticeConfig, secrets: dict[str, str], webhook_secret: str
) -> None:
    host = urlsplit(config.caspio.url).netloc
    connection = (
        Connection.objects.select_for_update().filter(practice=applied.practice, peer="caspio").first()
    )
    if connection is None:
        connection = Connection(practice=applied.practice, peer="caspio", account=host, credentials={})
        applied.changes.append(f"connect Caspio account {host}")
    held = dict(connection.credentials or {})
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


def _patients_moved(changes: list[str]) -> bool:
    return any(line.startswith(("change caspio.patients.", "change caspio.url:")) for line in changes)


def _needs_refiling(old: dict[str, Any], new: dict[str, Any]) -> bool:
    def filed_by(config: dict[str, Any]) -> list[Any]:
        return [config["practice"]["time_zone"], config["rupa"]["price_unit"]]

    return filed_by(old) != filed_by(new)


__all__ = ["Applied", "ConfigProblem", "apply", "config_of", "without_secrets"]
