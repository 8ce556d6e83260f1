"""Keys and encryption, keyed hashes, and logs that cannot hold PHI."""
