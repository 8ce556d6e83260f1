"""Caspio's REST v3, typed: `Caspio -> Table`. Facts and their sources: docs/peers.md, `assumptions.py`."""

from labbridge.peers.caspio.assumptions import CaspioAssumptions
from labbridge.peers.caspio.client import Caspio
from labbridge.peers.caspio.table import Table
from labbridge.peers.caspio.types import Row
from labbridge.peers.caspio.where import Where, field

__all__ = ["Caspio", "CaspioAssumptions", "Row", "Table", "Where", "field"]
