"""`practice.toml`, typed (design.md 6.3). Reading it touches no database and no peer."""

from __future__ import annotations

import base64
import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from cryptography import x509
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

#: Caspio: letters, digits and underscores, starting with a letter, at most 32 (caspio-api.md 3.5).
CASPIO_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")


class ConfigProblem(Exception):
    """`practice.toml` cannot be used. The text is for the person who wrote it and repeats no secret."""


def _caspio_name(value: object) -> object:
    if isinstance(value, str) and value and not CASPIO_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a Caspio name (letters, digits, _; at most 32; a letter first)")
    return value


Name = Annotated[str, BeforeValidator(_caspio_name)]


@cache
def _time_zones() -> set[str]:
    """Read once: it walks through a thousand files, and every job reads the configuration."""
    return available_timezones()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PracticePart(_Part):
    slug: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")
    name: str = Field(min_length=1, max_length=200)
    time_zone: str

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in _time_zones():
            raise ValueError(f"{value!r} is not a time zone such as America/Los_Angeles")
        return value


class PatientFields(_Part):
    """Where the practice keeps its patients: ours = theirs. A field left out is not read or written."""

    table: Name = "Patients"
    key: Name = "PK_ID"
    first_name: Name
    last_name: Name
    email: Name
    phone: Name = ""
    birthday: Name
    gender: Name = ""
    street: Name = ""
    city: Name = ""
    state: Name = ""
    zipcode: Name = ""
    rupa_patient_id: Name = "Rupa_Patient_ID"
    sync_status: Name = "Rupa_Sync_Status"
    sync_message: Name = "Rupa_Sync_Message"
    synced_at: Name = "Rupa_Synced_At"

    WRITTEN: tuple[str, ...] = Field(
        default=("rupa_patient_id", "sync_status", "sync_message", "synced_at"), exclude=True
    )

    def read_fields(self) -> dict[str, str]:
        """Our name to theirs, for every field we read, without the empty ones."""
        pairs = self.model_dump(exclude={"table", "WRITTEN"})
        return {ours: theirs for ours, theirs in pairs.items() if theirs}


class TableNames(_Part):
    lab_orders: Name = "Lab_Orders"
    lab_order_tests: Name = "Lab_Order_Tests"
    lab_results: Name = "Lab_Results"
    lab_result_values: Name = "Lab_Result_Values"
    lab_tests: Name = "Lab_Tests"
    lab_companies: Name = "Lab_Companies"
    lab_protocols: Name = "Lab_Protocols"
    lab_protocol_tests: Name = "Lab_Protocol_Tests"
    lab_order_requests: Name = "Lab_Order_Requests"


class WebhookSignature(_Part):
    """Caspio's HMAC mode (caspio-api.md 4.5): the header's name is not documented, so it is set here."""

    header: str
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""


class SignInPart(_Part):
    """`[caspio.sign_in]`: the app connection of the practice's directory (SAML, caspio-api.md 5.5)."""

    entity_id: str = Field(min_length=1)
    url: str
    certificate: str  # PEM, or its base64 body alone; several PEM blocks while the directory changes it
    email_domains: tuple[str, ...] = Field(min_length=1)
    two_factor: bool = False  # whether the directory asks everybody for a second factor

    @field_validator("url")
    @classmethod
    def _https(cls, value: str) -> str:
        # Reading the settings reads the deployment, which most files do not need.
        from labbridge.settings import is_loopback

        parts = urlsplit(value)
        if not parts.hostname or parts.scheme not in {"https", "http"}:
            raise ValueError("must be the sign-in address of the app connection, https://…")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("must be an https address (plain http is for loopback only)")
        return value

    @field_validator("certificate")
    @classmethod
    def _readable(cls, value: str) -> str:
        if not value.startswith(("env:", "file:")):
            certificate_bodies(value)
        return value

    @field_validator("email_domains")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        domains = tuple(domain.strip().lower().removeprefix("@") for domain in value)
        if not all(re.fullmatch(r"[a-z0-9.-]+\.[a-z0-9-]+", domain) for domain in domains):
            raise ValueError("must be domains such as willow.example")
        return domains

    def certificates(self) -> list[str]:
        return certificate_bodies(self.certificate)


def certificate_bodies(text: str) -> list[str]:
    """The base64 bodies of the certificates in a text. A ValueError says what is wrong with it."""
    bodies = re.findall(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", text, re.DOTALL)
    found = ["".join(body.split()) for body in bodies or [text]]
    try:
        for body in found:
            x509.load_der_x509_certificate(base64.b64decode(body, validate=True))
    except ValueError:
        raise ValueError("is not a certificate (PEM, as Caspio shows it)") from None
    return found


class CaspioPart(_Part):
    url: str
    client_id: str
    client_secret: str
    webhook_secret: str = ""
    webhook_signature: WebhookSignature | None = None
    calls_per_second: float = Field(default=5, gt=0, le=100)
    principal: str = "labbridge"
    patients: PatientFields
    tables: TableNames = Field(default_factory=TableNames)
    sign_in: SignInPart | None = None

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be the account's address, such as https://c0abc123.caspio.com")
        return value.rstrip("/")


PatientPart = Literal[
    "first_name", "last_name", "email", "phone", "birthday", "gender", "street", "city", "state", "zipcode"
]
Side = Literal["caspio", "rupa", "newest", "ask"]


class SyncPart(_Part):
    settle_seconds: float = Field(default=20, ge=0, le=3600)
    sweep_minutes: float = Field(default=60, gt=0)
    confirm: tuple[Literal["birthday", "name"], ...] = ("birthday", "name")
    #: "link" links rows with patients that Rupa has; "full" also creates and updates patients at Rupa.
    patients: Literal["link", "full"] = "link"
    policy: dict[PatientPart, Side] = Field(default_factory=dict)  # who wins when a value changes later

    def policy_of(self, part: str) -> str:
        return next((side for name, side in self.policy.items() if name == part), "caspio")


class OrderingPart(_Part):
    """Where the order page may lead back to, beside the Caspio account's own pages."""

    back_hosts: tuple[str, ...] = ()


class RupaPractitioner(_Part):
    email: str
    refresh_token: str = ""


class RupaPart(_Part):
    price_unit: Literal["unknown", "dollars", "cents"] = "unknown"
    practitioners: tuple[RupaPractitioner, ...] = ()


class PracticeConfig(_Part):
    practice: PracticePart
    caspio: CaspioPart
    sync: SyncPart = Field(default_factory=SyncPart)
    ordering: OrderingPart = Field(default_factory=OrderingPart)
    rupa: RupaPart = Field(default_factory=RupaPart)

    @model_validator(mode="after")
    def _distinct_tables(self) -> PracticeConfig:
        names = [*self.caspio.tables.model_dump().values(), self.caspio.patients.table]
        lowered = [name.lower() for name in names]
        doubled = sorted({name for name in names if lowered.count(name.lower()) > 1})
        if doubled:
            raise ValueError(f"two purposes share the table {', '.join(doubled)}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.practice.time_zone)


def resolve_secret(value: str, name: str) -> str:
    """A literal, `env:NAME` or `file:PATH`.

    Raises:
        ConfigProblem: naming the setting and the variable or file, never the value.

    """
    if value.startswith("env:"):
        variable = value.removeprefix("env:")
        if not os.environ.get(variable):
            raise ConfigProblem(f"{name}: the environment variable {variable} is not set.")
        return os.environ[variable].strip()
    if value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigProblem(
                f"{name}: the file {path} cannot be read ({type(error).__name__})."
            ) from error
    return value


def optional_secret(value: str, name: str) -> str:
    """As `resolve_secret`, but an unset variable or a missing file is simply none."""
    try:
        return resolve_secret(value, name)
    except ConfigProblem:
        return ""


def parse(text: str) -> PracticeConfig:
    """Read the text of a `practice.toml`.

    Raises:
        ConfigProblem: a sentence for every line that cannot be used.

    """
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        detail = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "too deeply nested"
        raise ConfigProblem(f"Not a TOML file: {detail}.") from None
    try:
        return PracticeConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigProblem(_sentences(error)) from None


def _sentences(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in item["loc"]) or "practice.toml"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "missing":
            message = "is missing"
        if item["type"] == "extra_forbidden":
            message = "is not a setting of Labbridge (see docs/practice-toml.md)"
        lines.append(f"{where}: {message}")
    return "\n".join(lines)


def load(path: Path) -> PracticeConfig:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigProblem(f"{path} cannot be read ({type(error).__name__}).") from error
    return parse(text)
