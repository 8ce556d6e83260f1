"""Running jobs: for ever beside the web server, or until a command's own work is done."""

from __future__ import annotations

import asyncio

from procrastinate.contrib.django import app
from procrastinate.jobs import DeleteJobCondition

from labbridge.engine.rescue import Rescuer

HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 25.0


def run(concurrency: int) -> None:
    """Take and run jobs until SIGTERM or SIGINT; running jobs are finished first."""
    rescuer = Rescuer()
    rescuer.start()
    try:
        asyncio.run(_run(concurrency, wait=True))
    finally:
        rescuer.stop()


def run_until_idle(concurrency: int = 4) -> None:
    """Run every job that is due now, and those that they defer, then return."""
    asyncio.run(_run(concurrency, wait=False))


async def _run(concurrency: int, *, wait: bool) -> None:
    # A second app over the same tasks: deferring from a task goes on through Django's connection, and so stays
    # inside the task's own transaction.
    worker_app = app.with_connector(app.connector.get_worker_connector())  # type: ignore[attr-defined]  # Django's connector has it
    async with worker_app.open_async():
        await worker_app.run_worker_async(
            concurrency=concurrency,
            wait=wait,
            install_signal_handlers=wait,
            delete_jobs=DeleteJobCondition.SUCCESSFUL,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_SECONDS,
            fetch_job_polling_interval=1.0,
            shutdown_graceful_timeout=20.0,
        )
