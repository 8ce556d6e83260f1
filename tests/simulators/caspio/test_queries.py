import pytest

RECORDS = "/tables/Orders/records"


@pytest.fixture
def filled(orders):
    rows = [
        {"Order_No": f"A-{n:03d}", "Name": "odd" if n % 2 else "Even", "Pieces": n % 7, "Weight": n / 2}
        for n in range(1, 61)
    ]
    assert orders.http.post("/_sim/import", json={"table": "Orders", "rows": rows}).json["imported"] == 60
    return orders


def test_select_chooses_and_names_fields(filled):
    assert filled.rows("PK_ID=3", select="order_no, Pieces AS p") == [{"Order_No": "A-003", "p": 3}]
    assert set(filled.rows("PK_ID=3", select="*")[0]) >= {"PK_ID", "Order_No", "Paid"}


def test_grouping_and_aggregates(filled):
    rows = filled.rows(
        select="Name, COUNT(*) AS n, SUM(Pieces) AS s, MAX(Order_No) AS top, COUNT(DISTINCT Pieces) AS d",
        groupBy="Name",
        orderBy="Name",
    )
    assert rows == [
        {"Name": "Even", "n": 30, "s": sum(n % 7 for n in range(2, 61, 2)), "top": "A-060", "d": 7},
        {"Name": "odd", "n": 30, "s": sum(n % 7 for n in range(1, 61, 2)), "top": "A-059", "d": 7},
    ]
    assert filled.rows(select="COUNT(*) AS n") == [{"n": 60}]


def test_order_ignores_case_and_takes_several_fields(filled):
    rows = filled.rows(select="PK_ID", orderBy="Name DESC, PK_ID DESC", limit=2)
    assert [r["PK_ID"] for r in rows] == [59, 57]


@pytest.mark.parametrize(
    "query",
    [
        {"q.select": "Nope"},
        {"q.select": "Name FROM Patients"},
        {"q.select": "TOP 1 Name"},
        {"q.select": "DISTINCT Name"},
        {"q.select": "(SELECT 1)"},
        {"q.select": "Name; DROP TABLE x"},
        {"q.select": "Name, Name"},
        {"q.select": "LEN(Name)"},
        {"q.select": "SUM(Name)"},
        {"q.select": "Name, COUNT(*) AS n"},
        {"q.select": "Pieces", "q.groupBy": "Name"},
        {"q.groupBy": "Name"},
        {"q.select": "Name", "q.groupBy": "Name HAVING 1=1"},
        {"q.orderBy": "Nope"},
        {"q.orderBy": "Name; DELETE"},
        {"q.orderBy": "(SELECT 1)"},
        {"q.orderBy": ","},
    ],
)
def test_what_is_outside_the_grammar_is_refused(filled, query):
    answer = filled.get(RECORDS, query)
    assert (answer.status_code, answer.json["Code"]) == (400, "IncorrectQueryParameter")


@pytest.mark.parametrize(
    "query",
    [
        {"q.limit": 0},
        {"q.limit": 1001},
        {"q.limit": "ten"},
        {"q.pageSize": 4},
        {"q.pageSize": 1001},
        {"q.pageNumber": 0},
        {"q.pageNumber": -1},
        {"q.pageNumber": 99999999999},
        {"q.getPaginationInfo": "maybe"},
    ],
)
def test_paging_has_limits(filled, query):
    answer = filled.get(RECORDS, query, valid=False)
    assert (answer.status_code, answer.json["Code"]) == (400, "IncorrectQueryParameter")


def test_defaults_and_precedence_of_paging(filled):
    for n in range(61, 111):
        filled.add(Order_No=f"B-{n}")
    assert len(filled.rows()) == 100
    assert len(filled.rows(limit=7)) == 7
    assert len(filled.rows(pageNumber=1)) == 25
    assert len(filled.rows(pageSize=50)) == 50
    answer = filled.get(RECORDS, {"q.limit": 3, "q.pageSize": 9}, valid=False)
    assert len(answer.json["Result"]) == 9


def test_pagination_only_when_asked(filled):
    assert "Pagination" not in filled.get(RECORDS, {"q.pageSize": 5}).json
    query = {"q.pageSize": 25, "q.pageNumber": 3, "q.orderBy": "PK_ID", "q.getPaginationInfo": "true"}
    answer = filled.get(RECORDS, query).json
    assert answer["Pagination"] == {"TotalCount": 60, "PageNumber": 3, "PageSize": 25}
    assert len(answer["Result"]) == 10


def _pages(rest, **query):
    return [
        row["PK_ID"]
        for number in range(1, 7)
        for row in rest.rows(select="PK_ID", pageSize=10, pageNumber=number, **query)
    ]


def test_pages_in_key_order_are_complete_and_others_are_not(filled):
    assert _pages(filled, orderBy="PK_ID") == list(range(1, 61))
    assert sorted(_pages(filled, orderBy="Order_No DESC")) == list(range(1, 61))
    assert sorted(_pages(filled)) != list(range(1, 61))
    assert sorted(_pages(filled, orderBy="Name")) != list(range(1, 61))


def test_parameter_names_ignore_case_and_unknown_ones_are_ignored(filled):
    query = {"Q.LIMIT": 2, "q.orderby": "PK_ID DESC", "q.distinct": "true", "offset": 5}
    rows = filled.get(RECORDS, query, valid=False).json["Result"]
    assert [row["PK_ID"] for row in rows] == [60, 59]


def test_keyset_paging(filled):
    seen, after = [], 0
    while page := filled.rows(f"PK_ID>{after}", orderBy="PK_ID", limit=17):
        seen += [row["PK_ID"] for row in page]
        after = seen[-1]
    assert seen == list(range(1, 61))
