"""Tasks and jobs: one decorator, one way to defer, one way to fail.

A *task* is a function, a *job* one run of it, an *attempt* one try. Arguments are ids. Whatever a task raises is
turned into `JobFailed` before the engine sees it, because an exception's text and arguments can hold PHI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.utils import timezone
from procrastinate import BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

from labbridge.database.deadlocks import outliving_deadlocks
from labbridge.engine import queue
from labbridge.engine.bell import ring
from labbridge.engine.retry import RetryPolicy
from labbridge.engine.together import Together, done_together
from labbridge.peers.errors import PeerError
from labbridge.trust.keys import CannotOpen

log = structlog.get_logger()


class JobFailed(Exception):
    """What is left of an exception: a sentence without data, and whether and when to try again."""

    def __init__(
        self, reason: str, *, retry: bool, surprise: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.retry, self.surprise, self.retry_after = reason, retry, surprise, retry_after
        self.again = retry  #: whether there is another attempt


class NotYet(Exception):
    """Raised by a task whose work must wait; `reason` is a sentence without data."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retry_after = reason, retry_after


OnFailure = Callable[..., None]


class Deferral(NamedTuple):
    """A job for the statement that stores what it is about (`deferring`): both or neither, in one round trip.

    Call `bell.ring` when that statement has committed.
    """

    task: str
    lock: str
    args: str  #: a JSON object


def deferring(task: str, lock: str, args: str, *, order: str, priority: str = "0") -> str:
    """An aggregate in SQL that defers one job for each row, given the SQL of its parts, in that order."""
    return _DEFER.format(f"array_agg({_JOB.format(task, priority, lock, args, 'NULL')} ORDER BY {order})")


# The engine's own function for deferring, with its own default for the queue.
_DEFER = "procrastinate_defer_jobs_v1({})"
_JOB = "ROW('default', {}, {}, {}, NULL, {}::jsonb, {}::timestamptz)::procrastinate_job_to_defer_v1"
_DEFER_MANY = f"""
SELECT {deferring("%s", "lock", "args", order="number", priority="%s")}
  FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS given (lock, args, number)
"""  # noqa: S608  # our own names
_DEFER_ONE = _DEFER.format(f"ARRAY[{_JOB.format('%s', '%s', '%s', '%s', '%s')}]")

#: Of jobs that are due, those of a higher priority are started first: the clock's, short ones that look after all
#: others; what happens now; what was asked for many rows at once.
CLOCK, NOW, BULK = 10, 0, -10
_priority: ContextVar[int] = ContextVar("priority", default=NOW)


@contextmanager
def _deferring_at(priority: int) -> Iterator[None]:
    before = _priority.set(priority)
    try:
        yield
    finally:
        _priority.reset(before)


def bulk() -> AbstractContextManager[None]:
    """Jobs deferred within give way to all others: an import of thousands of rows keeps no result waiting."""
    return _deferring_at(BULK)


_HASTEN = """
UPDATE procrastinate_jobs SET priority = %(priority)s
 WHERE lock = ANY(%(locks)s) AND status = 'todo' AND priority < %(priority)s
"""


def hasten(locks: Sequence[str]) -> None:
    """What waits under these locks, and stands for what was asked for now as well, gives way no longer than that."""
    priority = _priority.get()
    if locks and priority > BULK:
        with connection.cursor() as cursor:
            cursor.execute(_HASTEN, {"priority": priority, "locks": list(locks)})


@dataclass(frozen=True)
class Task:
    """A task: call `defer` to have it run, or call it to run it here and now."""

    name: str
    function: Callable[..., None]
    policy: RetryPolicy

    def __call__(self, **ids: Any) -> None:
        self.function(**ids)

    def defer(self, *, lock: str, at: datetime | None = None, **ids: str | int) -> None:
        """Have it run after this transaction commits. Jobs with one lock run one by one, in this order.

        Those of `bulk` follow those that are not, of their lock too.
        """
        _defer(self.deferral(lock=lock, **ids), at)

    def defer_many(self, wanted: Sequence[tuple[str, Mapping[str, str | int]]]) -> None:
        """As `defer` for now, for many jobs in one statement: the lock and the ids of each."""
        if not wanted:
            return
        locks, args = [lock for lock, _ in wanted], [orjson.dumps(dict(ids)).decode() for _, ids in wanted]
        with connection.cursor() as cursor:
            cursor.execute(_DEFER_MANY, [self.name, _priority.get(), locks, args])
        transaction.on_commit(ring)

    def deferral(self, *, lock: str, **ids: str | int) -> Deferral:
        """As `defer` for now, to be carried out by another statement."""
        return Deferral(self.name, lock, orjson.dumps(ids).decode())


# A job that waits and that this transaction may hold: until it commits no worker takes it, so what was stored
# meanwhile is seen by whoever does. One that is being taken at this moment is passed over.
_HOLD = """
SELECT id FROM procrastinate_jobs WHERE lock = %s AND status = 'todo' AND scheduled_at IS NULL
LIMIT 1 FOR KEY SHARE SKIP LOCKED
"""


def defer_unless_waiting(name: str, *, lock: str, **ids: str | int) -> None:
    """As `Task.defer` now, for a task of a layer above the caller's; not when such a job waits already.

    Inside a transaction. The lock must be of this task and these ids alone.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [lock])
        held = cursor.fetchone()
    if held is None:
        _defer(Deferral(name, lock, orjson.dumps(ids).decode()), None)


def _defer(deferral: Deferral, at: datetime | None) -> None:
    name, lock, args = deferral
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_DEFER_ONE}", [name, _priority.get(), lock, args, at])
    if at is None:
        transaction.on_commit(ring)


def task(
    name: str,
    *,
    policy: RetryPolicy,
    on_retry: OnFailure | None = None,
    on_dead: OnFailure | None = None,
    together: Together | None = None,
) -> Callable[[Callable[..., None]], Task]:
    """Register a task.

    `on_retry(reason, **ids)` and `on_dead(reason, **ids)` note for people what holds a job up or ended it. They
    run in the job's own thread, where the database may be used. `together` does several of its jobs at once
    (together.py).
    """

    def register(function: Callable[..., None]) -> Task:
        def run(context: JobContext, /, **ids: Any) -> None:
            close_old_connections()
            job = context.job
            # What a job of an import asks for in turn is of that import; what the clock's ask for is not the clock's.
            in_turn = _deferring_at(min(job.priority, NOW))
            with in_turn, structlog.contextvars.bound_contextvars(job_id=job.id, task=name):
                try:
                    if together is None or not done_together(together, job, ids):
                        outliving_deadlocks(lambda: function(**ids))
                except Exception as error:  # noqa: BLE001  # whatever it was, its text may hold PHI
                    failure = _scrubbed(error)
                    close_old_connections()
                    failure.again = _again(policy, failure, job)
                    event = "engine.attempt_failed" if failure.again else "engine.job_dead"
                    log.warning(event, attempt=job.attempts + 1, reason=failure.reason)
                    note = on_retry if failure.again else on_dead
                    if note is not None:
                        close_old_connections()
                        tell(note, failure.reason, ids)
                    raise failure from None

        app.task(name=name, pass_context=True, retry=_Strategy(policy))(run)
        _registered[name] = Registered(policy, on_dead)
        return Task(name, function, policy)

    return register


def tell(note: OnFailure, reason: str, ids: dict[str, Any]) -> None:
    """Note for people. If nobody can be told (no database, no such row), the job goes its way all the same."""
    try:
        with transaction.atomic():
            note(reason, **ids)
    except Exception as error:  # noqa: BLE001  # raised from here it would hide the failure, and its text may hold PHI
        log.error("engine.note_failed", exception_type=type(error).__name__)  # noqa: TRY400  # no traceback: it may quote data


def every(cron: str) -> Callable[[Task], Task]:
    """Have a task without arguments run by the clock, once for all workers together."""

    def schedule(scheduled: Task) -> Task:
        def defer_now(timestamp: int) -> None:
            del timestamp  # the tick's own time: a late tick does today's work all the same
            close_old_connections()
            with _deferring_at(CLOCK):
                scheduled.defer(lock=f"clock:{scheduled.name}")

        app.periodic(cron=cron)(app.task(name=f"{scheduled.name}_by_clock", priority=CLOCK)(defer_now))
        return scheduled

    return schedule


@dataclass(frozen=True)
class Registered:
    policy: RetryPolicy
    on_dead: OnFailure | None


_registered: dict[str, Registered] = {}


def registered(name: str) -> Registered:
    """What is known of a task; jobs of a task that a newer version no longer has are simply tried again."""
    return _registered.get(name, Registered(RetryPolicy(), None))


def _again(policy: RetryPolicy, failure: JobFailed, job: Job) -> bool:
    surprises = _noted(failure, job)
    if failure.surprise and surprises >= policy.surprises:
        return False
    return failure.retry and job.attempts + 1 < policy.attempts


def _noted(failure: JobFailed, job: Job) -> int:
    """How many surprises the job has met by now. While the database cannot tell, this is the first."""
    if job.id is None:
        return 1
    try:
        with transaction.atomic():
            return queue.note_failure(job.id, failure.reason, surprise=failure.surprise)
    except (OperationalError, InterfaceError):
        return 1


class _Strategy(BaseRetryStrategy):
    """A policy in the engine's terms."""

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy = policy

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, JobFailed):  # cut off at shutdown: it runs again
            return RetryDecision(retry_at=timezone.now())
        if not exception.again:
            return None
        return RetryDecision(
            retry_at=timezone.now() + self.policy.wait(job.attempts + 1, exception.retry_after)
        )


def _scrubbed(error: Exception) -> JobFailed:
    if isinstance(error, JobFailed):
        return error
    if isinstance(error, NotYet):
        return JobFailed(error.reason, retry=True, retry_after=error.retry_after)
    if isinstance(error, PeerError):
        return JobFailed(f"{error}. {error.advice}", retry=True, retry_after=error.retry_after)
    if isinstance(error, OperationalError | InterfaceError):
        return JobFailed("The database was away for a moment.", retry=True)
    if isinstance(error, CannotOpen):  # mended by a person, with the key
        return JobFailed(str(error), retry=True)
    place = where(error)
    log.error("engine.surprise", exception_type=type(error).__name__, function=place)
    return JobFailed(
        f"An error that nobody foresaw ({type(error).__name__} in {place}).", retry=True, surprise=True
    )


def where(error: Exception) -> str:
    """Module and line of ours that an error came from: never its text, which may hold data."""
    trace = error.__traceback__
    place = "?"
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("labbridge"):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
