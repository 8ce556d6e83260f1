"""Labbridge joins a practice's Caspio application with Rupa Health."""
