from datetime import date

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from labbridge.matching import Action, Candidate, Identity, compare, decide, match_back, normalise
from labbridge.matching.identity import PARTS

TODAY = date(2026, 11, 23)

# Few values each, so that people are often alike: that is where mistakes would be.
NEAR = {
    "first_name": ["Anna", "anna", "Ana", "Hannah", "Anna M.", "A.", "Bob", "Robert", "Mary Ann", "Mary Beth",
                   "Meyer", "", "<b>"],
    "last_name": ["Meyer", "Meier", "Meyer-Jones", "Jones", "Meyer Jr.", "Meyer Sr.", "de la Cruz", "Cruz", "Anna",
                  ""],
    "email": ["anna@gmail.com", "Anna@gmail.com", "an.na@gmail.com", "ann@gmail.com", "bert@mail.example",
              "nonsense", None],
    "phone": ["415-555-0134", "+14155550134", "212-555-0101", "12", None],
    "birthday": ["1980-05-07", "5/7/1980", "1980-07-05", "1980-05-08", "1955-01-30", "1970-01-01", "5/7/80", None],
    "gender": ["F", "female", "M", "X", None],
    "street": ["12 Main Street", "12 main st.", "9 Oak Ave", None],
    "zipcode": ["94110", "10001", None],
}  # fmt: skip
near = st.fixed_dictionaries({part: st.sampled_from(values) for part, values in NEAR.items()})
wild = st.fixed_dictionaries(
    {part: st.one_of(st.none(), st.text(), st.integers(), st.dates()) for part in PARTS}
)
people = near.map(lambda person: normalise(person, today=TODAY))


@st.composite
def households(draw):
    """A patient, and up to four others who differ in a field or two."""
    base = draw(near)
    others = [{**base, **draw(changes)} for _ in range(draw(st.integers(0, 4)))]
    return normalise(base, today=TODAY), [normalise(other, today=TODAY) for other in others]


changes = st.lists(st.sampled_from([(part, value) for part in NEAR for value in NEAR[part]]), max_size=2).map(
    dict
)
words_of_confirm = st.sets(st.sampled_from(["birthday", "name"]))
keys = st.sets(st.sampled_from(["pat_0", "pat_1", "pat_2"]))

settings.register_profile("matching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
thorough = settings(settings.get_profile("matching"), max_examples=200)


def candidates(crowd: list[Identity]) -> list[Candidate]:
    return [Candidate(f"pat_{number}", one) for number, one in enumerate(crowd)]


@thorough
@given(wild, wild)
def test_no_text_whatever_breaks_it(one, other):
    first, second = normalise(one, today=TODAY), normalise(other, today=TODAY)
    decide(first, [Candidate("pat_1", second)])
    for problem in (*first.problems, *second.problems):
        assert problem.sentence.endswith(".")


@thorough
@given(wild | near)
def test_normalising_twice_changes_nothing(person):
    once = normalise(person, today=TODAY)
    assert normalise(once.as_person(), today=TODAY) == once


@thorough
@given(wild)
def test_what_would_be_sent_is_fit_to_be_sent(person):
    for value in normalise(person, today=TODAY).as_person().values():
        assert value is None or (value.strip() == value != "")
        assert not set(value or "") & set("<>\x00\n\u00a0\u200b")


@thorough
@given(people, people)
def test_comparing_is_symmetric(one, other):
    assert compare(one, other) == compare(other, one)


@thorough
@given(households(), words_of_confirm)
def test_both_directions_agree_on_links(household, confirm):
    one, crowd = household
    for other in crowd:
        to_rupa = decide(one, [Candidate("key", other)], confirm=confirm)
        to_caspio = match_back(other, [Candidate("key", one)], confirm=confirm)
        assert (to_rupa.action is Action.LINK) == (to_caspio.action is Action.LINK)
        assert to_caspio.action is not Action.CREATE


@thorough
@given(households(), st.randoms(use_true_random=False))
def test_the_order_of_candidates_means_nothing(household, random):
    patient, crowd = household
    known = candidates(crowd)
    mixed = random.sample(known, len(known)) + known[:1]  # one of them told twice
    assert decide(patient, known) == decide(patient, mixed)


@thorough
@given(households(), words_of_confirm, keys)
def test_what_is_never_linked(household, confirm, taken):
    patient, crowd = household
    decision = decide(patient, candidates(crowd), confirm=confirm, taken=taken)
    event(decision.action)
    if decision.action is not Action.LINK:
        return
    (chosen,) = [one.identity for one in candidates(crowd) if one.key == decision.chosen]
    assert decision.chosen not in taken
    assert chosen.email_key == patient.email_key is not None
    assert chosen.birthday is None or patient.birthday is None or chosen.birthday == patient.birthday
    assert {chosen.gender, patient.gender} != {"F", "M"}
    if "birthday" in confirm:
        assert chosen.birthday == patient.birthday is not None


@thorough
@given(households(), keys, keys)
def test_what_is_never_created(household, taken, ruled_out):
    patient, crowd = household
    decision = decide(patient, candidates(crowd), taken=taken, ruled_out=ruled_out)
    event(decision.action)
    assert bool(decision.ways_out) == (decision.action is Action.REVIEW)  # a review always says what to do
    if decision.action is not Action.CREATE:
        return
    assert patient.first_name
    assert patient.last_name
    assert patient.email
    assert patient.email_key not in {one.email_key for one in crowd}  # Rupa would merge the two


@thorough
@given(households())
def test_a_decision_always_says_why(household):
    patient, crowd = household
    decision = decide(patient, candidates(crowd))
    assert decision.reasons
    assert decision.score == sum(reason.weight for reason in decision.reasons)
    if decision.action is Action.CREATE:
        assert decision.chosen is None
    if decision.action is Action.LINK or decision.others:
        assert decision.chosen is not None
