from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast


T = TypeVar("T", bound="OpenTest")


@_attrs_define
class OpenTest:
    """A test of the request that was open for the patient already when its checkout was made.

    Attributes:
        test_id (str):
        rupa_order_id (None | str): Null: it stands in another checkout, not used yet.
        order_source (None | str): Where that order was made: caspio, rupa or ehr:NAME.
    """

    test_id: str
    rupa_order_id: None | str
    order_source: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        test_id = self.test_id

        rupa_order_id: None | str
        rupa_order_id = self.rupa_order_id

        order_source: None | str
        order_source = self.order_source

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "test_id": test_id,
                "rupa_order_id": rupa_order_id,
                "order_source": order_source,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        test_id = d.pop("test_id")

        def _parse_rupa_order_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        rupa_order_id = _parse_rupa_order_id(d.pop("rupa_order_id"))

        def _parse_order_source(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        order_source = _parse_order_source(d.pop("order_source"))

        open_test = cls(
            test_id=test_id,
            rupa_order_id=rupa_order_id,
            order_source=order_source,
        )

        open_test.additional_properties = d
        return open_test

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
