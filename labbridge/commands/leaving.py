"""`practice export`, `practice import`: a whole practice into a folder, and from there into an empty installation."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Annotated

import typer

from labbridge.commands.base import (
    PROBLEMS,
    WRONG_USE,
    AsJson,
    DryRun,
    PracticeSlug,
    Stop,
    command,
    print_json,
    the_practice,
)
from labbridge.commands.sync import progress_bar

KEY_LENGTH = 32
NO_KEY = (
    "{path} holds no key of an export. Give the file that `labbridge practice export --key-file` has made."
)


@command
def export(  # noqa: PLR0917  # typer passes options by name
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new or empty folder.")],
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Seal every file with the key in FILE; made when it is not there."),
    ] = None,
    receiver: Annotated[
        str, typer.Option(help="Who is given it: stands in each patient's accounting of disclosures.")
    ] = "",
    why: Annotated[str, typer.Option(help="For what purpose, for the audit.")] = "the practice moves",
    practice: PracticeSlug = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Everything of a practice into a folder that anybody can read: JSON Lines, Parquet, files, a manifest.

    The service may run on. A folder without manifest.json is no export: run it again (docs/leaving.md).
    """
    from labbridge.leaving.take import counts, take_out
    from labbridge.trust.audit import operator

    one = the_practice(practice)
    place = to.absolute()
    if key_file is not None and key_file.absolute().is_relative_to(place):
        raise Stop("Keep the key apart from what it opens: name a file outside of the folder.", WRONG_USE)
    if dry_run:
        rows = counts(one)
        if as_json:
            print_json({"practice": one.slug, "folder": str(place), "rows": rows, "dry_run": True})
        else:
            print(f"would write {sum(rows.values()):,} rows of {one.slug} into {place}")
        return
    key = _key(key_file, make=True) if key_file is not None else None
    with progress_bar(f"taking {one.slug} out", quiet=as_json) as progress:
        taken = take_out(one, place, actor=operator(), key=key, to=receiver, why=why, progress=progress)
    if as_json:
        print_json({"practice": one.slug, "folder": str(place), "rows": taken.rows, "files": taken.files,
                    "bytes": taken.bytes, "sealed": key is not None, "dry_run": False})  # fmt: skip
        return
    print(f"{place}: {sum(taken.rows.values()):,} rows, {taken.files:,} files, {taken.bytes:,} bytes.")
    if key is None:
        print("It holds patient data in clear: keep it where only those may read it who may read the charts.")
    else:
        print(f"It opens only with the key in {key_file}: send the two by different ways.")


@command
def bring(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `practice export` has made.")],
    key_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The key of a sealed export.")] = None,
    public_key: Annotated[
        str, typer.Option(metavar="HEX", help="Insist that this key signed it (`labbridge audit key` there).")
    ] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring a practice into this installation, which must be empty. Every file is proven first.

    Credentials never travel: run `labbridge practice apply` and `labbridge rupa connect` next (docs/leaving.md).
    """
    from labbridge.leaving.bring import bring_in, check
    from labbridge.leaving.folder import Reading
    from labbridge.trust.audit import operator

    reading = Reading(folder.absolute(), _key(key_file) if key_file is not None else None, public_key)
    slug, rows = reading.manifest["practice"]["slug"], reading.manifest["rows"]
    if dry_run:
        with progress_bar("proving the files", quiet=as_json) as progress:
            check(reading, progress)
        if as_json:
            print_json({"practice": slug, "rows": rows, "dry_run": True})
        else:
            print(f"The export of {slug} is whole; would bring in {sum(rows.values()):,} rows.")
        return
    with progress_bar(f"bringing {slug} in", quiet=as_json) as progress:
        brought = bring_in(reading, actor=operator(), progress=progress)
    if as_json:
        print_json({"practice": slug, "rows": brought.rows, "findings": brought.findings, "dry_run": False})
    else:
        print(f"{slug}: {sum(brought.rows.values()):,} rows are here. Its ledger and its audit "
              f"{'are whole' if not brought.findings else 'have findings'}.")  # fmt: skip
        for finding in brought.findings:
            print(finding)
        print("Next: `labbridge practice apply FILE` (Caspio's credentials), `labbridge rupa connect`, then "
              "`labbridge serve` and `labbridge sweep`.")  # fmt: skip
    if brought.findings:
        raise typer.Exit(PROBLEMS)


def _key(path: Path, *, make: bool = False) -> bytes:
    if make and not path.exists():
        key = os.urandom(KEY_LENGTH)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
        return key
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_LENGTH:
        raise Stop(NO_KEY.format(path=path), WRONG_USE)
    return key
