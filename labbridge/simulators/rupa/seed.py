"""The world at the start: two clinics with their practitioners, and a few invented patients."""

import secrets
from typing import Any

from labbridge.simulators.rupa import catalogue, patients
from labbridge.simulators.rupa.auth import Caller
from labbridge.simulators.rupa.catalogue import fixed_id
from labbridge.simulators.rupa.reading import PATIENT_FIELDS
from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World

CLINICS: dict[str, list[tuple[str, str, str]]] = {
    "Willow Functional Medicine": [
        ("Ada", "Testwood", "MD"),
        ("Bruno", "Sampleton", "ND"),
        ("Chandra", "Mockridge", "DO"),
    ],
    "Juniper Integrative Health": [("Dara", "Fakenham", "DC"), ("Elio", "Inventado", "NP")],
}
SHARED = "household@willow.example"
PATIENTS = (  # practitioner, names, e-mail, birthday, gender, phone
    ("Ada", "Nora", "Exampleson", "nora@patients.example", "1979-05-14", "F", "+12025550111"),
    ("Ada", "Milo", "Exampleson", "milo@patients.example", "2004-11-02", "M", "+12025550112"),
    # One e-mail of a couple: Rupa keeps one patient for both (rupa-api.md 5.3).
    ("Bruno", "Iris", "Placeholder", SHARED, "1962-01-30", "F", None),
    # The same e-mail in another clinic is another patient.
    ("Dara", "Otto", "Placeholder", SHARED, "1960-08-09", "M", "+12025550113"),
    ("Dara", "Tess", "Dummyfield", "tess@patients.example", None, None, None),
)
PATIENT_KEYS = ("first_name", "last_name", "email", "birthday", "gender", "phone_number")


def fill(world: World) -> None:
    """Fill an empty store; a store that holds clinics is left as it is."""
    with world.store.transaction():
        if world.store.setting("file_key") is None:
            world.store.set_setting("file_key", secrets.token_hex(32))
        if world.store.count("clinic"):
            return
        catalogue.load(world.store, int(world.options.catalogue_size))
        for clinic, people in CLINICS.items():
            add_clinic(world, clinic, people)
        for doctor, *fields in PATIENTS:
            row = dict(zip(PATIENT_KEYS, fields, strict=True))
            seed(world, [{"practitioner": practitioner_id(doctor), **row}])


def practitioner_id(first_name: str) -> str:
    """The id of a seeded practitioner, the same in every fresh simulator."""
    return fixed_id("practitioner", first_name)


def clinic_id(name: str) -> str:
    return fixed_id("clinic", name)


def seed(world: World, rows: list[dict[str, Any]]) -> list[Doc]:
    """Add patients as they are, past every rule about e-mails; `practitioner` decides the clinic.

    Keys beside it are those of `PATIENT_FIELDS` and `id`. Raises KeyError for an unknown practitioner.
    """
    made = []
    with world.store.transaction():
        for row in rows:
            doctor = world.store.need("practitioner", row.get("practitioner") or practitioner_id("Ada"))
            fields = {name: row[name] for name in (*PATIENT_FIELDS, "id", "created_at") if name in row}
            made.append(patients.make(world, Caller(doctor["id"], doctor["clinic"]), fields))
    return made


def add_clinic(world: World, name: str, people: list[tuple[str, str, str]]) -> Doc:
    """Add a clinic with its practitioners: first name (which makes the id), last name, kind."""
    clinic = world.store.add("clinic", {"id": clinic_id(name), "name": name})
    for first, last, kind in people:
        doctor = {
            "id": practitioner_id(first),
            "clinic": clinic["id"],
            "first_name": first,
            "last_name": last,
            "titled_full_name": f"{first} {last}, {kind}",
            "primary_practitioner_type": kind,
            "ordering_authorization_status": "authorized",
            "verification_status": "verified",
            "address": None,
            "updated_at": world.now(),
        }
        world.store.add("practitioner", doctor, clinic=clinic["id"])
    return clinic
