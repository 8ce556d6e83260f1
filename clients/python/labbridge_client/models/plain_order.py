from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.phase import Phase
from ..types import UNSET, Unset
from typing import cast
from typing import Literal, cast
from uuid import UUID


T = TypeVar("T", bound="PlainOrder")


@_attrs_define
class PlainOrder:
    """
    Attributes:
        id (UUID):
        phase (Phase):
        payment_status (str):
        source (str):
        is_demo (bool):
        submitted_month (None | str): YYYY-MM.
        tests_total (int):
        tests_resulted (int):
        shape (Literal['plain'] | Unset):  Default: 'plain'.
    """

    id: UUID
    phase: Phase
    payment_status: str
    source: str
    is_demo: bool
    submitted_month: None | str
    tests_total: int
    tests_resulted: int
    shape: Literal["plain"] | Unset = "plain"
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        phase = self.phase.value

        payment_status = self.payment_status

        source = self.source

        is_demo = self.is_demo

        submitted_month: None | str
        submitted_month = self.submitted_month

        tests_total = self.tests_total

        tests_resulted = self.tests_resulted

        shape = self.shape

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "phase": phase,
                "payment_status": payment_status,
                "source": source,
                "is_demo": is_demo,
                "submitted_month": submitted_month,
                "tests_total": tests_total,
                "tests_resulted": tests_resulted,
            }
        )
        if shape is not UNSET:
            field_dict["shape"] = shape

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        phase = Phase(d.pop("phase"))

        payment_status = d.pop("payment_status")

        source = d.pop("source")

        is_demo = d.pop("is_demo")

        def _parse_submitted_month(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        submitted_month = _parse_submitted_month(d.pop("submitted_month"))

        tests_total = d.pop("tests_total")

        tests_resulted = d.pop("tests_resulted")

        shape = cast(Literal["plain"] | Unset, d.pop("shape", UNSET))
        if shape != "plain" and not isinstance(shape, Unset):
            raise ValueError(f"shape must match const 'plain', got '{shape}'")

        plain_order = cls(
            id=id,
            phase=phase,
            payment_status=payment_status,
            source=source,
            is_demo=is_demo,
            submitted_month=submitted_month,
            tests_total=tests_total,
            tests_resulted=tests_resulted,
            shape=shape,
        )

        plain_order.additional_properties = d
        return plain_order

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
