"""`labbridge …`: the command line people use (design.md 6.1)."""

from __future__ import annotations

import os
import sys

import typer

from labbridge.commands import (
    alerts,
    audit,
    backup,
    billing,
    cases,
    crosswalk,
    database,
    demo,
    doctor,
    ehr,
    events,
    feed,
    init,
    jobs,
    key,
    keys,
    leaving,
    ledger,
    practices,
    report,
    retention,
    service,
    simulate,
    snippet,
    sweep,
    sync,
    users,
)

app = typer.Typer(
    name="labbridge",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Joins a practice's Caspio application with Rupa Health.",
)
app.command("demo")(demo.demo)
app.command("serve")(service.serve)
app.command("web")(service.web)
app.command("worker")(service.run_worker)
app.command("init")(init.init)
app.add_typer(practices.practice_app, name="practice")
practices.practice_app.command("export")(leaving.export)
practices.practice_app.command("import")(leaving.bring)
app.command("doctor")(doctor.doctor)
app.command("provision")(practices.provision)
app.add_typer(practices.rupa_app, name="rupa")
app.add_typer(sync.sync_app, name="sync")
app.command("backfill")(sync.backfill)
app.command("sweep")(sweep.sweep)
app.add_typer(ledger.ledger_app, name="ledger")
app.add_typer(events.events_app, name="events")
app.add_typer(jobs.jobs_app, name="jobs")
app.add_typer(cases.cases_app, name="cases")
app.add_typer(crosswalk.crosswalk_app, name="crosswalk")
app.add_typer(ehr.ehr_app, name="ehr")
app.add_typer(billing.billing_app, name="billing")
app.add_typer(report.report_app, name="report")
app.add_typer(alerts.alerts_app, name="alerts")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("recall")(backup.recall)
app.command("snippet")(snippet.snippet)
app.command("listen")(events.listen)
app.command("trigger")(simulate.trigger)
app.command("simulate")(simulate.simulate)
app.add_typer(audit.audit_app, name="audit")
app.add_typer(key.key_app, name="key")
app.add_typer(feed.feed_app, name="feed")
app.add_typer(feed.baa_app, name="baa")
app.add_typer(keys.keys_app, name="keys")
app.add_typer(retention.retention_app, name="retention")
app.add_typer(users.user_app, name="user")
app.add_typer(database.db_app, name="db")


@app.command(
    "manage",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def manage(context: typer.Context) -> None:
    """Django's own commands."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labbridge.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["labbridge manage", *context.args])


def main() -> None:
    """Entry point of the `labbridge` command."""
    try:
        app()
    except SystemExit as stop:
        sentence = getattr(stop, "sentence", "")
        if sentence:  # settings that stop the start
            print(sentence, file=sys.stderr)
            sys.exit(2)
        raise


if __name__ == "__main__":
    main()
