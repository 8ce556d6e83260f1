from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast


T = TypeVar("T", bound="LabTest")


@_attrs_define
class LabTest:
    """
    Attributes:
        id (int):
        rupa_id (str):
        name (str):
        lab_company_rupa_id (str):
        lab_company_name (str):
        category (str):
        price (None | str): Dollars; null while the practice's price unit is unknown.
        turnaround_days (int | None):
        shipping_days_min (int | None):
        shipping_days_max (int | None):
        is_addon (bool):
        parent_rupa_id (str):
        available (bool):
        unavailable_reason (str):
        url (str):
        sample_report_url (str):
        retired (bool):
    """

    id: int
    rupa_id: str
    name: str
    lab_company_rupa_id: str
    lab_company_name: str
    category: str
    price: None | str
    turnaround_days: int | None
    shipping_days_min: int | None
    shipping_days_max: int | None
    is_addon: bool
    parent_rupa_id: str
    available: bool
    unavailable_reason: str
    url: str
    sample_report_url: str
    retired: bool
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        rupa_id = self.rupa_id

        name = self.name

        lab_company_rupa_id = self.lab_company_rupa_id

        lab_company_name = self.lab_company_name

        category = self.category

        price: None | str
        price = self.price

        turnaround_days: int | None
        turnaround_days = self.turnaround_days

        shipping_days_min: int | None
        shipping_days_min = self.shipping_days_min

        shipping_days_max: int | None
        shipping_days_max = self.shipping_days_max

        is_addon = self.is_addon

        parent_rupa_id = self.parent_rupa_id

        available = self.available

        unavailable_reason = self.unavailable_reason

        url = self.url

        sample_report_url = self.sample_report_url

        retired = self.retired

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "rupa_id": rupa_id,
                "name": name,
                "lab_company_rupa_id": lab_company_rupa_id,
                "lab_company_name": lab_company_name,
                "category": category,
                "price": price,
                "turnaround_days": turnaround_days,
                "shipping_days_min": shipping_days_min,
                "shipping_days_max": shipping_days_max,
                "is_addon": is_addon,
                "parent_rupa_id": parent_rupa_id,
                "available": available,
                "unavailable_reason": unavailable_reason,
                "url": url,
                "sample_report_url": sample_report_url,
                "retired": retired,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        rupa_id = d.pop("rupa_id")

        name = d.pop("name")

        lab_company_rupa_id = d.pop("lab_company_rupa_id")

        lab_company_name = d.pop("lab_company_name")

        category = d.pop("category")

        def _parse_price(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        price = _parse_price(d.pop("price"))

        def _parse_turnaround_days(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        turnaround_days = _parse_turnaround_days(d.pop("turnaround_days"))

        def _parse_shipping_days_min(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        shipping_days_min = _parse_shipping_days_min(d.pop("shipping_days_min"))

        def _parse_shipping_days_max(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        shipping_days_max = _parse_shipping_days_max(d.pop("shipping_days_max"))

        is_addon = d.pop("is_addon")

        parent_rupa_id = d.pop("parent_rupa_id")

        available = d.pop("available")

        unavailable_reason = d.pop("unavailable_reason")

        url = d.pop("url")

        sample_report_url = d.pop("sample_report_url")

        retired = d.pop("retired")

        lab_test = cls(
            id=id,
            rupa_id=rupa_id,
            name=name,
            lab_company_rupa_id=lab_company_rupa_id,
            lab_company_name=lab_company_name,
            category=category,
            price=price,
            turnaround_days=turnaround_days,
            shipping_days_min=shipping_days_min,
            shipping_days_max=shipping_days_max,
            is_addon=is_addon,
            parent_rupa_id=parent_rupa_id,
            available=available,
            unavailable_reason=unavailable_reason,
            url=url,
            sample_report_url=sample_report_url,
            retired=retired,
        )

        lab_test.additional_properties = d
        return lab_test

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
