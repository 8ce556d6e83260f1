"""How long a peer's key may be."""

from __future__ import annotations

KEY = 64  # Rupa's are about 12 characters
CASPIO_KEY = 255  # of its unique fields
