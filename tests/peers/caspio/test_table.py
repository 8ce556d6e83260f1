"""Rows against answers that a simulator would not give; the usual ones are in tests/contract."""

from urllib.parse import parse_qs

import httpx2
import pytest

from labbridge.peers.caspio import CaspioAssumptions, field
from labbridge.peers.caspio.table import Table, quote_segment
from labbridge.peers.caspio.types import NewField
from labbridge.peers.errors import Conflict, NotFound, OutcomeUnknown, Unreadable


def rows(*keys):
    return httpx2.Response(200, json={"Result": [{"PK_ID": key} for key in keys]})


def query(request):
    return {key: values[0] for key, values in parse_qs(request.url.query.decode()).items()}


def test_pages_follow_the_key_and_a_short_page_is_the_last(scripted, caspio):
    scripted.says(rows(1, 2), rows(3, 9), rows(10))
    pages = list(caspio.table("T").iterate(select=["A"], where=field("B") == 1, page_size=2))
    assert [[row["PK_ID"] for row in page] for page in pages] == [[1, 2], [3, 9], [10]]
    assert [query(call) for call in scripted.calls] == [
        {
            "q.where": f"PK_ID>{after} AND B=1",
            "q.orderBy": "PK_ID",
            "q.limit": "2",
            "q.select": "PK_ID,A",
        }
        for after in (0, 2, 9)
    ]


def test_until_a_page_is_empty_when_short_pages_prove_nothing(scripted):
    scripted.says(rows(1), rows(2), rows())
    caspio = scripted.client(assumptions=CaspioAssumptions(short_page_is_last=False))
    assert len(caspio.table("T").all()) == 2
    assert len(scripted.calls) == 3


def test_names_are_asked_for_when_plain_rows_lack_their_key(scripted):
    fields = httpx2.Response(
        200, json={"Result": [{"Name": "A", "Type": "STRING"}, {"Name": "P", "Type": "PASSWORD"}]}
    )
    scripted.says(fields, rows())
    caspio = scripted.client(assumptions=CaspioAssumptions(plain_select_has_pk_id=False))
    caspio.table("T").all()
    assert query(scripted.calls[1])["q.select"] == "PK_ID,A"


@pytest.mark.parametrize("page", [rows(2, 1), rows(1, 1), rows(0), rows("1"), rows(None)])
def test_a_page_out_of_order_is_refused_before_rows_are_lost(scripted, caspio, page):
    scripted.says(page)
    with pytest.raises(Unreadable, match="not_in_key_order"):
        caspio.table("T").all()


def test_a_long_list_is_cut_and_every_address_fits(scripted, caspio):
    scripted.says(rows())
    ids = [f"lab'test-{number}" for number in range(400)]
    caspio.table("Lab_Tests").all(select=["Name"], where=field("Lab_ID").is_in(ids) & (field("A") == 1))
    assert len(scripted.calls) > 3
    assert max(len(str(call.url)) for call in scripted.calls) <= Table.MAX_URI_LENGTH
    assert min(len(str(call.url)) for call in scripted.calls[:-1]) > Table.MAX_URI_LENGTH - 80
    asked = " ".join(query(call)["q.where"] for call in scripted.calls)
    assert all(name.replace("'", "''") in asked for name in ids)


def test_a_row_matched_by_two_cuts_is_returned_once(scripted, caspio):
    scripted.says(rows(1, 2), rows(2, 3), rows(3))
    ids = ["x" * 700 + tail for tail in "abcde"]
    found = caspio.table("T").all(where=field("A").is_in(ids))
    assert [row["PK_ID"] for row in found] == [1, 2, 3]


def test_cut_updates_and_deletes_are_summed(scripted, caspio):
    scripted.says(httpx2.Response(200, json={"RecordsAffected": 2}))
    where = field("A").is_in(["x" * 700 + tail for tail in "abcde"])
    assert caspio.table("T").update(where, {"B": 1}) == 2 * len(scripted.calls) == 6
    assert caspio.table("T").delete(where) == 6


def test_an_insert_without_a_row_in_its_answer(scripted, caspio):
    scripted.says(
        httpx2.Response(201),
        httpx2.Response(201, headers={"Location": "https://c0abc123.caspio.com/x/rows/77"}),
        httpx2.Response(201, json={"Result": None}),
    )
    assert [caspio.table("T").insert({"A": 1}) for _ in range(3)] == [{}, {"PK_ID": 77}, {}]


DUPLICATE = httpx2.Response(400, json={"Code": "SqlServerError", "Message": "duplicate key"})


def test_an_upsert_of_a_taken_value_updates_without_the_key(scripted, caspio):
    scripted.says(DUPLICATE, httpx2.Response(200, json={"RecordsAffected": 1, "Result": [{"PK_ID": 4}]}))
    assert caspio.table("T").upsert("Key", {"Key": "O'k", "A": 1}) == ({"PK_ID": 4}, False)
    assert query(scripted.calls[1]) == {"q.where": "Key='O''k'", "response": "rows"}
    assert scripted.calls[1].content == b'{"A":1}'


def test_an_upsert_whose_row_is_not_told_still_counts(scripted, caspio):
    scripted.says(DUPLICATE, httpx2.Response(200, json={"RecordsAffected": 1, "Result": []}))
    assert caspio.table("T").upsert("Key", {"Key": "k", "A": 1}) == ({}, False)


def test_an_upsert_that_clashes_in_another_field_is_a_conflict(scripted, caspio):
    scripted.says(DUPLICATE, httpx2.Response(200, json={"RecordsAffected": 0, "Result": []}))
    with pytest.raises(Conflict):
        caspio.table("T").upsert("Key", {"Key": "k", "A": 1})


@pytest.mark.parametrize("blank", ["", None])
def test_an_upsert_without_a_key_is_refused_before_it_is_sent(scripted, caspio, blank):
    with pytest.raises(ValueError, match="blank"):
        caspio.table("T").upsert("Key", {"Key": blank})
    assert scripted.requests == []


def test_calls_carry_their_headers(scripted):
    scripted.says(httpx2.Response(200, json={"RecordsAffected": 1}))
    caspio = scripted.client(principal="labbridge")
    caspio.speaking_for(purpose="filing", principal="user-7").table("T").delete(field("PK_ID") == 1)
    sent = scripted.calls[0]
    assert (sent.headers["content-type"], sent.headers["accept"]) == ("application/json", "application/json")
    assert (sent.headers["principal"], sent.method) == ("user-7", "DELETE")
    assert scripted.meter.calls == {"token": 1, "filing": 1}


def test_an_empty_change_is_refused(caspio):
    for deed in (caspio.table("T").update, caspio.table("T").update_returning):
        with pytest.raises(ValueError, match="nothing"):
            deed(field("A") == 1, {})


def test_a_missing_attachment(scripted, caspio):
    scripted.says(httpx2.Response(404, json={"Code": "FileNotFound"}))
    with pytest.raises(NotFound):
        caspio.table("T").download("Pdf", 1)
    assert scripted.calls[0].headers["accept"] == "application/octet-stream"


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\0"])
def test_names_that_would_leave_their_place_in_the_path(caspio, name):
    with pytest.raises(ValueError, match="address"):
        caspio.table(name)


def test_old_names_are_quoted():
    assert quote_segment("My Table/../x?y#z") == "My%20Table%2F..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "1st", "type": "STRING"},
        {"name": "A B", "type": "STRING"},
        {"name": "x" * 33, "type": "STRING"},
        {"name": "A", "type": "VARCHAR"},
        {"name": "A", "type": "GUID"},
        {"name": "A", "type": "TEXT", "unique": True},
    ],
)
def test_fields_that_caspio_would_refuse_are_refused_before(bad):
    with pytest.raises(ValueError, match=r"name|type|unique"):
        NewField(**bad)


def test_a_page_of_html_is_no_upload(scripted, caspio):
    scripted.says(httpx2.Response(200, content=b"<html>", headers={"content-type": "text/html"}))
    with pytest.raises(OutcomeUnknown):
        caspio.table("T").upload("Pdf", 1, "a.pdf", b"%PDF-")
