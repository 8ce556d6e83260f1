"""Where a page may lead back to: the practice's own pages and nowhere else."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from labbridge.addresses import is_loopback
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice

LONGEST = 1000
UNSAFE = ' \\"<>^`{|}'


def allowed_back(practice: Practice, url: str) -> str:
    """`url` if it leads to the practice's own pages, else nothing: no open redirect."""
    config = config_of(practice)
    own = urlsplit(config.caspio.url).hostname or ""
    return url if leads_to(url, {own, *config.ordering.back_hosts}) else ""


def leads_to(url: str, hosts: Collection[str]) -> bool:
    """Whether every browser takes `url` for an https address at one of `hosts` (plain http on loopback only)."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # a port that is none raises ValueError
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    # Browsers read backslashes as slashes, and drop tabs and line ends (whatwg url).
    plain = url.isascii() and url.isprintable() and not set(UNSAFE) & set(url) and "@" not in parts.netloc
    return secure and plain and host in {known.lower() for known in hosts} and len(url) <= LONGEST
