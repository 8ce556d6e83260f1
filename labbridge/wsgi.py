"""The web application, for `labbridge web`, `labbridge serve`, or any WSGI server."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labbridge.settings")
_django = get_wsgi_application()

from labbridge.webhooks.front import Front  # noqa: E402  # its models need Django to be set up

application = Front(_django)
