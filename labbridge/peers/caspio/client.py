"""The way into one Caspio account."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Self

import httpx2

from labbridge.peers.caspio.assumptions import CaspioAssumptions
from labbridge.peers.caspio.files import Files
from labbridge.peers.caspio.refusals import Subject
from labbridge.peers.caspio.session import Session
from labbridge.peers.caspio.table import Table, quote_segment
from labbridge.peers.caspio.types import (
    Directory,
    EventType,
    NewField,
    NewWebhookEvent,
    Row,
    Webhook,
    WebhookChange,
    WebhookEvent,
    check_new_name,
)
from labbridge.peers.caspio.where import Where, check_name
from labbridge.peers.errors import Rejected
from labbridge.peers.http import Response
from labbridge.peers.ports import Limiter, LocalTokenStore, Meter, NullMeter, TokenStore, UnlimitedLimiter


class Caspio:
    """One account at `url`, such as https://c0abc123.caspio.com.

    Every call may raise any error of `peers.errors`. `limiter`, `meter` and `token_store` are shared by
    all who use the account; `purpose` is the meter's line for the calls, see `speaking_for`. `principal`
    goes into Caspio's audit log: a service or a user id, no patient data. Safe to use from many threads.
    """

    DIRECTORY_PAGE_SIZE = 1000
    SLOW_SECONDS = 120.0  #: creating a table is slow (caspio-api.md 2.1)

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        *,
        limiter: Limiter | None = None,
        meter: Meter | None = None,
        token_store: TokenStore | None = None,
        principal: str = "labbridge",
        purpose: str = "other",
        api_path: str = "/integrations/rest/v3",
        assumptions: CaspioAssumptions | None = None,
        allow_http: bool = False,
        custom_domains: Collection[str] = (),
        timeout: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
        now: Callable[[], datetime] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._session = Session(
            url,
            client_id,
            client_secret,
            limiter=limiter or UnlimitedLimiter(),
            meter=meter or NullMeter(),
            token_store=token_store or LocalTokenStore(),
            principal=principal,
            purpose=purpose,
            api_path=api_path,
            assumptions=assumptions or CaspioAssumptions(),
            allow_http=allow_http,
            custom_domains=custom_domains,
            timeout=timeout,
            transport=transport,
            now=now,
            sleep=sleep,
        )

    def speaking_for(self, *, purpose: str | None = None, principal: str | None = None) -> Self:
        """The same account, its calls counted under `purpose` and logged at Caspio under `principal`."""
        other = copy.copy(self)
        other._session = self._session.speaking_for(purpose=purpose, principal=principal)  # noqa: SLF001 - a copy of us
        return other

    def close(self) -> None:
        """Close the connections, also those of every copy made by `speaking_for`."""
        self._session.http.close()

    @property
    def clock_ahead(self) -> float | None:
        """By how many seconds Caspio's clock was ahead of ours at its last answer; None before the first."""
        return self._session.http.peer_ahead

    # Tables

    def tables(self) -> list[str]:
        """The names of all tables that the profile may see."""
        return self._session.read_list(str, self._session.request("GET", "/tables", operation="list tables"))

    def table(self, name: str) -> Table:
        """The table of that name, without asking whether it is there."""
        return Table(self._session, name)

    def create_table(self, name: str, fields: Sequence[NewField]) -> Table:
        """Create a table with its fields; PK_ID comes by itself. Slow."""
        check_new_name(name)
        self._session.request(
            "POST",
            "/tables",
            operation=f"create table {name}",
            subject=Subject.of(name, [new.name for new in fields]),
            json={"Name": name, "Fields": [new.wire() for new in fields]},
            expect=(201,),
            timeout=self.SLOW_SECONDS,
        )
        return self.table(name)

    @property
    def files(self) -> Files:
        """The account's Files area."""
        return Files(self._session)

    # Directories

    def directories(self) -> list[Directory]:
        """The account's stores of users."""
        response = self._session.request("GET", "/directories", operation="list directories")
        return self._session.read_list(Directory, response)

    def directory_users(
        self, directory_id: str, *, select: Sequence[str] | None = None, where: Where | None = None
    ) -> Iterator[Row]:
        """The users of one directory, by UserGUID, which is their key (caspio-api.md 2.6)."""
        params = {"q.orderBy": "UserGUID", "q.pageSize": str(self.DIRECTORY_PAGE_SIZE)}
        if select is not None:
            params["q.select"] = ",".join(map(check_name, select))
        if where is not None:
            params["q.where"] = where.sql(unicode=self._session.assumptions.unicode_literals)
        number, is_last = 1, False
        while not is_last:
            response = self._session.request(
                "GET",
                f"/directories/{quote_segment(directory_id)}/users",
                operation="read directory users",
                params=params | {"q.pageNumber": str(number)},
            )
            page = self._session.read_list(Row, response)
            yield from page
            number, is_last = number + 1, len(page) < self.DIRECTORY_PAGE_SIZE

    # Outgoing webhooks (caspio-api.md 2.8)

    def outgoing_webhooks(self) -> list[Webhook]:
        """All webhooks of the account. None of them tells its secret."""
        response = self._session.request("GET", "/outgoingWebhooks", operation="list webhooks")
        return self._session.read_list(Webhook, response, key=_envelope(response))

    def outgoing_webhook(self, webhook_id: str) -> Webhook:
        """One webhook, with its numbers of the last 30 days."""
        return self._webhook("GET", webhook_id, "read a webhook")

    def create_webhook(self, webhook: WebhookChange) -> Webhook:
        """Create a webhook. Its `secret` is told now and never again.

        Raises Rejected or Conflict when its name or an address is taken.
        """
        response = self._session.request(
            "POST", "/outgoingWebhooks", operation="create a webhook", json=webhook.wire(), expect=(201,)
        )
        return self._session.read(Webhook, response, key=_envelope(response))

    def update_webhook(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """Change what is set in `change`; `enabled` switches all its events."""
        return self._webhook("PUT", webhook_id, "update a webhook", change)

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook and its events."""
        self._session.request(
            "DELETE", _webhook_path(webhook_id), operation="delete a webhook", expect=(204,)
        )

    def _webhook(
        self, method: str, webhook_id: str, operation: str, body: WebhookChange | None = None
    ) -> Webhook:
        json = body.wire() if body else None
        response = self._session.request(method, _webhook_path(webhook_id), operation=operation, json=json)
        return self._session.read(Webhook, response, key=_envelope(response))

    def webhook_events(self, webhook_id: str) -> list[WebhookEvent]:
        """What a webhook listens to."""
        path = f"{_webhook_path(webhook_id)}/events"
        response = self._session.request("GET", path, operation="list webhook events")
        return self._session.read_list(WebhookEvent, response, key=_envelope(response))

    def webhook_event(self, webhook_id: str, event_id: str) -> WebhookEvent:
        """One event definition, with its numbers of the last 30 days."""
        response = self._session.request(
            "GET", _event_path(webhook_id, event_id), operation="read a webhook event"
        )
        return self._session.read(WebhookEvent, response, key=_envelope(response))

    def listen(self, webhook_id: str, event_type: EventType, table: str) -> WebhookEvent:
        """Have a webhook told of one kind of event of a table, from every source but our own calls."""
        assumed = self._session.assumptions

        def told_of(sources: Sequence[str]) -> WebhookEvent:
            wanted = NewWebhookEvent(event_type=event_type, object_name=table, event_sources=[*sources])
            return self.create_webhook_event(webhook_id, wanted)

        try:
            return told_of(assumed.webhook_sources)
        except Rejected:  # an account that does not know all of them; it has made nothing
            return told_of(assumed.certain_webhook_sources)

    def create_webhook_event(self, webhook_id: str, event: NewWebhookEvent) -> WebhookEvent:
        """Let a webhook listen to a table's inserts, updates or deletes."""
        response = self._session.request(
            "POST",
            f"{_webhook_path(webhook_id)}/events",
            operation="create a webhook event",
            subject=Subject.of(event.object_name, event.object_fields or ()),
            json=event.wire(),
            expect=(201,),
        )
        return self._session.read(WebhookEvent, response, key=_envelope(response))

    def update_webhook_event(self, webhook_id: str, event_id: str, event: NewWebhookEvent) -> WebhookEvent:
        """Replace what an event definition listens to."""
        response = self._session.request(
            "PUT",
            _event_path(webhook_id, event_id),
            operation="update a webhook event",
            subject=Subject.of(event.object_name, event.object_fields or ()),
            json=event.wire(),
        )
        return self._session.read(WebhookEvent, response, key=_envelope(response))

    def delete_webhook_event(self, webhook_id: str, event_id: str) -> None:
        """Stop listening."""
        self._session.request(
            "DELETE", _event_path(webhook_id, event_id), operation="delete a webhook event", expect=(204,)
        )


def _envelope(response: Response) -> str | None:
    """Webhook answers come bare in the document and in `Result` in Caspio's own node: both are read."""
    body = response.json()
    return "Result" if isinstance(body, dict) and "Result" in body else None


def _webhook_path(webhook_id: str) -> str:
    return f"/outgoingWebhooks/{quote_segment(webhook_id)}"


def _event_path(webhook_id: str, event_id: str) -> str:
    return f"{_webhook_path(webhook_id)}/events/{quote_segment(event_id)}"
