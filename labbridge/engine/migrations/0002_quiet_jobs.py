from django.db import migrations

# Each of these costs every job something that nobody reads. The notification is the bell's (engine/bell.py), and
# what became of an event is on the event and on its order; a procrastinate that brings its triggers back is merely
# slower.
SILENCED = (
    "procrastinate_jobs_notify_queue_job_inserted_v1",
    "procrastinate_trigger_status_events_insert_v1",
    "procrastinate_trigger_status_events_update_v1",
    "procrastinate_trigger_scheduled_events_v1",
)
# Fetching a job looks for others with its lock; the engine's own index begins with the id and is read whole.
INDEX = (
    "CREATE INDEX labbridge_jobs_lock ON procrastinate_jobs (lock) "
    "WHERE lock IS NOT NULL AND status IN ('todo', 'doing')"
)


class Migration(migrations.Migration):
    dependencies = [
        ("engine", "0001_initial"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        *[
            migrations.RunSQL(
                f"ALTER TABLE procrastinate_jobs DISABLE TRIGGER {name}",
                f"ALTER TABLE procrastinate_jobs ENABLE TRIGGER {name}",
            )
            for name in SILENCED
        ],
        migrations.RunSQL(INDEX, "DROP INDEX labbridge_jobs_lock"),
    ]
