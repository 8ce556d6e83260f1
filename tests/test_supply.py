"""What `make audit` says of pip-audit's reports."""

from __future__ import annotations

from pathlib import Path

from tests.supply import FIRST, Report, looked_up, verdict

CLEAN = {"name": "clean", "version": "1", "vulns": []}
SKIPPED = {"name": "unseen", "skip_reason": "Dependency not found"}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
REQUIREMENTS = Path("requirements/service.txt").read_text()


class Index:
    """Stands in for pip-audit: one report after the other."""

    def __init__(self, *reports: Report | None) -> None:
        self.reports, self.asked = list(reports), list[str]()

    def __call__(self, requirements: str) -> Report | None:
        self.asked.append(requirements)
        return self.reports.pop(0)


def test_a_known_vulnerability_fails_and_is_named() -> None:
    code, told = verdict({"dependencies": [CLEAN, BAD]})
    assert code == 1
    assert told[-1] == "bad 2: PYSEC-1, mended in 2.1"


def test_what_could_not_be_looked_up_is_said() -> None:
    code, told = verdict({"dependencies": [CLEAN, SKIPPED]})
    assert code == 0
    assert told[0].startswith("1 of 2 dependencies looked up")
    assert "NOT LOOKED UP" in told[1]


def test_an_index_that_knows_no_advisories_is_asked_for_three_only() -> None:
    index = Index({"dependencies": [SKIPPED] * 3})
    code, (told,) = looked_up(REQUIREMENTS, index)
    assert (code, "NOT DONE" in told) == (0, True)
    pinned = [line for line in REQUIREMENTS.splitlines() if line[:1].isalnum()]
    assert f"{len(pinned)} dependencies" in told
    (asked,) = index.asked
    assert [line.split("==")[0] for line in asked.splitlines() if "==" in line] == sorted(FIRST)
    assert asked.count("--hash=") >= len(FIRST), "with their hashes, as the lock file has them"


def test_one_that_knows_them_is_asked_for_all() -> None:
    index = Index({"dependencies": [CLEAN, SKIPPED, SKIPPED]}, {"dependencies": [BAD]})
    assert looked_up(REQUIREMENTS, index)[0] == 1
    assert index.asked[1] == REQUIREMENTS


def test_one_that_does_not_answer_is_said() -> None:
    for index in (Index(None), Index({"dependencies": [CLEAN]}, None)):
        code, (told,) = looked_up(REQUIREMENTS, index)
        assert (code, told.startswith("NOT DONE")) == (0, True)
