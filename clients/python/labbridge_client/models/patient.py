from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID
import datetime


T = TypeVar("T", bound="Patient")


@_attrs_define
class Patient:
    """
    Attributes:
        id (UUID):
        patient_key (str):
        present (bool): Whether the row still stands in Caspio.
        linked (bool):
        rupa_patient_id (None | str):
        linked_at (datetime.datetime | None):
        linked_by (None | str):
        link_reasons (list[str]):
        sync_status (str):
        sync_message (str):
        read_at (datetime.datetime):
    """

    id: UUID
    patient_key: str
    present: bool
    linked: bool
    rupa_patient_id: None | str
    linked_at: datetime.datetime | None
    linked_by: None | str
    link_reasons: list[str]
    sync_status: str
    sync_message: str
    read_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        patient_key = self.patient_key

        present = self.present

        linked = self.linked

        rupa_patient_id: None | str
        rupa_patient_id = self.rupa_patient_id

        linked_at: None | str
        if isinstance(self.linked_at, datetime.datetime):
            linked_at = self.linked_at.isoformat()
        else:
            linked_at = self.linked_at

        linked_by: None | str
        linked_by = self.linked_by

        link_reasons = self.link_reasons

        sync_status = self.sync_status

        sync_message = self.sync_message

        read_at = self.read_at.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "patient_key": patient_key,
                "present": present,
                "linked": linked,
                "rupa_patient_id": rupa_patient_id,
                "linked_at": linked_at,
                "linked_by": linked_by,
                "link_reasons": link_reasons,
                "sync_status": sync_status,
                "sync_message": sync_message,
                "read_at": read_at,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        patient_key = d.pop("patient_key")

        present = d.pop("present")

        linked = d.pop("linked")

        def _parse_rupa_patient_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        rupa_patient_id = _parse_rupa_patient_id(d.pop("rupa_patient_id"))

        def _parse_linked_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                linked_at_type_0 = datetime.datetime.fromisoformat(data)

                return linked_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        linked_at = _parse_linked_at(d.pop("linked_at"))

        def _parse_linked_by(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        linked_by = _parse_linked_by(d.pop("linked_by"))

        link_reasons = cast(list[str], d.pop("link_reasons"))

        sync_status = d.pop("sync_status")

        sync_message = d.pop("sync_message")

        read_at = datetime.datetime.fromisoformat(d.pop("read_at"))

        patient = cls(
            id=id,
            patient_key=patient_key,
            present=present,
            linked=linked,
            rupa_patient_id=rupa_patient_id,
            linked_at=linked_at,
            linked_by=linked_by,
            link_reasons=link_reasons,
            sync_status=sync_status,
            sync_message=sync_message,
            read_at=read_at,
        )

        patient.additional_properties = d
        return patient

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
