"""Everything we assume about Rupa without having seen it documented, in one place, each changeable.

Numbers are those of the open questions in rupa-api.md 16. Where nothing is known, the default is the
one written there; a practice that learns the real answer changes the value, not the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Literal

from labbridge.peers.rupa.signature import SignatureScheme

WireFormat = Literal["jsonapi", "flat"]
ClientAuthentication = Literal["body", "basic"]

DEFAULT_PATHS: Mapping[str, str] = MappingProxyType({
    # Kebab-case plural is what rupa-js sends (rupa-api.md 2); `lab_tests` is what the guide writes.
    "practitioners": "practitioners",
    "patients": "patients",
    "orders": "orders",
    "order_intents": "order-intents",
    "lab_tests": "lab_tests",
    "lab_companies": "lab_companies",
})  # fmt: skip

DEFAULT_INCLUDES: Mapping[str, str] = MappingProxyType({
    "orders": "ordered_tests,ordered_tests.lab_test,patient",
    "lab_tests": "lab_company",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class RupaAssumptions:
    """What we take to be so at Rupa until somebody sees otherwise."""

    signature: SignatureScheme = field(default_factory=SignatureScheme)
    """Question 1. The guide names header and algorithm; layout, encoding and tolerance are ours.
    `LABBRIDGE_RUPA_SIGNATURE` changes it."""

    paths: Mapping[str, str] = field(default_factory=lambda: DEFAULT_PATHS)
    """2.1, 5: path of each collection, tried first; the other spelling is tried once after a 404."""

    me_path: str = "practitioners/me"
    """Question 14: the practitioner whose token it is. A single listed practitioner stands in for it."""

    publishable_key_path: str = "publishable-keys"
    """Question 14: where a browser key is minted, by POST. A 404 means that the feature is off."""

    wire_format: WireFormat = "jsonapi"
    """2.2: how order intents are created; "flat" is what rupa-js sends."""

    intent_life: timedelta = timedelta(hours=72)
    """Question 10: no life of an order intent is documented. An unused one is put away after so long."""

    intent_doubt: timedelta = timedelta(seconds=60)
    """How long after a connection broke a creation may still be under way at Rupa, unseen by a listing: of an
    order intent, and of a patient."""

    includes: Mapping[str, str] = field(default_factory=lambda: DEFAULT_INCLUDES)
    """4: sent as `include`, dropped for good when answered with 400."""

    newest_orders_first: str = "-created_at"
    """4: sent as `sort`, dropped for good when answered with 400."""

    page_size: int = 50
    """Question 9: asked for as `page[size]`; `links.next` is followed when given."""

    max_pages: int = 2_000
    """A listing longer than this is an error, not an end: 100,000 rows at 50 a page."""

    client_authentication: ClientAuthentication = "body"
    """Question 7: client id and secret in the form, or as HTTP Basic."""

    refresh_at: float = 0.8
    """3: share of `expires_in` after which a token is renewed before use."""

    pkce: bool = False
    """3: send a PKCE challenge (S256) with the consent."""

    own_domains: tuple[str, ...] = ("rupahealth.com",)
    """Question 6: Rupa's own domains, the only ones beside the API's host that see our bearer token."""

    max_file_size: int = 25 * 1024 * 1024
    """Bytes of one result file."""
