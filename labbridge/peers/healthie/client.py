"""Healthie's public GraphQL API, as far as one question needs it. Nothing is ever written there.

Known (rupa-api.md 12, from docs.gethealthie.com): the type LabOrder with `status`, `normalized_status`,
`view_rupa_order_url`, `document`, `pdf_document` and `lab_results`. Assumed are what HealthieAssumptions holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from labbridge.peers.closing import Closing
from labbridge.peers.errors import Rejected, Unauthorized, Unreadable
from labbridge.peers.http import Http, Response
from labbridge.peers.ports import Limiter, Meter

OPERATION = "read lab orders"


@dataclass(frozen=True)
class HealthieAssumptions:
    """What no reference of ours says (docs/peers.md)."""

    authorization: str = "Basic {key}"
    source_header: tuple[str, str] = ("AuthorizationSource", "API")
    #: The query's name, its argument, and that it answers all orders of the client at once.
    query: str = (
        "query($client: ID) { labOrders(client_id: $client) { id status normalized_status view_rupa_order_url "
        "document { id } pdf_document { id } lab_results { id } } }"
    )
    root: str = "labOrders"
    unauthorised_words: tuple[str, ...] = ("unauthorized", "not authorized", "api key")


@dataclass(frozen=True)
class EhrOrder:
    """A lab order as the EHR holds it, without the patient's particulars."""

    id: str
    rupa_url: str
    has_result: bool

    def is_of(self, rupa_order_id: str) -> bool:
        """The address of the order at Rupa names it: assumed, since no sample of it is known."""
        parts = urlsplit(self.rupa_url)
        return bool(rupa_order_id) and rupa_order_id in {
            *parts.path.split("/"),
            *parts.query.replace("=", "&").split("&"),
        }


class Healthie(Closing):
    """One practice's account; `key` is its API key."""

    def __init__(
        self, url: str, key: str, *, limiter: Limiter, meter: Meter, allow_http: bool = False,
        assumptions: HealthieAssumptions | None = None,
    ) -> None:  # fmt: skip
        parts = urlsplit(url)
        self._path, self._assumptions = parts.path or "/", assumptions or HealthieAssumptions()
        name, value = self._assumptions.source_header
        self._headers = {"Authorization": self._assumptions.authorization.format(key=key), name: value}
        self._http = Http(
            "healthie",
            f"{parts.scheme}://{parts.netloc}",
            limiter=limiter,
            meter=meter,
            allow_http=allow_http,
        )

    def close(self) -> None:
        self._http.close()

    def lab_orders(self, client_id: str) -> list[EhrOrder]:
        """Every lab order of one client. Raises PeerError."""
        answer = self._http.send(
            "POST", self._path, operation=OPERATION, purpose="ehr", idempotent=True, headers=self._headers,
            json={"query": self._assumptions.query, "variables": {"client": client_id}}, expect=(200,),
        )  # fmt: skip
        return [_order(one) for one in self._rows(answer)]

    def _rows(self, answer: Response) -> list[dict[str, Any]]:  # any: JSON
        said = answer.json()
        if not isinstance(said, dict):
            raise answer.error(Unreadable, code="shape")
        if said.get(
            "errors"
        ):  # GraphQL answers 200 for those; their texts may quote what was asked, so none is kept
            words = " ".join(
                str(one.get("message", "")) for one in said["errors"] if isinstance(one, dict)
            ).lower()
            refused = any(word in words for word in self._assumptions.unauthorised_words)
            raise answer.error(Unauthorized if refused else Rejected, code="graphql")
        rows = (said.get("data") or {}).get(self._assumptions.root)
        if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
            raise answer.error(Unreadable, code="shape")
        return rows


def _order(row: dict[str, Any]) -> EhrOrder:
    held = bool(row.get("document") or row.get("pdf_document") or row.get("lab_results"))
    return EhrOrder(str(row.get("id") or ""), str(row.get("view_rupa_order_url") or ""), held)
