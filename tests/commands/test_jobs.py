"""`jobs list|replay` as typed: work that no event stands for is shown when it fails, and tried again."""

from __future__ import annotations

import json

import pytest

from labbridge.engine import queue
from labbridge.handlers.jobs import answer_request_row, file_lab_test, sync_chart

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def dead(run_jobs):
    """Three kinds of work without an event, whose practice is gone."""
    sync_chart.defer(lock="willow:sync:1", chart_id=NOBODY)
    file_lab_test.defer(lock="willow:lab_test:1", practice_id=NOBODY, external_id="labts_1")
    answer_request_row.defer(lock="willow:request:1", practice_id=NOBODY, pk_id=1)
    run_jobs(waiting=True)


def shown(labbridge, *arguments: str):
    done = labbridge("jobs", "list", "--json", *arguments)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_nothing_failed(labbridge):
    assert labbridge("jobs", "list").stdout == "No job has failed.\n"


def test_every_dead_job_is_listed_with_its_reason(labbridge, dead):
    listed = shown(labbridge)
    assert {one["task"] for one in listed} == {"sync_chart", "file_lab_test", "answer_request_row"}
    for one in listed:
        assert (one["state"], one["again_at"]) == ("dead", None)
        assert one["reason"].startswith("An error that nobody foresaw (DoesNotExist in ")
    assert shown(labbridge, "--state", "waiting") == []
    assert "sync_chart  chart_id=" in labbridge("jobs", "list").stdout


def test_replay_tries_again(labbridge, dead):
    (first, *_) = shown(labbridge)
    assert json.loads(labbridge("jobs", "replay", "--state", "dead", "--dry-run", "--json").stdout) == {
        "would_replay": 3
    }
    assert len(queue.failed()) == 3
    assert json.loads(labbridge("jobs", "replay", str(first["id"]), "--json").stdout) == {"replayed": 1}
    assert first["id"] not in {one["id"] for one in shown(labbridge)}
    assert json.loads(labbridge("jobs", "replay", "--state", "dead", "--json").stdout) == {"replayed": 2}
    assert shown(labbridge) == []


@pytest.mark.parametrize(
    "arguments",
    [("replay",), ("replay", "1", "--state", "dead"), ("replay", "12345"), ("list", "--state", "x")],
)
def test_nonsense(labbridge, arguments):
    done = labbridge("jobs", *arguments)
    assert done.exit_code == 2
    assert done.stderr
