r"""HL7 v2.5.1 ORU^R01 text of a report, as a lab would send it; segments end with \r.

Which version and profile Rupa passes on is not known (rupa-api.md 8): this is the common lab profile.
"""

import re
from collections.abc import Iterator

from labbridge.simulators.rupa.panels import Observation
from labbridge.simulators.rupa.report import Report

ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"}


def escaped(text: str) -> str:
    return "".join(ESCAPES.get(letter, letter) for letter in text)


def message(report: Report) -> str:
    segments = [_msh(report), _pid(report), _orc(report), _obr(report)]
    for number, observation in enumerate(report.observations, 1):
        segments += _obx(number, observation, report)
    segments += _notes(report)
    return "\r".join(segments) + "\r"


def _segment(*fields: str) -> str:
    return "|".join(fields)


def _msh(report: Report) -> str:
    lab = escaped(report.lab.upper())
    control = f"{report.accession}V{report.version}"
    return _segment(
        *("MSH", "^~\\&", lab, lab, "RUPA", "RUPA HEALTH", _time(report.reported_at), ""),
        *("ORU^R01^ORU_R01", control, "P", "2.5.1"),
    )


def _pid(report: Report) -> str:
    name = f"{escaped(report.patient_last)}^{escaped(report.patient_first)}"
    return _segment(
        *("PID", "1", "", f"{report.patient_id}^^^RUPA^PI", "", name, ""),
        *(report.birthday.replace("-", ""), report.gender),
    )


def _orc(report: Report) -> str:
    return _segment("ORC", "RE", report.ordered_test_id, report.accession, report.order_id)


def _obr(report: Report) -> str:
    fields = [""] * 26
    fields[0:5] = ["OBR", "1", report.ordered_test_id, report.accession, f"^{escaped(report.test)}^L"]
    fields[7] = _time(report.collected_at)
    fields[16] = f"^{escaped(report.practitioner)}"
    fields[22] = _time(report.reported_at)
    fields[25] = "C" if report.corrected else "F"
    return _segment(*fields)


def _obx(number: int, seen: Observation, report: Report) -> Iterator[str]:
    name = escaped(seen.name)
    coded = f"{seen.loinc}^{name}^LN" if seen.loinc else f"{_local_code(seen.name)}^{name}^L"
    value = f"{_local_code(seen.value)}^{escaped(seen.value)}^L" if seen.kind == "CE" else escaped(seen.value)
    yield _segment(
        *("OBX", str(number), seen.kind, coded, seen.sub_id, value, escaped(seen.units)),
        *(escaped(seen.reference_range), seen.flag, "", "", "C" if seen.corrected else "F", "", ""),
        _time(report.collected_at),
    )
    if seen.flag in ("HH", "LL"):
        yield _segment("NTE", "1", "L", escaped(f"Confirmed by repeat analysis & review: {seen.name}"))


def _notes(report: Report) -> Iterator[str]:
    text = "Reference ranges: adults.\\.br\\Invented data of a simulator\\E\\stand-in."
    yield _segment("NTE", "1", "L", text)
    if report.corrected:
        yield _segment("NTE", "2", "L", f"CORRECTED REPORT, version {report.version}")


def _local_code(text: str) -> str:
    return re.sub("[^A-Z0-9]+", "_", text.upper()).strip("_")[:24]


def _time(iso: str) -> str:
    """20310203101500-0800 from 2031-02-03T10:15:00.000000-08:00."""
    return re.sub("[-:T]", "", iso[:19]) + iso[-6:].replace(":", "")
