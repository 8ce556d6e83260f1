import re
from datetime import UTC, datetime

import pytest

RECORDS = "/tables/Orders/records"


def test_insert_answers_empty_or_with_the_row(orders):
    answer = orders.post(RECORDS, {"Order_No": "A"})
    assert (answer.status_code, answer.data) == (201, b"")
    row = orders.add(Order_No="B", Total=9.9, Pieces=3, Ordered="2026-01-31", Paid=True, Weight=2)
    assert row == {
        "PK_ID": 2,
        "Order_No": "B",
        "Name": "",
        "Note": "",
        "Total": 9.9,
        "Weight": 2.0,
        "Pieces": 3,
        "Ordered": "2026-01-31T00:00:00",
        "Paid": True,
        "Report": None,
        "Colours": None,
        "Ref": None,
    }


def test_text_left_empty_reads_back_as_empty_text_and_is_not_null(orders):
    orders.add(Order_No="A", Name=None)
    assert orders.rows("Name IS NOT NULL AND Note = ''")[0]["Name"] == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Name", 5),
        ("Name", True),
        ("Name", ["x"]),
        ("Name", "x" * 256),
        ("Name", "\ud800"),
        ("Note", "x" * 64_001),
        ("Total", "9.9"),
        ("Total", True),
        ("Weight", 10**400),
        ("Pieces", 1.5),
        ("Pieces", 2**31),
        ("Ordered", ""),
        ("Ordered", "2026-01-31T08:00:00Z"),
        ("Ordered", "2026-01-31T08:00:00+02:00"),
        ("Ordered", "2026-02-30"),
        ("Ordered", "1600-01-01"),
        ("Ordered", 20260131),
        ("Paid", 1),
        ("Paid", "true"),
        ("Paid", None),
        ("Colours", [9]),
        ("Colours", "[9]"),
        ("Colours", "Red"),
    ],
)
def test_a_wrong_type_is_refused_and_names_the_field(orders, field, value):
    for answer in (
        orders.post(RECORDS, {"Order_No": "A", field: value}, valid=False),
        orders.put(RECORDS, {field: value}, {"q.where": "PK_ID=1"}, valid=False),
    ):
        assert (answer.status_code, answer.json["Code"]) == (400, "InvalidInputValue")
        assert answer.json["Message"].endswith(f"field(s): {field}")
    assert orders.rows() == []


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("2026-01-31T08:15:00", "2026-01-31T08:15:00"),
        ("2026-01-31 08:15", "2026-01-31T08:15:00"),
        ("2026-01-31T08:15:00.123", "2026-01-31T08:15:00"),
        (None, None),
    ],
)
def test_naive_dates_are_kept(orders, value, stored):
    assert orders.add(Order_No="A", Ordered=value)["Ordered"] == stored


@pytest.mark.parametrize("value", ["[1], [3]", [1, 3]])
def test_lists_are_written_by_ids_and_read_as_objects(orders, value):
    assert orders.add(Order_No="A", Colours=value)["Colours"] == {"1": "Red", "3": "Blue"}


def test_an_unknown_field_refuses_the_whole_request(orders):
    answer = orders.post(RECORDS, {"Order_No": "A", "Nope": 1, "order_no": "B"})
    assert (answer.status_code, answer.json["Code"]) == (404, "FieldNotFound")
    assert "Nope, order_no" in answer.json["Message"]
    assert orders.rows() == []


@pytest.mark.parametrize("field", ["PK_ID", "Report"])
def test_what_cannot_be_edited_is_refused(orders, field):
    assert orders.post(RECORDS, {field: 1}).json["Code"] == "IncorrectBodyParameter"


@pytest.mark.parametrize("body", [b"[{}]", b"{", b'"x"', b"", b'{"Weight": NaN}', b"\xff"])
def test_a_body_that_is_no_object_is_refused(orders, body):
    headers = {"Authorization": f"Bearer {orders.token}", "Content-Type": "application/json"}
    path = f"/integrations/rest/v3{RECORDS}"
    answer = orders.http.post(path, data=body, headers=headers)
    assert (answer.status_code, answer.json["Code"]) == (400, "IncorrectBodyParameter")


def test_a_unique_violation_speaks_as_sql_server(orders):
    orders.add(Order_No="A-1")
    answer = orders.post(RECORDS, {"Order_No": "a-1 "})  # case and trailing blanks are equal
    assert (answer.status_code, answer.json["Code"]) == (400, "SqlServerError")
    assert "Cannot insert duplicate key row in object 'dbo.Orders'" in answer.json["Message"]
    assert "(a-1 )" in answer.json["Message"]
    orders.add(Order_No="A-2")
    assert orders.put(RECORDS, {"Order_No": "A-1"}, {"q.where": "PK_ID=2"}).status_code == 400
    assert len(orders.rows()) == 2


def test_the_wording_of_a_unique_violation_can_be_chosen(make):
    from tests.simulators.caspio.conftest import ORDERS, Rest

    rest = Rest(make(unique_code="DuplicateValue", unique_message="The value of {field} already exists."))
    rest.post("/tables", {"Name": "Orders", "Fields": ORDERS})
    rest.add(Order_No="A")
    error = rest.post(RECORDS, {"Order_No": "A"}).json
    assert (error["Code"], error["Message"]) == ("DuplicateValue", "The value of Order_No already exists.")


def test_blank_counts_as_a_value_in_a_unique_field_and_null_where_nulls_are_not_allowed(orders):
    orders.post(RECORDS, {"Name": "first"})
    assert orders.post(RECORDS, {"Name": "second"}).status_code == 400
    assert orders.post(RECORDS, {"Order_No": None}).status_code == 400
    orders.add(Order_No="A", Ref=None)
    orders.add(Order_No="B", Ref=None)
    orders.add(Order_No="C", Ref="")
    assert orders.post(RECORDS, {"Order_No": "D", "Ref": ""}).status_code == 400


def test_update_counts_matches_and_returns_rows_when_asked(orders):
    for name in "ABC":
        orders.add(Order_No=name)
    where = {"q.where": "Order_No IN ('A','B')"}
    assert orders.put(RECORDS, {"Name": "x"}, where).json == {"RecordsAffected": 2}
    answer = orders.put(RECORDS, {"Name": "x"}, where | {"response": "rows"}).json
    assert (answer["RecordsAffected"], [r["Order_No"] for r in answer["Result"]]) == (2, ["A", "B"])


def test_a_write_that_matches_nothing_is_200_with_0(orders):
    where = {"q.where": "PK_ID=99"}
    assert orders.put(RECORDS, {"Name": "x"}, where).json == {"RecordsAffected": 0}
    assert orders.delete(RECORDS, where).json == {"RecordsAffected": 0}


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_write_without_where_is_refused(orders, method):
    more = ({"Name": "x"},) if method == "put" else ()
    answer = getattr(orders, method)(RECORDS, *more, valid=False)
    assert (answer.status_code, answer.json["Code"]) == (400, "IncorrectQueryParameter")


def test_delete_removes_and_keys_are_never_given_again(orders):
    orders.add(Order_No="A")
    assert orders.delete(RECORDS, {"q.where": "PK_ID=1"}).json == {"RecordsAffected": 1}
    assert orders.add(Order_No="A")["PK_ID"] == 2


def test_generated_fields(make):
    from tests.simulators.caspio.conftest import Rest

    now = datetime(2026, 1, 16, 19, 56, 38, tzinfo=UTC)
    clock = [now]
    rest = Rest(make(clock=lambda: clock[0]))
    fields = [
        {"Name": "Id", "Type": "GUID", "Unique": True},
        {"Name": "No", "Type": "AUTONUMBER", "Unique": True},
        {"Name": "Code", "Type": "PREFIXED AUTONUMBER", "Unique": True, "Format": "0001", "Prefix": "K-"},
        {"Name": "Any", "Type": "RANDOM ID", "Unique": True, "Format": "0", "Length": 8, "Prefix": "R"},
        {"Name": "Made", "Type": "TIMESTAMP", "OnInsert": True, "TimeZone": "Pacific Standard Time"},
        {"Name": "Touched", "Type": "TIMESTAMP", "OnUpdate": True, "TimeZone": "UTC"},
        {"Name": "Text", "Type": "STRING"},
    ]
    assert rest.post("/tables", {"Name": "T", "Fields": fields}).status_code == 201
    first, second = rest.add("T"), rest.add("T")
    assert (first["No"], second["No"]) == (1, 2)
    assert (first["Code"], second["Code"]) == ("K-0001", "K-0002")
    assert first["Id"] != second["Id"]
    assert re.fullmatch(r"[0-9a-f-]{36}", first["Id"])
    assert re.fullmatch(r"R\d{8}", first["Any"])
    assert (first["Made"], first["Touched"]) == ("2026-01-16T11:56:38", None)
    clock[0] = now.replace(hour=21)
    rest.put("/tables/T/records", {"Text": "x"}, {"q.where": "PK_ID=1"})
    row = rest.rows("PK_ID=1", table="T")[0]
    assert (row["Made"], row["Touched"]) == ("2026-01-16T11:56:38", "2026-01-16T21:56:38")
    assert rest.post("/tables/T/records", {"Id": "x"}).json["Code"] == "IncorrectBodyParameter"


def test_passwords_are_written_never_read(orders):
    row = orders.add(Order_No="A", Pin="hush")
    assert "Pin" not in row
    assert "hush" not in orders.get(RECORDS).text
    assert orders.get("/tables/Orders/passwordFields").json == {"Result": ["Pin"]}
    where = {"q.where": "PK_ID=1"}
    one = "/tables/Orders/passwordFields/Pin"
    assert orders.put(one, {"Value": "new"}, where).json == {"RecordsAffected": 1}
    assert orders.delete(one, where).json == {"RecordsAffected": 1}
    assert orders.put("/tables/Orders/passwordFields/Name", {"Value": "x"}, where).status_code == 404
    assert orders.put(RECORDS, {"Pin": "x"}, where).status_code == 400
    assert orders.get(RECORDS, {"q.select": "Pin"}).status_code == 400
    assert orders.get(RECORDS, {"q.where": "Pin='new'"}).status_code == 400
    assert orders.get(RECORDS, {"q.select": "Order_No", "q.orderBy": "Pin"}).status_code == 400
