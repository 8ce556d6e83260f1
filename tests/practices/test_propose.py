"""Which fields hold what: by names and types, with reasons, and never by a guess that is not shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labbridge.peers.caspio.types import Field
from labbridge.practices.propose import NAMES, NEEDED, fitness, likely_tables, propose


def fields(**types: str) -> list[Field]:
    return [
        Field(name=name, type=kind.removesuffix("!"), unique=kind.endswith("!"))
        for name, kind in types.items()
    ]


def mapped(held: list[Field], **chosen: str) -> dict[str, str]:
    return {one.ours: one.theirs for one in propose(held, chosen)}


def test_the_usual_names() -> None:
    found = mapped(
        fields(Patient_ID="AUTONUMBER!", First_Name="STRING", Last_Name="STRING", Email="STRING", Phone="STRING",
               Date_of_Birth="DATE/TIME", Sex="STRING", Street="STRING", City="STRING", State="STRING", Zip="STRING")
    )  # fmt: skip
    assert found["key"] == "Patient_ID"
    assert (found["first_name"], found["birthday"], found["zipcode"]) == (
        "First_Name",
        "Date_of_Birth",
        "Zip",
    )
    assert all(found.values())


def test_other_peoples_names() -> None:
    found = mapped(
        fields(GivenName="STRING", Surname="STRING", EMail_Address="STRING", DOB="DATE/TIME", Cell="STRING")
    )
    assert found | {"gender": "", "street": "", "city": "", "state": "", "zipcode": ""} == {
        "key": "PK_ID", "first_name": "GivenName", "last_name": "Surname", "email": "EMail_Address",
        "birthday": "DOB", "phone": "Cell", "gender": "", "street": "", "city": "", "state": "", "zipcode": "",
    }  # fmt: skip


def test_a_slip_of_the_pen_is_seen_and_said() -> None:
    (one,) = [one for one in propose(fields(Frist_Name="STRING")) if one.ours == "first_name"]
    assert one.theirs == "Frist_Name"
    assert "% alike" in one.reason


def test_a_name_with_the_wrong_type_is_not_taken() -> None:
    assert mapped(fields(Email="YES/NO", Date_of_Birth="NUMBER"))["email"] == ""
    assert mapped(fields(Date_of_Birth="NUMBER"))["birthday"] == ""


def test_what_is_like_but_is_not() -> None:
    found = mapped(fields(Emergency_Contact_Email="STRING", Last_Visit="DATE/TIME", State_License="STRING"))
    assert (found["email"], found["birthday"], found["state"]) == ("", "", "")


def test_a_key_must_be_unique() -> None:
    assert mapped(fields(Patient_ID="STRING"))["key"] == "PK_ID"
    assert mapped(fields(Patient_ID="STRING!"))["key"] == "Patient_ID"


def test_a_person_decides() -> None:
    found = mapped(fields(Email="STRING", Billing_Email="STRING"), email="Billing_Email")
    assert found["email"] == "Billing_Email"


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,15}", fullmatch=True),
        st.sampled_from(["STRING", "DATE/TIME", "NUMBER"]),
    )
)
def test_no_field_is_given_twice_and_none_is_made_up(types: dict[str, str]) -> None:
    taken = [theirs for ours, theirs in mapped(fields(**types)).items() if theirs and ours != "key"]
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(types)


def test_tables() -> None:
    assert likely_tables(["Appointments", "Clients", "tbl_x", "Patients", "Invoices"])[:2] == [
        "Patients",
        "Clients",
    ]
    assert likely_tables(["Invoices"]) == []
    assert fitness(fields(First_Name="STRING", Surname="STRING")) == 2
    assert set(NEEDED) <= set(NAMES)
