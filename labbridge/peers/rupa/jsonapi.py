"""Reads JSON:API compound documents as Rupa's server makes them (rupa-api.md 4), tolerantly.

A missing relationship is no error and a resource that was only named is still a resource, without
attributes. Numbers with a fraction become Decimal, never float: some of them are money.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from labbridge.peers.errors import Unreadable

MEDIA_TYPE = "application/vnd.api+json"

# Any: the peer decides what stands at each place; every reader below checks what it takes.
Json = Any
JsonObject = Mapping[str, Json]

_EMPTY: JsonObject = {}


def load_json(raw: bytes | str, *, operation: str = "read") -> Json:
    """Parsed JSON with exact decimals. Raises Unreadable, without a word of the text."""
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, ArithmeticError):  # UnicodeDecodeError is a ValueError too
        pass  # left behind, not chained: the decoder's error carries the document
    raise Unreadable("rupa", operation, code="not_json")


def _refuse_constant(_name: str) -> Json:
    raise ValueError("NaN and Infinity are not JSON")


def as_object(value: Json) -> JsonObject:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else _EMPTY


def as_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Ref:
    """Which resource is meant."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. `named_only` when the document names it without carrying its attributes."""

    type: str
    id: str
    attributes: JsonObject = field(default_factory=dict, repr=False)
    relationships: JsonObject = field(default_factory=dict, repr=False)
    included: Mapping[Ref, Resource] = field(default_factory=dict, repr=False, compare=False)
    named_only: bool = False

    @classmethod
    def parse(cls, raw: Json, included: Mapping[Ref, Resource]) -> Resource | None:
        """The resource, or None when it has no usable type and id."""
        if (ref := _ref(raw)) is None:
            return None
        attributes = as_object(raw.get("attributes"))
        relationships = as_object(raw.get("relationships"))
        named_only = "attributes" not in raw and "relationships" not in raw
        return cls(ref.type, ref.id, attributes, relationships, included, named_only)

    def says(self, relationship: str) -> bool:
        """Whether the document states this relationship at all; null is a statement."""
        return "data" in as_object(self.relationships.get(relationship))

    def ref(self, relationship: str) -> Ref | None:
        return _ref(as_object(self.relationships.get(relationship)).get("data"))

    def refs(self, relationship: str) -> list[Ref]:
        linkage = as_object(self.relationships.get(relationship)).get("data")
        candidates = linkage if isinstance(linkage, list) else [linkage]
        return [ref for candidate in candidates if (ref := _ref(candidate)) is not None]

    def count(self, relationship: str) -> int | None:
        """`meta.count` beside a to-many relationship, where the server adds it (rupa-api.md 4)."""
        count = as_object(as_object(self.relationships.get(relationship)).get("meta")).get("count")
        return count if isinstance(count, int) and not isinstance(count, bool) else None

    def one(self, relationship: str) -> Resource | None:
        """The related resource, from `included` where it is there, else only named."""
        ref = self.ref(relationship)
        return None if ref is None else self._resolve(ref)

    def many(self, relationship: str) -> list[Resource]:
        """The related resources in the document's order."""
        return [self._resolve(ref) for ref in self.refs(relationship)]

    def _resolve(self, ref: Ref) -> Resource:
        return self.included.get(ref) or Resource(ref.type, ref.id, included=self.included, named_only=True)


@dataclass(frozen=True, slots=True)
class Document:
    """A read document: `items` are its primary resources, `raw` is all that was received."""

    items: list[Resource]
    included: Mapping[Ref, Resource] = field(repr=False)
    raw: JsonObject = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes | JsonObject, *, operation: str = "read") -> Document:
        """Read a response, or an event whose `data` holds `object` beside `included` (rupa-api.md 7).

        Raises Unreadable when it is no JSON object. Resources without type or id are left out.
        """
        body = load_json(raw, operation=operation) if isinstance(raw, bytes) else raw
        if not isinstance(body, Mapping):
            raise Unreadable("rupa", operation, code="not_an_object")
        primary = body.get("data")
        included: dict[Ref, Resource] = {}
        inner = as_object(primary)
        if "object" in inner and "type" not in inner:
            _index(inner.get("included"), included)
            primary = inner["object"]
        _index(body.get("included"), included)
        candidates = primary if isinstance(primary, list) else [primary]
        items = [found for one in candidates if (found := Resource.parse(one, included)) is not None]
        return cls(items, included, body)

    @property
    def data(self) -> Resource | None:
        """The primary resource, None for null data."""
        return self.items[0] if self.items else None

    def of_type(self, kind: str) -> list[Resource]:
        """Included resources of one type, in the document's order."""
        return [resource for ref, resource in self.included.items() if ref.type == kind]

    @property
    def total(self) -> int | None:
        """How many resources the whole listing has, when the server says so."""
        count = as_object(as_object(self.raw.get("meta")).get("pagination")).get("count")
        return count if isinstance(count, int) and not isinstance(count, bool) else None

    @property
    def states_next(self) -> bool:
        """Whether `links.next` is there at all; null there means the last page."""
        return "next" in as_object(self.raw.get("links"))

    def next_url(self, url: str) -> str | None:
        """Where the page after the one at `url` is, on the same scheme and host.

        Raises Unreadable when the link leads to another host. A server behind a proxy may write http
        in its links, so the scheme is ours.
        """
        link = as_object(self.raw.get("links")).get("next")
        if isinstance(link, Mapping):  # JSON:API allows {"href": ...}
            link = link.get("href")
        return same_host(link, url) if isinstance(link, str) and link else None


def same_host(link: str, base_url: str) -> str:
    """`link` on the origin of `base_url`. Raises Unreadable when it names another host or port."""
    base = urlsplit(base_url)
    origin = f"{base.scheme}://{base.netloc}"
    try:
        target = urlsplit(link)
        same = not target.netloc or (target.hostname, _port(target.port)) == (base.hostname, _port(base.port))
    except ValueError:
        same = False
    if not same or not (target.netloc or link.startswith(("/", "?"))) or "\\" in link:
        raise Unreadable("rupa", "follow a link", code="link_leads_elsewhere")
    path = target.path or base.path or "/"
    return f"{origin}{path}?{target.query}" if target.query else f"{origin}{path}"


def _port(port: int | None) -> int | None:
    return None if port in (80, 443) else port


def _ref(raw: Json) -> Ref | None:
    if not isinstance(raw, Mapping):
        return None
    kind, key = raw.get("type"), raw.get("id")
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(kind, str) or not isinstance(key, str) or not kind or not _storable(key):
        return None
    return Ref(kind, key)


def _storable(key: str) -> bool:
    """Ids are opaque (rupa-api.md 5), but they go into addresses, logs and columns."""
    return 0 < len(key) <= 200 and key.isprintable() and key.strip() == key


def _index(raw: Json, into: dict[Ref, Resource]) -> None:
    for one in as_list(raw):
        if (resource := Resource.parse(one, into)) is not None:
            into.setdefault(Ref(resource.type, resource.id), resource)
