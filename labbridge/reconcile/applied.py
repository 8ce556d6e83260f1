"""What follows when a practice's settings have changed: who is learnt, what is filed again, what need not wait."""

from __future__ import annotations

from labbridge.engine.jobs import task
from labbridge.engine.queue import bring_forward
from labbridge.engine.retry import OWN
from labbridge.filing.models import FiledRow
from labbridge.handlers.connections import learn_now, replay_quarantined
from labbridge.handlers.jobs import learn_practitioners
from labbridge.peers.errors import PeerError
from labbridge.practices.apply import Applied
from labbridge.practices.models import Practice
from labbridge.reconcile.refile import refile_practice


def follow_now(applied: Applied) -> list[str]:
    """For the command line, which waits for it. Asks Rupa who works in newly connected clinics."""
    notes = []
    for connection in applied.new_authorisations:
        try:
            notes.append(
                f"{connection.account}: {learn_now(str(connection.pk))} practitioners of the clinic are known"
            )
        except PeerError as error:
            learn_practitioners.defer(lock=f"learn:{connection.pk}", connection_id=str(connection.pk))
            notes.append(
                f"{connection.account}: {error}. {error.advice} It is tried again while the service runs."
            )
    if applied.created:
        replay_quarantined()
    if applied.refile:
        count = refile_practice(applied.practice, applied.moved)
        notes.append(f"{count} orders are compared with Caspio again")
    if applied.changes:
        bring_forward(f"{applied.practice.slug}:")  # perhaps what waited was waiting for this
    return notes


def follow_later(applied: Applied) -> None:
    """For a page: jobs, queued in the transaction that changes the settings, so that no crash comes in between."""
    practice = applied.practice
    if applied.refile:
        FiledRow.objects.filter(practice=practice, table__in=applied.moved).delete()
        refile_all.defer(lock=f"refile:{practice.slug}", practice_id=str(practice.pk))
    if applied.changes:
        bring_forward(f"{practice.slug}:")


@task("refile_practice", policy=OWN)
def refile_all(practice_id: str) -> None:
    """Compare every order of a practice with Caspio again. Done twice, it costs no call more."""
    refile_practice(Practice.objects.get(pk=practice_id))
