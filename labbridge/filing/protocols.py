"""The practice's own protocols in Caspio: reading them, and writing what somebody edited in the console.

Caspio owns them. An edit is compared row by row with what Caspio holds now: a row that is as wanted is done, one that
is as it was when the page was opened is written, and any other was changed by somebody else. So an edit may be tried
again after a crash or a lost answer, and nobody's change is overwritten unseen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labbridge.filing.execute import FilingProblem
from labbridge.filing.refusals import refusal
from labbridge.filing.tables import TABLES, canonical, fit
from labbridge.peers.caspio import Caspio, Row
from labbridge.peers.caspio import where as q
from labbridge.peers.caspio.table import Table
from labbridge.peers.errors import Conflict, Forbidden, NotFound, Rejected
from labbridge.practices.config import PracticeConfig

HEAD, TESTS = "lab_protocols", "lab_protocol_tests"
NEED = {HEAD: ("Protocol_ID", "Name", "Active", "Notes"),
        TESTS: ("Protocol_Test_ID", "Protocol_ID", "Rupa_Lab_Test_ID", "Sort")}  # fmt: skip
BY_PK = "pk:"  # stands before the PK_ID of a row whose own key is blank

Values = dict[str, Any]  # any: Caspio's own values
Key = tuple[str, str]  # table, key


@dataclass(frozen=True)
class InProtocol:
    """One test of a protocol: the key of its row, and Rupa's id of the test."""

    key: str
    test: str
    sort: int | None = None


@dataclass(frozen=True)
class Content:
    """A protocol as a whole. `there`: it has a row of its own, not tests alone."""

    name: str = ""
    active: bool = True
    notes: str = field(default="", repr=False)
    tests: tuple[InProtocol, ...] = ()
    there: bool = True

    def as_json(self) -> dict[str, Any]:  # any: JSON
        return {**vars(self), "tests": [vars(one) for one in self.tests]}

    @classmethod
    def of(cls, said: dict[str, Any]) -> Content:  # any: JSON
        return cls(**{**said, "tests": tuple(InProtocol(**one) for one in said["tests"])})

    def rows(self, protocol_id: str) -> dict[Key, Values]:
        rows: dict[Key, Values] = {}
        if self.there:
            rows[HEAD, protocol_id] = {"Name": self.name, "Active": self.active, "Notes": self.notes}
        for one in self.tests:
            rows[TESTS, one.key] = {
                "Protocol_ID": protocol_id, "Rupa_Lab_Test_ID": one.test, "Sort": one.sort,
            }  # fmt: skip
        return rows


class ChangedMeanwhile(Exception):
    """Caspio holds neither what was known nor what is wanted. `theirs` is what it holds; None: nothing."""

    def __init__(self, theirs: Content | None) -> None:
        super().__init__("The protocol was changed in Caspio meanwhile.")
        self.theirs = theirs


def read_all(client: Caspio, config: PracticeConfig) -> dict[str, Content]:
    """Every protocol by its id. Tables that are not there yet hold none.

    Raises PeerError.
    """
    return _contents(_rows(client, config, HEAD), _rows(client, config, TESTS))


def read_one(client: Caspio, config: PracticeConfig, protocol_id: str) -> Content | None:
    """Raises PeerError; NotFound when the tables are not there."""
    where = q.field("Protocol_ID") == protocol_id
    heads, tests = (
        _table(client, config, word).all(select=NEED[word], where=where) for word in (HEAD, TESTS)
    )
    return next((one for key, one in _contents(heads, tests).items() if _same(key, protocol_id)), None)


def _rows(client: Caspio, config: PracticeConfig, word: str) -> list[Row]:
    try:
        return _table(client, config, word).all(select=NEED[word])
    except NotFound:
        return []


def _table(client: Caspio, config: PracticeConfig, word: str) -> Table:
    name: str = config.caspio.tables.model_dump()[word]
    return client.table(name)


def _same(one: str, other: str) -> bool:
    """Caspio compares text without regard to case (caspio-api.md 3.3)."""
    return one.casefold() == other.casefold()


def _contents(heads: Iterable[Row], tests: Iterable[Row]) -> dict[str, Content]:
    ids: dict[str, str] = {}
    listed: dict[str, list[tuple[bool, int, int, InProtocol]]] = {}
    named = {}
    for row in heads:
        key = _text(row, "Protocol_ID")
        if key and key.casefold() not in ids:
            ids[key.casefold()] = key
            active = canonical(TABLES[HEAD].field("Active"), row.get("Active")) == "1"
            named[key.casefold()] = (_text(row, "Name"), active, _text(row, "Notes"))
    for row in tests:
        key, test = _text(row, "Protocol_ID"), _text(row, "Rupa_Lab_Test_ID")
        if not key or not test:
            continue
        ids.setdefault(key.casefold(), key)
        sort = _whole(row.get("Sort"))
        one = InProtocol(_text(row, "Protocol_Test_ID") or f"{BY_PK}{row['PK_ID']}", test, sort)
        listed.setdefault(key.casefold(), []).append((sort is None, sort or 0, int(row["PK_ID"]), one))
    found = {}
    for folded, key in ids.items():
        ordered = tuple(one for *_, one in sorted(listed.get(folded, ()), key=lambda row: row[:3]))
        name, active, notes = named.get(folded, (key, True, ""))
        found[key] = Content(name, active, notes, ordered, there=folded in named)
    return found


def _text(row: Row, name: str) -> str:
    return str(row.get(name) or "").strip()


def _whole(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def bring(
    client: Caspio,
    config: PracticeConfig,
    protocol_id: str,
    known: Sequence[Content | None],
    wanted: Content,
) -> Counter[str]:
    """Make Caspio hold what is wanted, row by row where it still holds what was `known` at some time.

    Raises:
        ChangedMeanwhile: nothing was written.
        FilingProblem: a sentence for people; what was written stays, and doing it again goes on from there.
        PeerError: Caspio is away.

    """
    try:
        theirs = read_one(client, config, protocol_id)
    except (NotFound, Forbidden) as error:
        names = config.caspio.tables
        raise FilingProblem(
            f"Caspio has no tables {names.lab_protocols} and {names.lab_protocol_tests} that may be read "
            f"({error.code or error.status}). Run `labbridge provision`."
        ) from None
    now, becomes = (one.rows(protocol_id) if one else {} for one in (theirs, wanted))
    before = [one.rows(protocol_id) if one else {} for one in known]
    changes = []
    for key in dict.fromkeys([*becomes, *(key for rows in before for key in rows), *now]):
        held, target = (_canonical(key, rows.get(key)) for rows in (now, becomes))
        if held == target:
            continue
        if all(held != _canonical(key, rows.get(key)) for rows in before):
            raise ChangedMeanwhile(theirs)
        changes.append(key)
    done: Counter[str] = Counter()
    for key in changes:
        done[_write(client, config, key, becomes.get(key), is_there=key in now)] += 1
    return done


def _canonical(key: Key, values: Values | None) -> dict[str, str] | None:
    if values is None:
        return None
    spec = TABLES[key[0]]
    return {name: canonical(spec.field(name), value).casefold() if name == "Protocol_ID"
            else canonical(spec.field(name), value) for name, value in values.items()}  # fmt: skip


def _write(client: Caspio, config: PracticeConfig, key: Key, values: Values | None, *, is_there: bool) -> str:
    """Write one row; returns what was done. Raises FilingProblem, PeerError."""
    word, name = key
    table, spec = _table(client, config, word), TABLES[word]
    where = q.field(spec.unique) == name
    if name.startswith(BY_PK):
        where = q.field("PK_ID") == int(name.removeprefix(BY_PK))
    try:
        if values is None:
            table.delete(where)
            return "removed"
        fitted = {one: fit(spec.field(one), value) for one, value in values.items()}
        if not is_there:
            table.insert({spec.unique: name, **fitted})
            return "inserted"
        if not table.update(where, fitted):
            raise FilingProblem(f"A row of {table.name} was deleted while the protocol was written.")
    except (Rejected, NotFound, Forbidden, Conflict) as error:
        raise FilingProblem(refusal(table.name, spec, name, error), retry_after=error.retry_after) from None
    return "updated"
