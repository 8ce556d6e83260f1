"""Sign-in through a practice's Caspio directory, against its simulator, and every attack we can think of."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from lxml import etree
from werkzeug.test import Client as Browser

from labbridge.accounts import assertion, proof, saml
from labbridge.accounts.models import DirectorySignIn, Membership, SigningKey
from labbridge.accounts.roles import Role
from labbridge.practices.apply import without_secrets
from labbridge.practices.config import PracticeConfig, parse
from labbridge.practices.models import Practice
from labbridge.simulators import caspio as caspio_simulator
from labbridge.simulators.caspio import app_connections
from labbridge.simulators.caspio import saml as provider
from labbridge.simulators.caspio.options import utc_now
from labbridge.trust.models import AuditEntry
from tests.people import PASSWORD, member, sign_in, somebody

pytestmark = pytest.mark.django_db

NS = {"samlp": provider.SAMLP, "saml": provider.SAML, "ds": "http://www.w3.org/2000/09/xmldsig#"}


class Idp:
    """The directory, driven as a browser would, and its key for answers of our own making."""

    def __init__(self, app: Any, links: dict[str, str]) -> None:
        self.account, self.browser, self.links = app.account, Browser(app), links
        self.connection = app_connections.find(self.account, links["id"])

    def sign_in(
        self, address: str, email: str = "ada@willow.example", password: str = "directory phrase"
    ) -> Any:
        return self.browser.post(address, data={"email": email, "password": password})

    def fields(self, address: str, **who: str) -> dict[str, str]:
        page = self.sign_in(address, **who)
        assert page.status_code == 200, page.text
        return dict(re.findall(r'name="(SAMLResponse|RelayState)" value="([^"]*)"', page.text))


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    app = caspio_simulator.create_app(
        tmp_path_factory.mktemp("caspio") / "caspio.sqlite", client_id="c", client_secret="s", deliver=False
    )
    yield app
    app.close()


@pytest.fixture(scope="module")
def our_pair() -> tuple[str, str]:
    """One key of ours for all tests: making one takes longer than a test."""
    return saml._made_pair(Practice(slug="any"))


@pytest.fixture(scope="module")
def connections(simulator: Any, our_pair: tuple[str, str]) -> dict[str, dict[str, str]]:
    """An app connection for each practice, made as a person would in Caspio's panel."""
    made = {}
    for slug in ("willow", "birch"):
        base = f"http://127.0.0.1:8000/accounts/saml/{slug}"
        body = {
            "name": "Labbridge", "sp_entity_id": f"{base}/metadata", "reply_url": f"{base}/acs",
            "sp_certificate": our_pair[0], "users": [{"email": "ada@willow.example", "password": "directory phrase"}],
        }  # fmt: skip
        made[slug] = Browser(simulator).post("/_sim/app-connections", json=body).get_json()
    return made


@pytest.fixture
def practices(willow: Practice, birch: Practice, our_pair: tuple[str, str]) -> dict[str, Practice]:
    for practice in (willow, birch):
        SigningKey.objects.create(practice=practice, certificate=our_pair[0], private_key=our_pair[1])
    return {"willow": willow, "birch": birch}


@pytest.fixture
def connect(
    simulator: Any, connections: dict[str, dict[str, str]], practices: dict[str, Practice]
) -> Iterator[Callable[..., Idp]]:
    account = simulator.account

    def make(slug: str = "willow", **setting: Any) -> Idp:
        practice, links = practices[slug], connections[slug]
        practice.config = _config(slug, links, **setting)
        practice.save()
        app_connections.set_access(account, links["id"], "ada@willow.example", allowed=True)
        return Idp(simulator, links)

    yield make
    account.options.clock = utc_now


def _config(slug: str, links: dict[str, str], **setting: Any) -> dict[str, Any]:
    given = {
        "practice": {"slug": slug, "name": slug.title(), "time_zone": "UTC"},
        "caspio": {
            "url": "https://c0abc123.caspio.com", "client_id": "stored", "client_secret": "stored",
            "patients": {"first_name": "F", "last_name": "L", "email": "E", "birthday": "B"},
            "sign_in": {
                "entity_id": links["entity_id"], "url": links["sso_url"], "certificate": links["certificate"],
                "email_domains": ["willow.example"], "two_factor": True, **setting,
            },
        },
    }  # fmt: skip
    return without_secrets(PracticeConfig.model_validate(given))


@pytest.fixture
def idp(connect: Callable[..., Idp]) -> Idp:
    return connect()


@pytest.fixture
def ada(practices: dict[str, Practice]) -> Any:
    return member(practices["willow"], Role.PRACTITIONER, "ada@willow.example")


def begin(client: Client, to: str = "/?from=datapage", slug: str = "willow") -> str:
    """Set out; returns the directory's address."""
    answer = client.get(f"/accounts/saml/{slug}/login", {"next": to})
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def deliver(client: Client, fields: dict[str, str], slug: str = "willow") -> Any:
    """The directory's POST: from another site, so without our cookie."""
    return Client().post(f"/accounts/saml/{slug}/acs", fields)


def test_from_the_button_to_the_page_in_one_go(client: Client, idp: Idp, ada: Any) -> None:
    fields = idp.fields(begin(client))
    answer = deliver(client, fields)
    assert answer.status_code == 303
    finished = client.get(answer.headers["Location"])
    assert finished.headers["Location"] == "/?from=datapage"
    assert client.get("/?from=datapage").status_code == 200  # two steps were the directory's


def test_a_stranger_who_comes_to_order_goes_straight_to_the_directory(
    idp: Idp, ada: Any, rf: Any, practices: dict[str, Practice]
) -> None:
    from django.contrib.sessions.backends.signed_cookies import SessionStore
    from django.urls import ResolverMatch

    from labbridge.accounts import directory

    request = rf.get("/order/willow?patient=P-1")
    request.session = SessionStore()
    request.resolver_match = ResolverMatch(lambda: None, (), {"slug": "willow"}, route="order/<slug:slug>")
    assert directory.address_for(request) == (
        "/accounts/saml/willow/login?next=%2Forder%2Fwillow%3Fpatient%3DP-1"
    )
    request.resolver_match = ResolverMatch(lambda: None, (), {"slug": "birch"}, route="order/<slug:slug>")
    assert directory.address_for(request) == ""  # that practice has no directory


def test_the_sign_in_page_offers_the_directory(
    client: Client, idp: Idp, practices: dict[str, Practice]
) -> None:
    page = client.get("/sign-in?next=/rupa/connect/willow").content.decode()
    assert "/accounts/saml/willow/login?next=%2Frupa%2Fconnect%2Fwillow" in page
    assert "saml" not in client.get("/sign-in").content.decode()  # of several practices none is named


def test_without_the_directorys_second_step_ours_follows(
    client: Client, connect: Callable[..., Idp], ada: Any, code_for: Callable[..., str]
) -> None:
    idp = connect(two_factor=False)
    client.get(deliver(client, idp.fields(begin(client))).headers["Location"])
    assert client.get("/").headers["Location"] == "/accounts/"
    secret = client.get("/accounts/app/add").context["form"].secret
    client.post("/accounts/app/add", {"code": code_for(secret)})
    assert client.get("/").status_code == 200
    later = Client()
    answer = later.get(deliver(later, idp.fields(begin(later))).headers["Location"])
    assert answer.headers["Location"] == "/accounts/code"
    assert (
        later.post("/accounts/code", {"code": code_for(secret, 1)}).headers["Location"] == "/?from=datapage"
    )
    assert later.get("/").status_code == 200


def test_a_known_email_of_nobody_here_makes_no_account(client: Client, idp: Idp, practices: Any) -> None:
    from django.contrib.auth.models import User

    somebody("ada@willow.example")  # known, but not at this practice
    member(practices["willow"], Role.OWNER, "olaf@willow.example")
    answer = deliver(client, idp.fields(begin(client)))
    assert answer.status_code == 403
    assert "Ask olaf@willow.example to add you" in answer.content.decode()
    assert User.objects.count() == 2


def test_wrong_password_and_missing_access_at_the_directory(client: Client, idp: Idp) -> None:
    address = begin(client)
    assert idp.sign_in(address, password="wrong").status_code == 401
    app_connections.set_access(idp.account, idp.links["id"], "ada@willow.example", allowed=False)
    assert "no access to Labbridge" in idp.sign_in(address).text


def test_metadata_says_what_an_app_connection_wants_to_know(client: Client, idp: Idp) -> None:
    text = client.get("/accounts/saml/willow/metadata").content
    root = etree.fromstring(text)
    assert root.get("entityID") == "http://127.0.0.1:8000/accounts/saml/willow/metadata"
    assert b"http://127.0.0.1:8000/accounts/saml/willow/acs" in text
    assert client.get("/accounts/saml/birch/metadata").status_code == 404  # has none


def test_our_key_is_made_at_first_use_and_kept_sealed(client: Client, idp: Idp) -> None:
    from django.db import connection

    SigningKey.objects.all().delete()
    first = client.get("/accounts/saml/willow/metadata").content
    key = SigningKey.objects.get()
    assert "".join(key.certificate.splitlines()[1:-1]).encode() in first.replace(b"\n", b"")
    again = client.get("/accounts/saml/willow/metadata").content
    assert etree.fromstring(first).xpath("string(//*[local-name()='X509Certificate'])") == (
        etree.fromstring(again).xpath("string(//*[local-name()='X509Certificate'])")
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM accounts_signingkey")
        assert b"PRIVATE KEY" not in bytes(cursor.fetchone()[0])


def test_the_question_is_signed_and_names_no_patient(client: Client, idp: Idp) -> None:
    address = begin(client, "/order/willow?patient=P-1")
    query = parse_qs(urlsplit(address).query)
    assert query["SigAlg"] == [provider.RSA_SHA256]
    assert "P-1" not in address
    assert len(query["RelayState"][0]) <= 80  # SAML's limit
    tampered = address.replace("RelayState=", "RelayState=0")
    assert "signature" in idp.browser.get(tampered).text


# -- attacks -------------------------------------------------------------------------------------------------


@pytest.fixture
def journey(client: Client, idp: Idp, ada: Any) -> DirectorySignIn:
    begin(client)
    return DirectorySignIn.objects.get()


@pytest.fixture
def honest(idp: Idp, journey: DirectorySignIn) -> Any:
    """A true answer as a document, to be bent by a test."""
    return _response(idp, journey.request_id)


def _response(idp: Idp, request_id: str, email: str = "ada@willow.example") -> Any:
    account = idp.account
    return etree.fromstring(
        provider.signed_response(account, idp.connection, idp.links["entity_id"], email, request_id)
    )


def _again(root: Any, idp: Idp) -> Any:
    """Sign a bent answer anew with the directory's own key."""
    for signature in root.xpath("./ds:Signature", namespaces=NS):
        root.remove(signature)
    provider.sign(root, idp.connection)
    return root


def _packed(root: Any) -> dict[str, str]:
    return {"SAMLResponse": base64.b64encode(etree.tostring(root)).decode()}


def refused(fields: dict[str, str], slug: str = "willow") -> str:
    """The word of the refusal; nobody is signed in and the question stays open."""
    answer = Client().post(f"/accounts/saml/{slug}/acs", fields)
    assert answer.status_code == 403
    assert not DirectorySignIn.objects.exclude(answered_at=None).exists()
    return str(answer.context["reason"])


def _one(root: Any, path: str) -> Any:
    (found,) = root.xpath(path, namespaces=NS)
    return found


def test_the_honest_answer_is_accepted(honest: Any, client: Client) -> None:
    assert deliver(client, _packed(honest)).status_code == 303


def test_unsigned(honest: Any) -> None:
    honest.remove(_one(honest, "./ds:Signature"))
    assert refused(_packed(honest)).startswith("toolkit")


def test_signed_but_changed(honest: Any) -> None:
    _one(honest, "//saml:NameID").text = "olaf@willow.example"
    assert refused(_packed(honest)).startswith("toolkit")


def test_signed_with_another_key(honest: Any, idp: Idp) -> None:
    account = idp.account
    other = app_connections.create(account, "Evil", "x", "y")
    honest.remove(_one(honest, "./ds:Signature"))
    provider.sign(honest, app_connections.find(account, other))
    assert refused(_packed(honest)).startswith("toolkit")


def test_only_the_assertion_signed(honest: Any, idp: Idp) -> None:
    honest.remove(_one(honest, "./ds:Signature"))
    provider.sign(_one(honest, "./saml:Assertion"), idp.connection)
    assert refused(_packed(honest)).startswith("toolkit")


def test_wrapping_a_signed_response_in_a_forged_one(honest: Any, idp: Idp) -> None:
    """XSW: a forged Response around the true one, which carries the valid signature."""
    forged = etree.fromstring(etree.tostring(honest))
    forged.remove(_one(forged, "./ds:Signature"))
    forged.set("ID", "_forged")
    _one(forged, "//saml:NameID").text = "olaf@willow.example"
    extensions = etree.SubElement(forged, f"{{{provider.SAMLP}}}Extensions")
    forged.insert(1, extensions)
    extensions.append(honest)
    assert refused(_packed(forged))


def test_wrapping_with_the_signature_moved(honest: Any) -> None:
    """XSW: the forged Response carries the true signature, whose reference points to the true one inside."""
    forged = etree.fromstring(etree.tostring(honest))
    _one(forged, "//saml:NameID").text = "olaf@willow.example"
    forged.set("ID", "_forged")
    inner = etree.fromstring(etree.tostring(honest))
    inner.remove(_one(inner, "./ds:Signature"))
    holder = etree.SubElement(_one(forged, "./ds:Signature"), f"{{{NS['ds']}}}Object")
    holder.append(inner)
    assert refused(_packed(forged))


def test_a_second_assertion(honest: Any, idp: Idp) -> None:
    second = etree.fromstring(etree.tostring(_one(honest, "./saml:Assertion")))
    second.set("ID", "_second")
    honest.append(second)
    assert refused(_packed(_again(honest, idp))).startswith("toolkit")


@pytest.mark.parametrize(
    ("path", "attribute", "value"),
    [
        ("//saml:Audience", None, "http://127.0.0.1:8000/accounts/saml/birch/metadata"),
        ("//saml:Audience", None, "http://127.0.0.1:8000/accounts/saml/willow/metadata/more"),
        ("./saml:Assertion/saml:Issuer", None, "https://other.example"),
        ("./saml:Issuer", None, "https://other.example"),
        (
            "//saml:SubjectConfirmationData",
            "Recipient",
            "http://127.0.0.1:8000/accounts/saml/willow/acs/more",
        ),
        ("//saml:SubjectConfirmationData", "Recipient", "https://evil.example/"),
        ("//saml:SubjectConfirmationData", "InResponseTo", "_other"),
        (".", "Destination", "http://127.0.0.1:8000/accounts/saml/willow/acsorelse"),
        (".", "Destination", "https://evil.example/"),
        (".", "Version", "1.1"),
        ("//saml:NameID", None, "ada@willow.example.evil.example"),
        ("//saml:NameID", None, "ada"),
        ("//saml:NameID", None, "ada@w\u0131llow.example"),
        ("//saml:SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"),
        ("//samlp:StatusCode", "Value", "urn:oasis:names:tc:SAML:2.0:status:Requester"),
    ],
)
def test_a_word_that_is_not_ours(honest: Any, idp: Idp, path: str, attribute: str | None, value: str) -> None:
    element = _one(honest, path)
    if attribute:
        element.set(attribute, value)
    else:
        element.text = value
    assert refused(_packed(_again(honest, idp)))


@pytest.mark.parametrize(
    "path",
    ["//saml:AudienceRestriction", "//saml:SubjectConfirmationData", "//saml:Conditions", "//saml:AuthnStatement",
     "//saml:NameID"],
)  # fmt: skip
def test_a_missing_part(honest: Any, idp: Idp, path: str) -> None:
    element = _one(honest, path)
    element.getparent().remove(element)
    assert refused(_packed(_again(honest, idp)))


@pytest.mark.parametrize("attribute", ["InResponseTo", "Recipient", "NotOnOrAfter"])
def test_a_confirmation_that_does_not_say(honest: Any, idp: Idp, attribute: str) -> None:
    del _one(honest, "//saml:SubjectConfirmationData").attrib[attribute]
    assert refused(_packed(_again(honest, idp)))


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(-400, False), (-301, False), (-290, True), (0, True), (25, True), (45, False)]
)
def test_clocks(idp: Idp, journey: DirectorySignIn, client: Client, seconds: int, accepted: bool) -> None:
    """Answers are good for the five minutes they say; the directory's clock may be half a minute ahead."""
    options = idp.account.options
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    options.clock = lambda: moment
    root = _response(idp, journey.request_id)
    encoded = _packed(root)["SAMLResponse"]
    directory = saml.directory_of(journey.practice)
    assert directory
    try:
        answer = assertion.verified(encoded, directory, journey.request_id, datetime.now(UTC))
    except assertion.AnswerRefused:
        assert not accepted
    else:
        assert accepted
        assert answer.email == "ada@willow.example"


def test_old_algorithms(honest: Any, idp: Idp) -> None:
    text = etree.tostring(honest).replace(
        b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b"http://www.w3.org/2000/09/xmldsig#rsa-sha1"
    )
    assert refused({"SAMLResponse": base64.b64encode(text).decode()}).startswith("toolkit")


def test_a_comment_inside_the_email(honest: Any, idp: Idp) -> None:
    name = _one(honest, "//saml:NameID")
    name.text = "ada@willow.example"
    comment = etree.Comment("x")
    comment.tail = ".evil.example"
    name.append(comment)
    assert refused(_packed(_again(honest, idp))) == "comment"


def test_a_comment_put_in_after_signing(honest: Any, idp: Idp, practices: Any) -> None:
    """Canonical form drops comments, so the signature holds; the e-mail must not become a shorter one."""
    member(practices["willow"], Role.OWNER, "da@willow.example")
    name = _one(honest, "//saml:NameID")
    name.text = "a"
    comment = etree.Comment("x")
    comment.tail = "da@willow.example"
    name.insert(0, comment)
    assert refused(_packed(honest)) == "comment"


BOMB = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaaaaaaaa">%s]><samlp:Response
 xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" InResponseTo="&z;"/>"""


@pytest.mark.parametrize(
    "text",
    [
        BOMB % b'<!ENTITY z "&a;&a;&a;">',
        BOMB
        % b"".join(b'<!ENTITY %c "%s">' % (c, b"&%c;" % (c - 1) * 20) for c in range(ord("b"), ord("z") + 1)),
        BOMB % b'<!ENTITY z SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>',
        b"<r>" * 100_000,
        b"not xml",
        b"",
    ],
)
def test_bombs_and_rubbish(idp: Idp, text: bytes) -> None:
    assert refused({"SAMLResponse": base64.b64encode(text).decode()}) in {
        "doctype", "not_xml", "not_a_response", "too_large",
    }  # fmt: skip


def test_rubbish_that_is_not_base64(idp: Idp) -> None:
    assert refused({"SAMLResponse": "%%%"}) == "not_base64"
    assert refused({"SAMLResponse": "A" * 200_000}) == "too_large"
    assert refused({}) == "not_xml"


def test_a_replayed_answer(client: Client, idp: Idp, honest: Any) -> None:
    fields = _packed(honest)
    first = deliver(client, fields)
    second = deliver(client, fields)
    assert (first.status_code, second.status_code) == (303, 403)
    assert second.context["reason"] == "not_awaited"
    assert client.get(first.headers["Location"]).headers["Location"] == "/?from=datapage"
    client.post("/sign-out")
    assert client.get(first.headers["Location"]).headers["Location"] == "/sign-in"  # nor the way back twice


def test_an_answer_in_somebody_elses_browser(idp: Idp, honest: Any) -> None:
    """Login CSRF: the attacker's own answer must not sign the victim's browser in as the attacker."""
    victim = Client()
    answer = victim.post("/accounts/saml/willow/acs", _packed(honest))
    assert victim.get(answer.headers["Location"]).headers["Location"] == "/sign-in"
    assert victim.get("/").status_code == 302


def test_an_answer_that_comes_late_or_was_never_asked(
    client: Client, idp: Idp, journey: DirectorySignIn
) -> None:
    root = _response(idp, "ONELOGIN_never")
    assert refused(_packed(root)) == "not_awaited"
    DirectorySignIn.objects.update(started_at=journey.started_at - DirectorySignIn.LIFE)
    assert refused(_packed(_response(idp, journey.request_id))) == "not_awaited"


def test_a_redirect_used_late(client: Client, honest: Any) -> None:
    back = deliver(client, _packed(honest)).headers["Location"]
    answered = DirectorySignIn.objects.get().answered_at
    assert answered
    DirectorySignIn.objects.update(answered_at=answered - DirectorySignIn.USE_WITHIN)
    assert client.get(back).headers["Location"] == "/sign-in"


def test_another_practices_directory(
    client: Client,
    connect: Callable[..., Idp],
    idp: Idp,
    practices: dict[str, Practice],
    journey: DirectorySignIn,
) -> None:
    """Birch's directory names Willow's Ada: at Willow's address, at its own, and with Willow's question."""
    birch = connect("birch")
    theirs = _response(birch, journey.request_id)
    assert refused(_packed(theirs)).startswith("toolkit")
    assert refused(_packed(theirs), "birch") == "not_awaited"
    answer = deliver(client, birch.fields(begin(client, slug="birch")), "birch")
    assert answer.status_code == 403  # Ada is nobody at Birch
    assert "not in Labbridge yet" in answer.content.decode()


def test_a_directory_reaches_its_own_practice_only(
    client: Client, idp: Idp, ada: Any, practices: dict[str, Practice]
) -> None:
    """Whoever keeps Willow's directory could name anybody in it: that opens Willow and no other practice."""
    Membership.objects.create(user=ada, practice=practices["birch"], role=Role.OWNER)
    client.get(deliver(client, idp.fields(begin(client))).headers["Location"])
    assert client.get("/").status_code == 200
    assert client.get("/rupa/connect/birch").status_code == 404
    for path in (
        "/accounts/app/add",
        "/accounts/passkeys/add",
        "/accounts/password",
        "/accounts/recovery/new",
    ):
        assert client.get(path).status_code == 403, path  # nor may it set up a way in that outlasts it


@pytest.mark.parametrize(
    "state",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:evil",
        "\n//evil",
    ],
)
def test_a_relay_state_to_another_host(client: Client, idp: Idp, honest: Any, state: str) -> None:
    answer = deliver(client, {**_packed(honest), "RelayState": state})
    assert client.get(answer.headers["Location"]).headers["Location"] == "/?from=datapage"
    begin(client, state)
    assert DirectorySignIn.objects.order_by("-started_at")[0].next == "/"


def test_begun_at_the_directory_nothing_is_believed(client: Client, idp: Idp, honest: Any) -> None:
    del honest.attrib["InResponseTo"]
    for state, expected in (("/?a=1", "%2F%3Fa%3D1"), ("https://evil.example/", "%2F")):
        page = Client().post(
            "/accounts/saml/willow/acs", {**_packed(_again(honest, idp)), "RelayState": state}
        )
        assert page.status_code == 200
        assert page.context["address"] == f"/accounts/saml/willow/login?next={expected}"


def test_proving_again_through_the_directory(
    client: Client, connect: Callable[..., Idp], practices: Any
) -> None:
    """Step-up of somebody without a password of ours: the directory asks again, and the session stays."""
    idp = connect()
    user = somebody("ada@willow.example", None)
    Membership.objects.create(user=user, practice=practices["willow"], role=Role.OWNER)
    client.get(deliver(client, idp.fields(begin(client))).headers["Location"])
    request = client.get("/").wsgi_request
    address = proof.proof_address(request, "/?grave=1")
    assert address == "/accounts/saml/willow/login?next=%2F%3Fgrave%3D1&fresh=1"
    asked = client.get(address).headers["Location"]
    assert "password" in idp.browser.get(asked).text  # though signed in there, it asks
    back = client.get(deliver(client, idp.fields(asked)).headers["Location"])
    assert back.headers["Location"] == "/?grave=1"
    assert proof.freshly_proved(client.get("/").wsgi_request)
    (entry,) = AuditEntry.objects.filter(action="session.step_up")
    assert (entry.outcome, entry.actor_name, entry.practice) == ("done", user.get_username(), "willow")


def test_a_directory_that_asks_nothing_proves_nothing_anew(
    client: Client, idp: Idp, ada: Any, practices: Any
) -> None:
    """At a window left open: the directory's own session answers at once, and grave actions stay closed."""
    client.get(deliver(client, idp.fields(begin(client))).headers["Location"])
    page = client.get("/")
    assert page.status_code == 200
    assert not proof.freshly_proved(page.wsgi_request)
    silent = idp.browser.get(begin(client, "/audit/export")).text
    fields = dict(re.findall(r'name="(SAMLResponse|RelayState)" value="([^"]*)"', silent))
    assert client.get(deliver(client, fields).headers["Location"]).headers["Location"] == "/audit/export"
    assert not proof.freshly_proved(client.get("/").wsgi_request)
    assert not AuditEntry.objects.filter(action="session.step_up").exists()


@pytest.mark.parametrize(("given", "accepted"), [(-3600, False), (-40, False), (-20, True), (None, False)])
def test_when_the_password_was_given_counts_where_it_was_asked_for(
    client: Client, idp: Idp, ada: Any, given: int | None, accepted: bool
) -> None:
    client.get("/accounts/saml/willow/login?fresh=1")
    journey = DirectorySignIn.objects.get()
    root = _response(idp, journey.request_id)
    statement = _one(root, "//saml:AuthnStatement")
    if given is None:
        del statement.attrib["AuthnInstant"]
    else:
        moment = journey.started_at + timedelta(seconds=given)
        statement.set("AuthnInstant", moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    fields = _packed(_again(root, idp))
    if accepted:
        assert deliver(client, fields).status_code == 303
    elif given is None:
        assert refused(fields)  # the schema demands it
    else:
        page = Client().post("/accounts/saml/willow/acs", fields)
        assert refused(fields) == assertion.NOT_FRESH
        assert "was to ask for your password again" in page.content.decode()


@pytest.mark.parametrize("path", ["/accounts/app/add", "/accounts/passkeys/add"])
def test_a_first_factor_of_ours_wants_a_fresh_proof_of_the_directory(
    client: Client, idp: Idp, practices: Any, path: str
) -> None:
    """At a window left open nobody adds a key of their own to somebody else's account."""
    user = somebody("ada@willow.example", None)
    Membership.objects.create(user=user, practice=practices["willow"], role=Role.OWNER)
    client.get(deliver(client, idp.fields(begin(client))).headers["Location"])
    assert client.get("/").status_code == 200
    for ask in (client.get, client.post):
        address = ask(path).headers["Location"]
        assert address == f"/accounts/saml/willow/login?{urlencode({'next': path, 'fresh': 1})}"
    asked = client.get(address).headers["Location"]
    back = client.get(deliver(client, idp.fields(asked)).headers["Location"]).headers["Location"]
    assert back == path
    assert client.get(back, headers={"host": "localhost"}).status_code == 200


def test_who_has_a_password_here_shows_it_before_their_first_factor(
    client: Client, idp: Idp, ada: Any
) -> None:
    client.get(deliver(client, idp.fields(begin(client))).headers["Location"])
    assert (
        client.get("/accounts/app/add").headers["Location"]
        == "/accounts/confirm?next=%2Faccounts%2Fapp%2Fadd"
    )
    client.post("/accounts/confirm", {"password": PASSWORD})
    assert client.get("/accounts/app/add").status_code == 200


@pytest.mark.parametrize(("password", "opens"), [(PASSWORD, True), (None, False)])
def test_a_key_alone_is_no_way_around_the_directory(
    client: Client, practices: Any, monkeypatch: pytest.MonkeyPatch, password: str | None, opens: bool
) -> None:
    """Also not a key that says of itself that it signs in alone: the form in the browser can be bent."""
    from allauth.mfa.webauthn.internal import auth

    from labbridge.accounts.forms import PasskeyForm

    user = somebody("ada@willow.example", password)
    Membership.objects.create(user=user, practice=practices["willow"], role=Role.OWNER)
    assert PasskeyForm(user=user).fields["passwordless"].disabled is not opens
    key = Authenticator.objects.create(user=user, type="webauthn", data={"name": "mine"})
    for name, answer in (
        ("parse_authentication_response", None),
        ("extract_user_from_response", user),
        ("complete_authentication", key),
    ):
        monkeypatch.setattr(auth, name, lambda *_, answer=answer: answer)
    answer = client.post("/accounts/passkeys/sign-in", {"credential": '{"id": "x"}'}, follow=True)
    assert answer.wsgi_request.user.is_authenticated is opens
    assert ("opens nothing alone" in answer.content.decode()) is not opens


def test_two_certificates_while_the_directory_changes_them(client: Client, idp: Idp, ada: Any) -> None:
    account = idp.account
    other = app_connections.find(account, app_connections.create(account, "Old", "x", "y"))
    practice = Practice.objects.get(slug="willow")
    practice.config["caspio"]["sign_in"]["certificate"] = other.certificate + idp.links["certificate"]
    practice.save()
    assert deliver(client, idp.fields(begin(client))).status_code == 303


# -- practice.toml -------------------------------------------------------------------------------------------

TOML = """
[practice]
slug = "willow"
name = "Willow"
time_zone = "UTC"
[caspio]
url = "https://c0abc123.caspio.com"
client_id = "id"
client_secret = "secret"
[caspio.patients]
first_name = "F"
last_name = "L"
email = "E"
birthday = "B"
[caspio.sign_in]
entity_id = "https://c0abc123.caspio.com/saml"
url = "{url}"
certificate = "{certificate}"
email_domains = ["{domain}"]
"""


def test_the_practices_file(tmp_path: Any, idp: Idp) -> None:
    from labbridge.practices.apply import apply

    pem = tmp_path / "caspio.pem"
    pem.write_text(idp.links["certificate"])
    text = TOML.format(url="https://x.example/sso", certificate=f"file:{pem}", domain="@Willow.Example")
    applied = apply(parse(text)).practice
    pem.unlink()
    directory = saml.directory_of(Practice.objects.get(pk=applied.pk))
    assert directory
    assert directory.config.email_domains == ("willow.example",)
    assert directory.config.two_factor is False
    assert len(directory.config.certificates()) == 1
    assert apply(parse(TOML.partition("[caspio.sign_in]")[0])).changes
    assert saml.directory_of(Practice.objects.get(pk=applied.pk)) is None


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("url", "http://x.example/sso", "https"),
        ("certificate", "rubbish", "not a certificate"),
        ("domain", "*", "domains such as"),
    ],
)
def test_what_the_file_may_not_say(field: str, value: str, says: str, idp: Idp) -> None:
    from labbridge.practices.config import ConfigProblem

    body = "".join(idp.links["certificate"].splitlines()[1:-1])
    good = {"url": "https://x.example/sso", "certificate": body, "domain": "willow.example"}
    with pytest.raises(ConfigProblem, match=says):
        parse(TOML.format(**{**good, field: value}))


def test_the_same_directory_signs_the_same_person_in_again(client: Client, idp: Idp, ada: Any) -> None:
    sign_in(client, ada)
    fields = idp.fields(begin(client))
    assert client.get(deliver(client, fields).headers["Location"]).headers["Location"] == "/?from=datapage"
    assert client.get("/").status_code == 200
    assert uuid.UUID(str(DirectorySignIn.objects.get().pk))


def test_another_person_in_the_same_browser_gets_a_new_session(
    client: Client, idp: Idp, ada: Any, practices: Any
) -> None:
    sign_in(client, member(practices["birch"], Role.OWNER))
    client.get(deliver(client, idp.fields(begin(client))).headers["Location"])
    page = client.get("/")
    assert page.status_code == 200
    assert page.wsgi_request.user == ada
