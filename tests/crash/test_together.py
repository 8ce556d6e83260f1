"""Several events taken together: SIGKILL in the midst of it, and one that cannot be opened among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.crash.conftest import Prepared
from tests.crash.stage import Stage, Tables, differences
from tests.world import wait_for

pytestmark = pytest.mark.crash

PATIENCE = 150  #: seconds, on a crowded machine
#: Where the transaction that merges several events is stopped: a lock that the statement of that table waits for.
POINTS = ["mirror_order", "mirror_orderedtest", "mirror_ordermoment", "inbox_event"]


def tell(stage: Stage, lived: Prepared) -> None:
    """Everything is on disk, and nothing of it was handled."""
    lived.enter(stage)
    stage.serve("web")
    for body in lived.recorded.first:
        assert stage.deliver(body) == 200
    for message in lived.recorded.messages:
        assert stage.deliver(message, "caspio/willow") == 200
    stage.kill()


def calm(stage: Stage, lived: Prepared) -> Tables:
    tell(stage, lived)
    stage.serve()
    stage.settle(PATIENCE)
    return stage.tables()


def killed_at(stage: Stage, lived: Prepared, table: str) -> Tables:
    tell(stage, lived)
    with psycopg.connect(stage.address) as holder:
        holder.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")  # whoever reads goes on, whoever writes waits
        stage.serve()
        wait_for(lambda: _held_up(stage, table) > 0, f"something waits for {table}", 30)
        stage.kill()
    wait_for(lambda: _held_up(stage, table) == 0, "nothing of it is left", 30)
    merged = stage.query("SELECT count(*) FROM inbox_event WHERE peer = 'rupa' AND merged_at IS NOT NULL")
    jobs = stage.query("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'handle_event'")
    told = stage.query("SELECT count(*) FROM inbox_event WHERE merged_at IS NULL AND state = 'received'")
    assert merged == [(0,)], "half of it was kept"
    assert jobs == told, "a job was lost, or its work was"
    stage.pass_time()
    stage.serve()
    stage.settle(PATIENCE)
    return stage.tables()


def _held_up(stage: Stage, table: str) -> int:
    """Statements that wait for the lock."""
    ((count,),) = stage.query(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        table,
    )
    return int(count)


def with_poison(stage: Stage, lived: Prepared) -> Tables:
    """One event's body does not open until somebody mends it: it alone waits, and what came after it."""
    tell(stage, lived)
    ((event_id, subject, body),) = stage.query(
        "SELECT id, subject, body FROM inbox_event WHERE peer = 'rupa' ORDER BY received_at, id OFFSET 2 LIMIT 1"
    )
    stage.query("UPDATE inbox_event SET body = %s WHERE id = %s", bytes(body)[:-1] + b"?", event_id)
    stage.serve()

    def others_merged() -> bool:
        return stage.query(
            "SELECT count(*) FROM inbox_event WHERE peer = 'rupa' AND subject <> %s AND merged_at IS NULL",
            subject,
        ) == [(0,)]

    wait_for(others_merged, "the events of other orders are merged", 60)
    wait_for(
        lambda: stage.query("SELECT 1 FROM inbox_event WHERE id = %s AND reason <> ''", event_id) != [],
        "it says why it waits",
        60,
    )
    stage.query("UPDATE inbox_event SET body = %s WHERE id = %s", body, event_id)
    stage.settle(PATIENCE, impatient=True)
    return stage.tables()


def test_killed_in_the_midst(stages: Callable[..., list[Any]], lived: Prepared) -> None:
    (wanted,) = stages([None], lambda stage, _: calm(stage, lived))
    ends = stages(POINTS, lambda stage, table: killed_at(stage, lived, table))
    problems = [
        f"killed at {table}: {line}"
        for table, end in zip(POINTS, ends, strict=True)
        for line in differences(wanted, end)
    ]
    (end,) = stages([None], lambda stage, _: with_poison(stage, lived))
    problems += [f"with one that does not open: {line}" for line in differences(wanted, end)]
    assert not problems, "\n".join(problems)
