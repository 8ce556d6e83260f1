"""Whatever happens, in whatever order: one patient at Rupa for one row, one row for one patient at Rupa.

Checked in the simulators' own state. Rupa is told to take doubles (`duplicate_email`), so that it protects nobody.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from labbridge.handlers.cases import CannotDecide, decide
from labbridge.handlers.undo import undo, undo_link
from labbridge.mirror.models import CaseState, Chart, Patient, PatientLink, ReviewCase
from labbridge.peers.caspio import where as q
from labbridge.peers.errors import PeerError
from labbridge.practices.clients import caspio
from labbridge.practices.models import Connection, Practice
from tests.handlers.jobs_here import Crash, dying_at, run_jobs_here

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")

numbers = itertools.count(1)

NAMES = [("Anna", "Meyer"), ("Hanna", "Meyer"), ("Bob", "Sample"), ("Robert", "Sample")]
WHO = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "mail": st.sampled_from(["one", "two"]),
        "day": st.sampled_from([3, 4, None]),
    }
)
EDITED = ["Email", "Date_of_Birth", "First_Name"]
#: Which of those that there are: what is drawn must not hang on state, for a story told again may differ in it.
PICK = st.integers(0, 11)
FAULTS = ["error_after", "reset_after", "error_before", "unavailable", "rate_limit"]


def pick(number: int, those: Sequence[T]) -> T | None:
    """The one that the drawn number means, or none where there is none."""
    return those[number % len(those)] if those else None


class World:
    """Both simulators and the service, shared by all stories of a run."""

    def __init__(self, practice: Practice, caspio_sim: Any, rupa_sim: Any, client: Any) -> None:
        self.practice, self.caspio, self.rupa, self.client = practice, caspio_sim, rupa_sim, client
        credentials = Connection.objects.get(practice=practice, peer="caspio").credentials or {}
        self.secret = credentials["webhook_secret"]

    def deliver(self, kind: str, rows: list[dict[str, Any]]) -> None:
        body = {
            "messageId": f"m-{next(numbers)}", "eventType": f"table.record{kind}", "objectName": "Patients",
            "data": rows, "secret": self.secret,
        }  # fmt: skip
        answer = self.client.post("/webhooks/caspio/willow", body, content_type="application/json")
        assert answer.status_code == 200

    def rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.caspio.app.dump()["Patients"]
        return found

    def patients(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.rupa.call("GET", "/_sim/state")["patients"]
        return found

    def change(self, pk_id: int, values: dict[str, Any]) -> None:
        with caspio(self.practice, "test") as client:
            client.table("Patients").update(q.field("PK_ID") == pk_id, values)

    def delete(self, pk_id: int) -> None:
        with caspio(self.practice, "test") as client:
            client.table("Patients").delete(q.field("PK_ID") == pk_id)


@pytest.fixture
def world(practice: Practice, caspio_sim: Any, rupa_sim: Any, client: Any) -> World:
    rupa_sim.options(duplicate_email="create")
    return World(practice, caspio_sim, rupa_sim, client)


class Story(RuleBasedStateMachine):
    """One story: its people have e-mails and telephones of their own, so that stories do not mix."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.number = next(numbers)
        self.keys: dict[str, str] = {}  # of our rows: key -> the telephone that tells who was made from it
        self.theirs: set[str] = set()  # patients who appeared at Rupa by themselves
        self.decided: set[str] = set()  # keys of rows about which a person has decided

    def teardown(self) -> None:
        self.all_is_calm()

    # -- what can happen -------------------------------------------------------------------------------------

    @rule(who=WHO, told=st.booleans())
    def a_row_is_added(self, who: dict[str, Any], *, told: bool) -> None:
        unique = next(numbers)
        key, phone = f"P-{unique}", f"+1415555{unique % 10000:04d}"
        (pk_id,) = self.world.caspio.add("Patients", {"Patient_ID": key, "Phone": phone, **self._as_row(who)})
        self.keys[key] = phone
        if told:
            self.world.deliver("Insert", [{"PK_ID": pk_id}])

    @rule(number=PICK, who=WHO, part=st.sampled_from(EDITED), whole=st.booleans())
    def a_row_is_edited(self, number: int, who: dict[str, Any], part: str, *, whole: bool) -> None:
        if (row := pick(number, self._rows())) is None:
            return
        pk_id = row["PK_ID"]
        self.world.caspio.heal()
        self.world.change(pk_id, {part: self._as_row(who)[part]})
        self._tell(pk_id, whole=whole)

    @rule(number=PICK, whole=st.booleans(), times=st.integers(1, 2))
    def a_message_comes_again(self, number: int, times: int, *, whole: bool) -> None:
        if (row := pick(number, self._rows())) is not None:
            for _ in range(times):
                self._tell(row["PK_ID"], whole=whole)

    @rule(number=PICK)
    def a_row_is_deleted(self, number: int) -> None:
        if (row := pick(number, self._rows())) is None:
            return
        self.world.caspio.heal()
        self.world.delete(row["PK_ID"])
        self.world.deliver("Delete", [{"PK_ID": row["PK_ID"]}])

    @rule(who=WHO, with_order=st.booleans())
    def somebody_appears_at_rupa(self, who: dict[str, Any], *, with_order: bool) -> None:
        row = self._as_row(who)
        if any(one["email"].casefold() == row["Email"].casefold() for one in self.world.patients()):
            return  # Rupa has one patient for an e-mail
        person = {"first_name": row["First_Name"], "last_name": row["Last_Name"], "email": row["Email"]}
        if row["Date_of_Birth"]:
            person["birthday"] = row["Date_of_Birth"][:10]
        made = self.world.rupa.call("POST", "/_sim/patients", person)
        self.theirs.add(made["id"])
        if with_order:
            self.world.rupa.order(made["id"])

    @rule(peer=st.sampled_from(["rupa", "caspio"]), kind=st.sampled_from(FAULTS))
    def a_peer_fails_once(self, peer: str, kind: str) -> None:
        method = {"rupa": "POST", "caspio": "PUT"}[peer]
        match = {"method": method, "path": "atients"}
        getattr(self.world, peer).fault(kind, match=match, times=1)

    @rule(dies_at=st.one_of(st.none(), st.integers(1, 120)))
    def jobs_run(self, dies_at: int | None) -> None:
        run_jobs_here(dies_at=dies_at)
        self.nobody_is_doubled()

    @rule(number=PICK, deed=PICK, chosen=PICK, dies_at=st.one_of(st.none(), st.integers(1, 60)))
    def a_person_decides(self, number: int, deed: int, chosen: int, dies_at: int | None) -> None:
        if (case := pick(number, self._cases(CaseState.OPEN))) is None:
            return
        action = pick(deed, case.actions) or ""
        choose = pick(chosen, [*case.candidates, *case.rows, *self.keys]) or ""
        self._note_decided(case, choose)
        self._act(lambda: decide(case, action, by="front desk", choose=choose), dies_at)

    @rule(number=PICK, dies_at=st.one_of(st.none(), st.integers(1, 60)))
    def a_person_takes_it_back(self, number: int, dies_at: int | None) -> None:
        if (case := pick(number, self._cases(CaseState.DECIDED))) is None:
            return
        self._note_decided(case, case.before.get("chart", ""))
        self._act(lambda: undo(case, by="owner"), dies_at)

    @rule(number=PICK)
    def a_person_doubts_a_link(self, number: int) -> None:
        if (row := pick(number, self._rows())) is None:
            return
        chart = Chart.objects.filter(key=row["Patient_ID"], present=True).first()
        if chart is not None:
            self.decided.add(chart.key)
            self._act(lambda: undo_link(chart, by="owner"), None)

    @rule()
    def all_is_calm(self) -> None:
        """The peers answer, every row is told of, and all that is queued is done: then everything is in order."""
        self.world.caspio.heal()
        self.world.rupa.heal()
        for row in self._rows():
            self._tell(row["PK_ID"], whole=False)
        for body in self.world.rupa.events()[-5:]:
            deliver_rupa(self.world.client, body)
        # The minute in which Rupa may still be making whom a job that died had asked for is over.
        Chart.objects.exclude(in_doubt_until=None).update(in_doubt_until=timezone.now())
        for _ in range(4):
            run_jobs_here()
        self.nobody_is_doubled()
        self.every_row_says_how_it_stands()

    # -- what must hold --------------------------------------------------------------------------------------

    def nobody_is_doubled(self) -> None:
        people = [one for one in self.world.patients() if f".{self.number}@" in one["email"]]
        emails = Counter(one["email"].casefold() for one in people)
        assert max(emails.values(), default=0) <= 1, "we gave Rupa an e-mail that it had"
        made = Counter(one["phone_number"] for one in people if one["id"] not in self.theirs)
        for key, phone in self.keys.items():
            assert made[phone] <= 1 or key in self.decided, "one row became two patients"
        linked = Counter(PatientLink.objects.values_list("patient__external_id", flat=True))
        assert max(linked.values(), default=0) <= 1

    def every_row_says_how_it_stands(self) -> None:
        rows = self._rows()
        ids = Counter(row["Rupa_Patient_ID"] for row in rows if row["Rupa_Patient_ID"])
        assert max(ids.values(), default=0) <= 1, "two rows have one patient at Rupa"
        asked = {case.chart.key for case in self._cases(CaseState.OPEN) if case.chart}
        for row in rows:
            assert row["Rupa_Sync_Status"], "a row says nothing"
            if row["Patient_ID"] in asked:
                assert row["Rupa_Sync_Status"] == "review", "a question is open and its row does not say so"

    # -- helpers ---------------------------------------------------------------------------------------------

    def _as_row(self, who: dict[str, Any]) -> dict[str, Any]:
        first, last = who["name"]
        day = who["day"]
        return {
            "First_Name": first,
            "Last_Name": last,
            "Email": f"{who['mail']}.{self.number}@patients.example",
            "Date_of_Birth": f"19{40 + self.number % 50}-05-{day:02d}T00:00:00" if day else None,
        }

    def _rows(self) -> list[dict[str, Any]]:
        return [row for row in self.world.rows() if row["Patient_ID"] in self.keys]

    def _cases(self, state: CaseState) -> list[ReviewCase]:
        cases = ReviewCase.objects.select_related("practice", "chart", "patient").filter(state=state)
        if state == CaseState.DECIDED:
            cases = cases.exclude(decision="resolved")
        return [case for case in cases if case.chart is None or case.chart.key in self.keys]

    def _tell(self, pk_id: int, *, whole: bool) -> None:
        row = next(row for row in self.world.rows() if row["PK_ID"] == pk_id)
        self.world.deliver("Update", [row if whole else {"PK_ID": pk_id}])

    def _note_decided(self, case: ReviewCase, choose: str) -> None:
        self.decided |= {choose} if choose in self.keys else set()
        if case.chart is not None:
            self.decided.add(case.chart.key)
        chosen = Chart.objects.filter(pk=choose).first() if len(choose) == 36 else None
        self.decided |= {chosen.key} if chosen is not None else set()

    def _act(self, deed: Callable[[], object], dies_at: int | None) -> None:
        from django.db import connection

        try:
            with dying_at(dies_at):
                deed()
        except (CannotDecide, PeerError):
            pass
        except Crash:
            connection.close()


def deliver_rupa(client: Any, body: bytes) -> None:
    from tests.conftest import signature

    answer = client.post(
        "/webhooks/rupa", body, content_type="application/json", headers={"Rupa-Signature": signature(body)}
    )
    assert answer.status_code == 200


def test_no_story_doubles_anybody(world: World) -> None:
    machine = type("ThisStory", (Story,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=6, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert Patient.objects.exists()
