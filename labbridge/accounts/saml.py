"""Asking a practice's Caspio directory who somebody is: SAML 2.0, we are the service provider.

Caspio's facts are in caspio-api.md 5.4-5.5: an app connection of the directory; the answer comes by POST, its
Response is signed (not the Assertion), SHA-256; the NameID is the e-mail; no attributes, so roles are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.urls import reverse
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Saml
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from labbridge.accounts.models import SigningKey
from labbridge.practices.apply import config_of
from labbridge.practices.config import SignInPart
from labbridge.practices.models import Practice

CERTIFICATE_LIFE = timedelta(days=3650)

Toolkit = dict[str, Any]  # any: the settings that python3-saml reads


@dataclass(frozen=True)
class Directory:
    """A practice's directory and our three addresses for it."""

    practice: Practice
    config: SignInPart

    @property
    def entity_id(self) -> str:
        return self._address("directory-metadata")

    @property
    def reply_url(self) -> str:
        return self._address("directory-answer")

    def _address(self, name: str) -> str:
        return str(settings.DEPLOYMENT.public_url) + reverse(name, args=[self.practice.slug])


def directory_of(practice: Practice) -> Directory | None:
    """The directory that the practice's `[caspio.sign_in]` describes, if it does."""
    if not practice.config:
        return None
    part = config_of(practice).caspio.sign_in
    return Directory(practice, part) if part else None


def toolkit(directory: Directory, key: SigningKey | None = None) -> OneLogin_Saml2_Settings:
    """Settings of python3-saml; with our key to ask, without it to read an answer (nothing is ever decrypted)."""
    certificates = directory.config.certificates()
    provider: Toolkit = {
        "entityId": directory.config.entity_id,
        "singleSignOnService": {"url": directory.config.url, "binding": Saml.BINDING_HTTP_REDIRECT},
        "x509cert": certificates[0],
        "x509certMulti": {"signing": certificates},  # two while the directory changes its certificate
    }
    ours: Toolkit = {
        "entityId": directory.entity_id,
        "assertionConsumerService": {"url": directory.reply_url, "binding": Saml.BINDING_HTTP_POST},
        "NameIDFormat": Saml.NAMEID_EMAIL_ADDRESS,
    }
    if key is not None:
        ours |= {"x509cert": key.certificate, "privateKey": key.private_key}
    security: Toolkit = {
        "authnRequestsSigned": key is not None,
        "wantMessagesSigned": True,  # Caspio signs the Response and not the Assertion (caspio-api.md 5.5)
        "wantAssertionsSigned": False,
        "wantAttributeStatement": False,
        "requestedAuthnContext": False,  # as found to work with Caspio (caspio-api.md 5.5)
        "signatureAlgorithm": Saml.RSA_SHA256,
        "digestAlgorithm": Saml.SHA256,
        "rejectDeprecatedAlgorithm": True,
    }
    whole: Toolkit = {"strict": True, "debug": False, "sp": ours, "idp": provider, "security": security}
    return OneLogin_Saml2_Settings(whole)


def request_of(directory: Directory) -> Toolkit:
    """The request as python3-saml wants it: from our settings, since a Host header is the sender's word."""
    parts = urlsplit(directory.reply_url)
    return {
        "https": "on" if parts.scheme == "https" else "off",
        "http_host": parts.netloc,
        "script_name": parts.path,
        "get_data": {},
        "post_data": {},
    }


def question(directory: Directory, relay_state: str, *, fresh: bool) -> tuple[str, str]:
    """The address to send the browser to, and the request's id."""
    auth = OneLogin_Saml2_Auth(request_of(directory), toolkit(directory, signing_key(directory.practice)))
    address = auth.login(return_to=relay_state, force_authn=fresh, set_nameid_policy=True)
    return str(address), str(auth.get_last_request_id())


def metadata(directory: Directory) -> bytes:
    """What an app connection wants to know about us, as XML."""
    made = toolkit(directory, signing_key(directory.practice)).get_sp_metadata()
    return made if isinstance(made, bytes) else str(made).encode()


def signing_key(practice: Practice) -> SigningKey:
    """The practice's key, made when it is first needed. Two at once agree on the first."""
    found = SigningKey.objects.filter(practice=practice).first()
    if found is None:
        certificate, private_key = _made_pair(practice)
        found, _ = SigningKey.objects.get_or_create(
            practice=practice, defaults={"certificate": certificate, "private_key": private_key}
        )
    return found


def _made_pair(practice: Practice) -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Labbridge for {practice.slug}")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + CERTIFICATE_LIFE)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
