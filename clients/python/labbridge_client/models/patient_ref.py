from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID


T = TypeVar("T", bound="PatientRef")


@_attrs_define
class PatientRef:
    """Whom it is about, by ids.

    Attributes:
        id (None | UUID): Ours: of /patients. Null while they are not linked.
        patient_key (None | str): The key in the practice's Caspio table.
        rupa_patient_id (None | str):
    """

    id: None | UUID
    patient_key: None | str
    rupa_patient_id: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id: None | str
        if isinstance(self.id, UUID):
            id = str(self.id)
        else:
            id = self.id

        patient_key: None | str
        patient_key = self.patient_key

        rupa_patient_id: None | str
        rupa_patient_id = self.rupa_patient_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "patient_key": patient_key,
                "rupa_patient_id": rupa_patient_id,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)

        def _parse_id(data: object) -> None | UUID:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                id_type_0 = UUID(data)

                return id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | UUID, data)

        id = _parse_id(d.pop("id"))

        def _parse_patient_key(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        patient_key = _parse_patient_key(d.pop("patient_key"))

        def _parse_rupa_patient_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        rupa_patient_id = _parse_rupa_patient_id(d.pop("rupa_patient_id"))

        patient_ref = cls(
            id=id,
            patient_key=patient_key,
            rupa_patient_id=rupa_patient_id,
        )

        patient_ref.additional_properties = d
        return patient_ref

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
