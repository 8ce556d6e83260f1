"""A stand-in for one Caspio account: REST v3, OAuth, outgoing webhooks and DataPage-like pages.

It follows Caspio's documents (caspio-api.md, Caspio's OpenAPI document), not our client.
"""

from labbridge.simulators.caspio.app import Simulator, create_app
from labbridge.simulators.caspio.seed import seed_practice
from labbridge.simulators.caspio.server import serve

__all__ = ["Simulator", "create_app", "seed_practice", "serve"]
