"""Found by how the words of their names begin, though no row tells anything of a name."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from hypothesis import example, given
from hypothesis import strategies as st

from labbridge.mirror import names
from labbridge.mirror.merge import merge_patient
from labbridge.mirror.models import Chart, Patient
from labbridge.mirror.person import Person, name_words
from labbridge.practices.models import Practice
from labbridge.trust.envelope import data_keys
from labbridge.trust.keys import Keyring
from labbridge.trust.models import DataKey
from tests.mirror.snapshots import patient

FAMILY = "Sampl\u00e9son-O'Neil \u674e\u660e Bartholomeusiusxyzq"
NAMES = st.lists(st.text(max_size=20), max_size=4).map(" ".join)


def kept(practice: Practice, key: str, **person: str | None) -> Chart:
    chart = Chart(practice=practice, key=key, person=dict(person))
    names.index(chart, chart.person)
    chart.save()
    return chart


def found(practice: Practice, words: str, most: int = 50) -> list[str]:
    wanted = name_words({"last_name": words}, "last_name")
    return [row.key for row in names.called(Chart.objects.filter(practice=practice), wanted, most)]


def parts(tags: bytes) -> set[bytes]:
    return {tags[start : start + names.TAG] for start in range(0, len(tags), names.TAG)}


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "keyring", lambda: Keyring([bytes(32)]))


@pytest.mark.usefixtures("ring")
class TestTags:
    def test_two_rows_of_one_name_have_nothing_in_common(self) -> None:
        person: Person = {"first_name": "Testa", "last_name": "Sampleperson"}
        one, other = (names.name_tags(uuid.uuid4(), person) for _ in range(2))
        assert not parts(one) & parts(other)

    def test_their_number_does_not_tell_how_long_a_name_is(self) -> None:
        lengths = {
            len(names.name_tags(uuid.uuid4(), {"first_name": name})) for name in ("", "Jo", "Bartholomew")
        }
        assert lengths <= {0, names.PADDED * names.TAG}
        row = uuid.uuid4()
        again = [names.name_tags(row, {"first_name": "Jo"}) for _ in range(2)]
        assert len(parts(again[0]) & parts(again[1])) == 1, "what pads is another each time"

    @given(st.text("abcdefghijklmnop ", max_size=4000))
    @example(" ".join("abcdefghijklmnop"[n:] + "abcdefghijklmnop"[:n] for n in range(16)) * 20)
    def test_they_fit_into_an_index(self, name: str) -> None:
        assert (
            len(names.name_tags(uuid.uuid4(), {"last_name": name})) <= (names.MOST + names.PADDED) * names.TAG
        )

    def test_the_key_and_the_row_make_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row, person = uuid.uuid4(), {"first_name": "Testa", "last_name": "Sampleperson"}
        before = names.name_tags(row, person)
        assert len(parts(before) & parts(names.name_tags(row, person))) == 4 + 11
        monkeypatch.setattr(names, "keyring", lambda: Keyring([bytes([1] * 32)]))
        assert not parts(before) & parts(names.name_tags(row, person))


@pytest.mark.django_db
class TestCalled:
    @pytest.mark.parametrize(
        "words", ["te", "TESTA", "testa sample", "Sample Testa", "sam", "o\u2019n", "onei", "Sampl\u00e9",
                  "\u674e\u660e", "sampleson", "t sampleson", "bartholomeusius", "bartholomeusiusxyzq"],
    )  # fmt: skip
    def test_by_beginnings_in_any_order(self, willow: Practice, words: str) -> None:
        kept(
            willow,
            "P-1",
            first_name="T\u00e9sta B.",
            last_name="Sampl\u00e9son-O'Neil \u674e\u660e Bartholomeusiusxyzq",
        )
        kept(willow, "P-2", first_name="Other", last_name="Person")
        assert found(willow, words) == ["P-1"]

    @pytest.mark.parametrize("words", ["esta", "testas", "testa person", "testa other", "zz"])
    def test_by_nothing_else(self, willow: Practice, words: str) -> None:
        kept(willow, "P-1", first_name="Testa", last_name="Sampleson")
        kept(willow, "P-2", first_name="Other", last_name="Person")
        assert found(willow, words) == []

    @given(first=NAMES, last=NAMES, length=st.integers(2, 20))
    def test_every_beginning_of_every_word_finds(self, first: str, last: str, length: int) -> None:
        practice, _ = Practice.objects.get_or_create(slug="drawn", name="Drawn", time_zone="UTC")
        with transaction.atomic():
            chart = kept(
                practice, "P-1", first_name=first.replace("\0", ""), last_name=last.replace("\0", "")
            )
            words = names.words_of(chart.person)
            for word in words:
                rows = Chart.objects.filter(practice=practice)
                assert names.called(rows, {word[:length]}, 5) == [chart]
            if words:
                assert names.called(Chart.objects.filter(practice=practice), words, 5) == [chart]
            chart.delete()

    def test_the_newest_first_and_no_more_than_asked(self, willow: Practice) -> None:
        for number in range(5):
            kept(willow, f"P-{number}", first_name="Testa")
        assert found(willow, "test", 3) == ["P-4", "P-3", "P-2"]

    def test_at_the_practice_alone(self, willow: Practice) -> None:
        birch = Practice.objects.create(slug="birch", name="Birch", time_zone="America/Los_Angeles")
        kept(birch, "P-1", first_name="Testa")
        assert found(willow, "testa") == []

    def test_by_the_new_name_once_it_has_changed(self, willow: Practice) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        for minute, name in enumerate(("Testa", "Nova")):
            held, _ = merge_patient(willow, patient(first_name=name), at.replace(minute=minute))
        rows = Patient.objects.filter(practice=willow)
        assert names.called(rows, {"nova"}, 5) == [held]
        assert names.called(rows, {"testa"}, 5) == []


@pytest.mark.django_db(transaction=True)
class TestRowsOfVersionsBefore:
    @pytest.fixture
    def old(self, willow: Practice, monkeypatch: pytest.MonkeyPatch) -> Practice:
        monkeypatch.setattr(names, "AT_ONCE", 2)
        for number in range(5):
            kept(willow, f"P-{number}", first_name="Testa")
        Chart.objects.update(name_tags=None)
        return willow

    @pytest.mark.parametrize(("model", "index"), [(Chart, "chart_untagged"), (Patient, "patient_untagged")])
    def test_an_index_has_them(self, model: type[Chart | Patient], index: str) -> None:
        """Every search by name asks whether there are any: it may not read every row of the practice for that."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            assert index in names.missing(model).explain()

    def test_they_are_found_once_they_have_been_gone_through_in_steps(self, old: Practice) -> None:
        assert found(old, "testa") == []
        assert [names.index_missing(Chart) for _ in range(4)] == [2, 2, 1, 0]
        assert len(found(old, "testa")) == 5

    def test_who_cannot_be_opened_or_was_erased_holds_nothing_up(self, old: Practice) -> None:
        shut, erased, *_ = Chart.objects.all()
        DataKey.objects.filter(pk=shut.pk).update(wrapped=None, destroyed_at=datetime.now(UTC))
        data_keys.forget()
        Chart.objects.filter(pk=erased.pk).update(erased_at=datetime.now(UTC))
        while names.index_missing(Chart):
            pass
        assert len(found(old, "testa")) == 3
        assert not names.missing(Chart).exists()
        assert Chart.objects.get(pk=erased.pk).name_tags is None

    def test_whoever_was_not_read_yet_is_not_waited_for(self, willow: Practice) -> None:
        Patient.objects.create(practice=willow, external_id="pat_unread")
        assert not names.missing(Patient).exists()
