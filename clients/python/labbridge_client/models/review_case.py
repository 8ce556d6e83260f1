from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.case_kind import CaseKind
from ..models.case_state import CaseState
from typing import cast
from uuid import UUID
import datetime


T = TypeVar("T", bound="ReviewCase")


@_attrs_define
class ReviewCase:
    """A question, by ids and sentences without patient data: the console shows both sides.

    Attributes:
        id (UUID):
        kind (CaseKind):
        state (CaseState):
        decision (None | str):
        reasons (list[str]):
        actions (list[str]):
        ways_out (list[str]):
        patient_id (None | UUID):
        rupa_patient_id (None | str):
        candidates (list[str]):
        fields (list[str]):
        decided_by (None | str):
        opened_at (datetime.datetime):
        decided_at (datetime.datetime | None):
        seen (None | str): Of an open case: what is asked now. Send it with the decision.
    """

    id: UUID
    kind: CaseKind
    state: CaseState
    decision: None | str
    reasons: list[str]
    actions: list[str]
    ways_out: list[str]
    patient_id: None | UUID
    rupa_patient_id: None | str
    candidates: list[str]
    fields: list[str]
    decided_by: None | str
    opened_at: datetime.datetime
    decided_at: datetime.datetime | None
    seen: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        kind = self.kind.value

        state = self.state.value

        decision: None | str
        decision = self.decision

        reasons = self.reasons

        actions = self.actions

        ways_out = self.ways_out

        patient_id: None | str
        if isinstance(self.patient_id, UUID):
            patient_id = str(self.patient_id)
        else:
            patient_id = self.patient_id

        rupa_patient_id: None | str
        rupa_patient_id = self.rupa_patient_id

        candidates = self.candidates

        fields = self.fields

        decided_by: None | str
        decided_by = self.decided_by

        opened_at = self.opened_at.isoformat()

        decided_at: None | str
        if isinstance(self.decided_at, datetime.datetime):
            decided_at = self.decided_at.isoformat()
        else:
            decided_at = self.decided_at

        seen: None | str
        seen = self.seen

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "kind": kind,
                "state": state,
                "decision": decision,
                "reasons": reasons,
                "actions": actions,
                "ways_out": ways_out,
                "patient_id": patient_id,
                "rupa_patient_id": rupa_patient_id,
                "candidates": candidates,
                "fields": fields,
                "decided_by": decided_by,
                "opened_at": opened_at,
                "decided_at": decided_at,
                "seen": seen,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        kind = CaseKind(d.pop("kind"))

        state = CaseState(d.pop("state"))

        def _parse_decision(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        decision = _parse_decision(d.pop("decision"))

        reasons = cast(list[str], d.pop("reasons"))

        actions = cast(list[str], d.pop("actions"))

        ways_out = cast(list[str], d.pop("ways_out"))

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

        def _parse_rupa_patient_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        rupa_patient_id = _parse_rupa_patient_id(d.pop("rupa_patient_id"))

        candidates = cast(list[str], d.pop("candidates"))

        fields = cast(list[str], d.pop("fields"))

        def _parse_decided_by(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        decided_by = _parse_decided_by(d.pop("decided_by"))

        opened_at = datetime.datetime.fromisoformat(d.pop("opened_at"))

        def _parse_decided_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                decided_at_type_0 = datetime.datetime.fromisoformat(data)

                return decided_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        decided_at = _parse_decided_at(d.pop("decided_at"))

        def _parse_seen(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        seen = _parse_seen(d.pop("seen"))

        review_case = cls(
            id=id,
            kind=kind,
            state=state,
            decision=decision,
            reasons=reasons,
            actions=actions,
            ways_out=ways_out,
            patient_id=patient_id,
            rupa_patient_id=rupa_patient_id,
            candidates=candidates,
            fields=fields,
            decided_by=decided_by,
            opened_at=opened_at,
            decided_at=decided_at,
            seen=seen,
        )

        review_case.additional_properties = d
        return review_case

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
