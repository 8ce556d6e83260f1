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
import datetime


T = TypeVar("T", bound="OrderedTest")


@_attrs_define
class OrderedTest:
    """
    Attributes:
        id (UUID):
        order_id (UUID):
        rupa_ordered_test_id (str):
        lab_test_id (int | None): Of /lab-tests; null when the catalogue does not know it.
        test_name (str):
        lab_company_name (str):
        result_state (ResultState):
        results_received_at (datetime.datetime | None):
        removed (bool):
        problem (str):
        shape (Literal['full'] | Unset):  Default: 'full'.
    """

    id: UUID
    order_id: UUID
    rupa_ordered_test_id: str
    lab_test_id: int | None
    test_name: str
    lab_company_name: str
    result_state: ResultState
    results_received_at: datetime.datetime | None
    removed: bool
    problem: str
    shape: Literal["full"] | Unset = "full"
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        order_id = str(self.order_id)

        rupa_ordered_test_id = self.rupa_ordered_test_id

        lab_test_id: int | None
        lab_test_id = self.lab_test_id

        test_name = self.test_name

        lab_company_name = self.lab_company_name

        result_state = self.result_state.value

        results_received_at: None | str
        if isinstance(self.results_received_at, datetime.datetime):
            results_received_at = self.results_received_at.isoformat()
        else:
            results_received_at = self.results_received_at

        removed = self.removed

        problem = self.problem

        shape = self.shape

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "order_id": order_id,
                "rupa_ordered_test_id": rupa_ordered_test_id,
                "lab_test_id": lab_test_id,
                "test_name": test_name,
                "lab_company_name": lab_company_name,
                "result_state": result_state,
                "results_received_at": results_received_at,
                "removed": removed,
                "problem": problem,
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

        rupa_ordered_test_id = d.pop("rupa_ordered_test_id")

        def _parse_lab_test_id(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        lab_test_id = _parse_lab_test_id(d.pop("lab_test_id"))

        test_name = d.pop("test_name")

        lab_company_name = d.pop("lab_company_name")

        result_state = ResultState(d.pop("result_state"))

        def _parse_results_received_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                results_received_at_type_0 = datetime.datetime.fromisoformat(data)

                return results_received_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        results_received_at = _parse_results_received_at(d.pop("results_received_at"))

        removed = d.pop("removed")

        problem = d.pop("problem")

        shape = cast(Literal["full"] | Unset, d.pop("shape", UNSET))
        if shape != "full" and not isinstance(shape, Unset):
            raise ValueError(f"shape must match const 'full', got '{shape}'")

        ordered_test = cls(
            id=id,
            order_id=order_id,
            rupa_ordered_test_id=rupa_ordered_test_id,
            lab_test_id=lab_test_id,
            test_name=test_name,
            lab_company_name=lab_company_name,
            result_state=result_state,
            results_received_at=results_received_at,
            removed=removed,
            problem=problem,
            shape=shape,
        )

        ordered_test.additional_properties = d
        return ordered_test

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
