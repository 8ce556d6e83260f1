"""Invented snapshots, and a practice to merge them into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from labbridge.peers.rupa.types import (
    LabTestSnapshot,
    OrderedTestSnapshot,
    OrderSnapshot,
    PatientSnapshot,
)

START = datetime(2031, 2, 3, 10, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def ordered_test(test_id: str = "ordts_1", **stated: Any) -> OrderedTestSnapshot:
    return OrderedTestSnapshot(id=test_id, present=frozenset(stated), **stated)


def order(*tests: OrderedTestSnapshot, whole: bool = True, **stated: Any) -> OrderSnapshot:
    """An order as Rupa would show it; `whole`: it says that these are all of its tests."""
    present = frozenset(stated) | ({"ordered_tests"} if whole else frozenset())
    return OrderSnapshot(id="ord_1", present=present, ordered_tests=tests, **stated)


def patient(patient_id: str = "pat_1", **stated: Any) -> PatientSnapshot:
    return PatientSnapshot(id=patient_id, present=frozenset(stated), **stated)


def lab_test(test_id: str = "labts_1", **stated: Any) -> LabTestSnapshot:
    return LabTestSnapshot(id=test_id, present=frozenset(stated) - {"lab_company"}, **stated)


HL7_HEAD = "MSH|^~\\&|SAMPLELAB|X|EHR|Y|20310203101500||ORU^R01^ORU_R01|ctl-1|P|2.5.1"


def hl7(
    *obx: str, last: str = "Testcase", first: str = "Ada", birthday: str = "19800102", mark: str = "1"
) -> str:
    """A result that names its patient; `mark` makes two of them differ."""
    return "\r".join(
        [
            HL7_HEAD,
            f"PID|1|int-1|||{last}^{first}||{birthday}|F",
            f"OBR|1|ord_1|acc-{mark}|P1^Invented Panel^L|||20310201081500-0800",
            *(obx or ("OBX|1|NM|3016-3^TSH^LN||2.50|mIU/L|0.40-4.00|N|||F",)),
        ]
    )
