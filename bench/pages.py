"""The console's pages over a million orders of one practice: 95 % of the answers in less than 150 ms (design.md 9).

The pages are asked for in this process, as Django answers them: what is measured is our code and the database. A
second practice of 300 orders lies beside the million and must not wait for it. With `LABBRIDGE_BENCH_DATA` the data
directory that `python -m bench.filling` made is used again.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench import filling, service
from bench.report import Line, show

ORDERS = 1_000_000
FEW = 10_000
LIMIT_MS = 150.0
TIMES = 40
QUESTION_MS, QUESTION_TIMES = 1000.0, 5

#: Name -> address; behind a space what is posted. {…}: keys of rows in the middle of the lists.
PAGES = {  # without those that ask Caspio: the field mapping, its dry runs
    "Today": "/",
    "pipeline": "/pipeline",
    "pipeline, far behind": "/pipeline?after={after}",
    "pipeline, board": "/pipeline?as=board",
    "pipeline, draft": "/pipeline?phase=draft",
    "pipeline, in progress": "/pipeline?phase=in_progress",
    "pipeline, complete, far behind": "/pipeline?phase=complete&after={after}",
    "pipeline, awaiting the patient": "/pipeline?payment=awaiting_patient",
    "pipeline, paid": "/pipeline?payment=paid",
    "pipeline, the practice pays": "/pipeline?payment=practitioner_pays",
    "pipeline, refunded (none)": "/pipeline?payment=refunded",
    "pipeline, one lab": "/pipeline?lab=co_7",
    "pipeline, a lab without orders": "/pipeline?lab=co_none",
    "pipeline, one lab and in progress": "/pipeline?lab=co_7&phase=in_progress",
    "pipeline, one practitioner": "/pipeline?practitioner=million_prac_3",
    "pipeline, another EHR": "/pipeline?source=ehr",
    "pipeline, from Caspio": "/pipeline?source=caspio",
    "pipeline, overdue": "/pipeline?state=overdue",
    "pipeline, overdue, far behind": "/pipeline?state=overdue&after={after}",
    "pipeline, overdue at one lab": "/pipeline?state=overdue&lab=co_7",
    "pipeline, not up to date": "/pipeline?state=stuck",
    "pipeline, mine": "/pipeline?state=mine",
    "pipeline, nobody's": "/pipeline?state=nobody",
    "search, an order": "/pipeline/search words=ord_{middle}",
    "search, an e-mail": "/pipeline/search words=testa77@million.example",
    "search, a birthday": "/pipeline/search words=1987-06-15",
    "search, a name": "/pipeline/search words=Testaheb",
    "search, two words": "/pipeline/search words=sampleb testaheb",
    "search, a name that everybody has": "/pipeline/search words=te",
    "search, a name that nobody has": "/pipeline/search words=Nobody",
    "results to review": "/results",
    "results to review, further on": "/results?after={unreviewed}",
    "results, mine": "/results?mine",
    "results, reviewed": "/results?reviewed",
    "results, reviewed, further on": "/results?reviewed&after={reviewed}",
    "matches": "/cases",
    "matches, decided": "/cases?decided",
    "matches, decided, page 200": "/cases?decided&page=200",
    "one match": "/cases/{case}",
    "events": "/events",
    "events, quarantined": "/events?state=quarantined",
    "events, dead": "/events?state=dead",
    "events, handled": "/events?state=handled",
    "events, handled, far behind": "/events?state=handled&after={event}",
    "events, of one order": "/events?q=ord_{middle}",
    "events, by its id": "/events?q=million_evt_{middle}",
    "events, an id that is not there": "/events?q=nothing",
    "one event": "/events/{event}",
    "catalogue": "/catalogue",
    "catalogue, a word": "/catalogue?q=test+49&state=all",
    "catalogue, last page": "/catalogue?state=all&page=100",
    "catalogue, news": "/catalogue/news",
    "audit": "/audit",
    "audit, one action": "/audit?action=order.file",
    "audit, an action that is not there": "/audit?action=case.undo",
    "audit, one person": "/audit?actor=ada@million.example",
    "audit, a person who is not there": "/audit?actor=nobody",
    "audit, one patient": "/audit?patient={pseudonym}",
    "audit, refusals": "/audit?outcome=refused",
    "health": "/health",
    "protocols": "/protocols",
    "protocols, news": "/protocols/news",
    "one protocol": "/protocols/{protocol}",
    "one protocol, edit": "/protocols/{protocol}/edit",
    "a new protocol": "/protocols/new/million",
    "billing": "/billing",
    "billing, page 200": "/billing?page=200",
    "billing, to set right": "/billing?show=attention",
    "billing, to set right, page 200": "/billing?show=attention&page=200",
    "billing, all": "/billing?show=all",
    "billing, all, page 400": "/billing?show=all&page=400",
    "billing, the price": "/billing/price/million",
    "billing of one order": "/orders/{order}/billing",
    "compare": "/catalogue/compare?test={test}&test={other}",
    "the guide": "/start",
    "the guide, first order": "/start?step=order",
    "feeds": "/feeds",
    "feeds, add": "/feeds/add",
    "feeds, an agreement": "/feeds/agreements",
    "one feed": "/feeds/{feed}",
    "settings": "/settings",
    "settings, practice": "/settings/practice",
    "settings, who wins": "/settings/who-wins",
    "settings, alerts": "/settings/alerts",
    "settings, channels": "/settings/alerts/channels",
    "settings, connections": "/settings/connections",
    "settings, Caspio": "/settings/connections/caspio",
    "settings, people": "/settings/people",
    "settings, invite": "/settings/people/invite",
    "settings, one person": "/settings/people/{member}",
    "settings, keys": "/settings/keys",
    "settings, a new key": "/settings/keys/new",
    "settings, retention": "/settings/retention",
    "settings, a hold": "/settings/retention/hold",
    "settings, history": "/settings/history",
    "settings, history, page 15": "/settings/history?page=15",
    "settings, a version": "/settings/history/{version}",
    "my account": "/accounts/",
    "one order": "/orders/{order}",
    "one order with results": "/orders/{resulted}",
    "one patient": "/patients/{chart}",
}
#: A page of these takes as long as its question, whose budget is another one (design.md 9).
ANALYTICS = {
    **{f"analytics, {name}": f"/analytics/question?show={name}{{years}}" for name in (
        "totals", "orders-by-month", "orders-by-lab", "orders-by-practitioner", "orders-by-source", "tests",
        "turnaround-by-lab", "turnaround-by-test", "funnel", "open-tests", "due-again", "value",
    )},
    **{f"analytics, {name}": f"/analytics/money?show={name}{{years}}" for name in (
        "unpaid", "abandoned", "revenue-by-month", "revenue-by-lab", "revenue-by-practitioner", "revenue-by-payer",
    )},
    "analytics": "/analytics",
}  # fmt: skip
#: Asked for by the owner of the small practice.
BESIDE = {"Today": "/", "pipeline": "/pipeline", "overdue": "/pipeline?state=overdue",
          "results to review": "/results",
          "results, reviewed": "/results?reviewed", "matches": "/cases", "events": "/events",
          "events, handled": "/events?state=handled", "audit": "/audit", "health": "/health",
          "search, a name": "/pipeline/search words=Testaheb"}  # fmt: skip
#: Asked for by somebody who belongs to both.
BOTH = {"Today": "/", "pipeline": "/pipeline", "pipeline, in progress": "/pipeline?phase=in_progress",
        "pipeline, overdue": "/pipeline?state=overdue", "results to review": "/results",
        "results, reviewed": "/results?reviewed", "events, handled": "/events?state=handled",
        "audit": "/audit"}  # fmt: skip


def run(orders: int = ORDERS) -> None:
    few = _over(FEW, None)
    found = _over(orders, service.kept())
    lines = [
        Line(f"{name} ({one['queries']} queries)", f"{one['p95']:.0f} ms", f"{one['first']:.0f} ms at first",
             one["p95"] / one["limit"], at_most=1)
        for name, one in found["pages"].items()
    ]  # fmt: skip
    others = [
        f"{name}: {one['queries']}, not {found['pages'][name]['queries']}"
        for name, one in few["pages"].items()
        if one["queries"] != found["pages"][name]["queries"]
    ]
    lines += [
        Line("queries other than over a hundredth", str(len(others)), "; ".join(others)),
        Line("memory beside a hundredth", f"{found['memory']:.0f} MB", f"{few['memory']:.0f} MB",
             found["memory"] / few["memory"], at_most=1.1),
    ]  # fmt: skip
    show(f"pages over {orders} orders of one practice (95 % of {TIMES})", lines)


def _over(orders: int, folder: Any) -> Any:
    with service.kept_or_scratch(folder) as place:
        env = service.environment(place)
        if folder is None:
            service.run(["-m", "bench.filling", str(place), str(orders)], env)
        return json.loads(service.run(["-m", "bench.pages"], env))


def _here() -> dict[str, Any]:
    import os

    os.environ["DJANGO_SETTINGS_MODULE"] = "labbridge.settings"
    import django

    django.setup()
    from bench.million import peak
    from labbridge.analytics.facts import refresh
    from labbridge.commands.service import warm_up
    from labbridge.practices.models import Practice

    warm_up()  # as the service does before anybody asks

    practice, small = (Practice.objects.get(slug=slug) for slug in ("million", "small"))
    keys = _keys(practice)
    wanted = sys.argv[1:]
    if not wanted or any(word in name for word in wanted for name in ANALYTICS):
        refresh(practice)  # minutes for a million, the first time
    page, question = (LIMIT_MS, TIMES), (QUESTION_MS, QUESTION_TIMES)
    pages = {
        name: _measured(client, address.format(**keys), *limit)
        for title, client, addresses, limit in (
            ("", _signed_in("ada", practice), PAGES, page),
            ("", _signed_in("ada", practice), ANALYTICS, question),
            ("beside it: ", _signed_in("sam", small), BESIDE, page),
            ("of both: ", _signed_in("bob", practice, small), BOTH, page),
        )
        for name, address in ((title + name, address) for name, address in addresses.items())
        if not wanted or any(word in name for word in wanted)
    }
    return {"pages": pages, "memory": peak()}


def _signed_in(name: str, *practices: Any) -> Any:
    """An owner, signed in with both steps."""
    from django.contrib.auth.models import User
    from django.test import Client

    from labbridge.accounts.models import Membership

    user, _ = User.objects.get_or_create(username=f"{name}@million.example")
    for practice in practices:
        Membership.objects.get_or_create(user=user, practice=practice, defaults={"role": "owner"})
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time()},
        {"method": "mfa", "type": "totp", "at": time.time(), "reauthenticated": True},
    ]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client


def _keys(practice: Any) -> dict[str, object]:
    """Rows in the middle of the lists. What the measured pages show of results opens."""
    from django.db.models import Q

    from labbridge.inbox.models import Event
    from labbridge.mirror.models import Chart, Order, Result, ReviewCase
    from labbridge.mirror.reviews import reviewed, to_review
    from labbridge.trust.audit import pseudonym

    today = datetime.now(UTC).date()

    mine = Order.objects.filter(practice=practice)
    order = mine.get(external_id=f"ord_{mine.count() // 2}")
    waiting, done = to_review([practice]), reviewed([practice])
    far = min(5_000, waiting.count() // 2)
    shown = [*waiting[:26], *waiting[far : far + 27], *done[:26], *done[far : far + 27]]
    resulted = Result.objects.filter(ordered_test__practice=practice, hl7__isnull=False, withheld=False)[0]
    patient = resulted.ordered_test.order.patient
    shown += Result.objects.filter(Q(ordered_test__order__patient=patient) | Q(ordered_test__order=order))
    filling.unsealed(Result.objects.filter(pk__in=[one.pk for one in shown]).select_related(
        "ordered_test__order__patient"
    ))  # fmt: skip
    chart = Chart.objects.filter(practice=practice, link__patient=patient).first()
    if chart is None:
        chart = Chart.objects.filter(practice=practice, link__isnull=False)[0]
    return {
        "after": order.pk, "order": order.pk, "middle": order.external_id.removeprefix("ord_"),
        "resulted": resulted.ordered_test.order_id, "chart": chart.pk, "pseudonym": pseudonym(chart),
        "unreviewed": waiting[far].pk, "reviewed": done[far].pk,
        "case": ReviewCase.objects.filter(practice=practice, state="open")[0].pk,
        "event": Event.objects.get(external_id=f"million_evt_{mine.count() // 2}").pk,
        "test": practice.lab_tests.all()[100].pk, "other": practice.lab_tests.all()[200].pk,
        "protocol": practice.protocols.all()[20].pk, "feed": practice.destinations.all()[6].pk,
        "member": practice.memberships.all()[60].pk,
        "version": practice.versions.all()[200].pk, "years": f"&from={today - timedelta(days=730)}&to={today}",
    }  # fmt: skip


def _measured(client: Any, address: str, limit: float, times: int) -> dict[str, float]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    path, _, posted = address.partition(" ")
    data = dict(part.split("=", 1) for part in posted.split("&")) if posted else None

    def ask() -> Any:
        return client.get(path) if data is None else client.post(path, data)

    began = time.perf_counter()
    answer = ask()
    first = 1000 * (time.perf_counter() - began)
    if answer.status_code != 200 and "order-page" not in address and not (data and answer.status_code == 302):
        raise SystemExit(f"{address}: {answer.status_code} {answer.headers.get('Location', '')}")
    with CaptureQueriesContext(connection) as asked:
        ask()
    queries, took = len(asked.captured_queries), []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - began))
    p95 = statistics.quantiles(took, n=20, method="inclusive")[-1]
    print(
        f"{address[:60]:60} {statistics.median(took):7.0f} ms, 95 % {p95:.0f}, first {first:.0f}, {queries} queries",
        file=sys.stderr,
    )
    return {"p95": p95, "median": statistics.median(took), "first": first, "queries": queries, "limit": limit}


if __name__ == "__main__":
    json.dump(_here(), sys.stdout)
