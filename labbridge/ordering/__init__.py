"""Ordering labs for a patient: one code path behind the button, the request table and the machine API."""
