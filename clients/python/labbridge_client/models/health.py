from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.health_status import HealthStatus
from typing import cast
import datetime

if TYPE_CHECKING:
    from ..models.connection_health import ConnectionHealth


T = TypeVar("T", bound="Health")


@_attrs_define
class Health:
    """
    Attributes:
        status (HealthStatus):
        practice (str):
        connections (list[ConnectionHealth]):
        events_pending (int):
        orders_stuck (int):
        cases_open (int):
        alerts_open (int):
        catalogue_read_at (datetime.datetime | None):
        last_sweep_at (datetime.datetime | None):
    """

    status: HealthStatus
    practice: str
    connections: list[ConnectionHealth]
    events_pending: int
    orders_stuck: int
    cases_open: int
    alerts_open: int
    catalogue_read_at: datetime.datetime | None
    last_sweep_at: datetime.datetime | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.connection_health import ConnectionHealth  # noqa: PLC0415

        status = self.status.value

        practice = self.practice

        connections = []
        for connections_item_data in self.connections:
            connections_item = connections_item_data.to_dict()
            connections.append(connections_item)

        events_pending = self.events_pending

        orders_stuck = self.orders_stuck

        cases_open = self.cases_open

        alerts_open = self.alerts_open

        catalogue_read_at: None | str
        if isinstance(self.catalogue_read_at, datetime.datetime):
            catalogue_read_at = self.catalogue_read_at.isoformat()
        else:
            catalogue_read_at = self.catalogue_read_at

        last_sweep_at: None | str
        if isinstance(self.last_sweep_at, datetime.datetime):
            last_sweep_at = self.last_sweep_at.isoformat()
        else:
            last_sweep_at = self.last_sweep_at

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "practice": practice,
                "connections": connections,
                "events_pending": events_pending,
                "orders_stuck": orders_stuck,
                "cases_open": cases_open,
                "alerts_open": alerts_open,
                "catalogue_read_at": catalogue_read_at,
                "last_sweep_at": last_sweep_at,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.connection_health import ConnectionHealth  # noqa: PLC0415

        d = dict(src_dict)
        status = HealthStatus(d.pop("status"))

        practice = d.pop("practice")

        connections = []
        _connections = d.pop("connections")
        for connections_item_data in _connections:
            connections_item = ConnectionHealth.from_dict(connections_item_data)

            connections.append(connections_item)

        events_pending = d.pop("events_pending")

        orders_stuck = d.pop("orders_stuck")

        cases_open = d.pop("cases_open")

        alerts_open = d.pop("alerts_open")

        def _parse_catalogue_read_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                catalogue_read_at_type_0 = datetime.datetime.fromisoformat(data)

                return catalogue_read_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        catalogue_read_at = _parse_catalogue_read_at(d.pop("catalogue_read_at"))

        def _parse_last_sweep_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                last_sweep_at_type_0 = datetime.datetime.fromisoformat(data)

                return last_sweep_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        last_sweep_at = _parse_last_sweep_at(d.pop("last_sweep_at"))

        health = cls(
            status=status,
            practice=practice,
            connections=connections,
            events_pending=events_pending,
            orders_stuck=orders_stuck,
            cases_open=cases_open,
            alerts_open=alerts_open,
            catalogue_read_at=catalogue_read_at,
            last_sweep_at=last_sweep_at,
        )

        health.additional_properties = d
        return health

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
