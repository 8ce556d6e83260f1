"""Telling Caspio of reviews made in the console. One write for each; written twice it says the same."""

from __future__ import annotations

from labbridge.filing.execute import FilingProblem
from labbridge.filing.refusals import refusal
from labbridge.filing.rows import review_values
from labbridge.filing.tables import TABLES
from labbridge.mirror.models import Order, Result
from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import Conflict, Forbidden, NotFound, Rejected
from labbridge.practices.config import PracticeConfig

WORD = "lab_results"


def file_reviews(order: Order, config: PracticeConfig, client: Caspio) -> int:
    """Write the reviews of this order's results that were made here. Returns how many.

    Run it after the rows were filed: a row made anew carries its review already. A review that changes meanwhile
    stays to be filed.

    Raises:
        FilingProblem: a sentence for people.
        PeerError: Caspio is away; what was written stays written.

    """
    name: str = config.caspio.tables.model_dump()[WORD]
    table, unique = client.table(name), TABLES[WORD].unique
    unfiled = Result.objects.filter(ordered_test__order=order, review_unfiled=True, withheld=False)
    done = 0
    for result in unfiled.select_related("ordered_test").order_by("pk"):
        values = review_values(result, config.zone)
        try:
            table.update(q.field(unique) == str(result), values)
        except (Rejected, NotFound, Forbidden, Conflict) as error:
            raise FilingProblem(refusal(name, TABLES[WORD], str(result), error)) from error
        same = Result.objects.filter(pk=result.pk, review_changed_at=result.review_changed_at)
        done += same.update(review_unfiled=False)
    return done
