"""Backups: the whole database, consistent while the service runs, sealed with the deployment's key."""
