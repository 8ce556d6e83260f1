from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from psycopg.conninfo import conninfo_to_dict

from labbridge.database import database_url


class DatabaseWrapper(base.DatabaseWrapper):
    """Asks for the server's address when a connection is made, so that importing settings starts nothing."""

    def get_connection_params(self) -> dict[str, Any]:  # any: libpq parameters beside Django's own
        address = conninfo_to_dict(database_url(settings.DEPLOYMENT.data_dir))
        params = super().get_connection_params()
        own = {name: value for name, value in address.items() if name != "dbname"}
        return {**params, **own}
