"""Rupa Health: orders, results, patients and the catalogue of lab tests (rupa-api.md)."""
