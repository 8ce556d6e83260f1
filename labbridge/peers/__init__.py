"""Clients of the peers. Nothing here imports Django: what they need from us comes in through ports."""
