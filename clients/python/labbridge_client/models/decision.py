from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.decision_action import DecisionAction
from ..types import UNSET, Unset


T = TypeVar("T", bound="Decision")


@_attrs_define
class Decision:
    """
    Attributes:
        action (DecisionAction):
        choose (str | Unset): With choose_another: a Rupa patient id, or a row's key. Default: ''.
        why (str | Unset):  Default: ''.
        seen (str | Unset): The case's `seen` when it was looked at: what has changed since is not decided (409).
            Default: ''.
    """

    action: DecisionAction
    choose: str | Unset = ""
    why: str | Unset = ""
    seen: str | Unset = ""
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        action = self.action.value

        choose = self.choose

        why = self.why

        seen = self.seen

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "action": action,
            }
        )
        if choose is not UNSET:
            field_dict["choose"] = choose
        if why is not UNSET:
            field_dict["why"] = why
        if seen is not UNSET:
            field_dict["seen"] = seen

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        action = DecisionAction(d.pop("action"))

        choose = d.pop("choose", UNSET)

        why = d.pop("why", UNSET)

        seen = d.pop("seen", UNSET)

        decision = cls(
            action=action,
            choose=choose,
            why=why,
            seen=seen,
        )

        decision.additional_properties = d
        return decision

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
