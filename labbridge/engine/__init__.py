"""The job engine: the only package that imports it. Jobs carry ids, never data."""
