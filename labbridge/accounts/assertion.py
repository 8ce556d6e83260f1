"""Reading the directory's answer. Nothing in it is believed before the signature over all of it holds.

python3-saml checks the signature, the schema and most of the rest; what it leaves out or does loosely (it compares
addresses by their beginning, allows 300 seconds, and does not insist on audience and InResponseTo) is checked here,
on the very document whose signature was verified.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Saml
from onelogin.saml2.response import OneLogin_Saml2_Response

from labbridge.accounts.saml import Directory, request_of, toolkit

SKEW = timedelta(seconds=30)  #: the clocks of both sides may differ by so much; 5 s were enough elsewhere
LONGEST = timedelta(minutes=15)  #: an answer that claims to be good for longer is not
MAX_BYTES = 128 * 1024
C14N = {
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
}
TRANSFORMS = {"http://www.w3.org/2000/09/xmldsig#enveloped-signature", *C14N}
SIGNATURES = {Saml.RSA_SHA256, Saml.RSA_SHA384, Saml.RSA_SHA512}
DIGESTS = {Saml.SHA256, Saml.SHA384, Saml.SHA512}
NOT_FRESH = "not_fresh"  # the page has a sentence of its own for it

Element = Any  # any: lxml has no types


class AnswerRefused(Exception):
    """The answer is not to be believed. `code` is a word for the log; it quotes nothing of the answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Answer:
    email: str
    request_id: str


def parse(encoded: str) -> etree._Element:
    """The document, without entities and of a sane size. Still unverified."""
    if len(encoded) > MAX_BYTES:
        raise AnswerRefused("too_large")
    try:
        raw = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise AnswerRefused("not_base64") from None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        document = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise AnswerRefused("not_xml") from None
    if document.getroottree().docinfo.doctype:
        raise AnswerRefused("doctype")
    if document.tag != f"{{{Saml.NS_SAMLP}}}Response":
        raise AnswerRefused("not_a_response")
    return document


def claimed_request(encoded: str) -> str:
    """The InResponseTo that an answer claims, to find the journey by. Unverified; "" when it names none."""
    return str(parse(encoded).get("InResponseTo") or "")


def verified(
    encoded: str, directory: Directory, request_id: str, now: datetime, *, fresh_since: datetime | None = None
) -> Answer:
    """Who the directory says it is; with `fresh_since`, only where it asked for the password after that.

    Raises:
        AnswerRefused: anything about the answer is not as it must be.

    """
    if parse(encoded).xpath("//comment() | //processing-instruction()"):
        raise AnswerRefused("comment")  # a signature does not cover them, and they cut names in two
    try:
        response = OneLogin_Saml2_Response(toolkit(directory), encoded)
        response.is_valid(request_of(directory), request_id, raise_exceptions=True)
    except Exception as error:  # noqa: BLE001  # the library raises many kinds, and each means no
        raise AnswerRefused(f"toolkit:{getattr(error, 'code', type(error).__name__)}") from None
    document = response.document
    _check_signature(document)
    _check_names(document, directory, request_id)
    _check_times(document, now)
    if fresh_since is not None:
        _check_fresh(document, fresh_since)
    return Answer(_email(document, directory), request_id)


def _one(scope: Element, path: str, code: str) -> Element:
    found = scope.xpath(path, namespaces=Saml.NSMAP)
    if len(found) != 1:
        raise AnswerRefused(code)
    return found[0]


def _check_signature(document: Element) -> None:
    """One signature of the whole Response, by algorithms of today, over nothing but this document."""
    signature = _one(document, "./ds:Signature", "no_response_signature")
    info = _one(signature, "./ds:SignedInfo", "signed_info")
    reference = _one(info, "./ds:Reference", "references")
    if reference.get("URI") != f"#{document.get('ID')}":
        raise AnswerRefused("reference")
    if len(document.xpath("//*[@ID=$id]", id=document.get("ID"))) != 1:
        raise AnswerRefused("double_id")
    algorithms = [
        (_one(info, "./ds:SignatureMethod", "algorithm"), SIGNATURES),
        (_one(info, "./ds:CanonicalizationMethod", "algorithm"), C14N),
        (_one(reference, "./ds:DigestMethod", "algorithm"), DIGESTS),
        *(
            (each, TRANSFORMS)
            for each in reference.xpath("./ds:Transforms/ds:Transform", namespaces=Saml.NSMAP)
        ),
    ]
    if any(element.get("Algorithm") not in allowed for element, allowed in algorithms):
        raise AnswerRefused("algorithm")


def _check_names(document: Element, directory: Directory, request_id: str) -> None:
    """Issuer, audience, recipient, destination and question: each exact."""
    assertion = _one(document, "./saml:Assertion", "assertions")
    data = _confirmation(assertion)
    audiences = assertion.xpath(
        "./saml:Conditions/saml:AudienceRestriction/saml:Audience/text()", namespaces=Saml.NSMAP
    )
    issuer = directory.config.entity_id
    checks = {
        "issuer": _text(_one(assertion, "./saml:Issuer", "issuer")) == issuer
        and all(_text(each) == issuer for each in document.xpath("./saml:Issuer", namespaces=Saml.NSMAP)),
        "audience": [each.strip() for each in audiences] == [directory.entity_id],
        "recipient": data.get("Recipient") == directory.reply_url,
        "destination": document.get("Destination", directory.reply_url) == directory.reply_url,
        "in_response_to": document.get("InResponseTo") == request_id == data.get("InResponseTo"),
    }
    for code, right in checks.items():
        if not right:
            raise AnswerRefused(code)


def _confirmation(assertion: Element) -> Element:
    path = f"./saml:Subject/saml:SubjectConfirmation[@Method='{Saml.CM_BEARER}']/saml:SubjectConfirmationData"
    return _one(assertion, path, "confirmation")


def _check_times(document: Element, now: datetime) -> None:
    assertion = _one(document, "./saml:Assertion", "assertions")
    conditions = _one(assertion, "./saml:Conditions", "conditions")
    confirmation = _confirmation(assertion)
    issued = _moment(assertion, "IssueInstant")
    if issued is None or abs(now - issued) > LONGEST:
        raise AnswerRefused("issued")
    for element in (conditions, confirmation):
        begins, ends = _moment(element, "NotBefore"), _moment(element, "NotOnOrAfter")
        if begins is not None and begins > now + SKEW:
            raise AnswerRefused("too_early")
        if ends is not None and ends <= now - SKEW:
            raise AnswerRefused("expired")
    if _moment(confirmation, "NotOnOrAfter") is None:  # the profile demands it here and allows it there
        raise AnswerRefused("expired")


def _check_fresh(document: Element, since: datetime) -> None:
    """We asked for the password anew (`ForceAuthn`); a directory that does not heed it tells the old moment."""
    asked = _moment(_one(document, "./saml:Assertion/saml:AuthnStatement", NOT_FRESH), "AuthnInstant")
    if asked is None or asked < since - SKEW:
        raise AnswerRefused(NOT_FRESH)


def _moment(element: Element, name: str) -> datetime | None:
    text = element.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise AnswerRefused("time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(element: Element) -> str:
    """An element's text; with markup or a comment inside it names nobody."""
    return "" if len(element) else (element.text or "").strip()


def _email(document: Element, directory: Directory) -> str:
    email = _text(_one(document, "./saml:Assertion/saml:Subject/saml:NameID", "name_id")).lower()
    _, at, domain = email.rpartition("@")
    if not at or not email.isascii() or " " in email:
        raise AnswerRefused("name_id")
    if domain not in directory.config.email_domains:
        raise AnswerRefused("email_domain")
    return email
