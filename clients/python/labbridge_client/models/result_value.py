from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime


T = TypeVar("T", bound="ResultValue")


@_attrs_define
class ResultValue:
    """
    Attributes:
        number (int):
        analyte (str):
        loinc (str):
        value_text (str):
        value_number (None | str):
        units (None | str):
        reference_range (None | str):
        flag (None | str):
        observed_at (datetime.datetime | None):
        observed_text (str): The lab's wall clock where it names no zone.
    """

    number: int
    analyte: str
    loinc: str
    value_text: str
    value_number: None | str
    units: None | str
    reference_range: None | str
    flag: None | str
    observed_at: datetime.datetime | None
    observed_text: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        number = self.number

        analyte = self.analyte

        loinc = self.loinc

        value_text = self.value_text

        value_number: None | str
        value_number = self.value_number

        units: None | str
        units = self.units

        reference_range: None | str
        reference_range = self.reference_range

        flag: None | str
        flag = self.flag

        observed_at: None | str
        if isinstance(self.observed_at, datetime.datetime):
            observed_at = self.observed_at.isoformat()
        else:
            observed_at = self.observed_at

        observed_text = self.observed_text

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "number": number,
                "analyte": analyte,
                "loinc": loinc,
                "value_text": value_text,
                "value_number": value_number,
                "units": units,
                "reference_range": reference_range,
                "flag": flag,
                "observed_at": observed_at,
                "observed_text": observed_text,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        number = d.pop("number")

        analyte = d.pop("analyte")

        loinc = d.pop("loinc")

        value_text = d.pop("value_text")

        def _parse_value_number(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        value_number = _parse_value_number(d.pop("value_number"))

        def _parse_units(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        units = _parse_units(d.pop("units"))

        def _parse_reference_range(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        reference_range = _parse_reference_range(d.pop("reference_range"))

        def _parse_flag(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        flag = _parse_flag(d.pop("flag"))

        def _parse_observed_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                observed_at_type_0 = datetime.datetime.fromisoformat(data)

                return observed_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        observed_at = _parse_observed_at(d.pop("observed_at"))

        observed_text = d.pop("observed_text")

        result_value = cls(
            number=number,
            analyte=analyte,
            loinc=loinc,
            value_text=value_text,
            value_number=value_number,
            units=units,
            reference_range=reference_range,
            flag=flag,
            observed_at=observed_at,
            observed_text=observed_text,
        )

        result_value.additional_properties = d
        return result_value

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
