"""`init`: from an account to a `practice.toml` that can be applied."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labbridge.commands.base import WRONG_USE, AsJson, DryRun, Stop, command_before_tables, print_json

if TYPE_CHECKING:  # read late, as everything that `--help` does not need
    from labbridge.peers.caspio import Caspio
    from labbridge.peers.caspio.types import Field
    from labbridge.practices.propose import Proposal

ENV = "LABBRIDGE_INIT_"
CLIENT_ID, CLIENT_SECRET = "env:CASPIO_CLIENT_ID", "env:CASPIO_CLIENT_SECRET"  # names of variables


@dataclass
class Answers:
    """What a person or a script said; `ask` is False for scripts."""

    ask: bool
    file: Path

    def text(self, given: str, question: str, option: str, default: str = "") -> str:
        """A given answer, else the default without asking, else what the person types."""
        if given:
            return given
        if self.ask:
            return str(typer.prompt(question, default=default or None, err=True)).strip()
        if default:
            return default
        raise Stop(f"Say it with {option} (nothing is asked with --yes or --json).", WRONG_USE)

    def secret(self, given: str, question: str, name: str) -> str:
        """A reference to a secret. What is typed goes into a file of its own beside practice.toml."""
        from labbridge.practices.config import optional_secret

        if not given.startswith(("env:", "file:")):
            raise Stop(
                "Secrets are given as env:NAME or file:PATH, so that no list of processes shows them.",
                WRONG_USE,
            )
        if optional_secret(given, name) or not self.ask:
            return given
        typed = str(typer.prompt(question, hide_input=True, err=True)).strip()
        path = self.file.absolute().parent / f"{self.file.stem}.{name}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as kept:
            kept.write(typed + "\n")
        return f"file:{path}"


@command_before_tables
def init(  # noqa: PLR0917  # typer reads them as options: none is positional
    file: Annotated[Path, typer.Option(envvar=ENV + "FILE", help="What to write.")] = Path("practice.toml"),
    name: Annotated[str, typer.Option(envvar=ENV + "NAME", help="The practice's name.")] = "",
    slug: Annotated[str, typer.Option(envvar=ENV + "SLUG", help="Its name in addresses.")] = "",
    time_zone: Annotated[
        str, typer.Option(envvar=ENV + "TIME_ZONE", help="Such as America/Los_Angeles.")
    ] = "",
    caspio_url: Annotated[str, typer.Option(envvar=ENV + "CASPIO_URL", help="https://….caspio.com")] = "",
    client_id: Annotated[
        str, typer.Option(envvar=ENV + "CLIENT_ID", help="env:NAME or file:PATH.")
    ] = CLIENT_ID,
    client_secret: Annotated[
        str, typer.Option(envvar=ENV + "CLIENT_SECRET", help="env:NAME or file:PATH.")
    ] = CLIENT_SECRET,
    patients_table: Annotated[
        str, typer.Option(envvar=ENV + "PATIENTS_TABLE", help="Its name in Caspio.")
    ] = "",
    field: Annotated[
        list[str] | None,
        typer.Option("--map", envvar=ENV + "MAP", metavar="OURS=THEIRS", help="A field; repeatable."),
    ] = None,
    practitioner: Annotated[str, typer.Option(envvar=ENV + "PRACTITIONER", help="E-mail at Rupa.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", envvar=ENV + "YES", help="Ask nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file when it is there.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Connect to a Caspio account, propose which fields hold what, and write practice.toml.

    Asks for what is not given; each answer is also an option and a variable LABBRIDGE_INIT_…. Changes nothing in
    Caspio and keeps no secret in the file.
    """
    if file.exists() and not force and not dry_run:
        raise Stop(f"{file} is there already. Choose another with --file, or add --force.", WRONG_USE)
    answers = Answers(not (yes or as_json), file)
    named = answers.text(name, "Name of the practice", "--name")
    practice = {
        "slug": answers.text(slug, "Its name in addresses", "--slug", _slug(named)),
        "name": named,
        "time_zone": answers.text(time_zone, "Its time zone", "--time-zone", _local_zone()),
    }
    caspio = {
        "url": answers.text(caspio_url, "Address of the Caspio account", "--caspio-url").rstrip("/"),
        "client_id": answers.secret(client_id, "Client ID of the Web Services profile", "caspio_client_id"),
        "client_secret": answers.secret(client_secret, "Client Secret", "caspio_client_secret"),
    }
    table, proposals = _patients(caspio, patients_table, _mapping(field), answers, quiet=as_json)
    text = _written(practice, caspio, table, proposals, practitioner)
    _check(text)
    if not dry_run:
        file.write_text(text, encoding="utf-8")
    _report(text, file, table, proposals, dry_run=dry_run, as_json=as_json)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.split(maxsplit=1)[0].lower() if name.split() else "").strip("-")[
        :50
    ]


def _local_zone() -> str:
    """The machine's own zone, where it says one."""
    _, _, zone = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    return zone if "/" in zone else ""


def _mapping(pairs: Sequence[str] | None) -> dict[str, str]:
    from labbridge.practices.propose import NAMES

    chosen = {}
    for pair in pairs or ():
        ours, equals, theirs = pair.partition("=")
        if not equals or not theirs or ours not in {*NAMES, "key"}:
            raise Stop(f"--map {pair!r}: say OURS=THEIRS, where OURS is key, {', '.join(NAMES)}.", WRONG_USE)
        chosen[ours] = theirs
    return chosen


# -- the account ---------------------------------------------------------------------------------------------


def _patients(
    caspio: Mapping[str, str], table: str, chosen: dict[str, str], answers: Answers, *, quiet: bool
) -> tuple[str, list[Proposal]]:
    client = _client(caspio)
    try:
        name, fields = _table(client, table, answers)
    finally:
        client.close()
    from labbridge.practices.propose import NEEDED, propose

    held = {one.name.lower(): one.name for one in fields} | {"pk_id": "PK_ID"}
    unknown = [theirs for theirs in chosen.values() if theirs.lower() not in held]
    if unknown:
        raise Stop(
            f"The table {name} has no field {', '.join(unknown)}. It has: {_list(held.values())}.", WRONG_USE
        )
    chosen = {ours: held[theirs.lower()] for ours, theirs in chosen.items()}
    proposals = propose(fields, chosen)
    if not quiet:
        _show(name, proposals)
    for one in proposals:
        if one.ours in NEEDED and not one.theirs:
            theirs = answers.text("", f"Which field of {name} holds {one.ours}", f"--map {one.ours}=FIELD")
            if theirs.lower() not in held:
                raise Stop(
                    f"The table {name} has no field {theirs}. It has: {_list(held.values())}.", WRONG_USE
                )
            chosen[one.ours] = held[theirs.lower()]
    proposals = propose(fields, chosen)
    if answers.ask and not typer.confirm("Is this right?", default=True, err=True):
        raise Stop(
            "Nothing was written. Say what is wrong with --map OURS=THEIRS, then run it again.", WRONG_USE
        )
    return name, proposals


def _client(caspio: Mapping[str, str]) -> Caspio:
    from django.conf import settings

    from labbridge.peers.caspio import Caspio
    from labbridge.practices.config import resolve_secret

    deployment = settings.DEPLOYMENT
    try:
        return Caspio(
            caspio["url"],
            resolve_secret(caspio["client_id"], "caspio.client_id"),
            resolve_secret(caspio["client_secret"], "caspio.client_secret"),
            allow_http=deployment.allow_http_peers,
            custom_domains=deployment.caspio_hosts,
            purpose="init",
        )
    except ValueError as error:
        raise Stop(f"--caspio-url: {error}.", WRONG_USE) from None


def _table(client: Caspio, wanted: str, answers: Answers) -> tuple[str, Sequence[Field]]:
    from labbridge.practices.propose import NEEDED, fitness, likely_tables

    tables = {name.lower(): name for name in client.tables()}
    if not wanted:
        known = [(name, client.table(name).fields()) for name in likely_tables(tables.values())]
        best = max(known, key=lambda one: fitness(one[1]), default=None)  # of equals, the likeliest name
        if best is not None and fitness(best[1]) >= len(NEEDED) - 1 and not answers.ask:
            return best
        default = best[0] if best is not None and fitness(best[1]) else ""
        if not answers.ask and not default:
            raise Stop(
                f"No table looks like that of the patients. Name it with --patients-table; there are: "
                f"{_list(tables.values())}.", WRONG_USE,
            )  # fmt: skip
        wanted = answers.text("", "Which table holds the patients", "--patients-table", default)
    name = tables.get(wanted.lower())
    if name is None:
        raise Stop(f"Caspio has no table {wanted}. There are: {_list(tables.values())}.", WRONG_USE)
    return name, client.table(name).fields()


def _list(names: Any) -> str:  # any: an iterable of names
    listed = sorted(names, key=str.lower)
    return ", ".join(listed[:30]) + (f" and {len(listed) - 30} more" if len(listed) > 30 else "")


# -- the file ------------------------------------------------------------------------------------------------


def _written(
    practice: Mapping[str, str],
    caspio: Mapping[str, str],
    table: str,
    proposals: Sequence[Proposal],
    email: str,
) -> str:
    width = max(len(one.ours) for one in proposals)
    lines = ["# Written by `labbridge init`. Every line is explained in docs/practice-toml.md.", "[practice]"]
    lines += [f"{key} = {_quoted(value)}" for key, value in practice.items()]
    lines += ["", "[caspio]", *(f"{key} = {_quoted(value)}" for key, value in caspio.items())]
    lines += ["", "[caspio.patients]                           # ours = theirs", f"table = {_quoted(table)}"]
    for one in proposals:
        if one.theirs:
            lines.append(f"{one.ours.ljust(width)} = {_quoted(one.theirs)}  # {one.reason}")
        else:
            lines.append(f'# {one.ours.ljust(width)} = ""  # {one.reason}')
    if email:
        lines += ["", "[[rupa.practitioners]]", f"email = {_quoted(email)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string. Control characters have no place in any of these."""
    if not text.isprintable():
        raise Stop("An answer holds a character that cannot be shown.", WRONG_USE)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _check(text: str) -> None:
    """What was written can be read again, or it is not written."""
    from labbridge.practices.config import parse

    parse(text)


def _show(table: str, proposals: Sequence[Proposal]) -> None:
    typer.echo(f"\nThe table {table}, as far as its fields' names and types tell:\n", err=True)
    for one in proposals:
        typer.echo(f"  {one.ours:<12} {one.theirs or '-':<24} {one.reason}", err=True)
    typer.echo("", err=True)


def _report(
    text: str, file: Path, table: str, proposals: Sequence[Proposal], *, dry_run: bool, as_json: bool
) -> None:
    following = [
        f"labbridge practice apply {file}", "labbridge provision --dry-run", "labbridge provision",
        "labbridge serve", "labbridge rupa connect", "labbridge doctor",
    ]  # fmt: skip
    if as_json:
        mapping = {one.ours: {"field": one.theirs or None, "reason": one.reason} for one in proposals}
        print_json(
            {"file": str(file), "table": table, "mapping": mapping, "next": following, "dry_run": dry_run}
        )
        return
    if dry_run:
        print(text, end="")
        return
    print(f"Wrote {file}. Look at it, then:")
    for line in following:
        print(f"  {line}")
