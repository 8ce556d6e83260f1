"""What Rupa's figures mean, dollars or cents: found out by one price that somebody looked up at Rupa."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from labbridge.accounts.access import require
from labbridge.billing.calibrate import NEITHER, tests_named, unit_of
from labbridge.billing.details import dollars
from labbridge.billing.states import CannotSay
from labbridge.console import scope
from labbridge.engine.queue import bring_forward
from labbridge.mirror.models import LabTest
from labbridge.practices.apply import change_price_unit, config_of
from labbridge.practices.models import Practice
from labbridge.reconcile.refile import refile_practice
from labbridge.trust.audit import person

NO_TEST = "The catalogue has no test of that name or id. Copy it from the catalogue."


@require("money.set")
@require_http_methods(["GET", "POST"])
def billing_price(request: HttpRequest, slug: str) -> HttpResponse:
    """What it is found to be is shown first, and applied by a second press."""
    practice = scope.enter(request, "money.set", slug)
    named, price = request.POST.get("test", "").strip()[:500], request.POST.get("price", "").strip()[:20]
    context: dict[str, Any] = {  # any: what the template reads
        "practice": practice, "named": named, "price": price, "unit": config_of(practice).rupa.price_unit,
        "examples": _examples(practice),
    }  # fmt: skip
    if request.method == "POST":
        tests = tests_named(practice, named) if named.isprintable() and named else []
        try:
            known = dollars(price)
        except CannotSay as problem:
            context["problem"] = str(problem)
        else:
            if len(tests) != 1:
                context["problem"] = NO_TEST if not tests else "Several tests have that name."
                context["several"] = tests[:10]
            elif (unit := unit_of(tests[0].price, known)) is None:
                context["problem"] = NEITHER
            elif "apply" in request.POST:
                applied = change_price_unit(practice, unit, actor=person(request))
                if applied.refile:
                    refile_practice(applied.practice, applied.moved)
                bring_forward(f"{practice.slug}:")
                return render(request, "console/billing_price.html", {**context, "done": unit, "unit": unit})
            else:
                context.update(found=unit, test=tests[0])
    return render(request, "console/billing_price.html", context)


def _examples(practice: Practice) -> list[LabTest]:
    """Tests with a price to look up at Rupa."""
    priced = LabTest.objects.filter(practice=practice, available=True, retired=False, price__gt=0)
    return list(priced.exclude(name="").order_by("name")[:5])
