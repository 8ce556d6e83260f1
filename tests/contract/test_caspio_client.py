"""Our Caspio client against the simulator, with Caspio's own document as the judge of both sides.

Every exchange passes through `Judged`, which refuses what the document does not describe.
"""

import hashlib
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.peers.caspio import Caspio, field
from labbridge.peers.caspio.types import EventType, FieldType, NewField, NewWebhookEvent, WebhookChange
from labbridge.peers.caspio.values import read_date, read_time, to_wire
from labbridge.peers.errors import (
    Conflict,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from labbridge.peers.ports import LocalMeter, LocalTokenStore
from labbridge.simulators.caspio import create_app
from labbridge.simulators.caspio.directories import add_user, create_directory
from tests.contract.openapi import operation_for, validate_request, validate_response

ZONE = ZoneInfo("America/Los_Angeles")

FIELDS = [
    NewField(name="Unit_Key", type=FieldType.STRING, unique=True),
    NewField(name="Other_Key", type=FieldType.STRING, unique=True, unique_allow_nulls=True),
    NewField(name="Note", type=FieldType.TEXT, label="A note"),
    NewField(name="Amount", type=FieldType.CURRENCY),
    NewField(name="Number", type=FieldType.INTEGER),
    NewField(name="Seen_At", type=FieldType.DATE_TIME),
    NewField(name="Done", type=FieldType.YES_NO),
    NewField(name="Row_GUID", type=FieldType.GUID, unique=True),
    NewField(name="Pdf", type=FieldType.ATTACHMENT),
]


# The document forgets the 409 for a taken file name, which Caspio's text describes (caspio-api.md 2.5).
TAKEN_NAME = (409, "/integrations/rest/v3/files")


class Judged(httpx2.BaseTransport):
    """Checks every request and answer of the API, and keeps which operations were used."""

    def __init__(self, app):
        self.inner = httpx2.WSGITransport(app=app)
        self.operations, self.sent = set(), []

    def handle_request(self, request):
        request.read()
        path, query = request.url.path, request.url.query.decode()
        judged = path != "/oauth/token"
        if judged:
            validate_request(request.method, path, query, request.headers, request.content)
        answer = self.inner.handle_request(request)
        answer.read()
        self.sent.append((request.method, path))
        if judged:
            if (answer.status_code, path) != TAKEN_NAME:
                validate_response(request.method, path, answer.status_code, answer.headers, answer.content)
            self.operations.add((request.method, operation_for(request.method, path)[1]))
        return answer


@pytest.fixture
def simulator(tmp_path):
    app = create_app(tmp_path / "caspio.sqlite", client_id="id", client_secret="s3cret", deliver=False)
    yield app
    app.close()


@pytest.fixture
def wire(simulator):
    return Judged(simulator)


def connect(wire, **options):
    options = {"sleep": lambda _: None} | options
    return Caspio("https://c0abc123.caspio.com", "id", "s3cret", transport=wire, **options)


@pytest.fixture
def caspio(wire):
    return connect(wire)


@pytest.fixture
def table(caspio):
    return caspio.create_table("Units", FIELDS)


def test_a_table_and_its_fields(caspio, table):
    assert "Units" in caspio.tables()
    table.create_field(NewField(name="Stamp", type="TIMESTAMP", on_update=True, time_zone="UTC"))
    fields = {found.name: found for found in table.fields()}
    assert list(fields) == [new.name for new in FIELDS] + ["Stamp"]
    assert [name for name, found in fields.items() if not found.writable] == ["Row_GUID", "Pdf", "Stamp"]
    assert (fields["Unit_Key"].unique, fields["Note"].label) == (True, "A note")
    assert fields["Seen_At"].kind is FieldType.DATE_TIME


def test_creating_what_is_there_already(caspio, table):
    with pytest.raises((Conflict, Rejected)):
        table.create_field(FIELDS[2])
    with pytest.raises((Conflict, Rejected)):
        caspio.create_table("Units", FIELDS)


def test_what_is_not_there(caspio, table):
    with pytest.raises(NotFound) as missing_table:
        caspio.table("Nowhere").fields()
    assert missing_table.value.fields == ("Nowhere",)
    assert missing_table.value.request_id
    with pytest.raises(NotFound) as missing_field:
        table.insert({"Unit_Key": "u", "Nick_Name": "x"})
    assert missing_field.value.fields == ("Nick_Name",)
    with pytest.raises(NotFound):
        table.download("Pdf", table.insert({"Unit_Key": "u"})["PK_ID"])


def test_values_there_and_back(table):
    sent = {
        "Note": ("TEXT", 'O\'Reilly said "50% [off]" — naïve; DROP TABLE Units --\nnext line'),
        "Amount": ("CURRENCY", Decimal("19.9900")),
        "Number": ("INTEGER", -7),
        "Seen_At": ("DATE/TIME", datetime(2026, 1, 16, 19, 56, 38, tzinfo=UTC)),
        "Done": ("YES/NO", True),
    }
    row = {name: to_wire(name, FieldType(kind), value, zone=ZONE) for name, (kind, value) in sent.items()}
    stored = table.insert({"Unit_Key": "u1"} | row)
    assert {name: stored[name] for name in row} == row
    assert read_time(stored["Seen_At"], ZONE) == sent["Seen_At"][1]
    assert table.find("Unit_Key", "u1") == table.first() == stored
    assert table.find("Row_GUID", stored["Row_GUID"], select=["Note"]) == {
        "PK_ID": stored["PK_ID"],
        "Note": row["Note"],
    }
    assert table.update(field("Unit_Key") == "u1", {"Seen_At": None, "Done": False}) == 1
    assert table.first(where=field("Seen_At").is_null() & (field("Done") == False))  # noqa: E712 - a condition


def test_a_birthday_stays_on_its_day(table):
    born = to_wire("Seen_At", FieldType.DATE_TIME, date(1980, 2, 29), zone=ZONE)
    assert read_date(table.insert({"Unit_Key": "u", "Seen_At": born})["Seen_At"]) == date(1980, 2, 29)


def test_a_wrong_type_is_rejected_with_its_field(table):
    with pytest.raises(Rejected) as caught:
        table.insert({"Unit_Key": "u", "Number": "many", "Seen_At": ""})
    assert set(caught.value.fields) == {"Number", "Seen_At"}
    assert table.first() is None


def test_a_taken_value_is_a_conflict_and_an_upsert_an_update(table):
    first = table.upsert("Unit_Key", {"Unit_Key": "u'1", "Note": "one"})
    again = table.upsert("Unit_Key", {"Unit_Key": "u'1", "Note": "two"})
    assert (first.created, again.created) == (True, False)
    assert (again.row["PK_ID"], again.row["Note"]) == (first.row["PK_ID"], "two")
    with pytest.raises(Conflict) as caught:
        table.insert({"Unit_Key": "u'1"})
    assert "u'1" not in str(caught.value)
    table.insert({"Unit_Key": "u2", "Other_Key": "o"})
    with pytest.raises(Conflict):  # the clash is in the other unique field, and no row is changed
        table.upsert("Unit_Key", {"Unit_Key": "u3", "Other_Key": "o"})
    assert len(table.all()) == 2


def test_updates_and_deletes_tell_how_many(table):
    for number in range(5):
        table.insert({"Unit_Key": f"u{number}", "Number": number})
    assert table.update(field("Number") > 2, {"Note": "high"}) == 2
    assert table.update(field("Number") > 200, {"Note": "none"}) == 0
    changed = table.update_returning(field("Unit_Key") == "u1", {"Note": "x"})
    assert [row["Note"] for row in changed] == ["x"]
    assert table.update_returning(field("Unit_Key") == "u9", {"Note": "x"}) == []
    assert table.delete(field("Number").is_in([0, 1])) == 2
    assert table.delete(field("Number").is_in([0, 1])) == 0
    assert [row["Unit_Key"] for row in table.all(select=["Unit_Key"])] == ["u2", "u3", "u4"]


def test_pages_neither_skip_nor_repeat_while_rows_come_and_go(table):
    keys = [table.insert({"Unit_Key": f"u{number}"})["PK_ID"] for number in range(12)]
    seen = []
    for page in table.iterate(select=["Unit_Key"], page_size=5):
        seen += [row["PK_ID"] for row in page]
        if len(seen) == 5:
            table.delete(field("PK_ID") == keys[0])
            keys.append(table.insert({"Unit_Key": "late"})["PK_ID"])
    assert seen == keys
    assert [row["PK_ID"] for row in table.all(where=field("PK_ID") > keys[9])] == keys[10:]
    assert sum(len(page) for page in table.iterate(after=keys[9])) == 3


def test_a_long_list_of_keys(table, wire):
    for number in range(30):
        table.insert({"Unit_Key": f"unit-{number:04}"})
    before = len(wire.sent)
    found = table.all(where=field("Unit_Key").is_in(f"unit-{number:04}" for number in range(300)))
    assert len(found) == 30
    assert len(wire.sent) - before > 1


def test_a_file_on_a_row(table):
    key = table.insert({"Unit_Key": "u"})["PK_ID"]
    where = field("PK_ID") == key
    content = bytes(range(256)) * 40
    table.upload("Pdf", key, "result.pdf", b"%PDF- first", "application/pdf")
    table.upload("Pdf", key, "result-v2.pdf", content, "application/pdf")
    assert hashlib.sha256(table.download("Pdf", key)).digest() == hashlib.sha256(content).digest()
    (info,) = table.attachment_info("Pdf", where)
    assert (info.pk_id, info.file_name, info.file_type, info.size) == (key, "result-v2", "pdf", len(content))
    assert table.delete_attachment("Pdf", where) == 1
    with pytest.raises(NotFound):
        table.download("Pdf", key)


def test_the_files_area(caspio):
    first = caspio.files.upload("a.txt", b"one")
    with pytest.raises(Conflict):
        caspio.files.upload("a.txt", b"two")
    assert caspio.files.overwrite("a.txt", b"two").external_key == first.external_key
    second = caspio.files.overwrite("b.txt", b"three")
    assert caspio.files.download(first.external_key) == b"two"
    assert caspio.files.info(second.external_key).size == 5
    assert {found.name for found in caspio.files.list()} == {"a.txt", "b.txt"}
    caspio.files.delete(first.external_key)
    for deed in (caspio.files.delete, caspio.files.download, caspio.files.info):
        with pytest.raises(NotFound):
            deed(first.external_key)
    with pytest.raises(NotFound):
        caspio.files.upload("c.txt", b"", folder=uuid4())


def test_directories(caspio, simulator):
    directory_id = create_directory(simulator.account, "Staff")
    for number in range(3):
        add_user(simulator.account, directory_id, {"Email": f"user{number}@willow.example"}, "Active")
    assert [(found.id, found.name) for found in caspio.directories()] == [(directory_id, "Staff")]
    assert len(list(caspio.directory_users(directory_id))) == 3
    users = caspio.directory_users(
        directory_id,
        select=["Email", "_status"],
        where=(field("_status") == "Active") & (field("Email") == "user1@willow.example"),
    )
    assert list(users) == [{"Email": "user1@willow.example", "_status": "Active"}]


def test_outgoing_webhooks(caspio, table):
    hook = caspio.create_webhook(
        WebhookChange(name="labbridge", outgoing_urls=["https://lab.willow.example/webhooks/caspio/willow"])
    )
    assert hook.secret
    assert [(found.name, found.secret) for found in caspio.outgoing_webhooks()] == [("labbridge", None)]
    with pytest.raises((Conflict, Rejected)):
        caspio.create_webhook(WebhookChange(name="labbridge", outgoing_urls=hook.outgoing_urls))
    wanted = NewWebhookEvent(
        event_type=EventType.UPDATE,
        object_name="Units",
        object_fields=["Note"],
        event_sources=["DataPages"],
        custom_payload_fields=["Unit_Key"],
    )
    event = caspio.create_webhook_event(hook.id, wanted)
    assert (event.type, event.object_fields, event.active) == ("table.recordUpdate", ["Note"], True)
    changed = caspio.update_webhook_event(
        hook.id, event.id, wanted.model_copy(update={"object_fields": ["Note", "Done"], "enabled": False})
    )
    assert changed.object_fields == ["Note", "Done"]
    assert [found.id for found in caspio.webhook_events(hook.id)] == [event.id]
    assert not caspio.webhook_event(hook.id, event.id).active
    assert caspio.update_webhook(hook.id, WebhookChange(enabled=True)).active
    assert caspio.webhook_event(hook.id, event.id).active
    assert caspio.outgoing_webhook(hook.id).messages == 0
    caspio.delete_webhook_event(hook.id, event.id)
    caspio.delete_webhook(hook.id)
    with pytest.raises(NotFound):
        caspio.outgoing_webhook(hook.id)


@pytest.mark.parametrize("as_400", [False, True])
def test_an_expired_token_costs_one_renewal(tmp_path, as_400):
    app = create_app(
        tmp_path / "c.sqlite",
        client_id="id",
        client_secret="s3cret",
        stale_token_as_400=as_400,
        deliver=False,
    )
    wire = Judged(app)
    caspio = connect(wire, token_store=LocalTokenStore())
    table = caspio.create_table("Units", FIELDS)
    with httpx2.Client(transport=httpx2.WSGITransport(app=app), base_url="http://127.0.0.1") as controls:
        controls.post("/_sim/expire-tokens")
    assert table.insert({"Unit_Key": "u"})["Unit_Key"] == "u"
    assert [path for _, path in wire.sent].count("/oauth/token") == 2
    assert len(table.all()) == 1
    app.close()


def test_a_wrong_secret(wire):
    with pytest.raises(Unauthorized) as caught:
        Caspio("https://c0abc123.caspio.com", "id", "wr0ng", transport=wire).tables()
    assert caught.value.code == "invalid_client"
    assert "wr0ng" not in str(caught.value)
    assert wire.sent == [("POST", "/oauth/token")]


@pytest.mark.parametrize("kind", ["rate_limit", "rate_limit_400"])
def test_refused_for_speed_then_done_once(simulator, table, kind):
    simulator.faults.add({"kind": kind, "times": 2, "match": {"path": "/records"}})
    table.insert({"Unit_Key": "u"})
    assert len(table.all()) == 1
    simulator.faults.add({"kind": "rate_limit", "times": 1, "retry_after": 60})
    with pytest.raises(RateLimited) as caught:
        table.insert({"Unit_Key": "v"})
    assert caught.value.retry_after == 60


def test_an_insert_that_was_done_before_the_answer_was_lost_is_not_repeated(simulator, table):
    simulator.faults.add({"kind": "error_after", "times": 1, "match": {"path": "/records"}})
    with pytest.raises(OutcomeUnknown):
        table.insert({"Unit_Key": "u"})
    assert table.find("Unit_Key", "u") is not None
    assert len(table.all()) == 1


def test_a_read_survives_a_blip_and_not_an_outage(simulator, table):
    simulator.faults.add({"kind": "unavailable", "times": 2})
    assert table.all() == []
    simulator.faults.add({"kind": "unavailable"})
    with pytest.raises(Unavailable):
        table.all()
    with pytest.raises(OutcomeUnknown):
        table.insert({"Unit_Key": "u"})


def test_every_call_is_counted_by_purpose(wire):
    meter = LocalMeter()
    caspio = connect(wire, meter=meter, purpose="provision")
    table = caspio.create_table("Units", FIELDS)
    caspio.speaking_for(purpose="filing").table("Units").upsert("Unit_Key", {"Unit_Key": "u"})
    table.all()
    assert meter.calls == {"token": 1, "provision": 2, "filing": 1}
    assert sum(meter.calls.values()) == len(wire.sent)


def test_many_threads_on_one_account(caspio, table):
    def add(start):
        for number in range(start, start + 5):
            table.upsert("Unit_Key", {"Unit_Key": f"u{number}"})

    threads = [threading.Thread(target=add, args=(start,)) for start in (0, 2, 4, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(table.all()) == 11


NASTY = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    path = tmp_path_factory.mktemp("caspio") / "caspio.sqlite"
    app = create_app(path, client_id="id", client_secret="s3cret", deliver=False)
    yield connect(Judged(app)).create_table("Units", FIELDS)
    app.close()


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(NASTY, st.sampled_from(["' OR 1=1 --", "'); DELETE FROM Units", "%", "[a-z]", "_", "''", "\\"]))
)
def test_any_text_finds_its_own_row_and_no_other(shared, text):
    shared.delete(field("PK_ID") > 0)
    shared.insert({"Unit_Key": "decoy", "Note": "decoy"})
    key = shared.insert({"Unit_Key": "mine", "Note": text})["PK_ID"]
    assert [row["PK_ID"] for row in shared.all(where=field("Note") == text)] == [key]
    assert key in [row["PK_ID"] for row in shared.all(where=field("Note").contains(text))]
    assert shared.update(field("Note").is_in([text]), {"Number": 1}) == 1


OPERATIONS = {
    ("GET", "/v3/tables"),
    ("POST", "/v3/tables"),
    ("GET", "/v3/tables/{tableName}/fields"),
    ("POST", "/v3/tables/{tableName}/fields"),
    ("GET", "/v3/tables/{tableName}/records"),
    ("POST", "/v3/tables/{tableName}/records"),
    ("PUT", "/v3/tables/{tableName}/records"),
    ("DELETE", "/v3/tables/{tableName}/records"),
    ("GET", "/v3/tables/{tableName}/attachments/{attachmentFieldName}/{recordPkId}"),
    ("PUT", "/v3/tables/{tableName}/attachments/{attachmentFieldName}/{recordPkId}"),
    ("DELETE", "/v3/tables/{tableName}/attachments/{attachmentFieldName}"),
    ("GET", "/v3/tables/{tableName}/attachments/{attachmentFieldName}/fileInfo"),
    ("GET", "/v3/files"),
    ("POST", "/v3/files"),
    ("PUT", "/v3/files"),
    ("GET", "/v3/files/{externalKey}"),
    ("DELETE", "/v3/files/{externalKey}"),
    ("GET", "/v3/files/{externalKey}/fileInfo"),
    ("GET", "/v3/directories"),
    ("GET", "/v3/directories/{directoryId}/users"),
    ("GET", "/v3/outgoingWebhooks"),
    ("POST", "/v3/outgoingWebhooks"),
    ("GET", "/v3/outgoingWebhooks/{webhookId}"),
    ("PUT", "/v3/outgoingWebhooks/{webhookId}"),
    ("DELETE", "/v3/outgoingWebhooks/{webhookId}"),
    ("GET", "/v3/outgoingWebhooks/{webhookId}/events"),
    ("POST", "/v3/outgoingWebhooks/{webhookId}/events"),
    ("GET", "/v3/outgoingWebhooks/{webhookId}/events/{eventId}"),
    ("PUT", "/v3/outgoingWebhooks/{webhookId}/events/{eventId}"),
    ("DELETE", "/v3/outgoingWebhooks/{webhookId}/events/{eventId}"),
}


def test_every_operation_of_the_client_was_judged(caspio, table, simulator, wire):
    test_a_table_and_its_fields(caspio, table)
    test_updates_and_deletes_tell_how_many(table)
    test_a_file_on_a_row(table)
    test_the_files_area(caspio)
    test_directories(caspio, simulator)
    test_outgoing_webhooks(caspio, table)
    assert wire.operations == OPERATIONS
