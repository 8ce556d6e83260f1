"""Every address of the service (design.md 6.4)."""

from __future__ import annotations

from django.urls import include, path

from labbridge.console import cases, consent, embed, health, home, order
from labbridge.webhooks import views as webhooks

urlpatterns = [
    path("webhooks/rupa", webhooks.rupa),
    path("webhooks/caspio/<slug:slug>", webhooks.caspio_practice),
    path("rupa/connect/<slug:slug>", consent.connect, name="rupa-connect"),
    path("rupa/callback", consent.callback, name="rupa-callback"),
    path("rupa/connected", consent.connected, name="rupa-connected"),
    path("order/return/<str:token>", order.returned, name="order-return"),
    path("order/request/<uuid:request_id>", order.request_page, name="order-request"),
    path("order/<slug:slug>", order.order, name="order"),
    path("embed/<slug:slug>.js", embed.script, name="embed-script"),
    path("embed/<slug:slug>/publishable-key", embed.publishable_key, name="publishable-key"),
    path("cases", cases.case_list, name="cases"),
    path("cases/<uuid:case_id>", cases.case_page, name="case"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("", include("labbridge.accounts.urls")),
    path("", home.home, name="home"),
]
