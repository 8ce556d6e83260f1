"""The first door: the order page, how a request stands, and the way back from Rupa."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from labbridge.accounts.roles import Role
from labbridge.console.back import allowed_back, leads_to
from labbridge.mirror.models import Chart, LabTest, Patient, PatientLink, ReviewCase
from labbridge.ordering.models import OrderRequest, RequestState
from labbridge.practices.models import Practice
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(practice: Practice, client: Any, settings: Any, rupa_sim: Any) -> Any:
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"form-action": ["'self'", rupa_sim.url]}}
    return sign_in(client, member(practice, Role.PRACTITIONER, "ada@willow.example"))


def shown(client: Any, **query: str) -> str:
    answer = client.get("/order/willow", query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of the form that orders."""
    (form,) = re.findall(r'<form method="post">(.*?)Continue to Rupa', page)
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


def test_two_clicks_and_the_way_back(
    chart: Chart, ada: Any, client: Any, test_id: Any, intents: Any, check_out: Any, submit: Any, run_jobs: Any,
    caspio_sim: Any,
) -> None:  # fmt: skip
    """End to end: confirm, go to the checkout, submit there, come back; Rupa's events are not needed for it."""
    dutch = test_id("DUTCH Complete")
    back = f"{caspio_sim.url}/patients/P-1"
    page = shown(client, patient="P-1", tests=dutch, back=back)
    for words in ("Testa1 Sampleperson1", "born 1961-02-15", "DUTCH Complete", "ada@willow.example", "$"):
        assert words in page
    assert "disabled" not in page
    form = form_of(page)
    first = client.post("/order/willow", form)
    again = client.post("/order/willow", form)
    assert first.status_code == again.status_code == 302
    (intent,) = intents()
    assert first["Location"] == again["Location"] == intent["checkout_url"]
    assert "/order/return/" in intent["return_url"]

    path = "/" + intent["return_url"].split("/", 3)[3]
    client.logout()
    left = client.get(path).content.decode()
    assert "nothing was ordered" in left
    assert f'href="{back}"' in left
    assert "Testa1" not in left
    request = OrderRequest.objects.get()
    assert (request.state, request.returned_at is not None) == (RequestState.READY, True)
    run_jobs()

    order = check_out(intent["id"])
    OrderRequest.objects.update(returned_at=None)
    client.get(path)
    run_jobs()
    begun = client.get(path).content.decode()
    assert "not submitted yet" in begun
    assert "If you submitted it just now" in begun  # Rupa's next word may be on its way
    assert "Look again" in begun
    submit(order)
    OrderRequest.objects.update(returned_at=None)
    client.get(path)
    run_jobs()
    assert "was submitted" in client.get(path).content.decode()
    assert client.post(path).status_code == 405
    submit(order, "cancel")
    OrderRequest.objects.update(returned_at=None)
    client.get(path)
    run_jobs()
    assert "was canceled" in client.get(path).content.decode()


def test_a_used_token_changes_nothing_more_and_a_forged_one_is_none(
    chart: Chart, ada: Any, client: Any, intents: Any, run_jobs: Any
) -> None:
    client.post("/order/willow", form_of(shown(client, patient="P-1")))
    path = "/" + intents()[0]["return_url"].split("/", 3)[3]
    client.get(path)
    run_jobs()
    before = OrderRequest.objects.values().get()
    for _ in range(3):
        assert client.get(path).status_code == 200
    assert OrderRequest.objects.values().get() == before
    for token in ("x", path[:-1].split("/")[-1], "a" * 5000, "%00", str(uuid.uuid4())):
        answer = client.get(f"/order/return/{token}")
        assert answer.status_code == 404
        assert b"belongs to no order" in answer.content


def test_whom_and_what_the_page_refuses(chart: Chart, ada: Any, client: Any, full: Practice) -> None:
    elsewhere = Practice.objects.create(slug="elm", name="Elm", config=full.config)
    Chart.objects.create(practice=elsewhere, key="P-77", person={"first_name": "Not", "last_name": "Ours"})
    for key in ("P-77", "P-999", "", "\0", "x" * 400, "P-1' OR 1=1", "\u202eP-1"):
        assert client.get("/order/willow", {"patient": key}).status_code == 404, key
        assert client.post("/order/willow", {"patient": key, "key": str(uuid.uuid4())}).status_code == 404
    assert client.get("/order/elm", {"patient": "P-77"}).status_code == 404
    assert client.post("/order/willow", {"patient": "P-1", "key": "not a key"}).status_code == 404
    for role in (Role.FRONT_DESK, Role.AUDITOR, Role.BILLER):
        sign_in(client, member(full, role))
        assert client.get("/order/willow", {"patient": "P-1"}).status_code == 403
    assert OrderRequest.objects.count() == 0


def test_anothers_request_is_not_shown(chart: Chart, ada: Any, client: Any, full: Practice) -> None:
    elsewhere = Practice.objects.create(slug="elm", name="Elm", config=full.config)
    request = OrderRequest.objects.create(practice=elsewhere, key="R-9", door="button")
    assert client.get(f"/order/request/{request.pk}").status_code == 404
    assert client.post(f"/order/request/{request.pk}", {"action": "again"}).status_code == 404
    used = OrderRequest.objects.create(practice=full, key=str(uuid.uuid4()), door="table", patient_key="P-1")
    assert client.post("/order/willow", {"patient": "P-1", "key": used.key}).status_code == 404


def test_searching_and_what_cannot_be_chosen(
    chart: Chart, ada: Any, client: Any, test_id: Any, full: Practice
) -> None:
    LabTest.objects.filter(name="OmegaCheck").update(available=False, unavailable_reason="a recall")
    LabTest.objects.filter(name="TSH").update(retired=True)
    page = shown(client, patient="P-1", q="omegacheck")
    assert "not available: a recall" in page
    assert "Add<span" not in page.split("OmegaCheck</strong>")[1].split("</li>")[0]
    assert "<strong>TSH</strong>" not in shown(client, patient="P-1", q="TSH")
    assert "No test or lab has" in shown(client, patient="P-1", q="no such thing")
    assert "DUTCH Complete" in shown(client, patient="P-1", q="dutch complete")
    assert "a recall" in shown(client, patient="P-1", tests=test_id("OmegaCheck"))
    assert "disabled" in shown(client, patient="P-1", tests=test_id("OmegaCheck"))
    assert "has no test labts_no" in shown(client, patient="P-1", tests="labts_no")
    assert shown(client, patient="P-1", q="\0", tests="\0", protocol="\0")
    full.config["rupa"]["price_unit"] = "unknown"
    full.save()
    assert "$" not in shown(client, patient="P-1", q="dutch", tests=test_id("DUTCH Complete"))


def test_a_protocol_preselects(chart: Chart, ada: Any, client: Any, caspio_sim: Any, test_id: Any) -> None:
    dutch = test_id("DUTCH Complete")
    row = {"Protocol_Test_ID": "PT-1", "Protocol_ID": "PR-1", "Rupa_Lab_Test_ID": dutch}
    caspio_sim.add("Lab_Protocol_Tests", row)
    assert f'name="tests" value="{dutch}"' in shown(client, patient="P-1", protocol="PR-1")
    assert "protocol PR-2 has no tests" in shown(client, patient="P-1", protocol="PR-2")
    caspio_sim.fault("unavailable")
    assert "protocol cannot be read now" in shown(client, patient="P-1", protocol="PR-1")


def test_a_row_that_is_not_known_yet_is_read_at_once(
    chart: Chart, ada: Any, client: Any, add_patient: Any
) -> None:
    add_patient(2)
    assert "Testa2" in shown(client, patient="P-2")


def test_an_open_match_is_pointed_to(chart: Chart, ada: Any, client: Any) -> None:
    patient = Patient.objects.get(link__chart=chart)
    PatientLink.objects.all().delete()
    case = ReviewCase.objects.create(practice=chart.practice, chart=chart, patient=patient)
    page = shown(client, patient="P-1")
    assert f"/cases/{case.pk}" in page
    assert "disabled" in page


def test_rupa_down_for_a_day(
    chart: Chart, ada: Any, client: Any, rupa_sim: Any, run_jobs: Any, intents: Any, test_id: Any
) -> None:
    chart.practice.alert_channels = ["mailto://127.0.0.1:9/?from=us@willow.example&to=desk@willow.example"]
    chart.practice.save()
    rupa_sim.fault("unavailable")
    form = form_of(shown(client, patient="P-1", tests=test_id("DUTCH Complete")))
    answer = client.post("/order/willow", form, follow=True)
    page = answer.content.decode()
    assert "Rupa cannot be reached" in page
    assert "Tell me when it works again" in page
    address = answer.redirect_chain[-1][0]
    told = client.post(address, {"action": "tell"}, follow=True).content
    assert b"You will be told on the first page of Labbridge when it works again, and by e-mail." in told
    run_jobs()
    assert b"Rupa works again" not in client.get("/").content
    rupa_sim.heal()
    run_jobs(waiting=True)
    assert b"Rupa works again" in client.get("/").content
    assert b"Continue to Rupa" in client.get(address).content
    assert len(intents()) == 1


def test_an_expired_checkout_is_made_anew_by_one_button(
    chart: Chart, ada: Any, client: Any, intents: Any
) -> None:
    client.post("/order/willow", form_of(shown(client, patient="P-1")))
    request = OrderRequest.objects.get()
    OrderRequest.objects.update(state=RequestState.EXPIRED, intent_at=timezone.now() - timedelta(days=4))
    page = client.get(f"/order/request/{request.pk}").content.decode()
    assert "Make a new checkout" in page
    assert request.checkout_url not in page
    answer = client.post(f"/order/request/{request.pk}", {"action": "again"})
    assert answer["Location"] == OrderRequest.objects.get().checkout
    assert len(intents()) == 2


def test_a_checkout_that_browsers_would_not_follow_a_form_to_is_a_link(
    chart: Chart, ada: Any, client: Any, settings: Any
) -> None:
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"form-action": ["'self'"]}}
    answer = client.post("/order/willow", form_of(shown(client, patient="P-1")), follow=True)
    assert OrderRequest.objects.get().checkout in answer.content.decode()


def test_an_open_test_is_warned_of(chart: Chart, ada: Any, client: Any, test_id: Any) -> None:
    dutch = test_id("DUTCH Complete")
    client.post("/order/willow", form_of(shown(client, patient="P-1", tests=dutch)))
    assert "stands in another checkout" in shown(client, patient="P-1", tests=dutch)


EVIL = (
    "https://evil.example/", "//evil.example", "https:evil.example", "https:///evil.example", "javascript:alert(1)",
    "https://c0abc123.caspio.com@evil.example/", "https://c0abc123.caspio.com.evil.example/", "/\\evil.example",
    "https://c0abc123.caspio.com\\@evil.example/", "https://evil.example\\.c0abc123.caspio.com/",
    "http://c0abc123.caspio.com/", "https://c0abc123.caspio.com\t.evil.example", "\nhttps://evil.example",
    "https://c0abc123.caspio.com:99999/", "https://c0abc123.caspio.com:x/", "https://[::1", "data:text/html,x",
    "https://c0abc123.caspio.com%2eevil.example/", "https://\u0441aspio.com/",
    "https://c0abc123.caspio.com/" + "x" * 1000,
    'https://c0abc123.caspio.com/"onclick=', "ftp://c0abc123.caspio.com/", "https://c0abc123.caspio.com /x",
)  # fmt: skip


@pytest.fixture
def real_account(willow: Practice) -> Practice:
    willow.config["caspio"]["url"] = "https://c0abc123.caspio.com"
    willow.config["ordering"] = {"back_hosts": ["WWW.willow.example"]}
    willow.save()
    return willow


@pytest.fixture
def willow(db: Any) -> Practice:
    from labbridge.practices.config import parse
    from tests.world import PRACTICE_TOML

    config = parse(PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token=""))
    return Practice.objects.create(slug="willow", name="Willow", config=config.model_dump(mode="json"))


def test_back_leads_to_the_practices_pages_only(real_account: Practice) -> None:
    for good in (
        "https://c0abc123.caspio.com/dp/a0e1?Patient_ID=P-1",
        "https://www.willow.example/patients#labs",
    ):
        assert allowed_back(real_account, good) == good
    for evil in EVIL:
        assert allowed_back(real_account, evil) == "", evil


@given(st.text(max_size=60))
def test_no_text_leads_elsewhere(text: str) -> None:
    for url in (text, f"https://{text}", f"https://c0abc123.caspio.com{text}", f"https://{quote(text)}"):
        if leads_to(url, ["c0abc123.caspio.com"]):
            assert re.match(r"https://c0abc123\.caspio\.com(:\d*)?([/?#]|$)", url, re.IGNORECASE)
