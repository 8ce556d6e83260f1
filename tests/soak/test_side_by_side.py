"""Several processes over one database: one limit for each account, one clock, replaced one by one under traffic."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.soak.soak import Size, Soak, configured

pytestmark = pytest.mark.crash

RATE, BURST = 5.0, 5  #: calls a second; what may come at once (practices/quota.py)

#: Who began which job: the engine deletes those that ended well.
NOTE_STARTS = """
CREATE TABLE started (worker bigint, task text, args jsonb);
CREATE FUNCTION note_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO started VALUES (new.worker_id, new.task_name, new.args); RETURN new; END $$;
CREATE TRIGGER note_start AFTER UPDATE ON procrastinate_jobs FOR EACH ROW
  WHEN (new.status = 'doing' AND old.status = 'todo') EXECUTE FUNCTION note_start();
"""
#: What a newer version's first step may do while this version still runs beside it (docs/operations.md).
NEWER = """\
ALTER TABLE inbox_event ADD COLUMN of_a_newer_version text;
ALTER TABLE mirror_order ADD COLUMN of_a_newer_version integer NOT NULL DEFAULT 0;
ALTER TABLE filing_filedrow ADD COLUMN of_a_newer_version jsonb;
CREATE INDEX newer_index ON inbox_event (of_a_newer_version);
CREATE TABLE newer_table (id bigserial PRIMARY KEY);
INSERT INTO django_migrations (app, name, applied) VALUES ('inbox', '9999_of_a_newer_version', now());
"""


def test_two_workers_share_one_limit_and_one_clock(tmp_path: Path) -> None:
    size = Size(events=50, practices=1, webs=1, workers=2, rate=RATE, lossy=False)
    with configured(tmp_path, size) as soak:
        soak.query(NOTE_STARTS)
        soak.service.start()
        (practice,) = soak.peers.practices
        practice.caspio.faults.clear_requests()
        began = time.monotonic()
        soak.live()
        soak.settle(180)
        seconds = time.monotonic() - began
        calls = [one for one in practice.caspio.faults.requests() if one["path"] != "/oauth/token"]
        # A slower machine only makes it longer; a limit for each process would have made it half as long.
        assert seconds >= (len(calls) - BURST) / RATE
        assert len(calls) > 40
        ((workers,),) = soak.query("SELECT count(DISTINCT worker) FROM started WHERE task = 'file_order'")
        assert workers == 2, "both took part"
        ticks = soak.query(
            "SELECT task, count(*), count(DISTINCT args) FROM started WHERE task LIKE '%_by_clock' GROUP BY 1"
        )
        assert {"seal_audit_by_clock", "look_after_requests_by_clock"} <= {task for task, *_ in ticks}
        assert all(count == moments for _, count, moments in ticks), f"a tick came twice: {ticks}"
        assert_as_expected(soak)


def test_processes_are_replaced_one_by_one_under_traffic(tmp_path: Path) -> None:
    """A rolling restart: nothing is lost, nothing waits for a rescue, and a newer version's tables do no harm."""
    with configured(tmp_path, Size(events=90, practices=1, workers=2, lossy=False)) as soak:
        soak.service.start()
        codes: list[int] = []
        web_1, web_2, worker_1, worker_2 = soak.service.processes
        steps = [
            lambda: codes.append(soak.service.replace(web_1)),
            lambda: codes.append(soak.service.replace(worker_1)),
            lambda: [
                soak.query(one) for one in NEWER.splitlines()
            ],  # these two run on over newer tables, the other two start over them
            lambda: codes.append(soak.service.replace(web_2)),
            lambda: codes.append(soak.service.replace(worker_2)),
        ]
        soak.live(lambda: steps.pop(0)() if steps else None)
        for step in steps:
            step()
        soak.settle(180)
        assert codes == [0, 0, 0, 0]
        assert soak.query("SELECT sum(count)::int FROM engine_tally WHERE name = 'rescued'") == [(None,)]
        assert_as_expected(soak)


def assert_as_expected(soak: Soak) -> None:
    soak.compare()
    assert soak.report.rows > 20
    assert soak.report.differences == []
    soak.finish()
