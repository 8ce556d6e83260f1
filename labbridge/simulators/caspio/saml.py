"""The directory as SAML 2.0 identity provider (caspio-api.md 5.5): Redirect in, POST out.

As observed at Caspio: the Response is signed and the Assertion is not, SHA-256; the NameID is the e-mail; there are
no attributes; RelayState comes back; a signed AuthnRequest is accepted (and checked here, where a certificate is
known).
"""

import base64
import secrets
import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape, quoteattr

import xmlsec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Blueprint, Response, make_response, render_template, request
from lxml import etree
from xmlsec import constants as consts

from labbridge.simulators.caspio import app_connections
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.app_connections import AppConnection
from labbridge.simulators.caspio.rest import account_of

routes = Blueprint("saml", __name__)

SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
MAX_REQUEST = 64 * 1024
LIFE = timedelta(minutes=5)
COOKIE = "cbDirectorySession"  # the directory's own session; Caspio's real name for it is not known

_sessions: dict[str, str] = {}  # cookie -> e-mail


class RequestRefused(Exception):
    """The service's question cannot be answered; the text says why."""


@dataclass(frozen=True)
class Question:
    id: str
    force: bool


# --- the protocol ---------------------------------------------------------------------------------
def read_question(connection: AppConnection, query: str) -> Question:
    """Check an AuthnRequest as it stands in the address. Raises RequestRefused."""
    raw = {part.partition("=")[0]: part.partition("=")[2] for part in query.split("&")}
    try:
        packed = base64.b64decode(unquote_plus(raw["SAMLRequest"]), validate=True)
        text = zlib.decompressobj(-15).decompress(packed, MAX_REQUEST)
        root = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    except (KeyError, ValueError, zlib.error, etree.XMLSyntaxError) as error:
        raise RequestRefused("There is no readable SAMLRequest.") from error
    issuer = root.findtext(f"{{{SAML}}}Issuer")
    if root.tag != f"{{{SAMLP}}}AuthnRequest" or issuer != connection.sp_entity_id:
        raise RequestRefused("The SP Entity ID is not the one of this app connection.")
    if root.get("AssertionConsumerServiceURL") not in (None, connection.reply_url):
        raise RequestRefused("The Reply URL is not the one of this app connection.")
    if connection.sp_certificate:
        _check_signature(connection, raw)
    return Question(root.get("ID", ""), root.get("ForceAuthn") == "true")


def _check_signature(connection: AppConnection, raw: dict[str, str]) -> None:
    signed = "&".join(
        f"{name}={raw[name]}" for name in ("SAMLRequest", "RelayState", "SigAlg") if name in raw
    )
    key = x509.load_pem_x509_certificate(connection.sp_certificate.encode()).public_key()
    try:
        if unquote_plus(raw["SigAlg"]) != RSA_SHA256 or not isinstance(key, rsa.RSAPublicKey):
            raise RequestRefused("The signature's algorithm is not RSA with SHA-256.")
        key.verify(
            base64.b64decode(unquote_plus(raw["Signature"])),
            signed.encode(),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
    except (KeyError, ValueError, InvalidSignature) as error:
        raise RequestRefused("The signature of the AuthnRequest does not hold.") from error


def signed_response(
    account: Account, connection: AppConnection, entity_id: str, email: str, request_id: str
) -> bytes:
    """The Response, signed around everything; the Assertion inside is not signed by itself."""
    now = account.now()
    text = f"""<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_{secrets.token_hex(16)}" Version="2.0"
 IssueInstant="{_time(now)}" Destination={quoteattr(connection.reply_url)} InResponseTo={quoteattr(request_id)}>
<saml:Issuer>{escape(entity_id)}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
<saml:Assertion ID="_{secrets.token_hex(16)}" Version="2.0" IssueInstant="{_time(now)}">
<saml:Issuer>{escape(entity_id)}</saml:Issuer>
<saml:Subject><saml:NameID Format="{EMAIL}">{escape(email)}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData
 InResponseTo={quoteattr(request_id)} NotOnOrAfter="{_time(now + LIFE)}" Recipient={quoteattr(connection.reply_url)}/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{_time(now)}" NotOnOrAfter="{_time(now + LIFE)}"><saml:AudienceRestriction>
<saml:Audience>{escape(connection.sp_entity_id)}</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="{_time(now)}" SessionIndex="_{secrets.token_hex(16)}"><saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>
</saml:AuthnContext></saml:AuthnStatement></saml:Assertion></samlp:Response>"""
    root = etree.fromstring(text)
    sign(root, connection)
    return bytes(etree.tostring(root))


def sign(root: Any, connection: AppConnection) -> None:  # any: lxml has no types
    """Sign an element by its ID with an enveloped signature behind its Issuer."""
    transform = consts.TransformExclC14N
    signature = xmlsec.template.create(root, transform, consts.TransformRsaSha256, ns="ds")
    root.insert(1, signature)
    reference = xmlsec.template.add_reference(signature, consts.TransformSha256, uri=f"#{root.get('ID')}")
    xmlsec.template.add_transform(reference, consts.TransformEnveloped)
    xmlsec.template.add_transform(reference, transform)
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(connection.private_key.encode(), consts.KeyDataFormatPem)
    context.key.load_cert_from_memory(connection.certificate.encode(), consts.KeyDataFormatPem)
    context.sign(signature)


def _time(moment: Any) -> str:  # any: a datetime
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


# --- the pages ------------------------------------------------------------------------------------
@routes.get("/saml/<connection_id>/metadata")
def metadata(connection_id: str) -> Response:
    connection = app_connections.find(account_of(), connection_id)
    body = "".join(connection.certificate.strip().splitlines()[1:-1])
    found = app_connections.links(connection)
    text = f"""<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
 entityID={quoteattr(found["entity_id"])}>
<md:IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="{SAMLP}">
<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
<ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
<md:NameIDFormat>{EMAIL}</md:NameIDFormat>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
 Location={quoteattr(found["sso_url"])}/>
</md:IDPSSODescriptor></md:EntityDescriptor>"""
    return Response(text, mimetype="application/samlmetadata+xml")


@routes.route("/saml/<connection_id>/sso", methods=["GET", "POST"])
def sso(connection_id: str) -> Any:
    """Ask for e-mail and password unless this browser is signed in at the directory, and answer the service."""
    account = account_of()
    connection = app_connections.find(account, connection_id)
    try:
        question = read_question(connection, request.query_string.decode())
    except RequestRefused as refused:
        return render_template("notice.html", title="Not possible", text=str(refused)), 400
    if request.method == "GET":
        known = _sessions.get(request.cookies.get(COOKIE, ""))
        if known is None or question.force:
            return render_template("directory_sign_in.html", connection=connection, error="")
        return _answer(account, connection, question, known)
    email = app_connections.signs_in(account, request.form.get("email", ""), request.form.get("password", ""))
    if email is None:
        error = "Email and password do not match."
        return render_template("directory_sign_in.html", connection=connection, error=error), 401
    return _answer(account, connection, question, email)


def _answer(account: Account, connection: AppConnection, question: Question, email: str) -> Any:
    page = make_response(_answer_page(account, connection, question, email))
    cookie = request.cookies.get(COOKIE, "")
    if _sessions.get(cookie) != email:
        cookie = secrets.token_urlsafe(24)
        _sessions[cookie] = email
    page.set_cookie(COOKIE, cookie, httponly=True, samesite="Lax")
    return page


def _answer_page(account: Account, connection: AppConnection, question: Question, email: str) -> Any:
    if not app_connections.has_access(account, connection.id, email):
        text = f"Your account has no access to {connection.name}. Ask the administrator of your directory."
        return render_template("notice.html", title="No application access", text=text), 403
    entity_id = app_connections.links(connection)["entity_id"]
    packed = base64.b64encode(signed_response(account, connection, entity_id, email, question.id)).decode()
    relay_state = request.args.get("RelayState", "")
    return render_template("saml_post.html", connection=connection, response=packed, relay_state=relay_state)


@routes.post("/saml/sign-out")
def sign_out() -> Any:
    _sessions.pop(request.cookies.get(COOKIE, ""), None)
    text = "You are signed out of the directory."
    page = make_response(render_template("notice.html", title="Signed out", text=text))
    page.delete_cookie(COOKIE)
    return page
