"""An invented practice: patients that nobody could mistake for people, and a staff directory."""

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from labbridge.simulators.caspio import design, directories, records
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.options import Options
from labbridge.simulators.caspio.store import Store

FIRST = (
    "Testa",
    "Fabula",
    "Quilla",
    "Mocka",
    "Sampla",
    "Ficta",
    "Bogusia",
    "Dummia",
    "Proba",
    "Exempla",
    "Imago",
    "Nilla",
    "Testo",
    "Fabulo",
    "Quillo",
    "Mocko",
    "Samplo",
    "Ficto",
    "Bogus",
    "Dummo",
    "Probo",
    "Exemplo",
    "Placebo",
    "Nemo",
)
LAST = (
    "Sampleton",
    "Mockingham",
    "Fictionberg",
    "Placeholder",
    "Testworthy",
    "Madeupski",
    "Examplesen",
    "Dummyfield",
    "Invento",
    "Nonesuch",
    "Fablewood",
    "Trialstone",
    "Pretendly",
    "Stubbs-Mock",
    "Draftmann",
    "Specimen",
)
STREETS = ("Imaginary Lane", "Sample Street", "Fixture Road", "Placeholder Avenue")
CITIES = (("Portland", "OR", "97201"), ("Tacoma", "WA", "98402"), ("Sacramento", "CA", "95814"))
STAFF = (
    ("ada@willow.example", "Ada", "Placeholder", "Practitioner"),
    ("finn@willow.example", "Finn", "Fixture", "Front desk"),
    ("bella@willow.example", "Bella", "Sampleton", "Biller"),
    ("olaf@willow.example", "Olaf", "Stubbs", "Administrator"),
)


def _text(name: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "STRING", **more}


PATIENT_FIELDS: list[dict[str, Any]] = [
    _text("Patient_ID", Unique=True, Label="Patient ID"),
    _text("First_Name", Label="First name"),
    _text("Last_Name", Label="Last name"),
    _text("Email", Label="E-mail"),
    _text("Phone"),
    {"Name": "Date_of_Birth", "Type": "DATE/TIME", "Label": "Date of birth"},
    _text("Sex"),
    _text("Street"),
    _text("City"),
    _text("State"),
    _text("Zip", Label="ZIP"),
    _text("Rupa_Patient_ID", Label="Rupa patient"),
    _text("Rupa_Sync_Status", Label="Rupa status"),
    {"Name": "Rupa_Sync_Message", "Type": "TEXT", "Label": "Rupa message"},
    {"Name": "Rupa_Synced_At", "Type": "DATE/TIME", "Label": "Rupa checked at"},
]


def seed_practice(state: Account | Path, patients: int = 25, seed: int = 7) -> int:
    """Create the Patients table and a Staff directory and fill them; the same seed gives the same people.

    Fires no webhook. Does nothing where the table holds rows already. Returns the number of patients added.
    """
    if isinstance(state, Path):
        store = Store(state)
        try:
            return seed_practice(Account(store, Options("seed", "seed")), patients, seed)
        finally:
            store.close()
    with state.store.transaction() as db:
        names = {name.lower() for name in design.table_names(state.store)}
        wanted = state.options.tables["patients"]
        if wanted.lower() not in names:
            design.create_table(state.store, wanted, PATIENT_FIELDS)
        if "staff" not in names:
            _seed_staff(state)
        table = design.find_table(state.store, wanted)
        if db.execute(f"SELECT COUNT(*) FROM {table.rows}").fetchone()[0]:
            return 0
        dice = random.Random(seed)
        for number in range(1, patients + 1):
            records.insert(state, table, invented_patient(number, dice), source=None)
    return patients


def invented_patient(number: int, dice: random.Random) -> dict[str, Any]:
    """One patient; the number keeps key, e-mail and phone unique."""
    first, last = dice.choice(FIRST), dice.choice(LAST)
    city, state, zipcode = dice.choice(CITIES)
    born = date(1940, 1, 1) + timedelta(days=dice.randrange(25_000))
    return {
        "Patient_ID": f"P-{1000 + number}",
        "First_Name": first,
        "Last_Name": last,
        "Email": f"{first}.{last}.{number}@example.org".lower(),
        "Phone": f"({500 + number // 100}) 555-01{number % 100:02d}",
        "Date_of_Birth": born.isoformat(),
        "Sex": dice.choice(("Female", "Male")),
        "Street": f"{dice.randrange(1, 999)} {dice.choice(STREETS)}",
        "City": city,
        "State": state,
        "Zip": zipcode,
    }


def _seed_staff(account: Account) -> None:
    directory_id = directories.create_directory(account, "Staff")
    for email, first, last, role in STAFF:
        values = {"Email": email, "First_Name": first, "Last_Name": last, "Role": role}
        directories.add_user(account, directory_id, values, "Active")
