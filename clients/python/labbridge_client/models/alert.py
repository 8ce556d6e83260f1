from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.alert_state import AlertState
from typing import cast
from uuid import UUID
import datetime


T = TypeVar("T", bound="Alert")


@_attrs_define
class Alert:
    """
    Attributes:
        id (UUID):
        rule (str):
        severity (str):
        owner (str):
        state (AlertState):
        sentence (str):
        action (str):
        first_seen (datetime.datetime):
        last_seen (datetime.datetime):
        resolved_at (datetime.datetime | None):
    """

    id: UUID
    rule: str
    severity: str
    owner: str
    state: AlertState
    sentence: str
    action: str
    first_seen: datetime.datetime
    last_seen: datetime.datetime
    resolved_at: datetime.datetime | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        rule = self.rule

        severity = self.severity

        owner = self.owner

        state = self.state.value

        sentence = self.sentence

        action = self.action

        first_seen = self.first_seen.isoformat()

        last_seen = self.last_seen.isoformat()

        resolved_at: None | str
        if isinstance(self.resolved_at, datetime.datetime):
            resolved_at = self.resolved_at.isoformat()
        else:
            resolved_at = self.resolved_at

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "rule": rule,
                "severity": severity,
                "owner": owner,
                "state": state,
                "sentence": sentence,
                "action": action,
                "first_seen": first_seen,
                "last_seen": last_seen,
                "resolved_at": resolved_at,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        rule = d.pop("rule")

        severity = d.pop("severity")

        owner = d.pop("owner")

        state = AlertState(d.pop("state"))

        sentence = d.pop("sentence")

        action = d.pop("action")

        first_seen = datetime.datetime.fromisoformat(d.pop("first_seen"))

        last_seen = datetime.datetime.fromisoformat(d.pop("last_seen"))

        def _parse_resolved_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                resolved_at_type_0 = datetime.datetime.fromisoformat(data)

                return resolved_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        resolved_at = _parse_resolved_at(d.pop("resolved_at"))

        alert = cls(
            id=id,
            rule=rule,
            severity=severity,
            owner=owner,
            state=state,
            sentence=sentence,
            action=action,
            first_seen=first_seen,
            last_seen=last_seen,
            resolved_at=resolved_at,
        )

        alert.additional_properties = d
        return alert

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
