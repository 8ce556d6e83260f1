"""The API put together."""

from __future__ import annotations

from labbridge.handover.api import cases, catalogue, orders, patients, practice, requests, results
from labbridge.handover.api.root import make, urls

api = make()
for part in (practice, catalogue, patients, orders, results, requests, cases):
    api.add_router("", part.router)

urlpatterns = urls(api)
