from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast


T = TypeVar("T", bound="OrderWish")


@_attrs_define
class OrderWish:
    """
    Attributes:
        patient_key (str): The key in the practice's Caspio table.
        test_ids (list[str] | Unset): Rupa's ids of lab tests.
        protocol_id (str | Unset):  Default: ''.
        practitioner_email (str | Unset):  Default: ''.
    """

    patient_key: str
    test_ids: list[str] | Unset = UNSET
    protocol_id: str | Unset = ""
    practitioner_email: str | Unset = ""
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        patient_key = self.patient_key

        test_ids: list[str] | Unset = UNSET
        if not isinstance(self.test_ids, Unset):
            test_ids = self.test_ids

        protocol_id = self.protocol_id

        practitioner_email = self.practitioner_email

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "patient_key": patient_key,
            }
        )
        if test_ids is not UNSET:
            field_dict["test_ids"] = test_ids
        if protocol_id is not UNSET:
            field_dict["protocol_id"] = protocol_id
        if practitioner_email is not UNSET:
            field_dict["practitioner_email"] = practitioner_email

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        patient_key = d.pop("patient_key")

        test_ids = cast(list[str], d.pop("test_ids", UNSET))

        protocol_id = d.pop("protocol_id", UNSET)

        practitioner_email = d.pop("practitioner_email", UNSET)

        order_wish = cls(
            patient_key=patient_key,
            test_ids=test_ids,
            protocol_id=protocol_id,
            practitioner_email=practitioner_email,
        )

        order_wish.additional_properties = d
        return order_wish

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
