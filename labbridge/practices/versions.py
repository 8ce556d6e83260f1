"""Every change of a practice's settings as a version: who, when, why, the text before and after, and its undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labbridge.practices.config import ConfigProblem, PracticeConfig, parse
from labbridge.practices.models import Area, ConfigVersion, Connection, Practice
from labbridge.practices.text import ABSENT, Kept, changed, kept_of, leaves, toml_of, whole
from labbridge.trust.audit import Actor

CREDENTIALS = ("client_id", "client_secret")


class ChangedMeanwhile(ConfigProblem):
    """Somebody else has changed the settings since they were shown. Nothing was changed."""

    def __init__(self, since: Sequence[ConfigVersion]) -> None:
        self.since = list(since)
        who = ", ".join(dict.fromkeys(one.actor_name for one in self.since)) or "Somebody"
        told = " ".join(sentence for one in self.since for sentence in one.sentences)
        super().__init__(
            f"{who} changed the settings while you were at it, so nothing of yours was saved. {told} What you typed "
            "is still here: look at it again."
        )


class CannotUndo(Exception):
    """The sentence says why, and what to do."""


@dataclass(frozen=True)
class By:
    """Who changes the settings, why, and what they had before them: the number of the version (`base`)."""

    actor: Actor
    why: str = ""
    base: int | None = None  #: None: whatever is there, as the command line means it
    undoes: ConfigVersion | None = None


@dataclass(frozen=True)
class Secrets:
    """Secrets for Caspio and channels for alerts. None: what is stored stays; "" for the webhook's secret."""

    client_id: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    webhook_secret: str = field(default="", repr=False)
    channels: list[str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Standing:
    """How a practice is configured at a moment."""

    kept: Kept
    secrets: dict[str, Any] = field(repr=False)  # any: channels are a list

    @classmethod
    def of(cls, practice: Practice) -> Standing:
        account = Connection.objects.filter(practice=practice, peer="caspio").first()
        held = (account.credentials if account is not None else None) or {}
        secrets = {name: held[name] for name in CREDENTIALS if name in held}
        return cls(whole(practice.config), {**secrets, "channels": list(practice.alert_channels or [])})

    @property
    def text(self) -> str:
        return toml_of(self.kept, channels=bool(self.secrets["channels"]))


def latest(practice: Practice) -> int:
    """The number of the newest version of the settings; 0 when there is none."""
    newest = practice.versions.filter(area=Area.SETTINGS).order_by("-number").first()
    return newest.number if newest is not None else 0


def check_base(practice: Practice, base: int | None) -> None:
    """Call it under the practice's lock. Raises ChangedMeanwhile."""
    if base is not None and latest(practice) != base:
        since = practice.versions.filter(area=Area.SETTINGS, number__gt=base).order_by("number")
        raise ChangedMeanwhile(list(since))


def note(
    practice: Practice, before: Standing, after: Standing, sentences: Sequence[str], by: By
) -> ConfigVersion:
    """Keep a version of the settings. Call it under the practice's lock."""
    differ = {
        name
        for name in [*before.secrets, *after.secrets]
        if before.secrets.get(name) != after.secrets.get(name)
    }
    if before.kept and before.kept["caspio"]["url"] != after.kept["caspio"]["url"]:
        differ |= set(CREDENTIALS)  # none goes to another account, not even when it is taken back
    sealed = {
        side: {name: secrets[name] for name in sorted(differ) if name in secrets}
        for side, secrets in (("before", before.secrets), ("after", after.secrets))
    }
    return add(
        practice, Area.SETTINGS, before.text, after.text, sentences, by, sealed=sealed if differ else None
    )


def add(  # noqa: PLR0917  # the columns of a row
    practice: Practice,
    area: Area,
    before: str,
    after: str,
    sentences: Sequence[str],
    by: By,
    *,
    sealed: dict[str, Any] | None = None,  # any: JSON
) -> ConfigVersion:
    """Keep a version. Call it under the practice's lock."""
    newest = practice.versions.order_by("-number").values_list("number", flat=True).first() or 0
    return ConfigVersion.objects.create(
        practice=practice, number=newest + 1, area=area, actor_kind=by.actor.kind, actor_name=by.actor.name[:150],
        why=by.why[:300], before=before, after=after, sentences=list(sentences), sealed=sealed, undoes=by.undoes,
    )  # fmt: skip


@dataclass(frozen=True)
class Undo:
    """What takes a version back: settings by path, and secrets."""

    settings: dict[str, Any]  # any: values of settings, or ABSENT
    secrets: Secrets

    @property
    def paths(self) -> set[str]:
        return set(self.settings)


def undo_of(version: ConfigVersion) -> Undo:
    """What would take back this version and nothing that came after it.

    Raises:
        CannotUndo: it began the practice, changed nothing that is kept, or was changed again since.

    """
    if not version.before:
        raise CannotUndo("With this the practice began: there is nothing before it.")
    before, after = (kept_of(_read(text)) for text in (version.before, version.after))
    practice = Practice.objects.get(pk=version.practice_id)  # as it is now, not as whoever asks has read it
    moved, now = changed(before, after), Standing.of(practice)
    current, sealed = dict(leaves(now.kept)), version.sealed or {}
    if not moved and not sealed:
        raise CannotUndo(
            "It brought an authorisation along and changed no setting. End it under Connections."
        )
    again = [path for path, (_, later) in moved.items() if current.get(path, ABSENT) != later]
    again += [name for name, held in sealed.get("after", {}).items() if now.secrets.get(name) != held]
    if again:
        raise CannotUndo(
            "What it changed was changed again since. Undo the later change first, or set it anew."
        )
    former = sealed.get("before", {})
    if sealed and "client_id" in sealed["after"] and "client_id" not in former:
        raise CannotUndo("There was no Caspio account before this: enter another one under Connections.")
    secrets = Secrets(former.get("client_id"), former.get("client_secret"), channels=former.get("channels"))
    return Undo({path: old for path, (old, _) in moved.items()}, secrets)


def _read(text: str) -> PracticeConfig:
    try:
        return parse(text)
    except ConfigProblem:
        raise CannotUndo("This version of Labbridge no longer knows all of its settings.") from None
