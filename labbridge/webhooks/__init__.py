"""Deliveries over HTTP: verify, record, hand over, answer. Decides nothing about what an event means."""
