from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.request_state import RequestState
from ..types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
    from ..models.open_test import OpenTest


T = TypeVar("T", bound="OrderRequest")


@_attrs_define
class OrderRequest:
    """Holds ids only, since its first answer is kept for good.

    Attributes:
        id (UUID):
        patient_id (None | UUID):
        state (RequestState): Request_Status of design.md 6.6.7.
        message (str):
        waits_for (str):
        checkout_url (None | str):
        rupa_order_id (None | str):
        test_ids (list[str]):
        created_at (datetime.datetime):
        open_already (list[OpenTest] | Unset): Repeats to be warned of; `message` says so in words.
    """

    id: UUID
    patient_id: None | UUID
    state: RequestState
    message: str
    waits_for: str
    checkout_url: None | str
    rupa_order_id: None | str
    test_ids: list[str]
    created_at: datetime.datetime
    open_already: list[OpenTest] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.open_test import OpenTest  # noqa: PLC0415

        id = str(self.id)

        patient_id: None | str
        if isinstance(self.patient_id, UUID):
            patient_id = str(self.patient_id)
        else:
            patient_id = self.patient_id

        state = self.state.value

        message = self.message

        waits_for = self.waits_for

        checkout_url: None | str
        checkout_url = self.checkout_url

        rupa_order_id: None | str
        rupa_order_id = self.rupa_order_id

        test_ids = self.test_ids

        created_at = self.created_at.isoformat()

        open_already: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.open_already, Unset):
            open_already = []
            for open_already_item_data in self.open_already:
                open_already_item = open_already_item_data.to_dict()
                open_already.append(open_already_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "patient_id": patient_id,
                "state": state,
                "message": message,
                "waits_for": waits_for,
                "checkout_url": checkout_url,
                "rupa_order_id": rupa_order_id,
                "test_ids": test_ids,
                "created_at": created_at,
            }
        )
        if open_already is not UNSET:
            field_dict["open_already"] = open_already

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.open_test import OpenTest  # noqa: PLC0415

        d = dict(src_dict)
        id = UUID(d.pop("id"))

        def _parse_patient_id(data: object) -> None | UUID:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                patient_id_type_0 = UUID(data)

                return patient_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | UUID, data)

        patient_id = _parse_patient_id(d.pop("patient_id"))

        state = RequestState(d.pop("state"))

        message = d.pop("message")

        waits_for = d.pop("waits_for")

        def _parse_checkout_url(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        checkout_url = _parse_checkout_url(d.pop("checkout_url"))

        def _parse_rupa_order_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        rupa_order_id = _parse_rupa_order_id(d.pop("rupa_order_id"))

        test_ids = cast(list[str], d.pop("test_ids"))

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        _open_already = d.pop("open_already", UNSET)
        open_already: list[OpenTest] | Unset = UNSET
        if _open_already is not UNSET:
            open_already = []
            for open_already_item_data in _open_already:
                open_already_item = OpenTest.from_dict(open_already_item_data)

                open_already.append(open_already_item)

        order_request = cls(
            id=id,
            patient_id=patient_id,
            state=state,
            message=message,
            waits_for=waits_for,
            checkout_url=checkout_url,
            rupa_order_id=rupa_order_id,
            test_ids=test_ids,
            created_at=created_at,
            open_already=open_already,
        )

        order_request.additional_properties = d
        return order_request

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
