"""`python -m tests.snapshot` makes labbridge/database/snapshot.sql anew; `--check` only says what it lacks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile


def dump(url: str) -> str:
    """Tables and rows as SQL that PostgreSQL 15 and newer read, without moments and without a session's settings."""
    from labbridge.database import client_program

    text = subprocess.run(
        [
            str(client_program("pg_dump")), "--no-owner", "--no-privileges", "--no-comments", "--inserts",
            "--rows-per-insert=500",  url,
        ],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return "\n".join(line for line in text.splitlines() if line and not _SESSION.match(line)) + "\n"


# What pg_dump says to its own session, some of it unknown to PostgreSQL 15, and its remarks.
_SESSION = re.compile(
    r"--$|-- (Name|Data for Name|Dumped|PostgreSQL database dump)|\\(un)?restrict |SET [a-z_]+ = [^;]*;$"
    r"|SELECT pg_catalog\.set_config"
)


def make() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["LABBRIDGE_DATA_DIR"] = folder
        os.environ.pop("LABBRIDGE_DATABASE_URL", None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "labbridge.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from labbridge.database import embedded_server, snapshot
        from labbridge.settings import DEPLOYMENT

        server = embedded_server(DEPLOYMENT.data_dir)
        url = server.start()
        try:
            call_command("migrate", verbosity=0, interactive=False)
            with connection.cursor() as cursor:
                cursor.execute("UPDATE django_migrations SET applied = '2026-01-01T00:00:00Z'")
                cursor.execute(
                    "CLUSTER django_migrations USING django_migrations_pkey"
                )  # in their order, as dumped
                cursor.execute("ALTER TABLE django_migrations SET WITHOUT CLUSTER")
            head = snapshot.HEAD + json.dumps(snapshot.digests(), sort_keys=True)
            snapshot.FILE.write_text(f"{head}\n{dump(url)}", encoding="utf-8")
        finally:
            connection.close()
            server.stop()
    print(f"{snapshot.FILE.name}: {len(snapshot.FILE.read_text().splitlines())} lines")


def check() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "labbridge.settings"
    import django

    django.setup()
    from labbridge.database import snapshot

    held, known = snapshot.recorded(snapshot.FILE.read_text()), snapshot.digests()
    changed = sorted(name for name in held if known.get(name) != held[name])
    newer = sorted(set(known) - set(held))
    if changed:
        print(
            f"The schema snapshot is not used, since these are no longer what it holds: {', '.join(changed)}."
        )
    if newer:
        print(f"The schema snapshot is older than: {', '.join(newer)}.")
    if changed or newer:
        print(
            "A first start is slower until `make snapshot` is run and its file committed. Nothing else is wrong."
        )


if __name__ == "__main__":
    check() if "--check" in sys.argv else make()
