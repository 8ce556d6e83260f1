"""Healthie, read only: which lab orders it holds for one of its clients."""
