"""Which row of the patients table is which patient at Rupa; rows come as Caspio would give them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from labbridge.filing.patients import note_row
from labbridge.handlers import charts, links
from labbridge.handlers.charts import Page, retire_chart, take_charts, take_rows
from labbridge.handlers.judging import BY_ID
from labbridge.handlers.links import (
    ON_ANOTHER,
    ON_SEVERAL,
    OVERWRITTEN,
    UNLINKED,
    AlreadyLinked,
    link,
    link_patient,
    why_unlinked,
)
from labbridge.handlers.rupa_patients import note_changed
from labbridge.mirror.merge import merge_patient
from labbridge.mirror.models import Chart, Order, OrderedTest, Patient, PatientLink, Result
from labbridge.practices.apply import config_of
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.mirror.snapshots import at, patient

pytestmark = pytest.mark.django_db


def row(pk: int, key: str | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "PK_ID": pk,
        "Patient_ID": f"P-{pk}" if key is None else key,
        "First_Name": "Ada",
        "Last_Name": "Testcase",
        "Email": "ada@patients.example",
        "Date_of_Birth": "1980-01-02T00:00:00",
        "Rupa_Patient_ID": "",
        **fields,
    }


def read(practice: Practice, *rows: dict[str, Any]) -> None:
    take_rows(practice, config_of(practice).caspio.patients, page(*rows))


def page(*rows: dict[str, Any], asked: datetime | None = None) -> Page:
    return Page(asked or timezone.now(), list(rows))


def retire(practice: Practice, pk: int) -> None:
    retire_chart(practice, pk, asked=timezone.now())


@pytest.fixture(autouse=True)
def _table_was_read(willow: Practice) -> None:
    take_charts(willow, [])


def at_rupa(practice: Practice, key: str = "pat_1", minute: float = 1, **particulars: Any) -> Patient:
    stated = {"first_name": "Ada", "last_name": "Testcase", "email": "ada@patients.example", **particulars}
    stated.setdefault("birthday", "1980-01-02")
    with transaction.atomic():
        return merge_patient(practice, patient(key, **stated), at(minute), whole=True)[0]


def with_order(held: Patient, key: str = "ord_1") -> Order:
    return Order.objects.create(
        practice=held.practice, external_id=key, patient=held, revision=1, filed_revision=1
    )


def linked(held: Patient) -> str | None:
    link = PatientLink.objects.filter(patient=held).select_related("chart").first()
    return link.chart.key if link else None


# -- when a link is made -----------------------------------------------------------------------------------


def test_by_the_id_that_stands_in_caspio(willow: Practice) -> None:
    held = at_rupa(willow, email=None, birthday=None)
    order = with_order(held)
    read(willow, row(1, Rupa_Patient_ID=" pat_1 ", Email="other@patients.example"))
    assert PatientLink.objects.get(patient=held).reasons == [BY_ID]
    order.refresh_from_db()
    assert (order.revision, order.filing_queued) == (2, True)


def test_by_email_and_birthday(willow: Practice) -> None:
    read(willow, row(1, Email="ADA@patients.example ", Date_of_Birth="01/02/1980"))
    link = link_patient(at_rupa(willow))
    assert link is not None
    assert link.chart.key == "P-1"
    assert link.reasons[-1] == "E-mail is the key, confirmed by birthday and name."


@pytest.mark.parametrize(
    ("rows", "particulars"),
    [
        ([{"Date_of_Birth": "1980-01-03T00:00:00"}], {}),
        ([{"Date_of_Birth": None}], {}),
        ([{"Email": ""}], {}),
        ([{"Email": "bea@patients.example"}], {}),
        ([{}], {"birthday": None}),
        ([{}, {}], {}),  # one person twice, or two who share everything
        ([{"First_Name": "Bea"}, {"First_Name": "Ada"}], {}),  # twins
        ([{"First_Name": "Bea"}], {}),  # a twin, of whom only the other is in Caspio
        ([{"Rupa_Patient_ID": "pat_9"}], {}),
        ([{"Rupa_Patient_ID": "pat_1"}, {"Rupa_Patient_ID": "pat_1"}], {}),
        ([{"Patient_ID": ""}], {}),
        ([], {}),
    ],
)
def test_any_doubt_waits_for_a_person(
    willow: Practice, rows: list[dict[str, Any]], particulars: dict[str, Any]
) -> None:
    read(willow, *(row(number, **fields) for number, fields in enumerate(rows, start=1)))
    held = at_rupa(willow, **particulars)
    assert link_patient(held) is None
    assert linked(held) is None


def test_two_at_rupa_with_one_address_and_birthday_are_not_told_apart(willow: Practice) -> None:
    held, _ = at_rupa(willow), at_rupa(willow, "pat_2")
    read(willow, row(1))
    assert (linked(held), link_patient(held)) == (None, None)


def test_the_short_form_of_one_name_is_no_doubt(willow: Practice) -> None:
    read(willow, row(1, First_Name="Robert"))
    assert link_patient(at_rupa(willow, first_name="Bob")) is not None


def test_names_may_be_left_out_of_what_must_agree(willow: Practice) -> None:
    sync = {**willow.config["sync"], "confirm": ["birthday"]}
    Practice.objects.update(config={**willow.config, "sync": sync})
    read(willow, row(1, Last_Name="Other"))
    assert link_patient(at_rupa(willow)) is not None


def test_an_id_in_the_row_of_somebody_else_waits(willow: Practice) -> None:
    held = at_rupa(willow)
    read(
        willow,
        row(
            1,
            Rupa_Patient_ID="pat_1",
            First_Name="Bea",
            Last_Name="Other",
            Date_of_Birth="1990-09-09T00:00:00",
        ),
    )
    assert (linked(held), why_unlinked(held)) == (None, ON_ANOTHER)
    read(willow, row(1, Rupa_Patient_ID="pat_1", First_Name="Bea", Last_Name="Other"))
    assert linked(held) == "P-1"


def test_what_a_person_is_to_do(willow: Practice) -> None:
    held = at_rupa(willow)
    assert why_unlinked(held) == UNLINKED
    read(willow, row(1, Rupa_Patient_ID="pat_1"), row(2, Rupa_Patient_ID="pat_1"))
    PatientLink.objects.all().delete()
    assert (link_patient(held), why_unlinked(held)) == (None, ON_SEVERAL)


def test_of_a_family_that_shares_an_email_nobody_is_linked_without_a_person(willow: Practice) -> None:
    """Each has a birthday of their own: still, any of them may have given the wrong one."""
    family = [at_rupa(willow, f"pat_{n}", birthday=f"198{n}-01-02", first_name=f"Testa{n}") for n in range(4)]
    read(willow, row(1, Date_of_Birth="1983-01-02T00:00:00", First_Name="Testa3"))
    assert [linked(held) for held in family] == [None, None, None, None]
    link(Chart.objects.get(), family[3], ["Decided."], made_by="front desk")
    assert linked(family[3]) == "P-1"


def test_a_double_on_the_next_page_is_seen_in_time(willow: Practice) -> None:
    held = at_rupa(willow)
    take_charts(willow, [page(row(1)), page(row(2))])
    assert linked(held) is None


def test_likeness_counts_only_once_the_whole_table_is_known(willow: Practice) -> None:
    Practice.objects.update(charts_read_at=None)
    held = at_rupa(willow)
    read(willow, row(1))
    assert linked(held) is None
    read(willow, row(1, Rupa_Patient_ID="pat_1"))
    assert linked(held) == "P-1"


def test_what_a_killed_process_had_not_followed_up_is_followed_up_next_time(
    willow: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = at_rupa(willow)
    with monkeypatch.context() as killed:
        killed.setattr(charts, "_follow", lambda *_: None)
        read(willow, row(1))
    assert linked(held) is None
    read(willow, row(1))
    assert linked(held) == "P-1"


@pytest.mark.parametrize(
    ("becomes", "row_key"), [({"last_name": "Testcase-Jones"}, "P-1"), ({"birthday": "1990-09-09"}, None)]
)
def test_whoever_changes_while_they_are_judged_is_judged_again(
    willow: Practice, becomes: dict[str, str], row_key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(willow, row(1))
    held = at_rupa(willow)
    judge_back, changed = links.judge_back, list[Patient]()

    def meanwhile(patient: Patient) -> Any:
        found = judge_back(patient)
        if not changed:
            changed.append(at_rupa(willow, minute=2, **becomes))
        return found

    monkeypatch.setattr(links, "judge_back", meanwhile)
    link_patient(held)
    assert linked(held) == row_key


def test_nobody_is_linked_who_was_erased_meanwhile(willow: Practice) -> None:
    read(willow, row(1))
    held = at_rupa(willow)
    Patient.objects.update(erased_at=at(2))
    with pytest.raises(AlreadyLinked):
        link(Chart.objects.get(), held, ["Decided."], made_by="front desk")


# -- links follow what stands in Caspio ----------------------------------------------------------------------


def test_a_doubt_that_was_cleared_by_deleting_the_double(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1), row(2))
    assert linked(held) is None
    retire(willow, 2)
    assert linked(held) == "P-1"


def test_a_doubt_that_was_cleared_by_changing_the_other_row(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1), row(2))
    read(willow, row(2, Email="own@patients.example", First_Name="Bea", Date_of_Birth="1990-09-09T00:00:00"))
    assert linked(held) == "P-1"


def test_a_doubt_that_was_cleared_by_taking_the_id_off_one_row(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1, Rupa_Patient_ID="pat_1", Email=""), row(2, Rupa_Patient_ID="pat_1", Email=""))
    PatientLink.objects.all().delete()
    retire(willow, 2)
    assert linked(held) == "P-1"


def test_an_id_that_moves_takes_the_link_along(willow: Practice) -> None:
    held = at_rupa(willow)
    order = with_order(held)
    read(willow, row(1, Rupa_Patient_ID="pat_1"), row(2, Email="bea@patients.example"))
    read(
        willow,
        row(1, Email="x@patients.example"),
        row(2, Rupa_Patient_ID="pat_1", Email="bea@patients.example"),
    )
    assert linked(held) == "P-2"
    order.refresh_from_db()
    assert order.revision > 2


def test_an_id_that_moves_is_followed_in_either_order(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1, Rupa_Patient_ID="pat_1"), row(2, Email="bea@patients.example"))
    read(willow, row(2, Rupa_Patient_ID="pat_1", Email="bea@patients.example"))
    assert linked(held) == "P-1"  # both have it for a moment: the link that was clear stays
    read(willow, row(1, Email="x@patients.example"))
    assert linked(held) == "P-2"


def test_an_id_weighs_more_than_likeness(willow: Practice) -> None:
    held = at_rupa(willow)
    other = {"Email": "bea@patients.example", "First_Name": "Bea"}
    read(willow, row(1), row(2, **other))
    link_patient(held)
    assert linked(held) == "P-1"
    read(willow, row(2, Rupa_Patient_ID="pat_1", **other))
    assert linked(held) == "P-2"


def test_an_id_does_not_undo_what_a_person_has_decided(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1), row(2, Email="bea@patients.example"))
    link(Chart.objects.get(key="P-1"), held, ["Decided."], made_by="front desk")
    read(willow, row(2, Rupa_Patient_ID="pat_1", Email="bea@patients.example"))
    assert linked(held) == "P-1"


def test_an_id_taken_away_ends_the_link(willow: Practice) -> None:
    held = at_rupa(willow, email=None)
    read(willow, row(1, Rupa_Patient_ID="pat_1"))
    read(willow, row(1))
    assert linked(held) is None


def test_a_row_that_becomes_another_patients(willow: Practice) -> None:
    other = {"email": "two@patients.example", "first_name": "Ida", "birthday": None}
    first, second = at_rupa(willow), at_rupa(willow, "pat_2", **other)
    read(willow, row(1))
    assert linked(first) == "P-1"
    read(willow, row(1, Rupa_Patient_ID="pat_2"))
    assert (linked(first), linked(second)) == (None, "P-1")


def test_a_link_by_likeness_stays_when_the_likeness_goes(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    read(willow, row(1, Email="moved@patients.example"))
    assert linked(held) == "P-1"


def test_a_changed_row_has_withheld_results_looked_at_again(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    order = with_order(held)
    test = OrderedTest.objects.create(practice=willow, order=order, external_id="ordts_1")
    Result.objects.create(ordered_test=test, version=1, as_of=at(1), withheld=True)
    read(willow, row(1, Last_Name="Corrected"))
    order.refresh_from_db()
    assert order.filing_queued


# -- rows that come, go and change their key -------------------------------------------------------------------


def test_a_deleted_row_loses_its_link_and_keeps_its_data(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    retire(willow, 1)
    chart = Chart.objects.get()
    assert (linked(held), chart.present, chart.person["last_name"]) == (None, False, "Testcase")
    read(willow, row(7, "P-1"))  # imported again
    assert (linked(held), Chart.objects.get().pk_id) == ("P-1", 7)


def test_a_renamed_key_keeps_the_link_and_files_anew(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    order = with_order(held)
    read(willow, row(1, "NEW-1"))
    assert linked(held) == "NEW-1"
    order.refresh_from_db()
    assert (order.revision, order.filing_queued) == (2, True)


def test_a_key_that_went_over_to_another_row(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1), row(2, Email="bea@patients.example", First_Name="Bea"))
    read(willow, row(2, "P-1", Email="bea@patients.example", First_Name="Bea"))
    assert Chart.objects.get(key="P-2").pk_id is None, "nothing is written to a row that is another's"
    assert Chart.objects.get(key="P-1").pk_id == 2
    assert linked(held) is None, "her results do not go to whoever has her key now"
    take_charts(willow, [page(row(2, "P-1", Email="bea@patients.example", First_Name="Bea"))])
    assert not Chart.objects.get(key="P-2").present


def test_a_restored_table_with_shuffled_numbers_keeps_all_links(willow: Practice) -> None:
    people = [
        {"Email": f"n{n}@patients.example", "First_Name": f"Testa{n}", "Rupa_Patient_ID": f"pat_{n}"}
        for n in (1, 2, 3)
    ]
    held = [
        at_rupa(willow, one["Rupa_Patient_ID"], email=one["Email"], first_name=one["First_Name"])
        for one in people
    ]
    read(willow, *(row(number, **one) for number, one in enumerate(people, start=1)))
    made = set(PatientLink.objects.values_list("pk", flat=True))
    assert len(made) == 3
    # Somebody whose first name and number P-1 had is new in it, and comes before P-1's own row.
    stranger = row(1, "NEW", First_Name="Testa1", Date_of_Birth="1990-09-09T00:00:00")
    restored = [row(number, f"P-{number - 1}", **one) for number, one in enumerate(people, start=2)]
    restored[0], restored[2] = {**restored[0], "PK_ID": 4}, {**restored[2], "PK_ID": 2}
    restored.sort(key=lambda one: one["PK_ID"])
    take_charts(willow, [page(stranger), page(*restored)])
    assert [linked(one) for one in held] == ["P-1", "P-2", "P-3"]
    assert set(PatientLink.objects.values_list("pk", flat=True)) == made
    numbers = dict(Chart.objects.filter(present=True).values_list("key", "pk_id"))
    assert numbers == {"NEW": 1, "P-1": 4, "P-2": 3, "P-3": 2}
    take_charts(willow, [page(stranger), page(*restored[1:])])  # P-3's row is really gone
    assert [linked(one) for one in held] == ["P-1", "P-2", None]


@pytest.mark.parametrize(
    ("another", "keeps"),
    [
        ({}, True),  # imported again: PK_IDs are new, the patients are not
        ({"Email": "moved@patients.example", "City": "Elsewhere"}, True),
        ({"First_Name": "Bea", "Email": "bea@patients.example"}, False),  # a twin
        ({"Date_of_Birth": "1990-09-09T00:00:00"}, False),
        ({"Last_Name": "Married"}, False),  # perhaps: by the id on the row it would be sure
        ({"Last_Name": "Married", "Rupa_Patient_ID": "pat_1"}, True),
        ({"First_Name": "Bea", "Date_of_Birth": "2010-09-09T00:00:00", "Rupa_Patient_ID": "pat_1"}, False),
    ],
)
def test_another_row_under_the_same_key(willow: Practice, another: dict[str, Any], keeps: bool) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    read(willow, row(7, "P-1", **another))
    assert linked(held) == ("P-1" if keeps else None)


OTHER_PERSON = {"First_Name": "Bea", "Email": "bea@patients.example", "Date_of_Birth": "2010-09-09T00:00:00"}


@pytest.mark.parametrize(
    ("typed", "keeps"),
    [
        (OTHER_PERSON, False),
        ({**OTHER_PERSON, "Last_Name": "Other"}, False),
        (
            {**OTHER_PERSON, "Email": "ada@patients.example"},
            False,
        ),  # a mother's row, typed over with her daughter
        ({"First_Name": "Bea", "Last_Name": "Other", "Date_of_Birth": None}, False),
        ({"First_Name": "Bea", "Last_Name": "Other"}, True),  # a new name, and the birthday says who it is
        ({"First_Name": "Adah", "Date_of_Birth": "1980-02-01T00:00:00"}, True),  # two mistakes corrected
        ({"Last_Name": "Married", "Date_of_Birth": "1980-02-01T00:00:00"}, True),
        ({"Date_of_Birth": "2010-09-09T00:00:00"}, True),
        ({"First_Name": "Bea"}, True),
    ],
)
@pytest.mark.parametrize("with_id", ["", "pat_1"])
def test_a_row_that_was_typed_over_with_the_next_patient(
    willow: Practice, typed: dict[str, Any], keeps: bool, with_id: str
) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    order = with_order(held)
    read(willow, row(1, Rupa_Patient_ID=with_id, **typed))
    assert linked(held) == ("P-1" if keeps else None)
    order.refresh_from_db()
    assert order.filing_queued is not keeps, "her orders leave the row"
    if not keeps:
        ended = AuditEntry.objects.filter(action="link.break").values_list("why", flat=True)
        assert list(ended) == [OVERWRITTEN]
        read(willow, row(1, Rupa_Patient_ID=with_id))  # a slip, taken back
        assert linked(held) == "P-1"


def test_a_row_that_was_typed_over_is_let_go_though_the_process_dies_at_once(
    willow: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    with monkeypatch.context() as killed:
        killed.setattr(charts, "_follow", lambda *_: None)
        read(willow, row(1, **OTHER_PERSON))
    assert linked(held) is None


def test_what_a_person_has_decided_stands_while_nothing_more_changes(willow: Practice) -> None:
    held = at_rupa(willow, first_name="Bea", birthday="2010-09-09")
    read(willow, row(1))
    link(Chart.objects.get(), held, ["Decided."], made_by="front desk")
    read(willow, row(1, Last_Name="Married", City="Elsewhere"))
    assert linked(held) == "P-1"


def test_a_patient_at_rupa_who_was_overwritten_with_somebody_else(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    with transaction.atomic():
        note_changed(at_rupa(willow, minute=2, first_name="Adah", birthday="1980-02-01"))
    assert linked(held) == "P-1", "mistakes corrected"
    with transaction.atomic():
        note_changed(at_rupa(willow, minute=3, first_name="Bea", birthday="2010-09-09"))
    assert linked(held) is None


def test_the_whole_table_retires_what_is_missing(willow: Practice) -> None:
    read(willow, row(1), row(2), row(3))
    assert take_charts(willow, [page(row(1)), page(row(3))]) == 2
    assert set(Chart.objects.filter(present=True).values_list("key", flat=True)) == {"P-1", "P-3"}
    willow.refresh_from_db()
    assert willow.charts_read_at is not None


def test_a_table_that_an_import_has_emptied_takes_nobodys_chart_away(willow: Practice) -> None:
    held = at_rupa(willow)
    order = with_order(held)
    some = [row(number, Email=f"n{number}@patients.example") for number in range(2, 15)]
    read(willow, row(1, Rupa_Patient_ID="pat_1"), *some)
    order.refresh_from_db()
    filed = order.revision
    assert take_charts(willow, [page(*some[:2])]) == 2
    order.refresh_from_db()
    assert (linked(held), order.revision) == ("P-1", filed)
    take_charts(willow, [page(*some[:2])], brake=False)  # as a sweep does that was told so
    assert linked(held) is None


def test_a_row_that_did_not_change_costs_no_write_of_its_own(
    willow: Practice, django_assert_max_num_queries: Any
) -> None:
    rows = [row(number, Email=f"n{number}@patients.example") for number in range(1, 31)]
    read(willow, *rows)
    with django_assert_max_num_queries(4):
        read(willow, *rows)  # none has an outcome yet: it is asked at once what they wait for


def test_the_same_row_again_makes_no_second_link(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    before = PatientLink.objects.get(patient=held)
    read(willow, row(1, City="Elsewhere"), row(1, City="Elsewhere"))
    assert PatientLink.objects.get(patient=held).pk == before.pk
    assert link_patient(held) == before


# -- pages that are older than what is known -------------------------------------------------------------------


def test_an_old_page_breaks_no_link_by_an_id_that_was_written_since(willow: Practice) -> None:
    held = at_rupa(willow, email=None, birthday=None)
    read(willow, row(1))
    old = page(row(1))
    read(willow, row(1, Rupa_Patient_ID="pat_1"))
    assert linked(held) == "P-1"
    take_charts(willow, [old], began=old.asked, brake=False)
    assert (linked(held), Chart.objects.get().rupa_patient_id) == ("P-1", "pat_1")
    read(willow, row(1))  # somebody took it off again
    assert linked(held) is None


def test_an_old_page_does_not_make_a_row_its_former_patient_again(willow: Practice) -> None:
    held = at_rupa(willow)
    read(willow, row(1))
    old = page(row(1))
    read(willow, row(1, **OTHER_PERSON))
    take_charts(willow, [old], began=old.asked, brake=False)
    assert (linked(held), Chart.objects.get().person["first_name"]) == (None, "Bea")


def test_an_old_page_renames_no_chart_and_brings_no_deleted_row_back(willow: Practice) -> None:
    read(willow, row(1), row(2))
    old = page(row(1, "FORMER"), row(2))
    read(willow, row(1))
    retire(willow, 2)
    take_charts(willow, [old], began=old.asked, brake=False)
    assert list(Chart.objects.values_list("key", "present").order_by("key")) == [
        ("P-1", True),
        ("P-2", False),
    ]


def test_an_old_page_does_not_take_back_what_we_wrote_on_the_row(willow: Practice) -> None:
    read(willow, row(1))
    old = page(row(1))
    note_row(Chart.objects.get(), {"email": "from-rupa@patients.example"}, "pat_1")
    take_charts(willow, [old], began=old.asked, brake=False)
    chart = Chart.objects.get()
    assert (chart.person["email"], chart.rupa_patient_id) == ("from-rupa@patients.example", "pat_1")


def test_a_write_that_ends_after_the_erasure_brings_nothing_back(willow: Practice) -> None:
    read(willow, row(1))
    chart = Chart.objects.get()
    held = Chart.objects.get()
    held.person, held.erased_at = {}, timezone.now()
    held.save()
    note_row(chart, {"email": "from-rupa@patients.example"}, "pat_1")
    chart = Chart.objects.get()
    assert (chart.person, chart.rupa_patient_id) == ({}, "")
