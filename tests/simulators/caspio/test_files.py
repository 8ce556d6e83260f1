"""Attachments on rows and the Files area."""

import hashlib
import os
from io import BytesIO

import pytest

ONE = "/tables/Orders/attachments/Report/1"
FIELD = "/tables/Orders/attachments/Report"
EVERY_BYTE = bytes(range(256)) * 40


@pytest.fixture
def row(orders):
    orders.add(Order_No="A")
    return orders


def test_an_attachment_comes_back_byte_by_byte(row, sim):
    content = EVERY_BYTE + os.urandom(100_000)
    assert row.upload("PUT", ONE, "File", (BytesIO(content), "report.v2.pdf")).status_code == 204
    answer = row.get(ONE)
    assert answer.data == content
    assert row.rows()[0]["Report"] == "report.v2.pdf"
    held = sim.dump()["Orders"][0]["Report"]
    sha256 = hashlib.sha256(content).hexdigest()
    assert held == {"name": "report.v2.pdf", "size": len(content), "sha256": sha256}


def test_the_file_info_has_name_and_type_apart(row):
    row.upload("PUT", ONE, "File", (BytesIO(b"12345"), "scan.pdf"))
    (info,) = row.get(f"{FIELD}/fileInfo", {"q.where": "PK_ID=1"}).json["Result"]
    assert (info["PK_ID"], info["FileName"], info["FileType"], info["Size"]) == (1, "scan", "pdf", 5)
    renamed = row.put(
        f"{FIELD}/fileInfo", {"FileName": "new"}, {"q.where": "PK_ID=1", "response": "rows"}
    ).json
    assert (renamed["RecordsAffected"], renamed["Result"][0]["FileName"]) == (1, "new")
    assert row.rows()[0]["Report"] == "new.pdf"
    nothing = row.put(f"{FIELD}/fileInfo", {"FileName": "new"}, {"q.where": "PK_ID=9"}).json
    assert nothing == {"RecordsAffected": 0}


def test_a_second_upload_replaces_the_first(row):
    row.upload("PUT", ONE, "File", (BytesIO(b"one"), "a.pdf"))
    row.upload("PUT", ONE, "File", (BytesIO(b"two"), "b.txt"))
    assert row.get(ONE).data == b"two"
    assert len(row.get(f"{FIELD}/fileInfo").json["Result"]) == 1


def test_attachments_are_deleted_by_where_and_with_their_row(row, sim):
    row.upload("PUT", ONE, "File", (BytesIO(b"one"), "a.pdf"))
    assert row.delete(FIELD, {"q.where": "PK_ID=1"}).json == {"RecordsAffected": 1}
    assert row.delete(FIELD, {"q.where": "PK_ID=1"}).json == {"RecordsAffected": 0}
    assert row.get(ONE).json["Code"] == "FileNotFound"
    row.upload("PUT", ONE, "File", (BytesIO(b"one"), "a.pdf"))
    row.delete("/tables/Orders/records", {"q.where": "PK_ID=1"})
    with sim.account.store.transaction() as db:
        assert db.execute("SELECT COUNT(*) FROM attachments").fetchone()[0] == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tables/Orders/attachments/Report/99", 404),
        ("/tables/Orders/attachments/Report/x", 400),
        ("/tables/Orders/attachments/Name/1", 400),
        ("/tables/Orders/attachments/Nope/1", 404),
        ("/tables/Nope/attachments/Report/1", 404),
    ],
)
def test_what_is_not_there_cannot_hold_a_file(row, path, status):
    assert row.get(path).status_code == status
    assert row.upload("PUT", path, "File", (BytesIO(b"x"), "a.pdf")).status_code == status


def test_the_part_must_be_named_file(row):
    assert row.upload("PUT", ONE, "file", (BytesIO(b"x"), "a.pdf")).status_code == 400
    assert row.put(ONE, {"File": "x"}, valid=False).status_code == 415


def test_limits_of_the_field_are_kept(orders):
    field = {
        "Name": "Small",
        "Type": "ATTACHMENT",
        "AttachmentMaxFileSize": 10,
        "AttachmentMinFileSize": 2,
        "AttachmentPermittedFileTypes": ["pdf"],
    }
    assert orders.post("/tables/Orders/fields", field).status_code == 201
    orders.add(Order_No="A")
    path = "/tables/Orders/attachments/Small/1"
    for content, name, status in (
        (b"x" * 11, "a.pdf", 413),
        (b"x", "a.pdf", 400),
        (b"xxx", "a.exe", 400),
        (b"xxx", "", 400),
        (b"xxx", "a.PDF", 204),
    ):
        assert orders.upload("PUT", path, "File", (BytesIO(content), name)).status_code == status


def test_the_files_area(rest):
    answer = rest.upload("POST", "/files", "Files", (BytesIO(EVERY_BYTE), "a.pdf"), (BytesIO(b"2"), "b.txt"))
    assert answer.status_code == 201
    first, second = answer.json["Result"]
    assert (first["Name"], second["Name"]) == ("a.pdf", "b.txt")
    assert rest.get(f"/files/{first['ExternalKey']}").data == EVERY_BYTE
    assert rest.get("/files/path", {"filePath": "/a.pdf"}).data == EVERY_BYTE
    info = rest.get(f"/files/{first['ExternalKey']}/fileInfo").json["Result"]
    assert (info["Size"], info["ContentType"]) == (len(EVERY_BYTE), "application/pdf")
    assert info == rest.get("/files/path/fileInfo", {"filePath": "a.pdf"}).json["Result"]
    listed = rest.get("/files", {"sortField": "Name", "sortDescending": "true"}).json
    assert [f["Name"] for f in listed["Result"]] == ["b.txt", "a.pdf"]
    assert listed["Pagination"] == {"TotalCount": 2, "PageNumber": 1, "PageSize": 25}


def test_files_clash_are_overwritten_and_deleted(rest):
    rest.upload("POST", "/files", "Files", (BytesIO(b"1"), "a.pdf"))
    assert rest.upload("PUT", "/files", "File", (BytesIO(b"2"), "A.pdf")).status_code == 200
    made = rest.upload("PUT", "/files", "File", (BytesIO(b"3"), "c.pdf"))
    assert made.status_code == 201
    key = made.json["Result"]["ExternalKey"]
    assert rest.delete(f"/files/{key}").status_code == 204
    assert rest.delete(f"/files/{key}").json["Code"] == "FileNotFound"
    assert rest.delete("/files/path", {"filePath": "/a.pdf"}).status_code == 204
    assert rest.get("/files").json["Result"] == []


def test_a_name_that_exists_is_a_conflict(rest):
    rest.upload("POST", "/files", "Files", (BytesIO(b"1"), "a.pdf"))
    answer = rest.upload("POST", "/files", "Files", (BytesIO(b"1"), "a.pdf"))
    assert (answer.status_code, answer.json["Code"]) == (409, "FileExists")


@pytest.mark.parametrize("query", [{"pageSize": 4}, {"pageNumber": 0}, {"sortField": "Colour"}])
def test_paging_of_files_has_limits(rest, query):
    assert rest.get("/files", query).status_code == 400
