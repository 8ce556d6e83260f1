"""Filing the catalogue: only rows that changed, several at a time so that the allowed rate is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from django.db import connection

from labbridge.engine.locks import exclusive, try_exclusive
from labbridge.filing.execute import Filer, FilingProblem, changed_only
from labbridge.filing.rows import Row, lab_company_row, lab_test_row
from labbridge.mirror.models import LabCompany, LabTest
from labbridge.peers.caspio import Caspio
from labbridge.practices.apply import config_of
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice

THREADS = 4  #: concurrency that Caspio bears (caspio-api.md 3.1)
BATCH = 25

Progress = Callable[[int, int], None]


class Busy(Exception):
    """Somebody else is filing the same rows. The text is a sentence for a person."""


def file_one(practice: Practice, test: LabTest) -> None:
    """File one test. Raises FilingProblem and PeerError as `Filer.file` does, and Busy."""
    config = config_of(practice)
    with try_exclusive(_lock(practice), shared=True) as free:
        if not free:
            raise Busy("The whole catalogue is being filed.")
        with caspio(practice, "catalog") as client:
            Filer(practice, config, client).file([lab_test_row(test, config)], group="")


def needs_filing(practice: Practice, test: LabTest) -> bool:
    """Whether Caspio is not known to hold this test as it is."""
    return bool(changed_only(practice, [lab_test_row(test, config_of(practice))], group=""))


def file_catalog(practice: Practice, progress: Progress = lambda _done, _total: None) -> Counter[str]:
    """File companies and tests. Nothing changed means no call.

    Raises:
        FilingProblem: Caspio refused some rows; the others are filed.
        PeerError: Caspio is away; what was filed stays filed.

    """
    with exclusive(_lock(practice)):  # two at once would insert the same rows
        rows = catalog_rows(practice)
        changed = changed_only(practice, rows, group="")
        done = Counter(unchanged=len(rows) - len(changed))
        if changed:
            with caspio(practice, "catalog") as client:
                done.update(_file_side_by_side(practice, client, changed, progress))
    return done


def _lock(practice: Practice) -> str:
    return f"catalog:{practice.pk}"


def changed_rows(practice: Practice) -> list[Row]:
    """The rows that would cost a call."""
    return changed_only(practice, catalog_rows(practice), group="")


def catalog_rows(practice: Practice) -> list[Row]:
    config = config_of(practice)
    rows = [lab_company_row(company) for company in LabCompany.objects.filter(practice=practice)]
    return rows + [
        lab_test_row(test, config) for test in LabTest.objects.filter(practice=practice).exclude(name="")
    ]


def _file_side_by_side(
    practice: Practice, client: Caspio, rows: Sequence[Row], progress: Progress
) -> Counter[str]:
    config, done, filed = config_of(practice), Counter[str](), 0
    problem: FilingProblem | None = None

    def file(batch: list[Row]) -> Counter[str]:
        try:
            return Filer(practice, config, client).file(batch, group="")
        finally:
            connection.close()  # this thread's own

    # The first row goes alone: a missing table or permission then costs one call, not one for each thread.
    try:
        done.update(Filer(practice, config, client).file(rows[:1], group=""))
    except FilingProblem as error:
        if error.whole_table:
            raise
        problem = error
    rest = iter(rows[1:])
    batches = list(iter(lambda: list(islice(rest, BATCH)), []))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="catalog") as pool:
        for number, future in enumerate([pool.submit(file, batch) for batch in batches]):
            try:
                done.update(future.result())
            except FilingProblem as error:
                problem = problem or error
            filed += len(batches[number])
            progress(1 + filed, len(rows))
    if problem is not None:
        raise problem
    return done
