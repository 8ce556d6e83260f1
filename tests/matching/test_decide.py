from datetime import date

import pytest

from labbridge.matching import Action, Candidate, Decision, decide, match_back, normalise

TODAY = date(2026, 11, 23)
ANNA = {
    "first_name": "Anna",
    "last_name": "Meyer",
    "email": "anna@patients.example",
    "birthday": "1980-05-17",
    "phone": "415-555-0134",
    "street": "12 Main St",
    "zipcode": "94110",
    "gender": "F",
}


def person(**changed: object):
    return normalise({**ANNA, **changed}, today=TODAY)


def beside(*others: dict[str, object], of: dict[str, object] | None = None, **options: object) -> Decision:
    """What is decided about Anna beside Rupa patients pat_1, pat_2, … who differ from her as told."""
    candidates = [Candidate(f"pat_{number}", person(**other)) for number, other in enumerate(others, 1)]
    return decide(person(**of or {}), candidates, **options)


def words(decision: Decision) -> str:
    return " ".join(reason.words for reason in decision.reasons)


def offered(decision: Decision) -> set[str]:
    return {way.action for way in decision.ways_out}


# -- links -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"email": "ANNA@patients.example"},
        {"phone": None, "street": None, "gender": None},
        {"last_name": "Meyer-Jones"},
        {"last_name": "Meier"},
        {"last_name": "Jones"},  # married; phone and address are the same
        {"first_name": "Meyer", "last_name": "Anna"},
        {"phone": "212-555-0101", "street": "9 Oak Ave", "zipcode": "10001"},
        {"first_name": "  ANNA", "last_name": "mëyer"},
    ],
)
def test_one_person_is_linked(other):
    decision = beside(other)
    assert (decision.action, decision.chosen) == (Action.LINK, "pat_1")
    assert "confirmed by birthday and name" in words(decision)
    assert decision.score == sum(reason.weight for reason in decision.reasons)
    assert decision.ways_out == ()


def test_a_short_form_that_is_one_name_only_links():
    of = {"first_name": "Robert", "gender": "M"}
    assert beside({"first_name": "Bob", "gender": "M"}, of=of).action is Action.LINK
    assert beside({"first_name": "Bob", "gender": "M", "last_name": "Jones"}, of=of).action is Action.REVIEW


# -- reviews: same e-mail, something does not agree -----------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"birthday": "1980-05-18"}, "Birthday differs by one digit"),
        ({"birthday": "1955-01-30"}, "Birthday is different"),
        ({"birthday": None}, "The birthday cannot confirm"),
        ({"first_name": "Bert"}, "twins"),
        ({"first_name": "Hannah"}, "twins"),
        ({"first_name": "Jana"}, "twins"),
        ({"first_name": "Ana"}, "twins"),
        ({"first_name": "Anna M."}, "twins"),
        ({"first_name": "A."}, "twins"),
        ({"gender": "M"}, "The sex differs"),
        ({"last_name": "Jones", "phone": None, "street": None}, "The name cannot confirm"),
    ],
)
def test_a_shared_email_is_never_enough(other, why):
    decision = beside(other)
    assert (decision.action, decision.chosen) == (Action.REVIEW, "pat_1")
    assert why in words(decision)
    assert "would be merged" in words(decision)
    assert {"link", "not_the_same", "ask_patient"} <= offered(decision)
    assert "create" not in offered(decision)


def test_a_default_birthday_confirms_nothing():
    day = {"birthday": "1970-01-01"}
    assert "a day that computers fill in" in words(beside(day, of=day))
    assert beside(day, of=day).action is Action.REVIEW


def test_junior_and_senior_of_one_birthday_are_asked_about():
    decision = beside({"last_name": "Meyer Sr."}, of={"last_name": "Meyer Jr."})
    assert decision.action is Action.REVIEW
    assert "parent and child" in words(decision)


def test_an_email_of_somebody_else_entirely_is_never_created_again():
    stranger = {
        "first_name": "Zoltan",
        "last_name": "Quux",
        "birthday": "1950-02-03",
        "phone": None,
        "street": None,
    }
    decision = beside({**stranger, "gender": "M"})
    assert decision.action is Action.REVIEW
    assert decision.score < 20
    assert "ask_patient" in offered(decision)


# -- reviews: another e-mail, but likely the same person ------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"email": "anna.new@patients.example"},
        {"email": "anna+labs@patients.example"},
        {"email": "annna@patients.example"},
        {"email": "other@patients.example", "birthday": None},
        {"email": "other@patients.example", "last_name": "Jones"},
        {"email": "other@patients.example", "first_name": "Bert"},  # a twin of the same address
    ],
)
def test_another_email_is_never_linked_and_not_created_beside_a_likely_double(other):
    decision = beside(other)
    assert decision.action is Action.REVIEW
    assert {"link", "create", "not_the_same"} <= offered(decision)
    assert "the key, is not the same" in words(decision).replace("which is the key,", "the key,")


def test_more_than_one_likely_candidate_is_asked_about():
    decision = beside({}, {"email": "old@patients.example"})
    assert (decision.action, decision.chosen, decision.others) == (Action.REVIEW, "pat_1", ("pat_2",))
    assert "More than one patient" in words(decision)
    assert "choose_another" in offered(decision)


def test_a_twin_with_an_email_of_their_own_is_no_second_candidate():
    assert (
        beside({}, {"first_name": "Bert", "gender": "M", "email": "bert@patients.example"}).action
        is Action.LINK
    )


def test_a_linked_candidate_is_never_linked_again():
    decision = beside({}, taken={"pat_1"})
    assert decision.action is Action.REVIEW
    assert "already linked to another row" in words(decision)
    assert "link" not in offered(decision)


def test_another_row_of_the_same_person_stops_the_link():
    decision = beside({}, rivals=[person(phone=None)])
    assert decision.action is Action.REVIEW
    assert "Another row in Caspio" in words(decision)
    assert beside({}, rivals=[person(first_name="Bert")]).action is Action.LINK


def test_who_was_ruled_out_is_not_asked_about_again_but_still_holds_the_email():
    decision = beside({"birthday": "1955-01-30"}, ruled_out={"pat_1"})
    assert decision.action is Action.REVIEW
    assert "A person decided that this is somebody else" in words(decision)
    assert offered(decision) & {"link", "create", "not_the_same"} == set()
    assert "ask_patient" in offered(decision)
    other_email = {"email": "other@patients.example"}
    assert beside(other_email, ruled_out={"pat_1"}).action is Action.CREATE


# -- creates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {
            "first_name": "Zoltan",
            "last_name": "Quux",
            "email": "z@patients.example",
            "birthday": "1950-02-03",
        },
        {"email": "other@patients.example", "birthday": "1955-01-30", "phone": None, "street": None},
        {"first_name": "Carla", "email": "carla@patients.example", "birthday": "2010-08-09"},  # her daughter
    ],
)
def test_somebody_else_does_not_keep_a_patient_from_being_created(other):
    decision = beside(other)
    assert (decision.action, decision.chosen) == (Action.CREATE, None)


def test_nobody_at_all():
    assert beside().action is Action.CREATE
    assert beside(of={"birthday": None}).action is Action.CREATE


@pytest.mark.parametrize("missing", [{"email": "no address"}, {"first_name": ""}, {"last_name": "<b>"}])
def test_what_rupa_would_refuse_is_never_created(missing):
    decision = beside(of=missing)
    assert (decision.action, decision.chosen) == (Action.REVIEW, None)
    assert offered(decision) == {"correct_caspio"}


# -- the practice's setting ------------------------------------------------------------------------------------


def test_confirm_by_name_alone_still_needs_the_name_to_the_letter():
    unknown = {"birthday": None}
    assert beside(unknown, confirm=("name",)).action is Action.LINK
    assert beside({**unknown, "last_name": "Meier"}, confirm=("name",)).action is Action.REVIEW
    assert beside({**unknown, "first_name": "Bert"}, confirm=("name",)).action is Action.REVIEW


@pytest.mark.parametrize("confirm", [(), ("birthday",), ("name",), ("birthday", "name")])
def test_no_setting_links_across_birthdays_or_first_names(confirm):
    assert beside({"birthday": "1980-05-18"}, confirm=confirm).action is Action.REVIEW
    assert beside({"first_name": "Bert"}, confirm=confirm).action is Action.REVIEW
    assert beside({"first_name": ""}, confirm=confirm).action is Action.REVIEW


def test_confirm_by_birthday_alone_believes_a_new_surname():
    other = {"last_name": "Jones", "phone": None, "street": None}
    assert beside(other, confirm=("birthday",)).action is Action.LINK


def test_an_unknown_word_in_confirm_is_an_error():
    with pytest.raises(ValueError, match="not shoe_size"):
        beside({}, confirm=("shoe_size",))


# -- the other way round -----------------------------------------------------------------------------------------


def test_matching_back_links_the_row_and_never_creates():
    row = Candidate("P-1", person())
    assert match_back(person(), [row]).chosen == "P-1"
    nobody = match_back(person(), [])
    assert (nobody.action, nobody.chosen) == (Action.REVIEW, None)
    assert "No row in Caspio" in words(nobody)
    likely = match_back(person(email="other@patients.example"), [row])
    assert likely.action is Action.REVIEW
    assert "create" not in offered(likely)
    assert "This row in Caspio is already linked" in words(match_back(person(), [row], taken={"P-1"}))


def test_reasons_and_ways_out_hold_no_patient_data():
    decision = beside({"birthday": "1980-05-18", "last_name": "Jones"})
    shown = words(decision) + " ".join(way.words for way in decision.ways_out) + repr(decision.reasons)
    for value in ("Anna", "Meyer", "Jones", "1980", "patients.example", "415", "Main"):
        assert value not in shown
