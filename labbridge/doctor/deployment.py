"""Checks of the deployment: its settings, machine, database, workers, keys and backups."""

from __future__ import annotations

import shutil
import socket
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from django.conf import settings
from django.db import connection
from django.utils import timezone

from labbridge.addresses import is_loopback
from labbridge.alerts.channels import channels, usable
from labbridge.alerts.models import Alert, AlertState
from labbridge.backup.models import Backup
from labbridge.doctor.findings import Checked, fail, ok, warn
from labbridge.engine import queue, tally
from labbridge.engine.models import Pulse
from labbridge.engine.rescue import rescue_alive
from labbridge.inbox.models import Event
from labbridge.practices.models import PeerClock, Practice

OLDEST_SERVER = 150000  #: PostgreSQL 15 as the server tells it
WATCH_LATE = timedelta(minutes=15)
CERTIFICATE_SOON, CERTIFICATE_NOW = timedelta(days=21), timedelta(days=5)
CLOCK_TOLERANCE = timedelta(seconds=60)
GIGABYTE = 1024**3


def rupa_application() -> Iterator[Checked]:
    deployment = settings.DEPLOYMENT
    if not deployment.rupa_client_id:
        yield fail(
            "settings", "No Rupa OAuth application is configured.",
            "Set LABBRIDGE_RUPA_CLIENT_ID and LABBRIDGE_RUPA_CLIENT_SECRET to what Rupa gave you.",
        )  # fmt: skip
    elif not deployment.rupa_webhook_signing_secret:
        yield fail(
            "settings", "Without the webhook's signing secret every delivery of Rupa's is refused.",
            "Set LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET to the one that Rupa shows.",
        )  # fmt: skip
    else:
        yield ok("settings", "The Rupa application and its signing secret are set.")


def disk() -> Iterator[Checked]:
    data_dir = settings.DEPLOYMENT.data_dir
    usage = shutil.disk_usage(data_dir)
    sentence = f"{usage.free / GIGABYTE:.1f} GB ({100 * usage.free // usage.total} %) are free in {data_dir}."
    if usage.free < GIGABYTE or usage.free / usage.total < 0.03:
        yield fail("disk", sentence, "Make room: when the disk is full, nothing can be received.")
    elif usage.free / usage.total < 0.1 and usage.free < 20 * GIGABYTE:
        yield warn("disk", sentence, "Make room, or move the data directory to a larger disk.")
    else:
        yield ok("disk", sentence)


def database() -> Iterator[Checked]:
    where = "outside" if settings.DEPLOYMENT.database_url else "embedded"
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_setting('server_version'), "
                       "current_setting('fsync'), current_setting('synchronous_commit')")  # fmt: skip
        number, version, fsync, synchronous = cursor.fetchone()
    if number < OLDEST_SERVER:
        yield fail(
            "database", f"The database server is PostgreSQL {version}.", "Move to PostgreSQL 15 or newer."
        )
    elif fsync != "on" or synchronous == "off":
        yield fail(
            "database", f"PostgreSQL {version} ({where}) does not wait for the disk, so a power cut loses events.",
            "Set fsync and synchronous_commit to on.",
        )  # fmt: skip
    else:
        yield ok("database", f"PostgreSQL {version} ({where}) answers and waits for the disk.")


def worker() -> Iterator[Checked]:
    if not rescue_alive():
        yield fail(
            "worker",
            "No worker runs: events are kept, and nothing is done with them.",
            "Start `labbridge serve`.",
        )
        return
    yield ok("worker", "A worker gives signs of life.")
    watch = Pulse.objects.filter(name="watch").first()
    if watch is None or timezone.now() - watch.at > WATCH_LATE:
        yield warn(
            "schedules", "Nothing has been done by the clock for more than 15 minutes.",
            "If the worker was started just now, wait; else restart it and see its log.",
        )  # fmt: skip
    else:
        yield ok("schedules", f"The clock's work was last done at {_moment(watch.at)}.")


def work() -> Iterator[Checked]:
    dead = sum(queue.dead_by_prefix().values())
    if dead:
        yield warn(
            "jobs", f"Jobs that were given up: {dead}.",
            "`labbridge jobs list` tells why; mend it, then `labbridge jobs replay`.",
        )  # fmt: skip
    else:
        yield ok("jobs", "No job was given up.")


def rupa_deliveries() -> Iterator[Checked]:
    """Only what was signed rightly is stored, so the newest event proves the secret; refusals are counted."""
    address = f"{settings.DEPLOYMENT.public_url}/webhooks/rupa"
    newest = Event.objects.filter(peer="rupa").order_by("-received_at").first()
    refused = tally.total("refused:rupa", timezone.now() - timedelta(days=1)).get("refused:rupa", 0)
    if refused:
        state = (
            "none has been accepted"
            if newest is None
            else f"the last good one came at {_moment(newest.received_at)}"
        )
        yield (fail if newest is None else warn)(
            "rupa deliveries", f"Refused for a wrong signature in the last day: {refused}; {state}.",
            "Compare LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET with the secret of the webhook at Rupa, and this "
            "machine's clock with the time.",
        )  # fmt: skip
    elif newest is None:
        yield warn(
            "rupa deliveries",
            "Rupa has not delivered anything yet.",
            f"Register {address} as the webhook at Rupa.",
        )
    else:
        yield ok("rupa deliveries", f"The last one came at {_moment(newest.received_at)}, rightly signed.")


def public_address() -> Iterator[Checked]:
    parts = urlsplit(settings.DEPLOYMENT.public_url)
    host = parts.hostname or ""
    if is_loopback(host):
        level = ok if settings.DEPLOYMENT.allow_http_peers else warn
        yield level(
            "public address", f"{settings.DEPLOYMENT.public_url} is reachable from this machine only.",
            "Set LABBRIDGE_PUBLIC_URL to the https address at which Rupa and Caspio reach this service.",
        )  # fmt: skip
        return
    try:
        ends = _certificate_end(host, parts.port or 443)
    except ssl.SSLError as error:
        why = getattr(error, "reason", None) or "TLS"
        yield fail(
            "public address", f"The certificate of {host} is not accepted ({why}).",
            "Renew it, and see that the proxy sends the whole chain.",
        )  # fmt: skip
    except OSError as error:
        yield warn(
            "public address", f"{host} cannot be reached from here ({type(error).__name__}).",
            "See that its name leads to the proxy and that the proxy runs; from inside a network this may be normal.",
        )  # fmt: skip
    else:
        yield _certificate(host, ends, timezone.now())


def _certificate_end(host: str, port: int) -> datetime:
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"").not_valid_after_utc


def _certificate(host: str, ends: datetime, now: datetime) -> Checked:
    sentence = f"The certificate of {host} ends on {ends:%Y-%m-%d}."
    if ends - now < CERTIFICATE_NOW:
        return fail(
            "public address", sentence, "Renew it now: Rupa and Caspio do not deliver to one that has ended."
        )
    if ends - now < CERTIFICATE_SOON:
        return warn("public address", sentence, "See that its renewal works.")
    return ok("public address", sentence)


def clocks() -> Iterator[Checked]:
    held = PeerClock.objects.filter(read_at__gt=timezone.now() - timedelta(hours=1))
    wrong = [one for one in held if abs(one.ahead_seconds) > CLOCK_TOLERANCE.total_seconds()]
    for one in wrong:
        yield fail(
            "clock", f"This machine's clock and {one.peer}'s are {abs(one.ahead_seconds):.0f} seconds apart.",
            "Turn on time synchronisation (chrony or systemd-timesyncd): signatures are refused beyond five minutes.",
        )  # fmt: skip
    if held and not wrong:
        yield ok("clock", "This machine's clock agrees with the peers'.")


def backups() -> Iterator[Checked]:
    newest, directory = Backup.objects.last(), settings.DEPLOYMENT.backup_dir
    if directory is not None and not directory.is_dir():
        yield fail(
            "backup",
            f"{directory} is not a directory here.",
            "Mount it or make it; until then no backup is made.",
        )
    elif newest is None:
        yield warn(
            "backup", "There is no backup yet.",
            "Set LABBRIDGE_BACKUP_DIR to a directory on another disk, or run `labbridge backup` (docs/backup.md).",
        )  # fmt: skip
    else:
        age = timezone.now() - newest.made_at
        level = warn if age > timedelta(days=2) else ok
        yield level(
            "backup", f"The newest backup is of {_moment(newest.made_at)}.", "Make one: `labbridge backup`."
        )


def keys() -> Iterator[Checked]:
    """Who can read the key files, and what losing the keys means."""
    deployment = settings.DEPLOYMENT
    lost = (
        "If the keys are lost, patients, results and connections stored here can never be opened again, and no "
        "backup either."
    )
    if deployment.encryption_keys:
        yield ok("keys", "The encryption keys come from the setting.", f"Keep a copy elsewhere. {lost}")
        return
    folder = deployment.data_dir / "keys"
    for path in sorted(folder.iterdir()):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield fail("keys", f"{path} can be read by others.", f"chmod 600 {path}")
            return
    yield ok(
        "keys",
        f"The encryption keys lie in {folder}, for their owner only.",
        f"Keep a copy elsewhere. {lost}",
    )


def alerts() -> Iterator[Checked]:
    held = list(channels(settings.DEPLOYMENT.alert_channels))
    for practice in Practice.objects.all():
        held += channels(practice.alert_channels or [], outside=True)
    wrong = sum(1 for one in held if not usable(one.url, outside=one.outside))
    if wrong:
        yield fail(
            "alert channels",
            f"Addresses that cannot be used: {wrong}.",
            "`labbridge alerts test` names them.",
        )
    elif not held:
        yield warn(
            "alert channels", "Nobody is told when something goes wrong.",
            "Set LABBRIDGE_ALERT_CHANNELS, or channels in [alerts] of practice.toml (docs/alerts.md).",
        )  # fmt: skip
    else:
        yield ok("alert channels", f"Alerts go to {len(held)} channel{'' if len(held) == 1 else 's'}.")
    critical = [
        one
        for one in Alert.objects.exclude(state=AlertState.RESOLVED)
        if one.ripe and one.definition.severity == "critical"
    ]
    if critical:
        yield warn("alerts", f"Critical alerts that are open: {len(critical)}.", "`labbridge alerts list`")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
