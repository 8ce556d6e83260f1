"""The steps of bench/rotation.py, each in a process of its own: `python -m bench.rotator STEP [NUMBER]`.

`fill N` seals N values with the environment's keys: nine events for each patient, who has a data key. `die N` rotates
and kills itself with SIGKILL inside a transaction, when N values are done. `traffic` stores and reads events until
its standard input ends. `open` opens every value. Each prints what it did as JSON.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import sys
from typing import Any

BODY = b'{"planted": "Testa Sampleperson"}' + b" " * 1000


def main() -> None:
    step, number = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    from labbridge.commands.base import start_django

    start_django()
    print(json.dumps({"fill": fill, "die": die, "traffic": traffic, "open": open_all}[step](number)))


def fill(count: int) -> dict[str, Any]:
    from labbridge.inbox.models import Event
    from labbridge.mirror.models import Chart
    from labbridge.practices.models import Practice
    from labbridge.trust.keys import keyring

    _ = keyring().index_key
    practice, _ = Practice.objects.get_or_create(slug="willow", name="Willow")
    patients = count // 10
    Event.objects.bulk_create((_event(f"evt_{n}") for n in range(count - patients)), batch_size=500)
    Chart.objects.bulk_create(
        (Chart(practice=practice, key=f"P-{n}", person={"first_name": "Testa"}) for n in range(patients)),
        batch_size=500,
    )
    return {"values": count}


def _event(key: str) -> Any:
    from labbridge.inbox.models import Event

    return Event(peer="rupa", external_id=key, type="bench", subject=key, body=BODY, state="handled")


def die(after: int) -> dict[str, Any]:
    from labbridge.trust import rotation

    done, write = 0, rotation.write

    def write_and_die(one: Any, values: Any) -> None:
        nonlocal done
        write(one, values)
        done += len(values)
        if done >= after:
            os.kill(os.getpid(), signal.SIGKILL)  # its transaction is open

    rotation.write = write_and_die
    rotation.rotate()
    return {"survived": True}


def traffic(_number: int) -> dict[str, Any]:
    """Events arrive and are read again, old ones and new ones, as long as somebody holds our standard input."""
    from labbridge.inbox.models import Event

    stored = read = 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        _event(f"traffic_{secrets.token_hex(8)}").save(force_insert=True)
        stored += 1
        for one in Event.objects.order_by("?" if stored % 50 == 0 else "-received_at")[:3]:
            if one.body != BODY:
                raise SystemExit("an event reads otherwise than it was stored")
            read += 1
    return {"stored": stored, "read": read}


def open_all(_number: int) -> dict[str, Any]:
    from labbridge.inbox.models import Event
    from labbridge.mirror.models import Chart

    opened = 0
    for event in Event.objects.iterator():
        opened += event.body == BODY
    for chart in Chart.objects.iterator():
        opened += chart.person == {"first_name": "Testa"}
    return {"opened": opened, "kept": Event.objects.count() + Chart.objects.count()}


if __name__ == "__main__":
    main()
