"""Running jobs: for ever beside the web server, or until a command's own work is done."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import structlog
from asgiref.sync import sync_to_async
from django.db import connections
from procrastinate import App, JobContext
from procrastinate.contrib.django import app
from procrastinate.jobs import DeleteJobCondition, Notification
from procrastinate.periodic import PeriodicRegistry
from procrastinate.worker import Worker

from labbridge.engine import bell, queue
from labbridge.engine.rescue import Rescuer

HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 25.0
LOOK_SECONDS = 1.0  #: between two looks for jobs that nothing told of
PAUSE_SECONDS = 1.0  #: before a worker whose database went away is started anew

log = structlog.get_logger()


def run(concurrency: int) -> None:
    """Take and run jobs until SIGTERM or SIGINT; running jobs are finished first."""
    rescuer = Rescuer()
    rescuer.start()
    try:
        with bell.hung():
            asyncio.run(_run_for_ever(concurrency))
    finally:
        rescuer.stop()


def run_until_idle(concurrency: int = 4) -> None:
    """Run every job that is due now, and those that they defer, then return.

    What another worker is at, and what waits behind it or behind a later attempt, is left to them.
    """
    asyncio.run(_run_until_idle(concurrency))


async def _run_until_idle(concurrency: int) -> None:
    async with _opened(concurrency) as worker_app:
        # A command does its own work, not the clock's.
        worker_app.periodic_registry = PeriodicRegistry()  # type: ignore[no-untyped-call]  # left bare there
        takeable = True
        while takeable:  # a worker ends when it finds nothing, though the end of its own jobs frees others
            await _work(worker_app, concurrency, wait=False)
            takeable = (await worker_app.connector.execute_query_one_async(queue.TAKEABLE))["takeable"]


async def _run_for_ever(concurrency: int) -> None:
    """Run a worker until a signal; one that lost its database is replaced, whose jobs are then rescued."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    asked = asyncio.create_task(stop.wait())
    while not stop.is_set():
        worker = asyncio.create_task(_run(concurrency))
        loop.set_exception_handler(_end_kept_nowhere(worker))
        await asyncio.wait({worker, asked}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            worker.cancel()  # finishes its running jobs
        (problem,) = await asyncio.gather(worker, return_exceptions=True)
        if not stop.is_set():
            log.error("engine.worker_lost", exception_type=type(problem).__name__ if problem else "")
            await asyncio.wait({asked}, timeout=PAUSE_SECONDS)


def _end_kept_nowhere(worker: asyncio.Task[None]) -> Any:
    """A job whose end could not be written stays marked as running by a living worker: replace that worker."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        task = context.get("future")
        if isinstance(task, asyncio.Task) and task.get_name().startswith("process job"):
            worker.cancel()
        else:
            loop.default_exception_handler(context)

    return handle


async def _run(concurrency: int) -> None:
    async with _opened(concurrency) as worker_app:
        await _work(worker_app, concurrency, wait=True)


async def _work(worker_app: App, concurrency: int, *, wait: bool) -> None:
    worker_app.perform_import_paths()  # type: ignore[no-untyped-call]  # procrastinate leaves these two bare
    worker = _Worker(
        worker_app,
        concurrency=concurrency,
        wait=wait,
        listen_notify=wait,
        install_signal_handlers=False,
        delete_jobs=DeleteJobCondition.SUCCESSFUL,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_SECONDS,
        fetch_job_polling_interval=LOOK_SECONDS,
        shutdown_graceful_timeout=20.0,
    )
    await worker.run()  # type: ignore[no-untyped-call]


class _Worker(Worker):
    """Looks again when a job has ended: another may have waited behind its lock, and nothing else tells of that.

    And looks again when it was told of something while it looked. The look may have begun before, and procrastinate
    forgets at its end whatever was told meanwhile: the job would wait for the next look by itself.
    """

    _told = False

    async def _process_job(self, context: JobContext) -> None:
        await super()._process_job(context)
        self._tell()

    async def _handle_notification(self, *, channel: str, notification: Notification) -> None:
        await super()._handle_notification(channel=channel, notification=notification)
        self._tell()

    def _tell(self) -> None:
        self._told = True
        self._new_job_event.set()

    async def _fetch_and_process_jobs(self) -> None:
        self._told = True
        while self._told and not self._stop_event.is_set():
            self._told = False
            await super()._fetch_and_process_jobs()  # type: ignore[no-untyped-call]  # left bare there


@asynccontextmanager
async def _opened(concurrency: int) -> AsyncIterator[App]:
    """The app for one worker, with a thread for each of its jobs: asyncio's own pool would hold them down."""
    # A second app over the same tasks: deferring from a task goes on through Django's connection, and so stays
    # inside the task's own transaction.
    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]  # Django's connector has it
    worker_app = app.with_connector(connector)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="job") as threads:
        asyncio.get_running_loop().set_default_executor(threads)
        try:
            async with worker_app.open_async():
                yield worker_app
        finally:
            _close_connections(threads, concurrency)
            await sync_to_async(connections.close_all)()  # of the thread that defers what is due by the clock


def _close_connections(threads: ThreadPoolExecutor, count: int) -> None:
    """Each thread has its own connection to the database, which nobody else can close."""
    together = threading.Barrier(count)

    def close() -> None:
        together.wait()
        connections.close_all()

    for closed in [threads.submit(close) for _ in range(count)]:
        closed.result()
