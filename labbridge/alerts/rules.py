"""Every alert there is: who owns it, how grave it is, what it says, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from labbridge.alerts.words import Kind


class Severity(StrEnum):
    CRITICAL = "critical"  #: told at night too
    WARNING = "warning"
    INFO = "info"


class Owner(StrEnum):
    OPERATOR = "operator"  #: whoever runs the service
    ADMINISTRATOR = "administrator"
    PRACTITIONER = "practitioner"
    FRONT_DESK = "front desk"


@dataclass(frozen=True)
class Rule:
    """`after` is how long a cause must last before anybody is told: what mends itself is nobody's business."""

    severity: Severity
    owner: Owner
    sentence: str
    action: str
    params: dict[str, Kind] = field(default_factory=dict)
    after: timedelta = timedelta(0)


_C, _W = Severity.CRITICAL, Severity.WARNING
_OPERATOR, _ADMIN = Owner.OPERATOR, Owner.ADMINISTRATOR

RULES: dict[str, Rule] = {
    "signature_refused": Rule(
        _C, _OPERATOR,
        "Deliveries in the name of {peer} refused in the last hour, because nothing proved who sent them: {count}.",
        "Compare the signing secret with the one at the peer (`labbridge doctor`). If they agree, it is forgery.",
        {"peer": Kind.PEER, "count": Kind.COUNT},
    ),
    "peer_silent": Rule(
        _C, _ADMIN,
        "Nothing has come from {peer} since {since}. Its usual gap at these hours is up to {gap}.",
        "Run `labbridge sweep`: it finds what was missed. Then see the webhook at the peer (`labbridge doctor`).",
        {"peer": Kind.PEER, "since": Kind.MOMENT, "gap": Kind.SPAN},
    ),
    "jobs_dead": Rule(
        _C, _OPERATOR,
        "Jobs that were given up: {count}.",
        "`labbridge jobs list` names the reasons; mend them, then `labbridge jobs replay`.",
        {"count": Kind.COUNT},
    ),
    "events_quarantined": Rule(
        _W, _OPERATOR,
        "Events that could not be read or given to a practice: {count}, the oldest of {since}.",
        "`labbridge events list --state quarantined` shows why; connect the missing account or report the event.",
        {"count": Kind.COUNT, "since": Kind.MOMENT},
    ),
    "orders_held": Rule(
        _W, _ADMIN,
        "Orders that cannot be brought to Caspio: {count}.",
        "`labbridge jobs list` tells the reasons; `labbridge doctor` names what to mend.",
        {"count": Kind.COUNT},
        after=timedelta(minutes=30),
    ),
    "cases_old": Rule(
        _W, Owner.FRONT_DESK,
        "Questions about who is who that wait for an answer for more than {span}: {count}, the oldest of {since}.",
        "Answer them in Labbridge under Matches, or with `labbridge cases list`.",
        {"count": Kind.COUNT, "span": Kind.SPAN, "since": Kind.MOMENT},
    ),
    "results_unreviewed": Rule(
        _W, Owner.PRACTITIONER,
        "Results that nobody has reviewed for more than {span}: {count}.",
        "Open the results that are marked unreviewed, and mark them when read.",
        {"count": Kind.COUNT, "span": Kind.SPAN},
    ),
    "orders_overdue": Rule(
        _W, Owner.FRONT_DESK,
        "Tests of {lab} that take longer than it usually does ({span}): {count}.",
        "Ask the patient whether the kit was sent in, then the lab.",
        {"lab": Kind.LAB, "span": Kind.SPAN, "count": Kind.COUNT},
    ),
    "orders_unpaid": Rule(
        _W, Owner.FRONT_DESK,
        "Orders that the patient has not paid for more than {span}: {count}, the oldest of {since}.",
        "Remind the patients: `labbridge billing list --unpaid` names the orders.",
        {"count": Kind.COUNT, "span": Kind.SPAN, "since": Kind.MOMENT},
    ),
    "protocols_touched": Rule(
        _W, Owner.PRACTITIONER,
        "Changes of Rupa's catalogue that touch the practice's protocols and that nobody has seen: {count}, the "
        "oldest of {since}.",
        "Open Protocols in Labbridge, “What changed for your protocols”, and press “Seen”.",
        {"count": Kind.COUNT, "since": Kind.MOMENT},
    ),
    "orders_late": Rule(
        _W, Owner.FRONT_DESK,
        "Orders that are past the day the catalogue promised: {count}.",
        "Ask the patient whether the kit was sent in, then the lab.",
        {"count": Kind.COUNT},
    ),
    "quota_forecast": Rule(
        _W, _ADMIN,
        "At this pace the Caspio account will have used {count} calls by the end of the month, of {limit} that its "
        "plan holds.",
        "Sync and sweep less often ([sync] in practice.toml), or ask Caspio for a larger plan.",
        {"count": Kind.COUNT, "limit": Kind.COUNT},
    ),
    "connection_lost": Rule(
        _C, _ADMIN,
        "An account at {peer} no longer accepts Labbridge; its orders and results are not read.",
        "Connect it again: `labbridge rupa connect`, as the practitioner.",
        {"peer": Kind.PEER},
    ),
    "authorisation_ends": Rule(
        _W, _ADMIN,
        "An authorisation at {peer} ends on {until} and cannot renew itself.",
        "Connect it again before that: `labbridge rupa connect`, as the practitioner.",
        {"peer": Kind.PEER, "until": Kind.MOMENT},
    ),
    "sweep_repaired": Rule(
        _W, _ADMIN,
        "Comparison with the peers, the last time on {day}, had to repair what events should have brought: {count}.",
        "See whether the peer's webhook is on and answered (`labbridge doctor`).",
        {"day": Kind.DAY, "count": Kind.COUNT},
    ),
    "ledger_difference": Rule(
        _C, _ADMIN,
        "The ledger of {day} does not add up: {count} orders or results are missing or unexplained.",
        "`labbridge ledger show` names them; run `labbridge sweep` and look again.",
        {"day": Kind.DAY, "count": Kind.COUNT},
    ),
    "sweep_stopped": Rule(
        _C, _ADMIN,
        "The comparison with the peers of {since} stopped and changed nothing, since too much would have changed at "
        "once.",
        "See what, with `labbridge sweep --dry-run`; if it is right, run `labbridge sweep --force` (docs/ledger.md).",
        {"since": Kind.MOMENT},
    ),
    "sweep_left": Rule(
        _W, _ADMIN,
        "The comparison with the peers of {since} could not do all by itself. Left for a person: {count}.",
        "Run `labbridge sweep`: it says what, and what to do.",
        {"since": Kind.MOMENT, "count": Kind.COUNT},
    ),
    "ledger_late": Rule(
        _C, _ADMIN,
        "The practice has not been compared with its peers since {since}: what events missed since is not found.",
        "Run `labbridge sweep` and see what it says; `labbridge doctor` tells whether the schedules run.",
        {"since": Kind.MOMENT},
    ),
    "disk_low": Rule(
        _W, _OPERATOR,
        "The disk of the data directory has {percent} % left ({megabytes} MB).",
        "Make room or give it a larger disk; when it is full, nothing can be received.",
        {"percent": Kind.COUNT, "megabytes": Kind.COUNT},
    ),
    "disk_full": Rule(
        _C, _OPERATOR,
        "The disk of the data directory is nearly full: {percent} % left ({megabytes} MB).",
        "Make room now; when it is full, nothing can be received.",
        {"percent": Kind.COUNT, "megabytes": Kind.COUNT},
    ),
    "backup_old": Rule(
        _C, _OPERATOR,
        "The newest backup is of {since}.",
        "Run `labbridge backup` by hand and see what it says; then look at the directory that LABBRIDGE_BACKUP_DIR "
        "names.",
        {"since": Kind.MOMENT},
    ),
    "backup_missing": Rule(
        _W, _OPERATOR,
        "There is no backup.",
        "Set LABBRIDGE_BACKUP_DIR to a directory on another disk, or run `labbridge backup` (docs/backup.md).",
        after=timedelta(days=1),
    ),
    "clock_skew": Rule(
        _W, _OPERATOR,
        "This machine's clock and that of {peer} differ by {span}.",
        "Turn on time synchronisation on this machine; signatures are refused when clocks differ by five minutes.",
        {"peer": Kind.PEER, "span": Kind.SPAN},
    ),
    "jobs_rescued": Rule(
        _W, _OPERATOR,
        "Jobs taken over in the last day from workers that died: {count}.",
        "Look for the reason in the system's log (memory, restarts). Nothing is lost: the jobs were run again.",
        {"count": Kind.COUNT},
    ),
    "feed_failing": Rule(
        _W, _ADMIN,
        "A destination of the feed has taken nothing since {since}. Letters that wait for it: {count}.",
        "Open it under Feeds: it says why. Nothing is lost; what waits goes by itself when it is well.",
        {"since": Kind.MOMENT, "count": Kind.COUNT},
        after=timedelta(minutes=10),
    ),
    "feed_dead": Rule(
        _W, _ADMIN,
        "Letters that a destination of the feed did not take in more than three days: {count}.",
        "Open it under Feeds, mend the cause, then send them again. They are kept until you do.",
        {"count": Kind.COUNT},
    ),
    "agreement_ends": Rule(
        _W, _ADMIN,
        "A BAA on file ends on {day}. Destinations and keys that depend on it: {count}.",
        "Have it renewed and put the new one on file under Feeds, for the same company; without it they are held.",
        {"day": Kind.DAY, "count": Kind.COUNT},
    ),
    "agreement_over": Rule(
        _C, _ADMIN,
        "A BAA is over, so destinations and keys that depend on it are held: {count}.",
        "Put the new one on file under Feeds, for the same company, or remove them. What waits is not lost.",
        {"count": Kind.COUNT},
    ),
    "channel_failing": Rule(
        _C, _OPERATOR,
        "A channel for alerts cannot be reached: number {number}.",
        "Run `labbridge alerts test` and correct its address.",
        {"number": Kind.COUNT},
        after=timedelta(minutes=15),
    ),
}  # fmt: skip
