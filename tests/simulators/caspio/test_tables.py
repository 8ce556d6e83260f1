import pytest

from tests.simulators.caspio.conftest import ORDERS


def test_tables_are_listed_by_name_and_shown(orders):
    assert orders.get("/tables").json == {"Result": ["Orders"]}
    assert orders.get("/tables/orders").json == {"Result": {"Name": "Orders", "Note": ""}}
    assert orders.get("/tables/Nothing").json["Code"] == "ObjectNotFound"


def test_create_answers_201_without_body(rest):
    answer = rest.post("/tables", {"Name": "T", "Fields": [{"Name": "A", "Type": "STRING"}]})
    assert (answer.status_code, answer.data) == (201, b"")


@pytest.mark.parametrize(
    "body",
    [
        {"Name": "T", "Columns": []},
        {"Name": "T"},
        {"Name": "1T", "Fields": []},
        {"Name": "a b", "Fields": []},
        {"Name": "x" * 33, "Fields": []},
        {"Name": "Select", "Fields": []},
        {"Name": "orders", "Fields": []},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "WORDS"}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "STRING"}, {"Name": "a", "Type": "STRING"}]},
        {"Name": "T", "Fields": [{"Name": "PK_ID", "Type": "INTEGER"}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "GUID"}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "AUTONUMBER", "Unique": False}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "TEXT", "Unique": True}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "YES/NO", "Unique": True}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "TIMESTAMP", "TimeZone": "Mars"}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "RANDOM ID", "Unique": True, "Format": "x"}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "RANDOM ID", "Unique": True, "Length": 3}]},
        {"Name": "T", "Fields": [{"Name": "A", "Type": "STRING", "Label": 5}]},
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_whole(orders, body):
    answer = orders.post("/tables", body, valid=False)
    assert (answer.status_code, answer.json["Code"]) == (400, "IncorrectBodyParameter")
    assert orders.get("/tables").json == {"Result": ["Orders"]}


def test_fields_do_not_list_pk_id_though_it_can_be_selected(orders):
    names = [f["Name"] for f in orders.get("/tables/Orders/fields").json["Result"]]
    assert names == [f["Name"] for f in ORDERS]
    orders.add(Order_No="A")
    assert orders.rows(select="PK_ID") == [{"PK_ID": 1}]


def test_a_field_is_read_with_editable_and_its_own_attributes(rest):
    fields = [
        {"Name": "Stamp", "Type": "TIMESTAMP", "OnInsert": True, "TimeZone": "Pacific Standard Time"},
        {"Name": "Kind", "Type": "LIST-STRING", "ListField": ["Cat", "Frog"]},
        {"Name": "Code", "Type": "PREFIXED AUTONUMBER", "Unique": True, "Format": "001", "Prefix": "K-"},
        {"Name": "Plain", "Type": "STRING", "Label": "A label"},
    ]
    rest.post("/tables", {"Name": "T", "Fields": fields})
    stamp, kind, code, plain = rest.get("/tables/T/fields").json["Result"]
    assert (stamp["Editable"], stamp["TimeZone"]) == (False, "Pacific Standard Time")
    assert kind["ListField"] == {"1": "Cat", "2": "Frog"}
    assert (code["Unique"], code["Prefix"], code["Editable"]) == (True, "K-", False)
    assert (plain["Label"], plain["Editable"], "TimeZone" in plain) == ("A label", True, False)
    assert rest.get("/tables/T/fields/plain").json["Result"] == plain


def test_a_field_is_added_changed_and_dropped_with_its_values(orders):
    orders.add(Order_No="A")
    assert orders.post("/tables/Orders/fields", {"Name": "City", "Type": "STRING"}).status_code == 201
    assert orders.rows()[0]["City"] == ""
    orders.put("/tables/Orders/records", {"City": "Salem"}, {"q.where": "PK_ID=1"})
    changed = orders.put("/tables/Orders/fields/City", {"Name": "Town", "Label": "Town"})
    assert (changed.status_code, changed.data) == (204, b"")
    assert orders.rows()[0]["Town"] == "Salem"
    assert orders.put("/tables/Orders/fields/town", {"Label": "x"}).json["Code"] == "FieldNotFound"
    assert orders.delete("/tables/Orders/fields/Town").status_code == 204
    assert "Town" not in orders.rows()[0]
    assert orders.get("/tables/Orders/fields/Town").status_code == 404


def test_a_field_becomes_unique_only_when_its_values_are(orders):
    orders.add(Order_No="A", Name="x")
    orders.add(Order_No="B", Name="X ")  # equal for SQL Server
    assert orders.put("/tables/Orders/fields/Name", {"Unique": True}).status_code == 400
    assert orders.get("/tables/Orders/fields/Name").json["Result"]["Unique"] is False
    orders.put("/tables/Orders/records", {"Name": "y"}, {"q.where": "Order_No='B'"})
    assert orders.put("/tables/Orders/fields/Name", {"Unique": True}).status_code == 204


@pytest.mark.parametrize("kind", ["INTEGER", "TEXT", "DATE/TIME", "GUID"])
def test_a_field_of_text_keeps_its_kind(orders, kind):
    body = {"Type": kind, "Unique": True}
    assert orders.put("/tables/Orders/fields/Order_No", body).status_code == 400


def test_what_this_account_has_none_of_is_empty_or_not_found(rest):
    for path in ("/views", "/dataImportExportTasks", "/bridgeApplications"):
        assert rest.get(path).json == {"Result": []}
    assert rest.get("/views/V/records").status_code == 404
    assert rest.post("/dataImportExportTasks/x/run", None).status_code == 404
    assert rest.get("/bridgeApplications/x/datapages/y").status_code == 404
    assert rest.get("/files/folders").json["Result"] == []
