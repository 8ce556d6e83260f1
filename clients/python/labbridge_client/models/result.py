from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID
import datetime


T = TypeVar("T", bound="Result")


@_attrs_define
class Result:
    """
    Attributes:
        id (UUID):
        ordered_test_id (UUID):
        order_id (UUID):
        result_key (str):
        version (int):
        amended (bool):
        received_at (datetime.datetime | None):
        found_at (datetime.datetime):
        has_file (bool):
        pdf_sha256 (str):
        pdf_size (int | None):
        has_values (bool):
        withheld (bool): The report names another patient: a person decides before it is given out.
        superseded (bool): Replaced at Rupa before its file could be taken.
        problem (str):
    """

    id: UUID
    ordered_test_id: UUID
    order_id: UUID
    result_key: str
    version: int
    amended: bool
    received_at: datetime.datetime | None
    found_at: datetime.datetime
    has_file: bool
    pdf_sha256: str
    pdf_size: int | None
    has_values: bool
    withheld: bool
    superseded: bool
    problem: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        ordered_test_id = str(self.ordered_test_id)

        order_id = str(self.order_id)

        result_key = self.result_key

        version = self.version

        amended = self.amended

        received_at: None | str
        if isinstance(self.received_at, datetime.datetime):
            received_at = self.received_at.isoformat()
        else:
            received_at = self.received_at

        found_at = self.found_at.isoformat()

        has_file = self.has_file

        pdf_sha256 = self.pdf_sha256

        pdf_size: int | None
        pdf_size = self.pdf_size

        has_values = self.has_values

        withheld = self.withheld

        superseded = self.superseded

        problem = self.problem

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "ordered_test_id": ordered_test_id,
                "order_id": order_id,
                "result_key": result_key,
                "version": version,
                "amended": amended,
                "received_at": received_at,
                "found_at": found_at,
                "has_file": has_file,
                "pdf_sha256": pdf_sha256,
                "pdf_size": pdf_size,
                "has_values": has_values,
                "withheld": withheld,
                "superseded": superseded,
                "problem": problem,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        ordered_test_id = UUID(d.pop("ordered_test_id"))

        order_id = UUID(d.pop("order_id"))

        result_key = d.pop("result_key")

        version = d.pop("version")

        amended = d.pop("amended")

        def _parse_received_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                received_at_type_0 = datetime.datetime.fromisoformat(data)

                return received_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        received_at = _parse_received_at(d.pop("received_at"))

        found_at = datetime.datetime.fromisoformat(d.pop("found_at"))

        has_file = d.pop("has_file")

        pdf_sha256 = d.pop("pdf_sha256")

        def _parse_pdf_size(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        pdf_size = _parse_pdf_size(d.pop("pdf_size"))

        has_values = d.pop("has_values")

        withheld = d.pop("withheld")

        superseded = d.pop("superseded")

        problem = d.pop("problem")

        result = cls(
            id=id,
            ordered_test_id=ordered_test_id,
            order_id=order_id,
            result_key=result_key,
            version=version,
            amended=amended,
            received_at=received_at,
            found_at=found_at,
            has_file=has_file,
            pdf_sha256=pdf_sha256,
            pdf_size=pdf_size,
            has_values=has_values,
            withheld=withheld,
            superseded=superseded,
            problem=problem,
        )

        result.additional_properties = d
        return result

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
