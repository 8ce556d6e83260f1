from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime


T = TypeVar("T", bound="LedgerRow")


@_attrs_define
class LedgerRow:
    """
    Attributes:
        seq (int):
        date (datetime.date):
        practice (str):
        listed (int):
        held (int):
        filed (int):
        in_review (int):
        rejected (int):
        repaired (int):
        difference (int):
        digest (str):
        previous (str):
        signature (str):
    """

    seq: int
    date: datetime.date
    practice: str
    listed: int
    held: int
    filed: int
    in_review: int
    rejected: int
    repaired: int
    difference: int
    digest: str
    previous: str
    signature: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        seq = self.seq

        date = self.date.isoformat()

        practice = self.practice

        listed = self.listed

        held = self.held

        filed = self.filed

        in_review = self.in_review

        rejected = self.rejected

        repaired = self.repaired

        difference = self.difference

        digest = self.digest

        previous = self.previous

        signature = self.signature

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "seq": seq,
                "date": date,
                "practice": practice,
                "listed": listed,
                "held": held,
                "filed": filed,
                "in_review": in_review,
                "rejected": rejected,
                "repaired": repaired,
                "difference": difference,
                "digest": digest,
                "previous": previous,
                "signature": signature,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        seq = d.pop("seq")

        date = datetime.date.fromisoformat(d.pop("date"))

        practice = d.pop("practice")

        listed = d.pop("listed")

        held = d.pop("held")

        filed = d.pop("filed")

        in_review = d.pop("in_review")

        rejected = d.pop("rejected")

        repaired = d.pop("repaired")

        difference = d.pop("difference")

        digest = d.pop("digest")

        previous = d.pop("previous")

        signature = d.pop("signature")

        ledger_row = cls(
            seq=seq,
            date=date,
            practice=practice,
            listed=listed,
            held=held,
            filed=filed,
            in_review=in_review,
            rejected=rejected,
            repaired=repaired,
            difference=difference,
            digest=digest,
            previous=previous,
            signature=signature,
        )

        ledger_row.additional_properties = d
        return ledger_row

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
