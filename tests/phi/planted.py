"""People and results that nobody could mistake for anything else, to be looked for where they do not belong."""

from __future__ import annotations

from labbridge.simulators.rupa.panels import Observation

PERSON = {
    "first_name": "Quorblatina",
    "last_name": "Zyxwenhuber",
    "email": "quorblatina.zyx@planted-mail.example",
    "birthday": "1937-11-23",
    "phone_number": "+12025550177",
    "gender": "F",
    "shipping_address": {
        "street": "77 Phantomquartz Alley", "city": "Nonexistville", "state": "OR", "zipcode": "97299",
    },
}  # fmt: skip
#: In the chart of a practice that Labbridge is not connected with.
STRANGER = {
    **PERSON,
    "first_name": "Bramblequist",
    "last_name": "Othergnome",
    "email": "bramble@planted-mail.example",
}
#: Another patient of the practice, whom nobody can take for the first one.
SECOND = {
    **PERSON,
    "first_name": "Secondolina",
    "last_name": "Furtherquill",
    "email": "second.zyx@planted-mail.example",
    "birthday": "1941-02-05",
    "phone_number": "+12025550188",
}
#: Named by a lab's report that belongs to somebody else.
MISMATCHED = ("Mismatchia", "Wrongpatientsen", "19220202")
NOTES = "Vexillomancy before breakfast, 61616 drops"
ANALYTE_VALUES = ("737371.9191", "Plumbagoresultative")

ROW = {
    "Patient_ID": "P-1",
    "First_Name": PERSON["first_name"],
    "Last_Name": PERSON["last_name"],
    "Email": PERSON["email"],
    "Phone": "(202) 555-0177",
    "Date_of_Birth": "1937-11-23T00:00:00",
    "Street": "77 Phantomquartz Alley",
    "City": "Nonexistville",
    "Zip": "97299",
}

SECOND_ROW = {
    **ROW,
    "Patient_ID": "P-2",
    "First_Name": SECOND["first_name"],
    "Last_Name": SECOND["last_name"],
    "Email": SECOND["email"],
    "Phone": "(202) 555-0188",
    "Date_of_Birth": "1941-02-05T00:00:00",
}

#: None of these may be found in any place that is not meant for it.
WORDS = (
    *("Quorblatina", "Zyxwenhuber", "quorblatina.zyx@planted-mail.example", "planted-mail", "Phantomquartz"),
    *("1937-11-23", "19371123", "11/23/1937", "2025550177", "555-0177", "Nonexistville"),
    *("Secondolina", "Furtherquill", "1941-02-05", "2025550188"),
    *("Bramblequist", "Othergnome", *MISMATCHED, "1922-02-02"),
    *("Vexillomancy", "61616 drops", *ANALYTE_VALUES),
)


def observations(_panel: str, _seed: str, version: int) -> list[Observation]:
    """In place of the simulator's own values."""
    return [
        Observation("Ferritin", "NM", f"{ANALYTE_VALUES[0]}{version}", "HH", "ng/mL", "30-200", "2276-4"),
        Observation("Culture", "ST", f"{ANALYTE_VALUES[1]} {version}", "A"),
    ]
