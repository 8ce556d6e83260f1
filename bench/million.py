"""Analytics over many orders of one practice: each question's time, and the cost and memory of making the facts.

With `LABBRIDGE_BENCH_DATA` the data directory that `python -m bench.filling` made is used again.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bench import filling, service
from bench.report import Line, show

ORDERS = 1_000_000
FEW = 10_000
LIMIT = 1.0  #: seconds for one question (design.md 9)


def run(orders: int = ORDERS) -> None:
    few = _over(FEW, None)
    found = _over(orders, service.kept())
    lines = [
        Line("facts made", f"{found['made_per_second']:.0f} orders/s", f"{orders} orders"),
        Line("memory while they are made, all beside the first tenth", f"{found['memory_all']:.0f} MB",
             f"{found['memory_tenth']:.0f} MB", found["memory_all"] / found["memory_tenth"], at_most=1.25),
        Line(f"memory of the questions, beside {FEW} orders", f"{found['memory_asked']:.0f} MB",
             f"{few['memory_asked']:.0f} MB", found["memory_asked"] / few["memory_asked"], at_most=1.25),
        *(Line(name, f"{seconds:.2f} s", f"{LIMIT:g} s", seconds / LIMIT, at_most=1)
          for name, seconds in found["questions"].items()),
    ]  # fmt: skip
    show(f"analytics over {orders} orders of one practice (the slowest of 5)", lines)


def _over(orders: int, folder: Path | None) -> Any:
    with service.kept_or_scratch(folder) as place:
        env = service.environment(place)
        if folder is None:
            service.run(["-m", "bench.filling", str(place), str(orders)], env)
        made, asked = (
            json.loads(service.run(["-m", "bench.million", part], env)) for part in ("facts", "questions")
        )
        return made | asked


def _here() -> dict[str, Any]:
    import os

    os.environ["DJANGO_SETTINGS_MODULE"] = "labbridge.settings"
    import django

    django.setup()
    from labbridge.practices.models import Practice

    practice = Practice.objects.get(slug="million")
    if sys.argv[1] == "facts":
        return _make_facts(practice)
    asked = {}
    for name, ask in questions(practice).items():
        asked[name] = _slowest(ask)
        print(f"{name:40} {asked[name]:.2f} s", file=sys.stderr)
    return {"questions": asked, "memory_asked": peak()}


def questions(practice: Any) -> dict[str, Callable[[], Any]]:
    from django.utils import timezone

    from labbridge.analytics import monthly, turnaround
    from labbridge.analytics.answers import Period
    from labbridge.analytics.questions import QUESTIONS

    today = timezone.now().date()
    period = Period(today - timedelta(days=729), today)
    return {
        **{name: partial(one.ask, practice, period, today) for name, one in QUESTIONS.items()},
        "open tests, each by itself": partial(turnaround.open_tests, practice, today),
        "months (summary table)": partial(monthly.months, practice),
        **{f"the list behind {name}": partial(_behind, practice, QUESTIONS[name], period, today)
           for name in ("orders-by-lab", "turnaround-by-test", "revenue-by-lab", "due-again", "funnel")},
    }  # fmt: skip


def _behind(practice: Any, question: Any, period: Any, today: Any) -> list[Any]:
    """The first page of the pipeline's list behind the first bar."""
    from django.http import QueryDict
    from django.utils import timezone

    from labbridge.console.filters import Filters

    known = _SHOWN.get(question.name)
    if known is None:
        shown = next(iter(question.ask(practice, period, today).behind.values()))
        query = QueryDict(mutable=True)
        query.update(next(one for one in shown if one))
        known = _SHOWN[question.name] = query
    return list(Filters(known, [practice], "").orders(timezone.now()).order_by("-id")[:26])


_SHOWN: dict[str, Any] = {}  #: question -> the address of its list, so that only the list is timed


def _make_facts(practice: Any) -> dict[str, float]:
    from labbridge.analytics.facts import refresh

    memory: list[float] = [resident()]

    def note(_done: int) -> None:
        memory.append(resident())

    began = time.monotonic()
    made = refresh(practice, note)
    seconds = time.monotonic() - began
    filling.analyse()
    tenth = max(memory[: max(2, len(memory) // 10)])
    return {"made_per_second": made / seconds, "memory_tenth": tenth, "memory_all": max(memory)}


def resident() -> float:
    """Megabytes of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def peak() -> float:
    """Megabytes of this process at its most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _slowest(ask: Callable[[], Any]) -> float:
    ask()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return max(times)


if __name__ == "__main__":
    json.dump(_here(), sys.stdout)
