"""Practices and their connections to the peers: configuration, credentials, quotas, clients."""
