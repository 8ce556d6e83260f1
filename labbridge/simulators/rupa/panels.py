"""Invented values for one ordered test: analytes with units, ranges and flags, the same at each call."""

import json
import random
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Observation:
    """One analyte's value. `kind` is HL7's NM, CE or ST; `flag` is one of table 0078."""

    name: str
    kind: str
    value: str
    flag: str
    units: str = ""
    reference_range: str = ""
    loinc: str = ""
    sub_id: str = ""
    corrected: bool = False


@cache
def _panels() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / "panels.json").read_text())
    return found


def title(panel: str) -> str:
    return str(_panels()[panel]["title"])


def specimen(panel: str) -> str:
    return str(_panels()[panel]["specimen"])


def observations(panel: str, seed: str, version: int) -> list[Observation]:
    """Values of one version: version 1 from the seed, each later one corrects one analyte more."""
    found = [_observed(raw, random.Random(f"{seed}:{raw['name']}")) for raw in _panels()[panel]["analytes"]]
    for n, observation in enumerate(found):
        if observation.kind == "CE":
            found[n] = replace(observation, sub_id=str(n + 1))
    for later in range(2, version + 1):
        dice = random.Random(f"{seed}:version:{later}")
        at = dice.randrange(len(found))
        raw = _panels()[panel]["analytes"][at]
        found[at] = replace(_different(raw, found[at], dice), sub_id=found[at].sub_id, corrected=True)
    return found


def _different(raw: dict[str, Any], before: Observation, dice: random.Random) -> Observation:
    while (after := _observed(raw, dice)).value == before.value:
        pass
    return after


def _observed(raw: dict[str, Any], dice: random.Random) -> Observation:
    if raw["kind"] == "NM":
        return _measured(raw, dice)
    usual, *others = raw["values"]
    value = usual if dice.random() < 0.7 else dice.choice(others)
    return Observation(
        name=raw["name"],
        kind=raw["kind"],
        value=value,
        flag="N" if value == usual else "A",
        reference_range=usual if raw["kind"] == "CE" else "",
        loinc=raw.get("loinc", ""),
    )


def _measured(raw: dict[str, Any], dice: random.Random) -> Observation:
    low, high, decimals = raw["low"], raw["high"], raw["decimals"]
    width = high - low
    roll = dice.random()
    if roll < 0.72:
        value = dice.uniform(low + 0.05 * width, high - 0.05 * width)
    elif roll < 0.86 or low == 0:
        value = high + width * dice.choice((0.2, 0.4, 1.6))
    else:
        value = low * dice.choice((0.9, 0.7, 0.3))
    rounded = round(value, decimals)
    return Observation(
        name=raw["name"],
        kind="NM",
        value=f"{rounded:.{decimals}f}",
        flag=flag(rounded, low, high),
        units=raw["units"],
        reference_range=f"<={_plain(high)}" if low == 0 else f"{_plain(low)}-{_plain(high)}",
        loinc=raw.get("loinc", ""),
    )


def flag(value: float, low: float, high: float) -> str:
    """HL7 table 0078, with LL and HH far outside of the range."""
    if value > high:
        return "HH" if value > high + (high - low) else "H"
    if value < low:
        return "LL" if value < low / 2 else "L"
    return "N"


def _plain(number: float) -> str:
    return f"{number:f}".rstrip("0").rstrip(".")
