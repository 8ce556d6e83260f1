"""All checks, in the order in which they are mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor

from labbridge.database import DatabaseProblem
from labbridge.doctor import deployment, practice, sealed
from labbridge.doctor.findings import Checked, fail, ok
from labbridge.engine.jobs import where
from labbridge.practices.models import Practice

BEFORE = (deployment.rupa_application, deployment.disk, deployment.database)
DEPLOYMENT = (
    deployment.worker, deployment.work, deployment.keys, sealed.sealed_values, deployment.backups,
    deployment.rupa_deliveries, deployment.public_address, deployment.alerts,
)  # fmt: skip
PRACTICE = (practice.caspio_account, practice.rupa_connections, practice.quota)


def examine(slug: str = "") -> Iterator[Checked]:
    """Every check; of one practice only with its slug. What a check stumbles over is its finding."""
    for check in BEFORE:
        yield from _carefully(check.__name__, check)
    if connection.connection is None:
        return  # nothing else can be known
    missing = pending_migrations()
    if missing:
        yield fail("tables", f"The tables are of another version; changes to come: {missing}.",
                   "Start `labbridge serve`, or any other command: it brings them up to date.")  # fmt: skip
        return
    yield ok("tables", "The tables are those of this version.")
    for check in DEPLOYMENT:
        yield from _carefully(check.__name__, check)
    practices = Practice.objects.filter(slug=slug) if slug else Practice.objects.all()
    if not practices:
        yield fail(
            "practices",
            "There is no practice yet.",
            "`labbridge init`, then `labbridge practice apply FILE`.",
        )
    for one in practices:
        yield from examine_practice(one)
    yield from _carefully("clock", deployment.clocks)  # last: the peers' answers tell their time


def examine_practice(one: Practice) -> Iterator[Checked]:
    """The checks of a practice alone, which tell nothing of the service or of others."""
    for part in PRACTICE:
        yield from _carefully(part.__name__, partial(part, one), one.slug)


def pending_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _carefully(name: str, check: Callable[[], Iterator[Checked]], slug: str = "") -> Iterator[Checked]:
    label = name.replace("_", " ")
    try:
        yield from check()
    except (DatabaseError, InterfaceError, DatabaseProblem) as error:
        sentence = str(error) if isinstance(error, DatabaseProblem) else "The database does not answer."
        yield Checked(label, slug, "fail", sentence, "Check LABBRIDGE_DATABASE_URL and that the server runs.")
    except Exception as error:  # noqa: BLE001  # a fault of one check hides no other; its text may quote data
        yield Checked(
            label, slug, "fail", f"This check broke ({type(error).__name__} in {where(error)}).",
            "Please report it with these words.",
        )  # fmt: skip
