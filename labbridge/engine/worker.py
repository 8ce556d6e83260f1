"""Running jobs: for ever beside the web server, or until a command's own work is done."""

from __future__ import annotations

import asyncio
import signal

import structlog
from procrastinate.contrib.django import app
from procrastinate.jobs import DeleteJobCondition

from labbridge.engine.rescue import Rescuer

HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 25.0
PAUSE_SECONDS = 1.0  #: before a worker whose database went away is started anew

log = structlog.get_logger()


def run(concurrency: int) -> None:
    """Take and run jobs until SIGTERM or SIGINT; running jobs are finished first."""
    rescuer = Rescuer()
    rescuer.start()
    try:
        asyncio.run(_run_for_ever(concurrency))
    finally:
        rescuer.stop()


def run_until_idle(concurrency: int = 4) -> None:
    """Run every job that is due now, and those that they defer, then return."""
    asyncio.run(_run(concurrency, wait=False))


async def _run_for_ever(concurrency: int) -> None:
    """Run a worker until a signal; one that lost its database is replaced, whose jobs are then rescued."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    asked = asyncio.create_task(stop.wait())
    while not stop.is_set():
        worker = asyncio.create_task(_run(concurrency, wait=True))
        await asyncio.wait({worker, asked}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            worker.cancel()  # finishes its running jobs
        (problem,) = await asyncio.gather(worker, return_exceptions=True)
        if not stop.is_set():
            log.error("engine.worker_lost", exception_type=type(problem).__name__ if problem else "")
            await asyncio.wait({asked}, timeout=PAUSE_SECONDS)


async def _run(concurrency: int, *, wait: bool) -> None:
    # A second app over the same tasks: deferring from a task goes on through Django's connection, and so stays
    # inside the task's own transaction.
    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]  # Django's connector has it
    worker_app = app.with_connector(connector)
    async with worker_app.open_async():
        await worker_app.run_worker_async(
            concurrency=concurrency,
            wait=wait,
            install_signal_handlers=False,
            delete_jobs=DeleteJobCondition.SUCCESSFUL,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_SECONDS,
            fetch_job_polling_interval=1.0,
            shutdown_graceful_timeout=20.0,
        )
