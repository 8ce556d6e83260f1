from datetime import date, datetime

import pytest

from labbridge.matching import normalise

TODAY = date(2026, 11, 23)
PERSON = {
    "first_name": "Testa",
    "last_name": "Sampleperson",
    "email": "testa@patients.example",
    "birthday": "1980-05-17T00:00:00",
}


def read(**values: object):
    return normalise({**PERSON, **values}, today=TODAY)


def sentence(identity, field: str) -> str:
    (problem,) = [one for one in identity.problems if one.field == field]
    return problem.sentence


def test_a_good_row_has_no_problems():
    identity = read(
        phone="(415) 555-0134 ext. 9",
        gender="Female",
        street="12 North Main Street, Apt. 4",
        city="Springfield",
        state="massachusetts",
        zipcode=1234,
    )
    assert identity.problems == ()
    assert identity.creatable
    assert identity.as_person() == {
        "first_name": "Testa",
        "last_name": "Sampleperson",
        "email": "testa@patients.example",
        "phone": "+14155550134",
        "birthday": "1980-05-17",
        "gender": "F",
        "street": "12 North Main Street, Apt. 4",
        "city": "Springfield",
        "state": "MA",
        "zipcode": "01234",  # a number field dropped the zero
    }


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("testa.patients.example", "The e-mail address has no @."),
        ("testa@one@patients.example", "more than one @"),
        ("testa@patients.example; sister@patients.example", "more than one address"),
        ("testa @patients.example", "a space in it"),
        ("testa@patients,example.com", "a comma in it"),
        ("@patients.example", "nothing before the @"),
        ("testa@", "nothing after the @"),
        ("testa@patients", "no dot after the @"),
        ("Testa <testa@patients.example>", "more than an address"),
        ("testa..b@patients.example", "cannot be right"),
        ("tésta@patients.example", "cannot be right"),
        ("noemail@patients.example", "a filler"),
        ("a" * 300 + "@patients.example", "too long"),
        ("", "missing"),
        (None, "missing"),
    ],
)
def test_unusable_emails_are_told_and_block(email, words):
    identity = read(email=email)
    assert words in sentence(identity, "email")
    assert identity.email is None
    assert not identity.creatable


def test_an_email_is_kept_literally_but_for_its_host():
    identity = read(email=" Testa.B+labs@GoogleMail.COM\u00a0")
    assert identity.email == "Testa.B+labs@googlemail.com"
    assert identity.email_key == "testa.b+labs@googlemail.com"
    assert identity.mailbox == "testab@gmail.com"


@pytest.mark.parametrize(
    ("birthday", "words"),
    [
        ("2027-01-01", "lies in the future"),
        ("2026-11-24", "lies in the future"),
        ("1905-01-01", "more than 120 years ago"),
        ("5/17/80", "two digits"),
        ("17/5/1980", "does not exist"),
        ("2001-02-29", "does not exist"),
        ("spring 1980", "cannot be read"),
        ("", "missing"),
    ],
)
def test_unusable_birthdays_are_told_and_do_not_block(birthday, words):
    identity = read(birthday=birthday)
    assert words in sentence(identity, "birthday")
    assert identity.birthday is None
    assert identity.creatable


@pytest.mark.parametrize(
    "birthday",
    [
        "1980-05-17",
        "1980-05-17T00:00:00",
        "1980-05-17 00:00:00",
        "19800517",
        "5/17/1980",
        "05-17-1980",
        "5/17/1980 12:00:00 AM",
        "May 17, 1980",
        "may 17th 1980",
        date(1980, 5, 17),
        datetime(1980, 5, 17, 8, 30),  # noqa: DTZ001  # Caspio's times are naive
    ],
)
def test_birthdays_in_the_forms_people_use(birthday):
    assert read(birthday=birthday).birthday == date(1980, 5, 17)


def test_today_is_a_birthday_and_so_is_the_day_120_years_ago():
    assert read(birthday="2026-11-23").birthday == TODAY
    assert read(birthday="1905-11-24").birthday == date(1905, 11, 24)
    assert read(birthday="1905-11-22").birthday is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("<b>Testa</b>", "contains markup"),
        ("&lt;script&gt;", "contains markup"),
        ("testa@patients.example", "e-mail or web address"),
        ("https://patients.example", "e-mail or web address"),
        ("12345", "no letters"),
        ("N/A", "filler"),
        ("Unknown", "filler"),
        ("T" * 101, "longer than 100"),
        ("\u200b \u00a0", "missing"),
    ],
)
def test_unusable_names_are_refused_not_cut(name, words):
    identity = read(first_name=name)
    assert words in sentence(identity, "first_name")
    assert sentence(identity, "first_name").startswith("The first name")
    assert identity.first_name == ""
    assert not identity.creatable


def test_names_are_cleaned_of_what_nobody_sees():
    identity = read(first_name="\u00a0Anna\u200b  Maria\t", last_name="O&#39;Brien\ufeff")
    assert (identity.first_name, identity.last_name) == ("Anna Maria", "O'Brien")


def test_titles_credentials_and_generations_are_sent_but_not_compared():
    one = read(first_name="Dr. Testa", last_name="Sampleperson, MD")
    other = read(last_name="Sampleperson Jr.")
    assert one.last_name == "Sampleperson, MD"
    assert (one.given.words, one.family.words) == (("testa",), ("sampleperson",))
    assert (other.family.words, other.generation) == (("sampleperson",), "jr")


@pytest.mark.parametrize("name", ["Prince", "King", "Dean", "Major", "Do", "Ma", "Junior"])
def test_names_that_look_like_titles_stay_names(name):
    identity = read(first_name=name, last_name=name)
    assert identity.given.words == identity.family.words == (name.casefold(),)


@pytest.mark.parametrize(
    ("phone", "words"),
    [("12", "too few or too many"), ("call me", "cannot be read"), ("555-555-5555", "does not exist")],
)
def test_unusable_phones_are_left_out(phone, words):
    identity = read(phone=phone)
    assert words in sentence(identity, "phone")
    assert identity.phone is None
    assert identity.creatable


def test_a_phone_of_another_country_keeps_it():
    assert read(phone="+44 20 7946 0958").phone == "+442079460958"
    assert normalise({**PERSON, "phone": "020 7946 0958"}, today=TODAY, region="GB").phone == "+442079460958"


@pytest.mark.parametrize(
    ("zipcode", "state", "kept"),
    [
        ("62701", "IL", "62701"),
        ("62701-1234", "IL", "62701-1234"),
        ("627011234", "IL", "62701-1234"),
        ("1970.0", "MA", "01970"),
        ("970", "PR", "00970"),
        ("1970", "IL", None),
        ("SW1A 1AA", "", None),
    ],
)
def test_zip_codes(zipcode, state, kept):
    identity = read(zipcode=zipcode, state=state)
    assert identity.zipcode == kept
    assert (kept is None) == any(problem.field == "zipcode" for problem in identity.problems)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("ca", "CA"),
        ("New York", "NY"),
        ("D.C.", "DC"),
        ("Washington, DC", "DC"),
        ("AE", "AE"),
        ("Ontario", None),
    ],
)
def test_states(state, code):
    assert read(state=state).state == code


@pytest.mark.parametrize(
    ("sex", "code"),
    [("female", "F"), (" M ", "M"), ("Non-binary", "X"), ("prefer not to say", None), ("", None)],
)
def test_sex(sex, code):
    identity = read(gender=sex)
    assert identity.gender == code
    assert identity.problems == ()
    assert "F, M or X" in sentence(read(gender="banana"), "gender")


def test_markup_in_an_address_leaves_that_part_out():
    identity = read(street="<img src=x>", city="Springfield")
    assert (identity.street, identity.city) == (None, "Springfield")
    assert "markup" in sentence(identity, "street")


def test_streets_in_two_spellings_are_one():
    one = read(street="12 North Main Street, Apt. #4")
    assert (
        one.street_key
        == read(street="12 N. MAIN ST unit 4").street_key
        != read(street="13 N Main St").street_key
    )


def test_nothing_of_a_patient_shows_where_an_identity_or_problem_is_printed():
    identity = read(phone="(415) 555-0134", email="not an address", first_name="<i>Testa")
    shown = repr(identity) + repr(identity.problems)
    for value in ("Sampleperson", "Testa", "1980", "415", "not an"):
        assert value not in shown


def test_a_value_made_to_keep_us_busy_is_refused_at_once():
    bomb = "&" + "amp;" * 200_000
    identity = read(
        first_name=bomb, street=bomb, email=bomb + "@x.example", phone=bomb, birthday=bomb, zipcode=bomb
    )
    assert {one.field for one in identity.problems} == {
        "first_name",
        "street",
        "email",
        "phone",
        "birthday",
        "zipcode",
    }


def test_candidates_are_looked_up_under_every_key_a_patient_has():
    assert read(phone="(415) 555-0134").lookup_keys() == {
        "email": "testa@patients.example",
        "mailbox": "testa@patients.example",
        "birthday": "1980-05-17",
        "phone": "+14155550134",
        "name": "sampleperson testa",  # in one order, so that swapped names meet
    }
    assert read(email="none", birthday="").lookup_keys() == {"name": "sampleperson testa"}
