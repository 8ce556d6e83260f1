"""Counters for Prometheus. Labels are words of ours, never data."""

from __future__ import annotations

from prometheus_client import Counter

DELIVERIES = Counter(
    "labbridge_deliveries_total", "Webhook deliveries by what became of them", ["peer", "outcome"]
)
