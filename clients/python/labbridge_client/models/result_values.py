from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID

if TYPE_CHECKING:
    from ..models.result_value import ResultValue


T = TypeVar("T", bound="ResultValues")


@_attrs_define
class ResultValues:
    """
    Attributes:
        result_id (UUID):
        items (list[ResultValue]):
    """

    result_id: UUID
    items: list[ResultValue]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.result_value import ResultValue  # noqa: PLC0415

        result_id = str(self.result_id)

        items = []
        for items_item_data in self.items:
            items_item = items_item_data.to_dict()
            items.append(items_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "result_id": result_id,
                "items": items,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.result_value import ResultValue  # noqa: PLC0415

        d = dict(src_dict)
        result_id = UUID(d.pop("result_id"))

        items = []
        _items = d.pop("items")
        for items_item_data in _items:
            items_item = ResultValue.from_dict(items_item_data)

            items.append(items_item)

        result_values = cls(
            result_id=result_id,
            items=items,
        )

        result_values.additional_properties = d
        return result_values

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
