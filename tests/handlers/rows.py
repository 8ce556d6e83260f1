"""One invented patient on both sides, as tests of patient sync need them."""

from __future__ import annotations

from typing import Any

PERSON = {
    "Patient_ID": "P-1", "First_Name": "Ottilie", "Last_Name": "Musterfrau", "Email": "ottilie@patients.example",
    "Date_of_Birth": "1980-02-03T00:00:00", "Phone": "(415) 555-0132", "Sex": "F", "Street": "1 Sample St",
    "City": "Oakland", "State": "California", "Zip": "94601",
}  # fmt: skip
AT_RUPA = {
    "first_name": "Ottilie", "last_name": "Musterfrau", "email": "ottilie@patients.example", "birthday": "1980-02-03",
}  # fmt: skip


def row(caspio_sim: Any, key: str = "P-1") -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in caspio_sim.app.dump()["Patients"] if one["Patient_ID"] == key)
    return found


def patients(rupa_sim: Any, email: str = "ottilie@patients.example") -> list[dict[str, Any]]:
    return [one for one in rupa_sim.call("GET", "/_sim/state")["patients"] if one["email"] == email]
