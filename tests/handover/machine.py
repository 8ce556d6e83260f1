"""The generated client, connected to the whole service in this process, middleware and all."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx

from labbridge.trust.audit import Actor

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))

from labbridge_client import AuthenticatedClient  # found by the line above

OPERATOR = Actor("operator", name="tests")


def connect(text: str) -> AuthenticatedClient:
    from labbridge.wsgi import application

    transport = httpx.WSGITransport(application, raise_app_exceptions=False)
    return AuthenticatedClient(
        "http://127.0.0.1:8000",
        token=text,
        raise_on_unexpected_status=True,
        httpx_args={"transport": transport},
    )
