from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.result_state import ResultState
from ..types import UNSET, Unset
from typing import cast
from typing import Literal, cast
from uuid import UUID


T = TypeVar("T", bound="PlainOrderedTest")


@_attrs_define
class PlainOrderedTest:
    """
    Attributes:
        id (UUID):
        order_id (UUID):
        lab_test_id (int | None):
        result_state (ResultState):
        shape (Literal['plain'] | Unset):  Default: 'plain'.
    """

    id: UUID
    order_id: UUID
    lab_test_id: int | None
    result_state: ResultState
    shape: Literal["plain"] | Unset = "plain"
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        order_id = str(self.order_id)

        lab_test_id: int | None
        lab_test_id = self.lab_test_id

        result_state = self.result_state.value

        shape = self.shape

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "order_id": order_id,
                "lab_test_id": lab_test_id,
                "result_state": result_state,
            }
        )
        if shape is not UNSET:
            field_dict["shape"] = shape

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        order_id = UUID(d.pop("order_id"))

        def _parse_lab_test_id(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        lab_test_id = _parse_lab_test_id(d.pop("lab_test_id"))

        result_state = ResultState(d.pop("result_state"))

        shape = cast(Literal["plain"] | Unset, d.pop("shape", UNSET))
        if shape != "plain" and not isinstance(shape, Unset):
            raise ValueError(f"shape must match const 'plain', got '{shape}'")

        plain_ordered_test = cls(
            id=id,
            order_id=order_id,
            lab_test_id=lab_test_id,
            result_state=result_state,
            shape=shape,
        )

        plain_ordered_test.additional_properties = d
        return plain_ordered_test

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
