"""A whole life with every kind of failure, and then: patient data is nowhere but where it belongs (design.md 2.5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from labbridge.simulators.rupa import panels, practitioner_id, result_hl7
from tests.crash.life import HL7_TEST, PDF_TEST, Director, configure
from tests.crash.stage import Stage, signature
from tests.phi import planted
from tests.phi.needles import Search
from tests.world import SIGNING_SECRET, wait_for

pytestmark = pytest.mark.crash

SEARCH = Search(planted.WORDS)
KINDS = ("error_after", "reset_after", "garbage", "rate_limit_400", "unavailable", "expired_token")


@dataclass
class Lived:
    """What is left of the life: its stage, the service still running, and all that commands and pages said."""

    stage: Stage
    said: dict[str, str]
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("phi")
    temporary = folder / "tmp"
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch, Stage(folder, TMPDIR=str(temporary)) as stage:
        patch.setattr(panels, "observations", planted.observations)
        configure(stage)
        director = Director(stage)
        stage.serve()
        everyday(director)
        another_patients_report(director, patch)
        refused_deliveries(director)
        unreadable_and_unroutable(director)
        poisoned(director)
        misbehaving_peers(director)
        said = everything_said(stage, director)
        yield Lived(stage, said, known_secrets(stage))


# -- the life ------------------------------------------------------------------------------------------------


def deliver_new(director: Director, *, all_well: bool = True) -> None:
    for body in director.events():
        assert director.stage.deliver(body) == 200
    director.stage.settle(120, impatient=True, all_well=all_well)


def everyday(director: Director) -> None:
    """An order with notes, a PDF, values, an amended version; and the chart's own webhook with its whole row."""
    pk_id = director.chart(planted.ROW)
    order = director.order(director.patient(1, **planted.PERSON), PDF_TEST, HL7_TEST)
    director.act(order, "notes", notes_to_patient=planted.NOTES)
    director.act(order, "result", index=0)
    director.act(order, "result", index=1)
    director.act(order, "amend", index=1)
    deliver_new(director)
    stage = director.stage
    message = told(director, pk_id)
    assert stage.deliver(message, "caspio/willow") == 200
    forged = message.replace(b'"secret":"', b'"secret":"not')
    assert stage.deliver(forged, "caspio/willow") == 401
    assert stage.deliver(message[:-20], "caspio/willow") == 400
    stage.settle(120)


def told(director: Director, pk_id: int) -> bytes:
    """What Caspio sends about a row: all of it."""
    event = {"type": "table.recordUpdate", "table": "Patients", "pk": pk_id}
    director.stage.call("caspio", "POST", "/_sim/trigger", event)
    return director.caspio_messages()[-1]


def another_patients_report(director: Director, patch: pytest.MonkeyPatch) -> None:
    first, last, birthday = planted.MISMATCHED
    known = director.stage.call("rupa", "GET", "/_sim/state")["patients"]
    patient = next(one["id"] for one in known if one["first_name"] == planted.PERSON["first_name"])
    message = result_hl7.message

    def misnamed(report: Any) -> str:
        text = message(report)
        for ours, theirs in (
            (report.patient_first, first), (report.patient_last, last), (report.birthday.replace("-", ""), birthday),
        ):  # fmt: skip
            text = text.replace(ours, theirs)
        return text

    with patch.context() as inner:
        inner.setattr(result_hl7, "message", misnamed)
        director.act(director.order(patient, HL7_TEST), "result")
        deliver_new(director)


def refused_deliveries(director: Director) -> None:
    """Forged, stale and unreadable ones, with patient data in the body and in the address."""
    stage = director.stage
    body = all_events(director)[-1]
    assert stage.deliver(body, secret="whsec_forged") == 401
    assert stage.deliver(json.dumps(planted.PERSON).encode()[:-3]) == 400
    headers = {"Rupa-Signature": signature(body, SIGNING_SECRET), "Content-Type": "application/json"}
    for path in (
        "/webhooks/rupa/Zyxwenhuber",
        "/order/willow?patient=Quorblatina",
        "/nowhere/Quorblatina?x=1937-11-23",
    ):
        assert stage.http.post(stage.url + path, content=body, headers=headers).status_code in {
            302,
            403,
            404,
            405,
        }
        assert stage.http.get(stage.url + path).status_code in {302, 403, 404, 405}
    assert (
        stage.http.get(stage.url + "/webhooks/rupa", headers={"X-Zyxwenhuber": "Quorblatina"}).status_code
        == 405
    )


def unreadable_and_unroutable(director: Director) -> None:
    """Of a clinic that is not connected; of an unknown type; with the order left out."""
    stranger = director.patient(1, **planted.STRANGER, practitioner=practitioner_id("Dara"))
    director.order(stranger, PDF_TEST)
    deliver_new(director)
    changes: tuple[dict[str, Any], ...] = (
        {"type": "order.unheard_of"},
        {"data": {"object": {"type": "order", "attributes": planted.STRANGER}, "included": []}},
        {"data": [planted.PERSON]},
        {"data": "Quorblatina Zyxwenhuber"},
    )
    for number, change in enumerate(changes):
        event = {**json.loads(all_events(director)[0]), "id": f"evt_odd{number}", **change}
        assert director.stage.deliver(json.dumps(event).encode()) in {200, 400}
    director.stage.settle(120, impatient=True, all_well=False)


def poisoned(director: Director) -> None:
    """Events that the database refuses, or that cannot be opened any more: jobs fail, and some die."""
    stage = director.stage
    template = json.loads(all_events(director)[0])
    for number, poison in enumerate(
        ({"status": "Zyxwenhuber \0"}, {"total_price": "1e300"}, {"payer": ["Quorblatina"]})
    ):
        event = json.loads(json.dumps({**template, "id": f"evt_poison{number}"}))
        event["data"]["object"]["attributes"].update(poison)
        assert stage.deliver(json.dumps(event).encode()) in {200, 400}
    stage.kill()
    stage.pass_time()
    stage.serve("web")
    event = {**template, "id": "evt_sealed"}
    assert stage.deliver(json.dumps(event).encode()) == 200
    stage.query("UPDATE inbox_event SET body = '\\x01' WHERE external_id = 'evt_sealed'")
    stage.query(
        "UPDATE procrastinate_jobs SET attempts = 75 WHERE status = 'todo'"
    )  # it has been tried for hours
    stage.kill()
    stage.serve()
    stage.settle(120, impatient=True, all_well=False)
    assert stage.query("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'") != [(0,)]


def misbehaving_peers(director: Director) -> None:
    """Answers lost, refused, late and senseless, a crash of everything, and a field that Caspio has lost."""
    stage = director.stage
    patient = director.patient(1, **planted.SECOND)
    pk_id = director.chart(planted.SECOND_ROW)
    assert stage.deliver(told(director, pk_id), "caspio/willow") == 200
    for kind in KINDS:
        stage.fault("caspio", kind, "POST", "/records$", times=1, skip=1)
        stage.fault("caspio", kind, "PUT", "/attachments/", times=1)
        stage.fault("caspio", kind, "GET", "/records$", times=4)
        stage.fault("rupa", kind, "GET", "/patients/|/files/", times=4)
    order = director.order(patient, PDF_TEST, HL7_TEST)
    director.act(order, "result", index=0)
    for body in director.events():
        assert stage.deliver(body) == 200
    stage.kill()
    assert stage.kill_database()
    stage.serve()
    wait_for(stage.ready, "ready again", 60)
    stage.pass_time()
    director.act(order, "result", index=1)
    deliver_new(director, all_well=False)
    with stage.caspio.account.store.transaction() as db:
        db.execute("UPDATE fields SET name = 'Lost' WHERE name = 'Value_Text'")
        stage.caspio.account.store.schema_cache.clear()
    director.act(order, "amend", index=1)
    for body in director.events():
        assert stage.deliver(body) == 200

    def refused() -> bool:
        stage.hurry()
        return b"filing.refused" in stage.log("serve").read_bytes()

    wait_for(refused, "Caspio refused a row", 120)


# -- what was said -------------------------------------------------------------------------------------------


def all_events(director: Director) -> list[bytes]:
    listed = director.stage.call("rupa", "GET", "/_sim/events")
    return [director.stage.call_raw("rupa", f"/_sim/events/{one['id']}") for one in listed]


def everything_said(stage: Stage, director: Director) -> dict[str, str]:
    said = {
        "metrics": stage.http.get(stage.url + "/metrics").text,
        "readyz": stage.http.get(stage.url + "/readyz").text,
        "events list": stage.run("events", "list"),
        "events list --json": stage.run("events", "list", "--json"),
        "practice show": stage.run("practice", "show", "--json"),
        "sync orders": stage.run("sync", "orders", "--json", expect=(0, 1)),
        "sync patients": stage.run("sync", "patients", expect=(0, 1)),
        "alerts list": stage.run("alerts", "list", "--json", expect=(0, 1)),
        "doctor": stage.run("doctor", "--json", expect=(0, 1, 3)),
        "backup": stage.run("backup", str(stage.folder / "phi.labbridge")),
    }
    for event in json.loads(said["events list --json"])[:12]:
        said[f"events show {event['id']}"] = stage.run("events", "show", event["id"])
    assert "labbridge_deliveries_total" in said["metrics"]
    return said


def known_secrets(stage: Stage) -> dict[str, str]:
    """Secrets and tokens of the peers, as the simulators gave them out."""
    found = {
        "client secret of Caspio": "secret of caspio",
        "client secret of Rupa": "secret of rupa on stage",
        "signing secret": SIGNING_SECRET,
    }
    with stage.caspio.account.store.transaction() as db:
        for table, column in (("tokens", "token"), ("webhooks", "secret")):
            for number, row in enumerate(db.execute(f"SELECT {column} FROM {table}").fetchall()):
                found[f"Caspio's {table} {number}"] = row[0]
    for kind in ("access_token", "refresh_token"):
        for number, token in enumerate(stage.rupa.world.store.many(kind)):
            found[f"Rupa's {kind} {number}"] = token["id"]
    assert len(found) >= 7
    return found


# -- and now -------------------------------------------------------------------------------------------------


def test_the_life_was_full_of_what_must_not_leak(lived: Lived) -> None:
    """Everything planted went through the service, every failure happened; else the rest proves nothing."""
    stage = lived.stage
    peers = json.dumps([stage.caspio.dump(), stage.call("rupa", "GET", "/_sim/state")]).encode()
    carried = Search(planted.WORDS).found_in(peers + b"".join(stage.delivered))
    written_otherwise = {"19371123", "11/23/1937", "19220202", "1922-02-02"}
    assert set(planted.WORDS) - carried <= written_otherwise
    states = {event["state"] for event in json.loads(lived.said["events list --json"])}
    assert states >= {"handled", "waiting", "quarantined", "dead"}
    rules = [rule for peer in ("caspio", "rupa") for rule in stage.call(peer, "GET", "/_sim/faults")]
    assert {rule["kind"] for rule in rules if rule["hits"]} == set(KINDS)
    assert {row["Patient_Key"] for row in stage.caspio.dump()["Lab_Result_Values"]} == {"P-1", "P-2"}


def test_logs(lived: Lived) -> None:
    logs = {path.name: SEARCH.found_in(path.read_bytes()) for path in lived.stage.folder.glob("*.log")}
    assert "serve.log" in logs
    assert {name: words for name, words in logs.items() if words} == {}
    assert b"engine.job_dead" in lived.stage.log("serve").read_bytes()


def test_what_commands_and_pages_say(lived: Lived) -> None:
    found = {name: SEARCH.found_in(text.encode()) for name, text in lived.said.items()}
    assert {name: words for name, words in found.items() if words} == {}


def test_a_backup_is_sealed(lived: Lived) -> None:
    content = (lived.stage.folder / "phi.labbridge").read_bytes()
    assert len(content) > 10_000
    assert Search([*planted.WORDS, "willow", *lived.secrets.values()]).found_in(content) == set()


def test_every_row_but_the_sealed_ones(lived: Lived) -> None:
    """Job arguments, engine events, reasons, and every other column of every table, unpacked by the database."""
    tables = lived.stage.query(
        "SELECT quote_ident(table_name) FROM information_schema.tables "
        "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    found = {}
    for (table,) in tables:
        text = "\n".join(row[0] for row in lived.stage.query(f"SELECT one::text FROM {table} one"))
        if words := SEARCH.found_in(text.encode()):
            found[table] = words
    assert len(tables) > 20
    assert found == {}


def test_every_byte_of_the_data_directory(lived: Lived) -> None:
    checkpoint(lived.stage)
    assert Search(["willow"]).found_below(lived.stage.data_dir / "postgres"), (
        "the search finds nothing at all"
    )
    assert SEARCH.found_below(lived.stage.data_dir) == {}
    assert SEARCH.found_below(lived.stage.folder / "tmp") == {}


def test_no_result_file_lies_open(lived: Lived) -> None:
    with lived.stage.caspio.account.store.transaction() as db:
        files = [bytes(row["content"]) for row in db.execute("SELECT content FROM attachments").fetchall()]
    assert len(files) >= 3
    pieces = [file[at : at + 40] for file in files for at in (len(file) // 3, len(file) // 2)]
    for path in data_files(lived.stage.data_dir):
        content = path.read_bytes()
        assert b"%PDF-" not in content, path
        assert not [piece for piece in pieces if piece in content], path


def test_secrets_and_tokens(lived: Lived) -> None:
    checkpoint(lived.stage)
    search = Search(lived.secrets.values())
    assert search.found_below(lived.stage.data_dir) == {}
    for path in lived.stage.folder.glob("*.log"):
        assert search.found_in(path.read_bytes()) == set(), path


def test_addresses_that_the_peers_saw(lived: Lived) -> None:
    found = {str(seen): words for seen in lived.stage.watch.seen
             if (words := SEARCH.found_in_address(f"{seen.path}?{seen.query}"))}  # fmt: skip
    assert found == {}
    assert len(lived.stage.watch.seen) > 50


def checkpoint(stage: Stage) -> None:
    """Have everything in memory written to the data files."""
    with psycopg.connect(stage.address.replace("labbridge@", "postgres@"), autocommit=True) as db:
        db.execute("CHECKPOINT")


def data_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
