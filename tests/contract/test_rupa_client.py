"""Our client against the Rupa simulator, which answers to Rupa's samples and not to this client."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from labbridge.mirror.hl7 import read_oru
from labbridge.peers.errors import ConnectionEnded, NotFound, OutcomeUnknown, PeerError, Rejected
from labbridge.peers.http import Http
from labbridge.peers.ports import LocalMeter, UnlimitedLimiter
from labbridge.peers.rupa.assumptions import RupaAssumptions
from labbridge.peers.rupa.auth import RupaAuth, TokenPair, Tokens, new_verifier
from labbridge.peers.rupa.client import Rupa
from labbridge.peers.rupa.events import EventEnvelope
from labbridge.peers.rupa.files import FileExpired, FileKind, FileRefused, check_pdf, classify, classify_bytes
from labbridge.peers.rupa.refusals import explain
from labbridge.peers.rupa.signature import SignatureRejected, verify
from labbridge.peers.rupa.types import PatientData
from labbridge.simulators.rupa import Simulator, create_app, practitioner_id
from labbridge.simulators.rupa.sender import signature_header

API = "https://api.rupahealth.com"
BACK = "https://ehr.example/rupa/cb"
SECRETS = {"client_id": "app_1", "client_secret": "s3-invented", "signing_secret": "whs-new,whs-old"}
NEW: PatientData = {
    "first_name": "Wanda",
    "last_name": "Neverborn",
    "email": "wanda@patients.example",
    "phone": "+15555550123",
    "birthday": date(1980, 1, 2),
    "gender": "F",
    "street": "1 Sample Street",
    "city": "Testville",
    "state": "CA",
    "zipcode": "00001",
}


class Store:
    pair: TokenPair | None = None

    def load(self) -> TokenPair | None:
        return self.pair

    def save(self, pair: TokenPair) -> None:
        self.pair = pair

    @contextmanager
    def lock(self) -> Iterator[None]:
        yield


class Connected:
    """A simulator, a practitioner who consented, and the controls of the simulator."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.transport = httpx2.WSGITransport(app=sim)
        self.meter = LocalMeter()
        self.controls = httpx2.Client(transport=self.transport, base_url=API)
        self.store = Store()
        self.auth = self.make_auth()
        self.store.pair = self.auth.exchange(self.consent(self.auth))
        self.rupa = self.client()

    def make_auth(self, **assumed: Any) -> RupaAuth:
        http = Http(
            "rupa",
            API,
            limiter=UnlimitedLimiter(),
            meter=LocalMeter(),
            transport=self.transport,
            explain=explain,
        )
        return RupaAuth(
            http,
            authorize_url=f"{API}/oauth/authorize",
            token_url=f"{API}/oauth/token",
            client_id=SECRETS["client_id"],
            client_secret=assumed.pop("secret", SECRETS["client_secret"]),
            redirect_uri=BACK,
            assumptions=RupaAssumptions(**assumed),
        )

    def client(self, **changes: Any) -> Rupa:
        given = {"resolve": lambda _: ["93.184.216.34"], "sleep": lambda _: None} | changes
        return Rupa(
            API,
            Tokens(self.auth, self.store),
            limiter=UnlimitedLimiter(),
            meter=self.meter,
            transport=self.transport,
            **given,
        )

    def consent(self, auth: RupaAuth, verifier: str | None = None) -> str:
        """The practitioner accepts; the code that the browser brings back."""
        page = urlsplit(auth.authorize_url("st4te", verifier=verifier))
        answer = self.controls.get(f"/_sim{page.path}?{page.query}&practitioner={practitioner_id('Ada')}")
        brought = parse_qs(urlsplit(answer.headers["location"]).query)
        assert brought["state"] == ["st4te"]
        return brought["code"][0]

    def options(self, **changed: Any) -> None:
        assert self.controls.post("/_sim/options", json=changed).status_code == 200

    def do(self, path: str, **body: Any) -> Any:
        answer = self.controls.post(f"/_sim/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def fault(self, kind: str, **more: Any) -> None:
        self.do("faults", kind=kind, times=1, **more)

    def order(self, tests: int = 2, **more: Any) -> str:
        patient = next(iter(self.rupa.patients())).id
        usable = [test.id for test in self.rupa.lab_tests() if test.available and not test.is_addon]
        return str(self.do("orders", patient=patient, lab_tests=usable[:tests], **more)["id"])

    def requests(self, path: str) -> int:
        return sum(path in one["path"] for one in self.controls.get("/_sim/requests").json())


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Connected]:
    sim = create_app(tmp_path / "rupa.sqlite", send=False, webhook_url="https://ehr.example/hook", **SECRETS)
    yield Connected(sim)
    sim.close()


# OAuth


def test_consent_exchange_and_rotation(here: Connected) -> None:
    first = here.store.pair
    assert first is not None
    assert here.rupa.me().id == practitioner_id("Ada")
    here.controls.post("/_sim/clock", json={"advance": 40_000})  # past the life of the access token
    assert here.rupa.me().full_name == "Ada Testwood, MD"
    assert here.store.pair is not None
    assert here.store.pair.refresh_token != first.refresh_token
    with pytest.raises(ConnectionEnded):
        here.auth.refresh(str(first.refresh_token))


def test_pkce_and_basic(here: Connected) -> None:
    auth, verifier = here.make_auth(client_authentication="basic"), new_verifier()
    code = here.consent(auth, verifier)
    assert auth.exchange(code, verifier=verifier).access_token
    with pytest.raises(ConnectionEnded):
        auth.exchange(code, verifier=verifier)


def test_a_wrong_client_secret(here: Connected) -> None:
    with pytest.raises(PeerError) as caught:
        here.make_auth(secret="wrong-invented").refresh("rt")
    assert caught.value.code == "invalid_client"
    assert "wrong-invented" not in str(caught.value)


def test_a_connection_ended_by_rupa(here: Connected) -> None:
    here.do("tokens/disconnect", practitioner=practitioner_id("Ada"))
    with pytest.raises(ConnectionEnded):
        here.rupa.me()


# Reading


@pytest.mark.parametrize("paths", ["both", "kebab", "snake"])
@pytest.mark.parametrize("slash", ["both", "required", "forbidden"])
@pytest.mark.parametrize("other", ["404", "redirect"])
def test_every_spelling_is_found_and_remembered(here: Connected, paths: str, slash: str, other: str) -> None:
    here.options(catalogue_paths=paths, slash=slash, other_slash=other)
    test = next(iter(here.rupa.lab_tests()))
    patient = next(iter(here.rupa.patients()))
    assert here.rupa.update_patient(patient.id, {"first_name": "Changed"}).first_name == "Changed"
    assert here.rupa.create_patient(NEW).id
    here.controls.delete("/_sim/requests")
    assert here.rupa.lab_test(test.id).name == test.name
    assert here.rupa.patient(patient.id).first_name == "Changed"
    assert len(here.controls.get("/_sim/requests").json()) == 2


def test_all_pages_with_a_small_page(here: Connected) -> None:
    here.options(max_page_size=20)
    ids = [test.id for test in here.rupa.lab_tests()]
    assert len(ids) == len(set(ids)) == len(here.sim.world.store.many("lab_test"))
    tests = list(here.rupa.lab_tests())
    assert all(test.name and test.price is not None and not test.unreadable_fields for test in tests)
    assert all(test.lab_company is not None and test.lab_company.name for test in tests)
    assert any(test.parent_test_id for test in tests)
    assert {company.id for company in here.rupa.lab_companies()} >= {
        str(test.lab_company_id) for test in tests
    }


def test_without_sort_and_include(here: Connected) -> None:
    order = here.order()
    here.options(sorting=False, includes=False, filters=False)
    assert [found.id for found in here.rupa.orders()] == [order]
    assert here.rupa.order(order).ordered_tests
    assert here.rupa.sorts_orders is False


def test_orders_come_newest_first_with_their_tests(here: Connected) -> None:
    made = [here.order() for _ in range(3)]
    found = list(here.rupa.orders())
    assert [order.id for order in found] == made[::-1]
    for order in found:
        assert order.unreadable_fields == ()
        assert order.practitioner_id == practitioner_id("Ada")
        assert order.patient is not None
        assert order.patient.id == order.patient_id
        assert all(test.lab_test is not None and test.lab_test.name for test in order.ordered_tests)
        assert "ordered_tests" in order.present


# Writing


def test_a_patient_created_and_changed(here: Connected) -> None:
    made = here.rupa.create_patient(NEW)
    for field, value in NEW.items():
        assert getattr(made, field) == value, field
    changed = here.rupa.update_patient(made.id, {"last_name": "Other", "phone": None})
    assert (changed.last_name, changed.phone or None, changed.first_name) == ("Other", None, "Wanda")


def test_a_taken_email_names_the_field_only(here: Connected) -> None:
    here.rupa.create_patient(NEW)
    with pytest.raises(PeerError) as caught:
        here.rupa.create_patient(NEW)
    assert "email" in caught.value.fields
    assert "wanda" not in str(caught.value)


def test_no_patient_endpoint(here: Connected) -> None:
    here.options(patient_endpoint=False)
    with pytest.raises(NotFound):
        here.rupa.create_patient(NEW)


@pytest.mark.parametrize("wire_format", ["jsonapi", "flat"])
@pytest.mark.parametrize("who", ["id", "data"])
def test_an_intent_in_both_formats(here: Connected, wire_format: Any, who: str) -> None:
    rupa = here.client(assumptions=RupaAssumptions(wire_format=wire_format))
    patient = next(iter(rupa.patients()))
    tests = [test.id for test in rupa.lab_tests() if test.available and not test.is_addon][:2]
    made = rupa.create_order_intent(
        {
            "return_url": "https://ehr.example/rupa/return/8f2",
            "metadata": {"ehr_request": "req_41"},
            "lab_test_ids": tests,
            **({"patient_id": patient.id} if who == "id" else {"patient": NEW}),
        }
    )
    assert made.checkout_url
    read = rupa.order_intent(made.id)
    assert (read.metadata, read.lab_test_ids, read.order_id) == (
        {"ehr_request": "req_41"},
        tuple(tests),
        None,
    )
    assert rupa.patient(str(read.patient_id)).email == (patient.email if who == "id" else NEW["email"])
    found = rupa.find_order_intent("ehr_request", "req_41")
    assert found is not None
    assert found.id == made.id
    assert rupa.find_order_intent("ehr_request", "req_42") is None


@pytest.mark.parametrize("wire_format", ["jsonapi", "flat"])
def test_a_refused_intent_names_fields_and_no_data(here: Connected, wire_format: Any) -> None:
    rupa = here.client(assumptions=RupaAssumptions(wire_format=wire_format))
    with pytest.raises(Rejected) as caught:
        rupa.create_order_intent(
            {"return_url": "https://ehr.example/", "patient": {**NEW, "email": "Zebulon"}}
        )
    assert any("email" in field for field in caught.value.fields)
    assert "Zebulon" not in str(caught.value)


def test_an_intent_whose_answer_was_lost_is_found_by_metadata(here: Connected) -> None:
    here.fault("error_after", match={"method": "POST", "path": "order-intents"})
    with pytest.raises(OutcomeUnknown):
        here.rupa.create_order_intent(
            {"return_url": "https://ehr.example/", "patient": NEW, "metadata": {"r": "1"}}
        )
    assert here.rupa.find_order_intent("r", "1") is not None


def test_reads_survive_passing_faults(here: Connected) -> None:
    for kind, more in (
        ("rate_limit", {"retry_after": 0}),
        ("error_before", {}),
        ("unavailable", {}),
        ("expired_token", {}),
    ):
        here.fault(kind, match={"method": "GET", "path": "practitioners"}, **more)
        assert here.rupa.me().id


def test_a_publishable_key(here: Connected) -> None:
    key = here.rupa.publishable_key()
    assert key.key.startswith("pk_")
    assert key.expires_at is not None
    assert key.expires_at > datetime.now(UTC)


# Results


def resulted(here: Connected, files: str | None = None) -> Any:
    order = here.order(tests=1)
    here.do(f"orders/{order}/pay")
    here.do(f"orders/{order}/result", **({"files": files} if files else {}))
    return here.rupa.order(order)


def test_a_result_file_from_its_address(here: Connected) -> None:
    (test,) = resulted(here).ordered_tests
    assert test.results_received_at is not None
    found = classify(test.results_pdf)
    assert found.kind is FileKind.URL
    content = here.rupa.download(str(found.url))
    check_pdf(content)
    assert classify_bytes(content).kind is FileKind.PDF


def test_a_result_file_in_base64(here: Connected) -> None:
    here.options(results_pdf_as="base64")
    (test,) = resulted(here).ordered_tests
    found = classify(test.results_pdf)
    assert found.content == base64.b64decode(str(test.results_pdf))
    check_pdf(found.content or b"")


def test_hl7_becomes_values(here: Connected) -> None:
    values = 0
    order = here.order(tests=30)
    here.do(f"orders/{order}/pay")
    here.do(f"orders/{order}/result", all=True)
    for test in here.rupa.order(order).ordered_tests:
        found = classify(test.results_hl7)
        if found.kind is FileKind.HL7:
            report = read_oru(str(found.text))
            assert report.patient.last
            assert report.values
            assert all(value.analyte and value.value_text for value in report.values)
            values += len(report.values)
    assert values


def test_file_addresses_expire_and_need_a_bearer_where_told(here: Connected) -> None:
    here.options(file_needs_bearer=True)
    url = str(resulted(here).ordered_tests[0].results_pdf)
    check_pdf(here.rupa.download(url))
    here.controls.post("/_sim/clock", json={"advance": 1000})
    with pytest.raises(FileExpired):
        here.rupa.download(url)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"file_base_url": "https://elsewhere.example"}, "file_host"),
        ({"file_redirect_to": "https://elsewhere.example/x"}, "file_redirect"),
        ({"file_content": "huge"}, "file_too_large"),
    ],
)
def test_files_that_are_refused(here: Connected, options: dict[str, Any], code: str) -> None:
    here.options(**options)
    with pytest.raises(FileRefused) as caught:
        here.rupa.download(str(resulted(here).ordered_tests[0].results_pdf))
    assert caught.value.code == code


def test_nothing_arrives_in_place_of_a_pdf(here: Connected) -> None:
    here.options(file_content="empty")
    with pytest.raises(FileRefused):
        check_pdf(here.rupa.download(str(resulted(here).ordered_tests[0].results_pdf)))


def test_a_sign_in_page_is_an_address_that_is_over(here: Connected) -> None:
    here.options(file_content="html")
    with pytest.raises(FileExpired) as caught:
        here.rupa.download(str(resulted(here).ordered_tests[0].results_pdf))
    assert caught.value.code == "page_instead_of_file"


# Events


@pytest.mark.parametrize("place", ["attributes", "data", "top", "included"])
def test_events_of_an_order_s_life(here: Connected, place: str) -> None:
    here.options(metadata_place=place)
    made = here.rupa.create_order_intent(
        {"return_url": "https://ehr.example/", "patient": NEW, "metadata": {"r": "1"}}
    )
    assert here.controls.get(urlsplit(str(made.checkout_url)).path).status_code in (200, 302, 303)
    order = str(here.rupa.order_intent(made.id).order_id)
    here.do("trigger/order.updated", order=order)
    listed = here.controls.get("/_sim/events").json()
    assert listed
    for one in listed:
        raw = here.controls.get(f"/_sim/events/{one['id']}").content
        event = EventEnvelope.parse(raw)
        assert (event.id, event.type, event.object_id) == (one["id"], one["type"], order)
        assert event.created_at is not None
        assert event.order is not None
        assert event.order.metadata == {"r": "1"}
        assert event.order.patient_id
        assert event.order.unreadable_fields == ()


def test_catalogue_events(here: Connected) -> None:
    here.do("trigger/labtest.updated")
    (one,) = here.controls.get("/_sim/events").json()
    event = EventEnvelope.parse(here.controls.get(f"/_sim/events/{one['id']}").content)
    assert event.lab_test is not None
    assert event.lab_test.name


NOW = 1_927_909_800
BODY = b'{"id":"evt_1"}'


@pytest.mark.parametrize("secrets", [["whs-new"], ["whs-old"], ["other", "whs-old"]])
def test_signatures_while_a_secret_rotates(secrets: list[str]) -> None:
    verify(BODY, signature_header(BODY, "whs-new,whs-old", NOW), secrets, now=NOW)


@pytest.mark.parametrize(("mode", "reason"), [("none", "missing"), ("wrong", "mismatch"), ("stale", "stale")])
def test_spoiled_signatures(mode: str, reason: str) -> None:
    with pytest.raises(SignatureRejected) as caught:
        verify(BODY, signature_header(BODY, "whs-new", NOW, mode), ["whs-new"], now=NOW)
    assert caught.value.reason == reason
