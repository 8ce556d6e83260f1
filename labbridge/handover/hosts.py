"""Where patient data never goes, whatever anybody ticks: services that sign no BAA for it."""

from __future__ import annotations

#: Zapier and Make do not sign BAAs (integration-guide.txt, "General iPaaS Considerations"). With their subdomains.
WITHOUT_BAA: dict[str, str] = {"zapier.com": "Zapier", "make.com": "Make", "integromat.com": "Make"}


def plain_host(host: str) -> str:
    """A host as hosts are compared: small letters, no dot at the end."""
    return host.lower().rstrip(".")


def service_without_baa(host: str) -> str:
    """The service that this host belongs to and that signs no BAA, or ""."""
    plain = plain_host(host)
    return next(
        (name for known, name in WITHOUT_BAA.items() if plain == known or plain.endswith(f".{known}")), ""
    )


def why_no_phi(service: str) -> str:
    return (
        f"{service} signs no BAA, so patient data may not go there, whatever agreement is on file. "
        "Choose de-identified, or a service that signs one."
    )
