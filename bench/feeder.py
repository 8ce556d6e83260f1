"""One way of sending letters, in a process of its own: `python -m bench.feeder WAY COUNT ORDERS URL`.

WAY is `feed` (facts are noted, then a worker carries them) or `bare` (a loop that signs a body of the same size and
posts it over one connection). Prints what it found as JSON. The settings come from the environment.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from bench import drainer


def main() -> None:
    way, count, orders, url = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    from labbridge.commands.base import start_django

    start_django()
    found = feed(count, orders, url) if way == "feed" else bare(count, url)
    sys.stderr.write(json.dumps(found))


def feed(count: int, orders: int, url: str) -> dict[str, float]:
    from django.db import transaction

    from labbridge.handover import feeds
    from labbridge.outbox.models import Delivery, Destination, Kind
    from labbridge.outbox.note import note
    from labbridge.practices.models import Practice
    from labbridge.trust.audit import Actor

    practice, _ = Practice.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    Destination.objects.update(removed_at=datetime.now(UTC))
    wish = feeds.Wish(uuid.uuid4().hex, url, [Kind.PHASE])
    destination = feeds.add(practice, wish, actor=Actor("operator", name="bench")).destination
    began = time.perf_counter()
    for number in range(count):
        with transaction.atomic():
            note(practice.pk, Kind.PHASE, f"order:{number % orders}", phase="draft", demo=False)
    noted = time.perf_counter() - began
    began = time.perf_counter()
    drainer.drain()
    seconds = time.perf_counter() - began
    taken = Delivery.objects.filter(destination=destination, state="delivered").count()
    if taken != count:
        raise RuntimeError(f"{taken} of {count} taken")
    return {"seconds": seconds, "rate": count / seconds, "noted": count / noted}


def bare(count: int, url: str) -> dict[str, Any]:
    import httpx2
    from standardwebhooks import Webhook

    from labbridge.handover.feeds import new_secret

    signer = Webhook(new_secret())
    data = '{"month":"2026-11","phase":"draft","previous_phase":null,"demo":false}'
    body = f'{{"type":"order.phase_changed","data":{data}}}'
    with httpx2.Client(trust_env=False) as client:
        began = time.perf_counter()
        for _ in range(count):
            name, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
            headers = {
                "Content-Type": "application/json", "webhook-id": name,
                "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signer.sign(name, now, body),
            }  # fmt: skip
            client.post(url, content=body, headers=headers).raise_for_status()
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "rate": count / seconds, "noted": 0.0}


if __name__ == "__main__":
    main()
