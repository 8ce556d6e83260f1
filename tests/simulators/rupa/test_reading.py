"""Reading over JSON:API: pages, filters, sorting, inclusion, spellings, errors (rupa-api.md 4 and 5)."""

import re

import pytest
from werkzeug.test import Client

from labbridge.simulators.rupa import clinic_id, practitioner_id


def pages(caller, path):
    found = []
    while path:
        body = caller.get(path.replace("http://localhost", "")).json
        found += body["data"]
        path = body["links"]["next"]
    return found, body["meta"]["pagination"]


def test_every_test_is_on_exactly_one_page(caller):
    found, pagination = pages(caller, "/lab-tests/?page[size]=100")
    assert len({test["id"] for test in found}) == len(found) == pagination["count"] >= 300
    assert pagination["pages"] == -(-len(found) // 100) == pagination["page"]
    companies, _ = pages(caller, "/lab-companies/")
    assert len(companies) >= 35
    used = {test["relationships"]["lab_company"]["data"]["id"] for test in found}
    assert used == {company["id"] for company in companies}


def test_a_page_holds_at_most_one_hundred(caller):
    assert len(caller.get("/lab-tests?page[size]=5000").json["data"]) == 100
    assert len(caller.get("/lab-tests").json["data"]) == 50


def test_links_have_nulls_at_the_ends_and_keep_the_query_and_the_spelling(caller):
    first = caller.get("/lab_tests/?page[size]=100&sort=name").json["links"]
    assert first["prev"] is None
    assert first["next"].startswith(
        "http://localhost/lab_tests/?page%5Bsize%5D=100&sort=name&page%5Bnumber%5D=2"
    )
    last = caller.get("/lab-tests?page[size]=100&page[number]=4").json["links"]
    assert last["next"] is None
    assert last["prev"]


@pytest.mark.parametrize("page", ["99", "0", "x"])
def test_a_page_that_is_not_there(caller, page):
    answer = caller.get(f"/lab-tests?page[number]={page}")
    assert (answer.status_code, answer.json["errors"][0]["detail"]) == (404, "Invalid page.")


@pytest.mark.parametrize(
    "query",
    ["filter[nonsense]=1", "sort=nonsense", "include=nonsense", "since=2031", "filter[updated_since]=1"],
)
def test_what_is_not_known_answers_400_in_json_api(caller, query):
    answer = caller.get(f"/orders?{query}")
    assert answer.status_code == 400
    assert answer.content_type == "application/vnd.api+json"
    (error,) = answer.json["errors"]
    assert error["status"] == "400"
    assert set(error) == {"detail", "status", "source", "code"}


def test_filters_sorting_and_inclusion_can_be_taken_away(caller):
    caller.options(filters=False, sorting=False, includes=False)
    for query in ("filter[search]=a", "sort=name", "include=lab_company"):
        assert caller.get(f"/lab-tests?{query}").status_code == 400


def test_filtering_tests_by_company_category_and_type(caller):
    company = caller.get("/lab-companies?filter[search]=genova").json["data"][0]["id"]
    found, _ = pages(caller, f"/lab-tests?filter[lab_company]={company}&filter[category]=Gut&page[size]=3")
    assert len(found) > 5
    assert {test["attributes"]["category"] for test in found} == {"Gut"}
    stool, _ = pages(caller, "/lab-tests?filter[test_type]=stool")
    assert {test["attributes"]["test_type"] for test in stool} == {"Stool"}


def test_sorting_and_sparse_fields(caller):
    found = caller.get("/lab-tests?sort=-name&fields[lab_test]=name,lab_company").json["data"]
    names = [test["attributes"]["name"] for test in found]
    assert names == sorted(names, reverse=True)
    assert all(set(test["attributes"]) == {"name"} for test in found)
    assert all(set(test["relationships"]) == {"lab_company"} for test in found)


def test_inclusion_follows_dots_and_repeats_nothing(caller):
    order = caller.order()
    body = caller.get(f"/orders/{order}?include=ordered_tests.lab_test.lab_company,patient").json
    kinds = [one["type"] for one in body["included"]]
    assert sorted(set(kinds)) == ["lab_company", "lab_test", "ordered_test", "patient"]
    keys = [(one["type"], one["id"]) for one in body["included"]]
    assert len(set(keys)) == len(keys)


def test_to_many_relationships_carry_a_count(caller):
    order = caller.get(f"/orders/{caller.order()}").json["data"]
    tests = order["relationships"]["ordered_tests"]
    assert tests["meta"] == {"count": 2} == {"count": len(tests["data"])}
    assert order["relationships"]["order_intent"] == {"data": None}


def test_ids_have_a_prefix_and_seven_letters_or_digits(caller):
    order = caller.get(f"/orders/{caller.order()}").json["data"]
    ids = [order["id"], *(test["id"] for test in order["relationships"]["ordered_tests"]["data"])]
    assert all(re.fullmatch(r"(ord|ordts)_[A-Za-z0-9]{7}", one) for one in ids)


def test_times_are_pacific_with_microseconds(caller):
    submitted = caller.shown(caller.order())[0]["date_submitted"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}-0[78]:00", submitted)


def test_orders_come_newest_first(caller):
    made = [caller.order(paid=False) for _ in range(3)]
    assert [order["id"] for order in caller.get("/orders/").json["data"]] == made[::-1]


def test_me_is_the_practitioner_who_authorised(caller):
    assert caller.get("/practitioners/me").json["data"]["id"] == practitioner_id("Ada")
    caller.options(me_path="current")
    assert caller.get("/practitioners/me/").status_code == 404
    assert caller.get("/practitioners/current/").json["data"]["id"] == practitioner_id("Ada")


def test_a_token_sees_its_own_clinic_only(sim, caller, caller_of):
    other = caller_of(sim, "Dara")
    order = caller.order()
    assert len(caller.get("/practitioners").json["data"]) == 3
    assert len(other.get("/practitioners").json["data"]) == 2
    assert other.get(f"/orders/{order}").status_code == 404
    assert other.get("/orders").json["data"] == []
    assert other.get(f"/patients/{caller.patient()}").status_code == 404
    assert other.get(f"/clinics/{clinic_id('Juniper Integrative Health')}").status_code == 200


def test_without_a_bearer_nothing_is_told(sim):
    answer = Client(sim).get("/patients")
    assert answer.status_code == 401
    assert answer.json["errors"][0]["code"] == "not_authenticated"


def test_errors_follow_the_callers_format_and_quotes_do_not_matter(caller):
    flat = caller.get("/orders/ord_none000", **{"Content-Type": "application/json"})
    assert flat.json == {"code": "RupaNotFoundError", "message": "Not found."}
    quoted = caller.get("/orders/ord_none000", **{"Content-Type": '"application/vnd.api+json"'})
    assert quoted.json["errors"][0]["code"] == "not_found"


@pytest.mark.parametrize("path", ["/lab-tests", "/lab-tests/", "/lab_tests", "/lab_tests/"])
def test_all_spellings_work_by_default(caller, path):
    assert caller.get(path).status_code == 200


def test_spellings_can_be_turned_off(caller):
    caller.options(catalogue_paths="kebab")
    assert caller.get("/lab_tests/").status_code == 404
    assert caller.get("/lab-tests/").status_code == 200
    caller.options(catalogue_paths="snake")
    assert caller.get("/lab-tests/").status_code == 404
    assert caller.get("/lab_companies/").status_code == 200


def test_slashes_can_be_required_forbidden_or_redirected(caller):
    caller.options(slash="required")
    assert caller.get("/orders").status_code == 404
    assert caller.get("/orders/").status_code == 200
    caller.options(other_slash="redirect")
    turned = caller.get("/orders?page[size]=2")
    assert (turned.status_code, turned.location) == (301, "/orders/?page%5Bsize%5D=2")
    caller.options(slash="forbidden", other_slash="404")
    assert caller.get("/orders/").status_code == 404
    assert caller.get("/orders").status_code == 200


def test_prices_in_the_unit_and_kind_that_is_asked_for(caller):
    def price():
        return caller.get(f"/lab-tests/{caller.tests('DUTCH Complete')[0]}").json["data"]["attributes"][
            "rupa_price"
        ]

    dollars = price()
    caller.options(price_unit="cents")
    cents = price()
    assert cents == round(dollars * 100)
    caller.options(price_as="string")
    assert price() == str(cents)
    caller.options(price_unit="dollars")
    assert price() == f"{cents / 100:.2f}"


def test_an_unknown_option_is_refused_in_words(caller):
    answer = caller.http.post("/_sim/options", json={"slash": "maybe"})
    assert (answer.status_code, answer.json["error"]) == (
        400,
        "slash must be one of both, required, forbidden",
    )
    assert caller.http.post("/_sim/options", json={"nonsense": 1}).status_code == 400
