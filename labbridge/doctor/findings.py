"""What a check says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Checked:
    """`sentence` is what is; `action` what to do, "" where nothing is to be done."""

    check: str
    practice: str  #: its slug; "" for the deployment
    state: State
    sentence: str
    action: str = ""
    unreachable: bool = False  #: a peer did not answer, so nothing is known


Check = Callable[[], Iterator[Checked]]


def ok(check: str, sentence: str, action: str = "", *, practice: str = "") -> Checked:
    return Checked(check, practice, "ok", sentence, action)


def warn(check: str, sentence: str, action: str, *, practice: str = "") -> Checked:
    return Checked(check, practice, "warn", sentence, action)


def fail(check: str, sentence: str, action: str, *, practice: str = "") -> Checked:
    return Checked(check, practice, "fail", sentence, action)
