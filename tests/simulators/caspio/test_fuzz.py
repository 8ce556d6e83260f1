"""Whatever the document allows and more: never a 5xx, never an answer outside the document."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from labbridge.simulators.caspio import seed_practice
from tests.contract.openapi import SPEC, validate_response
from tests.simulators.caspio.conftest import BASE, ORDERS, Rest

schema = schemathesis.openapi.from_dict(json.loads(SPEC.read_text()))
OPERATIONS = [result.ok() for result in schema.get_all_operations()]
KNOWN = {
    "tableName": "Orders",
    "fieldName": "Name",
    "attachmentFieldName": "Report",
    "passwordFieldName": "Pin",
    "recordPkId": "1",
}
WHERES = st.sampled_from(["PK_ID>0", "Order_No='A'", "Name LIKE '%x%'", "1=2", "Nope=1", "PK_ID=true"])


@pytest.fixture(scope="module")
def ready(kept):
    """An account in which the generated calls find something."""
    kept.account.store.reset()
    rest = Rest(kept)
    rest.post("/tables", {"Name": "Orders", "Fields": ORDERS})
    seed_practice(kept.account, patients=3)
    hook = rest.post("/outgoingWebhooks", {"Name": "W", "OutgoingUrls": ["https://x.example/"]}).json
    event = {"EventType": "table.recordInsert", "ObjectName": "Orders"}
    event_id = rest.post(f"/outgoingWebhooks/{hook['Id']}/events", event).json["Id"]
    directory = rest.get("/directories").json["Result"][0]["Id"]
    known = {"webhookId": hook["Id"], "eventId": event_id, "directoryId": directory}
    return rest, KNOWN | known


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.label)
def test_no_call_breaks_the_simulator(ready, operation):
    rest, known = ready

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), aimed=st.sampled_from([True, True, False]), where=WHERES)
    def called(case, aimed, where):
        if rest.call("GET", "/tables/Orders", valid=False).status_code != 200:
            rest.post("/tables", {"Name": "Orders", "Fields": ORDERS})
        if aimed:  # two of three calls name what exists
            case.path_parameters = {k: known.get(k, v) for k, v in (case.path_parameters or {}).items()}
            case.query = {
                k: where if k.lower().endswith("where") else v for k, v in (case.query or {}).items()
            }
        sent = case.as_transport_kwargs(base_url="http://localhost" + BASE.removesuffix("/v3"))
        _send(rest, sent)

    called()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
BODIES = st.dictionaries(st.sampled_from([f["Name"] for f in ORDERS] + ["PK_ID", "Nope"]), VALUES, max_size=5)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=BODIES)
def test_no_body_breaks_a_write_and_refused_ones_change_nothing(orders, body):
    before = len(orders.rows(limit=1000))
    added = orders.post("/tables/Orders/records", body, {"response": "rows"}, valid=False)
    changed = orders.put("/tables/Orders/records", body, {"q.where": "PK_ID=1"}, valid=False)
    assert {added.status_code, changed.status_code} <= {200, 201, 400, 404}
    assert len(orders.rows(limit=1000)) == before + (added.status_code == 201)


def _send(rest, sent):
    import requests

    headers = {k: v for k, v in (sent.get("headers") or {}).items() if k.lower() != "authorization"}
    prepared = requests.Request(
        sent["method"],
        sent["url"],
        params=sent.get("params"),
        json=sent.get("json"),
        data=sent.get("data"),
        files=sent.get("files"),
        headers={**headers, "Authorization": f"Bearer {rest.token}"},
    ).prepare()
    path = prepared.path_url
    kept = {k: v for k, v in prepared.headers.items() if k != "Content-Length"}
    if sent["method"] == "DELETE":
        kept.setdefault("Content-Type", "application/json")
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    answer = rest.http.open(path, method=sent["method"], headers=kept, data=body)
    assert answer.status_code < 500, (sent["method"], path)
    plain = sent["url"].removeprefix("http://localhost").partition("?")[0]
    validate_response(sent["method"], plain, answer.status_code, answer.headers, answer.data)
