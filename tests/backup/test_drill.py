"""The drill: a practice at work is destroyed, restored from its backup, and made whole from what the peers kept.

`make drill` shows its figures.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.crash.life import HL7_TEST, PDF_TEST, Director, configure, rich_life, row_of
from tests.crash.stage import Stage, differences
from tests.world import wait_for

pytestmark = pytest.mark.crash


def deliver(director: Director) -> None:
    for body in director.events():
        assert director.stage.deliver(body) == 200
    director.stage.settle(120, impatient=True)


def after_the_backup(director: Director) -> None:
    """New people and orders: one gets its results, of which one is amended, one is canceled, one goes on.

    Rupa shows only the newest file of the amended one: its first version is learnt from Caspio.
    """
    for number in (5, 6, 7):
        director.chart(row_of(number))
    orders = [director.order(director.patient(number), PDF_TEST, HL7_TEST) for number in (5, 6, 7)]
    director.act(orders[0], "result", index=0)
    director.act(orders[0], "result", index=1)
    director.act(orders[0], "amend", index=0)
    director.act(orders[1], "cancel")


def count(stage: Stage, table: str) -> int:
    ((number,),) = stage.query(f"SELECT count(*) FROM {table}")
    return int(number)


def counts(stage: Stage) -> dict[str, int]:
    return {table: count(stage, table) for table in ("inbox_event", "mirror_order", "mirror_result")}


def test_destroyed_restored_and_made_whole(tmp_path: Path) -> None:
    backup = tmp_path / "elsewhere" / "drill.labbridge"
    backup.parent.mkdir()
    with Stage(tmp_path) as stage:
        configure(stage)
        director = Director(stage)
        stage.serve()
        wait_for(stage.ready, "the service ready")
        rich_life(director)
        deliver(director)
        stage.run("backup", str(backup))  # while the service runs
        saved = counts(stage)
        after_the_backup(director)
        deliver(director)
        stage.run("sync", "patients")
        stage.settle(120, impatient=True)
        expected = stage.tables()
        held = counts(stage)
        ((seconds, size),) = stage.query("SELECT seconds, size FROM backup_backup")

        stage.kill()
        stage.kill_database()
        shutil.rmtree(stage.data_dir)
        destroyed = time.monotonic()
        stage.run("restore", str(backup))
        stage.serve()
        wait_for(stage.ready, "the service ready again")
        recovered = time.monotonic() - destroyed
        assert all(saved[table] < held[table] for table in held), "there was something to lose"

        stage.run("sync", "patients")
        stage.run("sweep", "--full")
        stage.settle(120, impatient=True)
        whole = time.monotonic() - destroyed

        assert differences(expected, stage.tables()) == [], "nothing lost, nothing doubled, nothing else"
        assert count(stage, "mirror_order") == held["mirror_order"]
        stage.run("sweep", "--full")
        ((entry,),) = stage.query("SELECT body FROM reconcile_ledgerentry ORDER BY id DESC LIMIT 1")
        assert (entry["listed"], entry["held"]) == (held["mirror_order"], held["mirror_order"])
        assert (entry["repaired"], entry["difference"]) == (0, 0)
        stage.run("ledger", "verify")
        assert stage.query("SELECT 1 FROM practices_connection WHERE state <> 'active'") == []
        tell(seconds, size, recovered, whole, held, saved)


def tell(
    seconds: float, size: int, recovered: float, whole: float, held: dict[str, int], saved: dict[str, int]
) -> None:
    lost = {table.split("_")[1]: held[table] - saved[table] for table in held}
    sys.stdout.write(
        f"\nRestore drill: backup of {size:,} bytes in {seconds:.1f} s. Ready {recovered:.1f} s after "
        f"the loss, whole after {whole:.1f} s.\n"
        f"Not in the backup: {lost['event']} of {held['inbox_event']} events, {lost['order']} of "
        f"{held['mirror_order']} orders, {lost['result']} of {held['mirror_result']} results.\n"
        f"Brought back from the peers: all orders and results, each row in Caspio as before; ledger difference 0. "
        f"Lost for good: {lost['event']} raw events.\n"
    )
