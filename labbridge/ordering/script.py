"""The DataPage script for one practice, and the version by which browsers may keep it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from django.conf import settings


def script_for(slug: str) -> str:
    return _script(settings.DEPLOYMENT.public_url, slug)


def script_version(slug: str) -> str:
    """Changes exactly when the script does."""
    return hashlib.sha256(script_for(slug).encode()).hexdigest()[:12]


def script_address(slug: str) -> str:
    """What a DataPage loads. After an upgrade an old version in it is answered with the new script."""
    return f"{settings.DEPLOYMENT.public_url}/embed/{slug}.js?v={script_version(slug)}"


@cache
def _script(public_url: str, slug: str) -> str:
    text = resources.files("labbridge.ordering").joinpath("datapage.js").read_text(encoding="utf-8")
    return text.replace("__ORDER_ADDRESS__", f"{public_url}/order/{slug}")
