"""The long steps of setting a practice up, as jobs that tell how far they are: tables, patients, catalogue.

Each may be asked for again and does what is left. What only a person can mend ends the job with a sentence instead
of trying it again.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from labbridge.catalog.filing import file_catalog
from labbridge.catalog.sync import SuspiciousListing, pull_catalog
from labbridge.engine import queue
from labbridge.engine.jobs import task
from labbridge.engine.retry import PEER
from labbridge.filing.execute import FilingProblem
from labbridge.filing.provision import Progress, Provisioned, provision
from labbridge.peers.errors import PeerError
from labbridge.practices.clients import NotConnected
from labbridge.practices.models import Practice, Preparation, Preparing
from labbridge.reconcile.patients import pull_patients
from labbridge.trust.audit import Actor, record

Note = Callable[[str, int, int | None], None]


class CannotPrepare(Exception):
    """A person must do something first; the sentence says what."""


def ask(practice: Practice, what: Preparing, who: str) -> bool:
    """Have it done; what is under way already need not wait for its next attempt. Returns whether it is new."""
    lock = _lock(practice, what)
    with transaction.atomic():
        Preparation.objects.get_or_create(practice=practice, what=what)
        held = Preparation.objects.select_for_update().get(practice=practice, what=what)
        if queue.has_job(lock):
            queue.bring_forward(lock)
            return False
        held.doing, held.done, held.total, held.problem = "", 0, None, ""
        held.asked_by, held.asked_at, held.finished_at = who, timezone.now(), None
        held.save()
        prepare.defer(lock=lock, practice_id=str(practice.pk), what=what.value)
    return True


def under_way(practice: Practice, what: Preparing) -> bool:
    return queue.has_job(_lock(practice, what))


def _lock(practice: Practice, what: Preparing) -> str:
    return f"prepare:{practice.slug}:{what}"


def _tell(reason: str, practice_id: str, what: str) -> None:
    Preparation.objects.filter(practice_id=practice_id, what=what).update(problem=reason[:500])


@task("prepare", policy=PEER, on_retry=_tell, on_dead=_tell)
def prepare(practice_id: str, what: str) -> None:
    practice = Practice.objects.get(pk=practice_id)
    held = Preparation.objects.filter(practice=practice, what=what)

    def note(doing: str, done: int, total: int | None) -> None:
        held.update(doing=doing, done=done, total=total, problem="")

    try:
        WORK[Preparing(what)](practice, note)
    except CannotPrepare as problem:
        held.update(problem=str(problem)[:500], finished_at=None)
    except FilingProblem as problem:
        held.update(problem=problem.sentence[:500], finished_at=None)
    except (NotConnected, SuspiciousListing) as problem:
        held.update(problem=str(problem)[:500], finished_at=None)
    except PeerError as error:
        if error.retryable:
            raise
        held.update(problem=f"{error}. {error.advice}"[:500], finished_at=None)
    else:
        held.update(problem="", finished_at=timezone.now())


def create_missing(
    practice: Practice, actor: Actor, progress: Progress = lambda _done, _total: None
) -> Provisioned:
    """Provision, tell the audit, and let go on what waited for a table. Raises PeerError."""
    done = provision(practice, progress=progress)
    if done.tables or done.fields or done.webhooks:
        record(
            "practice.provision", actor=actor, practice=practice, count=len(done.tables) + len(done.fields)
        )
    if done.tables or done.fields:
        queue.bring_forward(f"{practice.slug}:")  # it need not wait for its next attempt
    return done


def _tables(practice: Practice, note: Note) -> None:
    asked = Preparation.objects.get(practice=practice, what=Preparing.TABLES)
    actor = Actor("person", name=asked.asked_by)
    done = create_missing(practice, actor, lambda number, total: note("tables looked at", number, total))
    if done.problems:
        raise CannotPrepare(" ".join(done.problems))


def _patients(practice: Practice, note: Note) -> None:
    pull_patients(practice, progress=lambda count: note("patients read", count, None))


def _catalogue(practice: Practice, note: Note) -> None:
    pull_catalog(practice, lambda count: note("tests read", count, None))
    file_catalog(practice, lambda done, total: note("rows written in Caspio", done, total))


WORK: dict[Preparing, Callable[[Practice, Note], None]] = {
    Preparing.TABLES: _tables,
    Preparing.PATIENTS: _patients,
    Preparing.CATALOGUE: _catalogue,
}
