from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from psycopg.conninfo import conninfo_to_dict

from labbridge.database import database_url

PARALLEL_FROM = 20_000  #: of the planner's units; PostgreSQL's own default is 1,000


class DatabaseWrapper(base.DatabaseWrapper):
    """Asks for the server's address when a connection is made, so that importing settings starts nothing."""

    def get_connection_params(self) -> dict[str, Any]:  # any: libpq parameters beside Django's own
        address = conninfo_to_dict(database_url(settings.DEPLOYMENT.data_dir))
        params = super().get_connection_params()
        own = {name: value for name, value in address.items() if name != "dbname"}
        return {**params, **own}

    def init_connection_state(self) -> None:
        """Pages ask for few rows: starting helpers for them takes longer than the whole answer.

        Only what is to read very many rows, as analytics does, still gets helpers. It is said after connecting, since
        a pooler in between refuses it in the options of a connection.
        """
        super().init_connection_state()
        with self.connection.cursor() as cursor:
            cursor.execute(f"SET parallel_setup_cost = {PARALLEL_FROM}")
        if not self.get_autocommit():
            self.connection.commit()
