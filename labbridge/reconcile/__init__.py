"""Comparing with the peers and repairing through the same handlers and filing as live events."""
