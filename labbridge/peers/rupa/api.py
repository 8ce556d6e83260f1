"""Every call to Rupa's API goes through here: bearer, spellings, redirects, refused parameters, pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

import orjson

from labbridge.peers.errors import Conflict, NotFound, PeerError, Rejected, Unauthorized, Unreadable
from labbridge.peers.http import Http, Response
from labbridge.peers.rupa.assumptions import RupaAssumptions
from labbridge.peers.rupa.auth import AccessTokens
from labbridge.peers.rupa.jsonapi import MEDIA_TYPE, Document, Json, Resource, same_host
from labbridge.peers.rupa.spellings import Spellings, item_path

REDIRECTS = frozenset({301, 302, 307, 308})
DONE = frozenset({200, 201, 202, 204})

DROPPED_FIRST = ("sort", "include", "page[size]", "page[number]")
"""Which parameter is given up first after a 400 that names none. Filters are never sent at all: an
e-mail address in a query would be PHI in an address."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do at the API. `key` is one item's id, already quoted."""

    method: str
    collection: str
    operation: str
    key: str | None = None
    body: bytes | None = field(default=None, repr=False)
    content_type: str = MEDIA_TYPE

    @property
    def reads(self) -> bool:
        return self.method == "GET"


class Api:
    """Sends deeds. `paths` of the assumptions name each collection; other names are their own path."""

    def __init__(
        self,
        http: Http,
        tokens: AccessTokens,
        *,
        spellings: Spellings,
        assumptions: RupaAssumptions,
        purpose: str = "rupa",
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._assumptions = assumptions
        self._purpose = purpose
        self.spellings = spellings

    def read(self, collection: str, key: str | None = None, *, operation: str) -> Document:
        """One resource, or the first page of a collection."""
        deed = Deed("GET", collection, operation, key=None if key is None else quote_key(key))
        document, _ = self._read(deed, self._with_include(collection, {}))
        return document

    def write(
        self, method: str, collection: str, key: str | None = None, *, body: Json, operation: str,
        content_type: str = MEDIA_TYPE,
    ) -> Response:  # fmt: skip
        """POST or PATCH. Never repeated unless the peer proved that nothing was written."""
        quoted = None if key is None else quote_key(key)
        deed = Deed(method, collection, operation, quoted, orjson.dumps(body), content_type)
        response, _ = self._send_spelled(deed, "")
        return response

    def pages(self, collection: str, *, operation: str, sort: str | None = None) -> Iterator[list[Resource]]:
        """Each page's resources, none twice. `links.next` is followed; without links pages are counted.

        Raises Unreadable when the listing is longer than `max_pages`: a cut-off list looks complete.
        """
        deed = Deed("GET", collection, operation)
        params = self._with_include(collection, {"page[size]": str(self._assumptions.page_size)})
        if sort is not None:
            params["sort"] = sort
        seen: set[str] = set()
        document, url = self._read(deed, params)
        for number in range(2, self._assumptions.max_pages + 2):
            fresh = [one for one in document.items if one.id not in seen]
            seen.update(one.id for one in fresh)
            if fresh:
                yield fresh
            following = self._following(
                document, url, collection=collection, seen=len(seen), fresh=bool(fresh)
            )
            if following is None:
                return
            if following == "count":
                document, url = self._read(deed, {**params, "page[number]": str(number)}, past_end=True)
            else:
                document, url = self._follow(deed, following), following
        raise Unreadable("rupa", operation, code="too_many_pages")

    def _following(
        self, document: Document, url: str, *, collection: str, seen: int, fresh: bool
    ) -> str | None:
        """The next page's address, "count" for the next number, or None at the end (rupa-api.md 4)."""
        if document.states_next:
            following = document.next_url(url)
            return None if following == url else following
        if not fresh:
            return None
        if document.total is not None:
            return "count" if seen < document.total else None
        sized = self.spellings.takes(collection, "page[size]")
        return None if sized and len(document.items) < self._assumptions.page_size else "count"

    def _follow(self, deed: Deed, url: str) -> Document:
        response = self._authorized(deed, url, expect=DONE)
        return parse(response)

    def _with_include(self, collection: str, params: dict[str, str]) -> dict[str, str]:
        include = self._assumptions.includes.get(collection)
        return params if include is None else {**params, "include": include}

    def _read(self, deed: Deed, params: Mapping[str, str], *, past_end: bool = False) -> tuple[Document, str]:
        """GET with what the peer is known to take; a parameter answered with 400 is dropped for good."""
        takes = self.spellings.takes
        left = {name: value for name, value in params.items() if takes(deed.collection, name)}
        dropped: list[str] = []
        while True:
            try:
                response, url = self._send_spelled(deed, urlencode(left, quote_via=quote))
            except NotFound:
                if past_end:  # DJA answers a page after the last with 404
                    return Document.parse({"data": []}), ""
                raise
            except Rejected as error:
                guilty = _guilty(error, left)
                if guilty is None:
                    raise
                dropped.append(guilty)
                del left[guilty]
                continue
            for name in dropped:
                self.spellings.refuse(deed.collection, name)
            return parse(response), url

    def _send_spelled(self, deed: Deed, query: str) -> tuple[Response, str]:
        """Try the forms of the path until one is there. A 404 or a redirect proves nothing was written."""
        path = self._assumptions.paths.get(deed.collection, deed.collection)
        forms = self.spellings.forms(deed.collection, path)
        if deed.key is not None and self.spellings.known(deed.collection):
            forms = forms[:1]  # the path is known, so a 404 is about the item
        missing: NotFound | None = None
        for form in forms:
            try:
                return self._send_form(deed, form, query)
            except NotFound as error:
                if error.status != 404:
                    raise
                missing = missing or error
            except (Rejected, Conflict) as error:
                if error.status in (400, 409, 422):
                    self.spellings.learn(deed.collection, form)  # somebody read it there
                raise
        raise missing or NotFound("rupa", deed.operation)

    def _send_form(self, deed: Deed, form: str, query: str) -> tuple[Response, str]:
        url = self._url(item_path(form, deed.key), query)
        response = self._authorized(deed, url, expect=DONE | REDIRECTS)
        if response.status in REDIRECTS:
            target = _redirect_target(response, url)
            if not deed.reads and not _same_but_slash(target, url):
                raise Unreadable("rupa", deed.operation, status=response.status, code="redirect")
            response, url = self._authorized(deed, target, expect=DONE), target
            if _same_but_slash(target, self._url(item_path(form, deed.key), query)):
                form = form.rstrip("/") + ("/" if urlsplit(target).path.endswith("/") else "")
        self.spellings.learn(deed.collection, form)
        return response, url

    def _url(self, path: str, query: str) -> str:
        url = f"{self._http.base_url}/{path}"
        return f"{url}?{query}" if query else url

    def _authorized(self, deed: Deed, url: str, *, expect: frozenset[int]) -> Response:
        """With the bearer, renewed once when it is refused (rupa-api.md 3)."""
        token = self._tokens.access_token()
        try:
            return self._send(deed, url, token, expect)
        except Unauthorized:
            token = self._tokens.renew(token)
        return self._send(deed, url, token, expect)

    def _send(self, deed: Deed, url: str, token: str, expect: frozenset[int]) -> Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": f"{MEDIA_TYPE}, application/json;q=0.9"}
        if deed.body is not None:
            headers["Content-Type"] = deed.content_type
        return self._http.send(
            deed.method,
            url,
            operation=deed.operation,
            purpose=self._purpose,
            idempotent=deed.reads,
            headers=headers,
            content=deed.body,
            expect=expect,
        )


def parse(response: Response) -> Document:
    """The answer as a document. Raises Unreadable; OutcomeUnknown after a write."""
    try:
        return Document.parse(response.content, operation=response.operation)
    except Unreadable as error:
        code = error.code
    html = "html" in response.headers.get("content-type", "").lower()
    if html:
        code = "html"
    raise response.error(Unreadable, code=code)


def quote_key(key: str) -> str:
    """An id as one segment of a path: ids are opaque and the peer's (rupa-api.md 4)."""
    if key in ("", ".", ".."):
        raise ValueError("not an id")
    return quote(key, safe="")


def _guilty(error: PeerError, params: Mapping[str, str]) -> str | None:
    """The parameter to do without after a 400: the one it names, else the most dispensable one."""
    if error.status != 400:
        return None
    named = [name for name in params if name in error.fields]
    candidates = named or [name for name in DROPPED_FIRST if name in params]
    return candidates[0] if candidates else None


def _redirect_target(response: Response, url: str) -> str:
    location = response.headers.get("location", "")
    if not location:
        raise Unreadable("rupa", response.operation, status=response.status, code="redirect")
    return same_host(location, url)


def _same_but_slash(one: str, other: str) -> bool:
    return urlsplit(one).path.rstrip("/") == urlsplit(other).path.rstrip("/")
