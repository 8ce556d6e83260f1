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
import datetime

if TYPE_CHECKING:
    from ..models.patient_ref import PatientRef


T = TypeVar("T", bound="Order")


@_attrs_define
class Order:
    """
    Attributes:
        id (UUID):
        rupa_order_id (str):
        patient (PatientRef): Whom it is about, by ids.
        practitioner_name (str):
        phase (Phase):
        rupa_status (str):
        payment_status (str):
        payer (str):
        total_price (None | str): Dollars; null while the practice's price unit is unknown.
        source (str):
        request_id (str):
        is_demo (bool):
        submitted_at (datetime.datetime | None):
        paid_at (datetime.datetime | None):
        completed_at (datetime.datetime | None):
        canceled_at (datetime.datetime | None):
        tests_total (int):
        tests_resulted (int):
        filed_at (datetime.datetime | None): When Caspio was last brought up to date with it.
        problem (str): What keeps it from Caspio; empty when nothing does.
        shape (Literal['full'] | Unset):  Default: 'full'.
    """

    id: UUID
    rupa_order_id: str
    patient: PatientRef
    practitioner_name: str
    phase: Phase
    rupa_status: str
    payment_status: str
    payer: str
    total_price: None | str
    source: str
    request_id: str
    is_demo: bool
    submitted_at: datetime.datetime | None
    paid_at: datetime.datetime | None
    completed_at: datetime.datetime | None
    canceled_at: datetime.datetime | None
    tests_total: int
    tests_resulted: int
    filed_at: datetime.datetime | None
    problem: str
    shape: Literal["full"] | Unset = "full"
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.patient_ref import PatientRef  # noqa: PLC0415

        id = str(self.id)

        rupa_order_id = self.rupa_order_id

        patient = self.patient.to_dict()

        practitioner_name = self.practitioner_name

        phase = self.phase.value

        rupa_status = self.rupa_status

        payment_status = self.payment_status

        payer = self.payer

        total_price: None | str
        total_price = self.total_price

        source = self.source

        request_id = self.request_id

        is_demo = self.is_demo

        submitted_at: None | str
        if isinstance(self.submitted_at, datetime.datetime):
            submitted_at = self.submitted_at.isoformat()
        else:
            submitted_at = self.submitted_at

        paid_at: None | str
        if isinstance(self.paid_at, datetime.datetime):
            paid_at = self.paid_at.isoformat()
        else:
            paid_at = self.paid_at

        completed_at: None | str
        if isinstance(self.completed_at, datetime.datetime):
            completed_at = self.completed_at.isoformat()
        else:
            completed_at = self.completed_at

        canceled_at: None | str
        if isinstance(self.canceled_at, datetime.datetime):
            canceled_at = self.canceled_at.isoformat()
        else:
            canceled_at = self.canceled_at

        tests_total = self.tests_total

        tests_resulted = self.tests_resulted

        filed_at: None | str
        if isinstance(self.filed_at, datetime.datetime):
            filed_at = self.filed_at.isoformat()
        else:
            filed_at = self.filed_at

        problem = self.problem

        shape = self.shape

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "rupa_order_id": rupa_order_id,
                "patient": patient,
                "practitioner_name": practitioner_name,
                "phase": phase,
                "rupa_status": rupa_status,
                "payment_status": payment_status,
                "payer": payer,
                "total_price": total_price,
                "source": source,
                "request_id": request_id,
                "is_demo": is_demo,
                "submitted_at": submitted_at,
                "paid_at": paid_at,
                "completed_at": completed_at,
                "canceled_at": canceled_at,
                "tests_total": tests_total,
                "tests_resulted": tests_resulted,
                "filed_at": filed_at,
                "problem": problem,
            }
        )
        if shape is not UNSET:
            field_dict["shape"] = shape

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.patient_ref import PatientRef  # noqa: PLC0415

        d = dict(src_dict)
        id = UUID(d.pop("id"))

        rupa_order_id = d.pop("rupa_order_id")

        patient = PatientRef.from_dict(d.pop("patient"))

        practitioner_name = d.pop("practitioner_name")

        phase = Phase(d.pop("phase"))

        rupa_status = d.pop("rupa_status")

        payment_status = d.pop("payment_status")

        payer = d.pop("payer")

        def _parse_total_price(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        total_price = _parse_total_price(d.pop("total_price"))

        source = d.pop("source")

        request_id = d.pop("request_id")

        is_demo = d.pop("is_demo")

        def _parse_submitted_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                submitted_at_type_0 = datetime.datetime.fromisoformat(data)

                return submitted_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        submitted_at = _parse_submitted_at(d.pop("submitted_at"))

        def _parse_paid_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                paid_at_type_0 = datetime.datetime.fromisoformat(data)

                return paid_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        paid_at = _parse_paid_at(d.pop("paid_at"))

        def _parse_completed_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                completed_at_type_0 = datetime.datetime.fromisoformat(data)

                return completed_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        completed_at = _parse_completed_at(d.pop("completed_at"))

        def _parse_canceled_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                canceled_at_type_0 = datetime.datetime.fromisoformat(data)

                return canceled_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        canceled_at = _parse_canceled_at(d.pop("canceled_at"))

        tests_total = d.pop("tests_total")

        tests_resulted = d.pop("tests_resulted")

        def _parse_filed_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                filed_at_type_0 = datetime.datetime.fromisoformat(data)

                return filed_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        filed_at = _parse_filed_at(d.pop("filed_at"))

        problem = d.pop("problem")

        shape = cast(Literal["full"] | Unset, d.pop("shape", UNSET))
        if shape != "full" and not isinstance(shape, Unset):
            raise ValueError(f"shape must match const 'full', got '{shape}'")

        order = cls(
            id=id,
            rupa_order_id=rupa_order_id,
            patient=patient,
            practitioner_name=practitioner_name,
            phase=phase,
            rupa_status=rupa_status,
            payment_status=payment_status,
            payer=payer,
            total_price=total_price,
            source=source,
            request_id=request_id,
            is_demo=is_demo,
            submitted_at=submitted_at,
            paid_at=paid_at,
            completed_at=completed_at,
            canceled_at=canceled_at,
            tests_total=tests_total,
            tests_resulted=tests_resulted,
            filed_at=filed_at,
            problem=problem,
            shape=shape,
        )

        order.additional_properties = d
        return order

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
