"""The table of Django's database cache, as `createcachetable` would make it: rate limits and used codes."""

from django.db import migrations

CREATE = """
CREATE TABLE labbridge_cache (
    cache_key varchar(255) NOT NULL PRIMARY KEY,
    value text NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE INDEX labbridge_cache_expires ON labbridge_cache (expires);
"""


class Migration(migrations.Migration):

    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, "DROP TABLE labbridge_cache")]
