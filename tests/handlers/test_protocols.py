"""Protocols: read from Caspio, edited here, written back; crashes, lost answers and somebody else's edits."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import uuid4

import pytest

from labbridge.engine.jobs import JobFailed
from labbridge.filing.models import EditState, ProtocolEdit
from labbridge.filing.protocols import Content, InProtocol
from labbridge.handlers.protocols import CannotSave, content_of, decide, file_edit, pull_protocols, save
from labbridge.mirror.models import Protocol
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import PeerError
from labbridge.practices.clients import caspio
from labbridge.practices.models import Practice
from labbridge.trust.audit import job

pytestmark = pytest.mark.django_db(transaction=True)
ADA = job("test")
HEAD, TESTS = "Lab_Protocols", "Lab_Protocol_Tests"


@pytest.fixture
def gut(practice: Practice, caspio_sim: Any) -> Protocol:
    """A protocol that the practice made in Caspio itself."""
    caspio_sim.add(HEAD, {"Protocol_ID": "PR-1", "Name": "Gut", "Active": True, "Notes": "In spring"})
    caspio_sim.add(
        TESTS,
        {"Protocol_Test_ID": "PT-2", "Protocol_ID": "PR-1", "Rupa_Lab_Test_ID": "labts_b", "Sort": 2},
        {"Protocol_Test_ID": "PT-1", "Protocol_ID": "PR-1", "Rupa_Lab_Test_ID": "labts_a", "Sort": 1},
        {"Protocol_Test_ID": "PT-9", "Protocol_ID": "PR-9", "Rupa_Lab_Test_ID": "labts_z"},
    )
    assert pull_protocols(practice) == {"read": 2, "changed": 2, "gone": 0}
    return Protocol.objects.get(external_id="PR-1")


def edited(one: Protocol | None, practice: Practice, **changed: Any) -> ProtocolEdit:
    base = content_of(one) if one else None
    wanted = Content(**{**vars(base or Content()), "there": True, **changed})
    return save(practice, one, uuid4(), base=base, wanted=wanted, actor=ADA)


def held(caspio_sim: Any, protocol_id: str = "PR-1") -> tuple[list[Any], list[Any]]:
    tables = caspio_sim.tables()
    heads, tests = (
        [row for row in tables[name] if row["Protocol_ID"] == protocol_id] for name in (HEAD, TESTS)
    )
    said = [(row["Name"], bool(row["Active"]), row["Notes"]) for row in heads]
    return said, sorted((row["Sort"] or 0, row["Rupa_Lab_Test_ID"]) for row in tests)


def writes(caspio_sim: Any) -> int:
    return sum(one["method"] != "GET" and "/tables/" in one["path"] for one in caspio_sim.requests())


def test_what_caspio_has_is_read(gut: Protocol, practice: Practice, caspio_sim: Any) -> None:
    assert content_of(gut) == Content(
        "Gut", True, "In spring", (InProtocol("PT-1", "labts_a", 1), InProtocol("PT-2", "labts_b", 2))
    )
    nameless = Protocol.objects.get(external_id="PR-9")
    assert (nameless.name, nameless.has_row) == ("PR-9", False)
    caspio_sim.forget_requests()
    assert pull_protocols(practice) == {"read": 2, "changed": 0, "gone": 0}
    assert len(caspio_sim.requests()) == 2, "one call for each table"


def test_tables_that_are_not_there_hold_no_protocols(practice: Practice) -> None:
    practice.config["caspio"]["tables"]["lab_protocols"] = "Nowhere"
    practice.save()
    assert pull_protocols(practice)["read"] == 0


def test_an_edit_is_written_row_by_row_and_once(
    gut: Protocol, practice: Practice, caspio_sim: Any, run_jobs: Any
) -> None:
    tests = (InProtocol("PT-2", "labts_b", 1), InProtocol("new-c", "labts_c", 2))
    edit = edited(gut, practice, name="Gut and more", tests=tests)
    caspio_sim.forget_requests()
    run_jobs()
    assert held(caspio_sim) == ([("Gut and more", True, "In spring")], [(1, "labts_b"), (2, "labts_c")])
    assert writes(caspio_sim) == 4, "the name, one moved, one new, one taken out"
    edit.refresh_from_db()
    assert edit.state == EditState.FILED
    file_edit(str(edit.pk))
    assert writes(caspio_sim) == 4


def test_a_new_protocol_and_the_form_sent_twice(practice: Practice, caspio_sim: Any, run_jobs: Any) -> None:
    key, wanted = uuid4(), Content("New", tests=(InProtocol("k-1", "labts_a", 1),))
    one, two = (save(practice, None, key, base=None, wanted=wanted, actor=ADA) for _ in range(2))
    assert one.pk == two.pk
    run_jobs()
    made = Protocol.objects.get()
    assert made.present
    assert held(caspio_sim, made.external_id) == ([("New", True, "")], [(1, "labts_a")])


def test_a_lost_answer_or_a_crash_at_any_write(gut: Protocol, practice: Practice, caspio_sim: Any) -> None:
    """Whichever write it is, and whether it arrived or not: the next try goes on from there, and nobody is asked."""
    for turn, kind in enumerate(("reset_after", "error_before", "reset_after", "error_after"), start=1):
        gut.refresh_from_db()
        tests = (InProtocol(f"k{turn}-a", f"labts_{turn}a", 1), InProtocol(f"k{turn}-b", f"labts_{turn}b", 2))
        edit = edited(gut, practice, name=f"Turn {turn}", tests=tests)
        caspio_sim.fault(kind, match={"method": "POST|PUT|DELETE", "path": "/tables/"}, skip=turn, times=1)
        with contextlib.suppress(PeerError, JobFailed):
            file_edit(str(edit.pk))
        caspio_sim.heal()
        file_edit(str(edit.pk))
        edit.refresh_from_db()
        assert edit.state == EditState.FILED, kind
        assert held(caspio_sim) == (
            [(f"Turn {turn}", True, "In spring")], [(1, f"labts_{turn}a"), (2, f"labts_{turn}b")]
        )  # fmt: skip


def test_somebody_changed_it_in_caspio_meanwhile(
    gut: Protocol, practice: Practice, caspio_sim: Any, run_jobs: Any
) -> None:
    edit = edited(gut, practice, name="Mine")
    change(practice, HEAD, "PR-1", {"Name": "Theirs"})
    caspio_sim.forget_requests()
    run_jobs()
    edit.refresh_from_db()
    assert (edit.state, writes(caspio_sim)) == (EditState.CONFLICT, 0)
    assert edit.theirs["name"] == "Theirs"
    gut.refresh_from_db()
    assert gut.name == "Theirs", "Caspio is the owner"
    decide(edit, overwrite=True, key=uuid4(), actor=ADA)
    decide(edit, overwrite=True, key=uuid4(), actor=ADA)
    run_jobs()
    assert held(caspio_sim)[0][0][0] == "Mine"
    assert ProtocolEdit.objects.count() == 2


def test_caspios_protocol_may_stand(
    gut: Protocol, practice: Practice, caspio_sim: Any, run_jobs: Any
) -> None:
    edit = edited(gut, practice, name="Mine")
    caspio_sim.add(TESTS, {"Protocol_Test_ID": "PT-3", "Protocol_ID": "PR-1", "Rupa_Lab_Test_ID": "labts_c"})
    run_jobs()
    edit.refresh_from_db()
    assert edit.state == EditState.CONFLICT, "a test that nobody here knew of"
    decide(edit, overwrite=False, key=uuid4(), actor=ADA)
    run_jobs()
    assert held(caspio_sim)[0][0][0] == "Gut"


def test_two_edits_one_after_the_other(
    gut: Protocol, practice: Practice, caspio_sim: Any, run_jobs: Any
) -> None:
    first = edited(gut, practice, name="First")
    between = Content.of(first.wanted)
    second = save(
        practice, gut, uuid4(), base=between, wanted=Content("Second", tests=between.tests[:1]), actor=ADA
    )
    file_edit(str(second.pk))  # the first one waits for its next attempt
    assert held(caspio_sim) == ([("Second", True, "")], [(1, "labts_a")])
    run_jobs()
    assert held(caspio_sim)[0] == [("Second", True, "")]
    assert set(ProtocolEdit.objects.values_list("state", flat=True)) == {"filed"}


def test_one_that_was_deleted_in_caspio(
    gut: Protocol, practice: Practice, caspio_sim: Any, run_jobs: Any
) -> None:
    edit = edited(gut, practice, name="Mine")
    for table, field in ((HEAD, "Protocol_ID"), (TESTS, "Protocol_ID")):
        remove(practice, table, field, "PR-1")
    run_jobs()
    edit.refresh_from_db()
    gut.refresh_from_db()
    assert (edit.state, edit.theirs, gut.present) == (EditState.CONFLICT, None, False)
    decide(edit, overwrite=True, key=uuid4(), actor=ADA)
    run_jobs()
    assert held(caspio_sim) == ([("Mine", True, "In spring")], [(1, "labts_a"), (2, "labts_b")])


def test_what_cannot_be_saved(practice: Practice) -> None:
    one = (InProtocol("k", "labts_a", 1),)
    for wanted in (Content("", tests=one), Content("Name"), Content("Name", tests=one * 101)):
        with pytest.raises(CannotSave):
            save(practice, None, uuid4(), base=None, wanted=wanted, actor=ADA)
    assert not Protocol.objects.exists()


def test_tables_that_are_missing_are_named(gut: Protocol, practice: Practice, run_jobs: Any) -> None:
    edit = edited(gut, practice, name="Mine")
    practice.config["caspio"]["tables"]["lab_protocol_tests"] = "Nowhere"
    practice.save()
    run_jobs()
    edit.refresh_from_db()
    assert (edit.state, "labbridge provision" in edit.problem) == (EditState.WAITING, True)


def change(practice: Practice, table: str, key: str, values: dict[str, Any]) -> None:
    with caspio(practice, "test") as client:
        client.table(table).update(q.field("Protocol_ID") == key, values)


def remove(practice: Practice, table: str, field: str, key: str) -> None:
    with caspio(practice, "test") as client:
        client.table(table).delete(q.field(field) == key)
