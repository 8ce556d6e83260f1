"""Every kind of misbehaviour of both peers, at every kind of request: the end is that of the undisturbed life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labbridge.simulators.faults import REQUEST_KINDS
from tests.crash.conftest import Prepared
from tests.crash.stage import Stage, Tables, differences
from tests.crash.test_boundaries import play, tell

pytestmark = pytest.mark.crash

#: Reads are tried up to three times by the client itself; the fourth refusal reaches the job.
READS, WRITES = {"times": 4}, {"times": 1}
CASPIO = (
    ("POST", "/oauth/token$", READS),
    ("GET", "/records$", READS),
    ("POST", "/Lab_Orders/records$", WRITES),
    ("POST", "/Lab_Results/records$", WRITES),
    ("POST", "/Lab_Result_Values/records$", {"times": 1, "skip": 2}),
    ("PUT", "/Lab_Order_Tests/records$", WRITES),
    ("PUT", "/attachments/", {"times": 2, "skip": 1}),
)
RUPA = (("GET", "/files/", READS), ("GET", "/patients/", READS), ("GET", "/lab_tests/", READS))
MATCHES = {"caspio": CASPIO, "rupa": RUPA}
#: Shorter than the client's patience, so that the peer's late answer is still heard.
MORE: dict[str, dict[str, Any]] = {
    "hang_before": {"seconds": 0.3},
    "hang_after": {"seconds": 0.3},
    "slow": {"seconds": 0.3},
}
CASES: list[tuple[str, str, dict[str, Any]]] = [
    (peer, kind, {}) for peer in MATCHES for kind in REQUEST_KINDS
]
CASES += [(peer, "rate_limit", {"retry_after": 1}) for peer in MATCHES]


def play_with_faults(
    stage: Stage, prepared: Prepared, case: tuple[str, str, dict[str, Any]]
) -> dict[str, Any]:
    peer, kind, more = case
    tell(stage, prepared)
    if peer == "caspio":
        stage.call("caspio", "POST", "/_sim/expire-tokens")
    for method, path, how_often in MATCHES[peer]:
        stage.fault(peer, kind, method, path, **{**MORE.get(kind, {}), **more, **how_often})
    stage.serve()
    stage.settle(impatient=True)
    return {"tables": stage.tables(), "writes": stage.writes(), "hits": stage.hits(peer)}


def test_every_kind_of_fault(stages: Callable[..., list[Any]], prepared: Prepared) -> None:
    (calm,) = stages([None], lambda stage, _: play(stage, prepared, None))
    ends = stages(CASES, lambda stage, case: play_with_faults(stage, prepared, case))
    problems = []
    for case, end in zip(CASES, ends, strict=True):
        problems += [f"{case}: {line}" for line in compared(calm, end)]
        assert all(end["hits"]), f"{case}: a rule never struck: {end['hits']}"
    assert not problems, "\n".join(problems)


def test_silence_longer_than_our_patience(stages: Callable[..., list[Any]], prepared: Prepared) -> None:
    """The peer did it, and answers when nobody listens any more (30 s; peers/http.py)."""

    def play_either(stage: Stage, seconds: float) -> dict[str, Any]:
        tell(stage, prepared)
        if seconds:
            stage.fault("caspio", "hang_after", "POST", "/Lab_Results/records$", times=1, seconds=seconds)
        stage.serve()
        stage.settle(impatient=True)
        return {"tables": stage.tables(), "writes": stage.writes(), "hits": stage.hits("caspio")}

    calm, silent = stages([0, 31], play_either)
    assert silent["hits"] == [1]
    assert compared(calm, silent) == []


def compared(calm: dict[str, Any], end: dict[str, Any]) -> list[str]:
    wanted: Tables = calm["tables"]
    found = differences(wanted, end["tables"])
    if end["writes"] != calm["writes"]:
        found.append(f"inserts and uploads: {end['writes']} instead of {calm['writes']}")
    return found
