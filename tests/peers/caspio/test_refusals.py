"""What Caspio's refusals become, and that nothing of their text gets out."""

import re

import httpx2
import pytest

from labbridge.peers.caspio import CaspioAssumptions, field
from labbridge.peers.errors import (
    Conflict,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    Unreadable,
)

NAME = "Oriole-Testperson"


def refusal(status, code, message="", **headers):
    body = {"Code": code, "Message": message, "Resource": "https://x", "RequestId": "in-body"}
    return httpx2.Response(status, json=body, headers=headers)


WRONG_TYPE = (
    "Cannot perform operation because the value doesn't match the data type of the following field(s): "
)


TYPE, COLUMN, SQL = "InvalidInputValue", "FieldNotFound", "SqlServerError"
SPEED = [{"message": "You have exceeded your API call rate limits.", "name": "api-calls-rate"}]


@pytest.mark.parametrize(
    ("answer", "kind", "code", "fields"),
    [
        (refusal(404, "ObjectNotFound", "no table"), NotFound, "ObjectNotFound", ("Patients",)),
        (refusal(400, "ObjectNotFound"), NotFound, "ObjectNotFound", ("Patients",)),
        (refusal(404, COLUMN, "Field 'Nick_Name' does not exist"), NotFound, COLUMN, ("Nick_Name",)),
        (refusal(404, COLUMN, "nothing named"), NotFound, COLUMN, ()),
        (refusal(400, TYPE, WRONG_TYPE + "Born, Nick_Name"), Rejected, TYPE, ("Born", "Nick_Name")),
        (refusal(400, TYPE, WRONG_TYPE + "Unique_Key"), Rejected, TYPE, ("Unique_Key",)),
        (refusal(400, SQL, "Violation of UNIQUE KEY constraint"), Conflict, SQL, ()),
        (refusal(400, SQL, f"Cannot insert duplicate key ({NAME})"), Conflict, SQL, ()),
        (refusal(400, SQL, f"Conversion failed for {NAME}, 26012"), Rejected, SQL, ()),
        (refusal(409, "Whatever"), Conflict, "Whatever", ()),
        (refusal(400, "DuplicateValue", "'Unique_Key'"), Conflict, "DuplicateValue", ("Unique_Key",)),
        (refusal(400, "IncorrectBodyParameter"), Rejected, "IncorrectBodyParameter", ()),
        (refusal(400, "UnsufficientPrivileges"), Forbidden, "UnsufficientPrivileges", ()),
        (refusal(400, "InsufficientPermissions"), Forbidden, "InsufficientPermissions", ()),
        (refusal(400, "ProfileDisabled"), Forbidden, "ProfileDisabled", ()),
        (refusal(403, "IpForbidden"), Forbidden, "IpForbidden", ()),
        (httpx2.Response(413), Rejected, None, ()),
        (httpx2.Response(414, text="<html>"), Rejected, None, ()),
        (httpx2.Response(429), RateLimited, None, ()),
        (httpx2.Response(400, json=SPEED), RateLimited, "api-calls-rate", ()),
        (refusal(400, "InternalError"), OutcomeUnknown, "InternalError", ()),
        (refusal(500, "InternalError"), OutcomeUnknown, "InternalError", ()),
        (httpx2.Response(502, html="<html>"), OutcomeUnknown, None, ()),
        (refusal(400, f"No {NAME} code", "x"), Rejected, None, ()),
    ],
)
def test_a_refused_insert(scripted, caspio, answer, kind, code, fields):
    scripted.says(answer)
    with pytest.raises(kind) as caught:
        caspio.table("Patients").insert(
            {"Born": 1, "Nick_Name": NAME, "Unique_Key": "k", "Value": 1, "Type": 1}
        )
    error = caught.value
    assert (type(error), error.code, error.fields) == (kind, code, fields)
    assert NAME not in f"{error} {error!r} {vars(error)}"


def test_keys_are_read_in_any_case_and_the_request_id_is_kept(scripted, caspio):
    scripted.says(
        httpx2.Response(404, json={"code": "ObjectNotFound", "requestId": "low-1"}),
        refusal(404, "ObjectNotFound", **{"X-Caspio-Request-ID": "head-2"}),
    )
    with pytest.raises(NotFound, match="low-1"):
        caspio.table("T").fields()
    with pytest.raises(NotFound, match="head-2"):
        caspio.table("T").fields()


@pytest.mark.parametrize(
    "answer", [refusal(500, "InternalError"), refusal(400, "InternalError"), httpx2.Response(503)]
)
def test_a_read_that_meets_a_server_fault_is_tried_again(scripted, caspio, answer):
    scripted.says(answer)
    with pytest.raises(Unavailable):
        caspio.table("T").first(where=field("A") == 1)
    assert len(scripted.calls) == 3


@pytest.mark.parametrize(
    "answer", [httpx2.Response(429), httpx2.Response(400, json=[{"name": "api-calls-rate"}])]
)
def test_an_insert_refused_for_speed_is_tried_again_because_nothing_was_written(scripted, caspio, answer):
    scripted.says(answer, httpx2.Response(201, json={"Result": [{"PK_ID": 5}]}))
    assert caspio.table("T").insert({"A": 1}) == {"PK_ID": 5}


def test_the_pattern_for_duplicates_is_a_setting(scripted):
    assumptions = CaspioAssumptions(unique_violation=re.compile("schon vergeben"))
    scripted.says(refusal(400, "SqlServerError", "Wert schon vergeben"))
    with pytest.raises(Conflict):
        scripted.client(assumptions=assumptions).table("T").insert({"A": 1})


@pytest.mark.parametrize(
    "body",
    [
        {"Result": [{"Nope": NAME}]},
        {"Result": NAME},
        {"Other": 1},
        [NAME],
        NAME,
    ],
)
def test_an_answer_of_another_shape_is_unreadable_without_being_quoted(scripted, caspio, body):
    scripted.says(httpx2.Response(200, json=body, headers={"X-Caspio-Request-ID": "r9"}))
    with pytest.raises(Unreadable, match="r9") as caught:
        caspio.table("T").fields()
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert NAME not in f"{caught.value} {vars(caught.value)}"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"RecordsAffected":"many"}', b"<html>"])
def test_a_write_without_a_usable_answer_has_an_unknown_outcome(scripted, caspio, content):
    scripted.says(httpx2.Response(200, content=content))
    with pytest.raises(OutcomeUnknown):
        caspio.table("T").update(field("A") == 1, {"B": 2})
    assert len(scripted.calls) == 1
