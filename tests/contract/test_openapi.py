"""The validator itself: it passes what Caspio documents and refuses what it does not."""

import json

import pytest

from tests.contract.openapi import operation_for, translated, validate_request, validate_response

RECORDS = "/integrations/rest/v3/tables/Orders/records"
JSON = {"Authorization": "Bearer t", "Content-Type": "application/json"}
ANSWER = {"Content-Type": "application/json; charset=utf-8", "X-Caspio-Request-ID": "1"}


def test_documented_requests_pass():
    validate_request("GET", RECORDS, {"q.where": "PK_ID=1", "q.pageSize": 1000}, JSON)
    validate_request("POST", RECORDS, "response=rows", JSON, b'{"Order_No": "A-2"}')
    validate_request("DELETE", RECORDS, [("q.where", "PK_ID=1")], JSON)
    upload = {"Authorization": "bearer t", "Content-Type": "multipart/form-data; boundary=x"}
    path = "/v3/tables/Orders/attachments/Result_PDF/7"
    validate_request("PUT", path, None, upload, b'--x\r\nContent-Disposition: form-data; name="File"')


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body", "says"),
    [
        ("GET", "/v3/table", None, JSON, None, "not a documented path"),
        ("PATCH", RECORDS, None, JSON, b"{}", "not documented"),
        ("GET", RECORDS, {"where": "1=1"}, JSON, None, "unknown parameters"),
        ("GET", RECORDS, {"q.pageSize": 4}, JSON, None, "out of range"),
        ("GET", RECORDS, {"q.limit": 5, "q.pageNumber": 1}, JSON, None, "ignored beside paging"),
        ("GET", RECORDS, {"q.getPaginationInfo": "yes"}, JSON, None, "no boolean"),
        ("GET", RECORDS, {"q.where": "x" * 2100}, JSON, None, "longer than"),
        ("GET", RECORDS, None, {}, None, "no bearer token"),
        ("DELETE", RECORDS, None, JSON, None, "missing"),
        ("DELETE", RECORDS, {"q.where": "1=1"}, {"Authorization": "Bearer t"}, None, "Content-Type"),
        ("POST", RECORDS, None, JSON, b"[{}]", "breaks type"),
        ("POST", RECORDS, None, JSON, b"", "not JSON"),
        ("POST", "/v3/tables", None, JSON, b'{"Name": "A", "Columns": []}', "additionalProperties"),
        ("POST", "/v3/tables", None, JSON, b'{"Name": "A", "Fields": [{"Name": "B"}]}', "required"),
        ("PUT", "/v3/tables/A/attachments/B/1", None, JSON, b"", "multipart"),
    ],
)
def test_undocumented_requests_are_refused(method, path, query, headers, body, says):
    with pytest.raises(AssertionError, match=says):
        validate_request(method, path, query, headers, body)


def test_documented_answers_pass():
    rows = {"Result": [{"PK_ID": 1, "Name": None, "List": {"1": "Cat"}}], "Pagination": None}
    validate_response("GET", RECORDS, 200, ANSWER, json.dumps(rows))
    validate_response("POST", RECORDS, 201, ANSWER, b"")
    error = {"Code": "ObjectNotFound", "Message": "", "Resource": "", "RequestId": ""}
    validate_response("GET", RECORDS, 404, ANSWER, json.dumps(error))
    limit = [{"message": "You have exceeded your API call rate limits.", "name": "api-calls-rate"}]
    validate_response("GET", RECORDS, 400, ANSWER, json.dumps(limit))


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (202, ANSWER, b"", "not documented"),
        (200, {}, b'{"Result": []}', "X-Caspio-Request-ID"),
        (200, {**ANSWER, "Content-Type": "text/html"}, b"<p>", "media type"),
        (200, ANSWER, b'{"Result": {}}', "breaks"),
        (200, ANSWER, b'{"TotalRows": 4}', "additionalProperties"),
        (200, ANSWER, b'{"Pagination": {"TotalCount": 1.5}}', "breaks"),
        (404, ANSWER, b'{"error": "no"}', "the error lacks"),
    ],
)
def test_undocumented_answers_are_refused(status, headers, body, says):
    with pytest.raises(AssertionError, match=says):
        validate_response("GET", RECORDS, status, headers, body)


def test_literal_paths_win_over_parameters():
    assert operation_for("GET", "/v3/files/path")[1] == "/v3/files/path"
    assert operation_for("GET", "/v3/files/folders")[1] == "/v3/files/folders"
    assert operation_for("GET", "/v3/files/abc")[1] == "/v3/files/{externalKey}"


def test_nullable_is_translated_and_messages_hold_no_values():
    assert translated({"type": "string", "nullable": True}) == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }
    with pytest.raises(AssertionError) as caught:
        validate_response("GET", "/v3/tables", 200, ANSWER, b'{"Result": [{"Name": "Secretly"}]}')
    assert "Secretly" not in str(caught.value)
