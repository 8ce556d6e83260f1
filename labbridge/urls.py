"""Every address of the service (design.md 6.4)."""

from __future__ import annotations

from django.urls import include, path

from labbridge.console import consent, health, home
from labbridge.webhooks import views as webhooks

urlpatterns = [
    path("webhooks/rupa", webhooks.rupa),
    path("webhooks/caspio/<slug:slug>", webhooks.caspio_practice),
    path("rupa/connect/<slug:slug>", consent.connect, name="rupa-connect"),
    path("rupa/callback", consent.callback, name="rupa-callback"),
    path("rupa/connected", consent.connected, name="rupa-connected"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("", include("labbridge.accounts.urls")),
    path("", home.home, name="home"),
]
