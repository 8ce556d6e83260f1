from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset


T = TypeVar("T", bound="PatientQuestion")


@_attrs_define
class PatientQuestion:
    """One of the two.

    Attributes:
        patient_key (str | Unset):  Default: ''.
        rupa_patient_id (str | Unset):  Default: ''.
    """

    patient_key: str | Unset = ""
    rupa_patient_id: str | Unset = ""
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        patient_key = self.patient_key

        rupa_patient_id = self.rupa_patient_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if patient_key is not UNSET:
            field_dict["patient_key"] = patient_key
        if rupa_patient_id is not UNSET:
            field_dict["rupa_patient_id"] = rupa_patient_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        patient_key = d.pop("patient_key", UNSET)

        rupa_patient_id = d.pop("rupa_patient_id", UNSET)

        patient_question = cls(
            patient_key=patient_key,
            rupa_patient_id=rupa_patient_id,
        )

        patient_question.additional_properties = d
        return patient_question

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
