"""Rupa's nouns: practitioners, patients, the catalogue, orders, order intents, result files.

Everything returned is a snapshot of `types`; everything raised is an error of `peers.errors`. No filter is
ever sent: none is documented, and an e-mail address in a query would be PHI in an address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self, TypeVar

import httpx2

from labbridge.peers.closing import Closing
from labbridge.peers.errors import NotFound, Unreadable
from labbridge.peers.http import Http, Response
from labbridge.peers.ports import Limiter, Meter
from labbridge.peers.rupa import wire
from labbridge.peers.rupa.api import Api, parse
from labbridge.peers.rupa.assumptions import RupaAssumptions
from labbridge.peers.rupa.auth import AccessTokens
from labbridge.peers.rupa.downloads import Downloads, FileHosts, Resolve, resolve
from labbridge.peers.rupa.jsonapi import Document, Json, Resource
from labbridge.peers.rupa.refusals import explain
from labbridge.peers.rupa.spellings import Spellings
from labbridge.peers.rupa.types import (
    LabCompanySnapshot,
    LabTestSnapshot,
    OrderIntentData,
    OrderIntentSnapshot,
    OrderSnapshot,
    PatientData,
    PatientSnapshot,
    PractitionerSnapshot,
    intent_document,
    intent_flat,
    patient_attributes,
)


class _Read(Protocol):
    @classmethod
    def read(cls, resource: Resource) -> Self: ...


S = TypeVar("S", bound=_Read)


@dataclass(frozen=True, slots=True)
class PublishableKey:
    """A practitioner's key for browsers (rupa-api.md 5.10). `expires_at` is None when not said."""

    key: str = field(repr=False)
    expires_at: datetime | None = None


class Rupa(Closing):
    """One connection's view of Rupa. `file_hosts` are storage hosts an administrator allowed beside Rupa's.

    `spellings` may be shared by all connections and kept between runs.
    """

    def __init__(
        self,
        api_url: str,
        tokens: AccessTokens,
        *,
        limiter: Limiter,
        meter: Meter,
        allow_http: bool = False,
        file_hosts: Sequence[str] = (),
        spellings: Spellings | None = None,
        assumptions: RupaAssumptions | None = None,
        purpose: str = "rupa",
        timeout: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
        resolve: Resolve = resolve,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._assumptions = assumptions or RupaAssumptions()
        self.spellings = spellings if spellings is not None else Spellings()
        self._clock = clock
        hosts = FileHosts(api_url, self._assumptions.own_domains, tuple(file_hosts), loopback=allow_http)

        def http(max_answer: int) -> Http:
            return Http(
                "rupa",
                api_url,
                timeout=timeout,
                limiter=limiter,
                meter=meter,
                allow_http=allow_http,
                transport=transport,
                explain=explain,
                other_hosts=hosts.allows,
                max_answer=max_answer,
                sleep=sleep,
            )

        self._http = http(Http.MAX_ANSWER)
        self._files_http = http(self._assumptions.max_file_size)
        self._api = Api(
            self._http, tokens, spellings=self.spellings, assumptions=self._assumptions, purpose=purpose
        )
        self._downloads = Downloads(self._files_http, tokens, hosts, purpose=purpose, resolve=resolve)

    def close(self) -> None:
        self._http.close()
        self._files_http.close()

    @property
    def max_file_size(self) -> int:
        return self._assumptions.max_file_size

    def now(self) -> datetime:
        """Rupa's clock at its last answer: what is read now is compared in age with events of that clock."""
        return self._http.peer_time or self._clock()

    @property
    def clock_ahead(self) -> float | None:
        """By how many seconds Rupa's clock was ahead of ours at its last answer; None before the first."""
        return self._http.peer_ahead

    # Practitioners

    def practitioners(self) -> Iterator[PractitionerSnapshot]:
        """All practitioners that the token can see: the clinic's (rupa-api.md 3)."""
        return self._each("practitioners", PractitionerSnapshot, "list practitioners")

    def me(self) -> PractitionerSnapshot:
        """The practitioner whose token this is. Raises NotFound when Rupa does not tell.

        The path is a guess (rupa-api.md 16.14); a single listed practitioner is taken instead.
        """
        try:
            document = self._api.read(self._assumptions.me_path, operation="read own practitioner")
            return PractitionerSnapshot.read(_primary(document, "read own practitioner"))
        except NotFound:
            listed = list(self.practitioners())
            if len(listed) != 1:
                raise
            return listed[0]

    # Patients

    def patients(self) -> Iterator[PatientSnapshot]:
        """All patients of the clinic (rupa-api.md 5.3)."""
        return self._each("patients", PatientSnapshot, "list patients")

    def patient(self, key: str) -> PatientSnapshot:
        return self._one("patients", key, PatientSnapshot, "read a patient")

    def create_patient(self, data: PatientData) -> PatientSnapshot:
        """Create a patient; look for the e-mail first, Rupa may hand back an existing one (rupa-api.md 5.3).

        Raises NotFound when Rupa offers no such call: then the first order intent creates the patient.
        """
        body = {"data": {"type": "patient", "attributes": patient_attributes(data)}}
        response = self._api.write("POST", "patients", body=body, operation="create a patient")
        return PatientSnapshot.read(_written(response))

    def update_patient(self, key: str, data: PatientData) -> PatientSnapshot:
        """Change what `data` names and nothing else."""
        body = {"data": {"type": "patient", "id": key, "attributes": patient_attributes(data)}}
        response = self._api.write("PATCH", "patients", key, body=body, operation="update a patient")
        return self.patient(key) if response.status == 204 else PatientSnapshot.read(_written(response))

    # Catalogue

    def lab_companies(self) -> Iterator[LabCompanySnapshot]:
        return self._each("lab_companies", LabCompanySnapshot, "list lab companies")

    def lab_tests(self) -> Iterator[LabTestSnapshot]:
        """The whole catalogue; no way to ask for changes only is known (rupa-api.md 4)."""
        return self._each("lab_tests", LabTestSnapshot, "list lab tests")

    def lab_test(self, key: str) -> LabTestSnapshot:
        return self._one("lab_tests", key, LabTestSnapshot, "read a lab test")

    # Orders

    def order_pages(self) -> Iterator[list[OrderSnapshot]]:
        """Pages of orders, newest first as long as Rupa takes our `sort`; see `sorts_orders`."""
        sort = self._assumptions.newest_orders_first
        for page in self._api.pages("orders", operation="list orders", sort=sort):
            yield [OrderSnapshot.read(resource) for resource in page]

    def orders(self) -> Iterator[OrderSnapshot]:
        for page in self.order_pages():
            yield from page

    @property
    def sorts_orders(self) -> bool:
        """False once Rupa has refused our `sort`: then only a complete listing holds the newest."""
        return self.spellings.takes("orders", "sort")

    def order(self, key: str) -> OrderSnapshot:
        """One order with its ordered tests, as far as Rupa includes them."""
        return self._one("orders", key, OrderSnapshot, "read an order")

    # Order intents

    def create_order_intent(self, data: OrderIntentData) -> OrderIntentSnapshot:
        """Create a cart. Not repeatable: after OutcomeUnknown use `find_order_intent` first.

        Exactly one of `patient_id` and `patient` is needed (rupa-api.md 5.6). Raises ValueError without.
        """
        if not data.get("return_url") or bool(data.get("patient_id")) == bool(data.get("patient")):
            raise ValueError("an order intent needs a return_url and either a patient_id or a patient")
        flat = self._assumptions.wire_format == "flat"
        response = self._api.write(
            "POST",
            "order_intents",
            body=intent_flat(data) if flat else intent_document(data),
            operation="create an order intent",
            content_type="application/json" if flat else "application/vnd.api+json",
        )
        return _intent(response)

    def order_intent(self, key: str) -> OrderIntentSnapshot:
        return self._one("order_intents", key, OrderIntentSnapshot, "read an order intent")

    def order_intents(self) -> Iterator[OrderIntentSnapshot]:
        return self._each(
            "order_intents",
            OrderIntentSnapshot,
            "list order intents",
            sort=self._assumptions.newest_orders_first,
        )

    def find_order_intent(self, name: str, value: str) -> OrderIntentSnapshot | None:
        """The intent whose metadata has this value, None when there surely is none. Pages through all."""
        return next((one for one in self.order_intents() if (one.metadata or {}).get(name) == value), None)

    def publishable_key(self) -> PublishableKey:
        """A new key for rupa-js. Raises NotFound when Rupa offers none at the configured path."""
        response = self._api.write(
            "POST",
            self._assumptions.publishable_key_path,
            body={},
            operation="make a publishable key",
            content_type="application/json",
        )
        return _publishable_key(response, self._clock())

    # Files

    def download(self, url: str) -> bytes:
        """A result file, at most `max_file_size` bytes. Raises FileExpired, FileRefused (`files`)."""
        return self._downloads.fetch(url)

    def _each(self, collection: str, kind: type[S], operation: str, sort: str | None = None) -> Iterator[S]:
        for page in self._api.pages(collection, operation=operation, sort=sort):
            for resource in page:
                yield kind.read(resource)

    def _one(self, collection: str, key: str, kind: type[S], operation: str) -> S:
        return kind.read(_primary(self._api.read(collection, key, operation=operation), operation))


def _primary(document: Document, operation: str) -> Resource:
    """The document's resource; a list of one is taken as that one."""
    if len(document.items) != 1:
        raise Unreadable("rupa", operation, code="not_one_resource")
    return document.items[0]


def _written(response: Response) -> Resource:
    """The resource that a write answered with. Raises OutcomeUnknown when there is none."""
    document = parse(response)
    if document.data is None:
        raise response.error(Unreadable, code="no_resource")
    return document.data


def _intent(response: Response) -> OrderIntentSnapshot:
    intent = OrderIntentSnapshot.read_answer(parse(response))
    if intent is None:
        raise response.error(Unreadable, code="no_resource")
    return intent


def _publishable_key(response: Response, now: datetime) -> PublishableKey:
    """Flat or JSON:API; the names are guesses (rupa-api.md 5.10)."""
    document = parse(response)
    answer = document.data.attributes if document.data is not None else document.raw
    names = ("publishable_key", "publishableKey", "key", "token")
    key = next((answer[name] for name in names if isinstance(answer.get(name), str)), None)
    if not key:
        raise response.error(Unreadable, code="no_key")
    return PublishableKey(key, _expiry(answer.get("expires_at"), answer.get("expires_in"), now))


def _expiry(moment: Json, seconds: Json, now: datetime) -> datetime | None:
    try:
        return (
            wire.moment(moment) if moment is not None else now + timedelta(seconds=wire.whole_number(seconds))
        )
    except (ValueError, OverflowError):
        return None
