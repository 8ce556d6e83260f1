"""`practice.toml`, typed (design.md 6.3). Reading it touches no database and no peer."""

from __future__ import annotations

import base64
import os
import re
import tomllib
from datetime import time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from cryptography import x509
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

#: Caspio: letters, digits and underscores, starting with a letter, at most 32 (caspio-api.md 3.5).
CASPIO_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")


#: Stands in a configuration where a secret stood that is kept sealed. A file that says it keeps that secret.
STORED = "stored"


class ConfigProblem(Exception):
    """`practice.toml` cannot be used. The text is for the person who wrote it and repeats no secret.

    `fields`: what is wrong by the path of the setting, where that is known.
    """

    def __init__(self, sentence: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.fields = fields or {}


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
    lab_analytics_monthly: Name = "Lab_Analytics_Monthly"
    lab_turnaround: Name = "Lab_Turnaround"


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
        from labbridge.addresses import is_loopback

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
    FEW: ClassVar = 10  #: changes that never look like a mistake, whatever share of a small practice they are

    settle_seconds: float = Field(default=20, ge=0, le=3600)
    sweep_minutes: float = Field(default=60, gt=0)
    #: A sweep stops when more than this share of patients, orders or rows would change.
    brake_share: float = Field(default=0.5, gt=0, le=1)
    confirm: tuple[Literal["birthday", "name"], ...] = ("birthday", "name")
    #: "full" creates and updates patients at Rupa; "link" only links rows with patients that Rupa has.
    patients: Literal["full", "link"] = "full"
    policy: dict[PatientPart, Side] = Field(default_factory=dict)  # who wins when a value changes later

    def is_too_much(self, changed: int, held: int) -> bool:
        """Whether so many changes at once look like a mistake. A few never do, whatever share they are."""
        return changed > self.FEW and changed > self.brake_share * held

    def policy_of(self, part: str) -> str:
        return next((side for name, side in self.policy.items() if name == part), "caspio")


class AlertsPart(_Part):
    """Who hears of what goes wrong at this practice, and when (docs/alerts.md)."""

    channels: tuple[str, ...] = ()  # addresses in apprise's form; they hold passwords, so `env:` or `file:`
    quiet_from: time | None = None
    quiet_to: time | None = None
    digest_at: time | None = None
    remind_hours: float = Field(default=24, ge=1, le=720)
    case_hours: float = Field(default=24, gt=0)
    review_days: float = Field(default=3, gt=0)
    unpaid_days: float = Field(default=3, gt=0)
    calls_per_month: int = Field(default=0, ge=0)  # what the Caspio plan holds; 0: not said, no forecast

    @model_validator(mode="after")
    def _both_ends(self) -> AlertsPart:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet_from and quiet_to belong together")
        if any(moment and moment.tzinfo for moment in (self.quiet_from, self.quiet_to, self.digest_at)):
            raise ValueError("times are of the practice's own zone, such as 20:00")
        return self


EhrName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class OrderingPart(_Part):
    """`back_hosts`: where the order page may lead back to, beside the Caspio account's own pages.

    `ehr`: an EHR's name = the key that it writes into the metadata of its order intents: so its orders are known.
    """

    back_hosts: tuple[str, ...] = ()
    ehr: dict[EhrName, MetadataKey] = Field(default_factory=dict)


class RetentionPart(_Part):
    """How long our copies are kept, in days since they were needed last; 0 keeps them. See docs/retention.md."""

    events_days: int = Field(default=365, ge=0, le=36_500)  # bodies of events that Caspio holds
    files_days: int = Field(default=0, ge=0, le=36_500)  # our copies of result files that Caspio holds
    mirror_days: int = Field(default=0, ge=0, le=36_500)  # contents of orders that ended
    audit_years: int = Field(default=6, ge=6, le=100)  # 45 CFR 164.316(b)(2)(i): six years at least


def _npi(value: object) -> object:
    """Ten digits whose last one checks the others, as CMS defines it: Luhn over 80840 and the number."""
    if isinstance(value, str) and value:
        doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(f"80840{value}")
                   ] if re.fullmatch(r"[12]\d{9}", value, re.ASCII) else [1]  # fmt: skip
        if sum(number // 10 + number % 10 for number in doubled) % 10:
            raise ValueError("is not an NPI: ten digits, the last of which checks the others")
    return value


class RupaPractitioner(_Part):
    email: str
    refresh_token: str = ""
    id: str = ""  # Rupa's id, for somebody of the clinic who has no connection of their own
    npi: Annotated[str, BeforeValidator(_npi)] = ""  # printed on superbills


class BillingPart(_Part):
    """What superbills say of the practice beside its name (docs/billing.md)."""

    address: str = Field(default="", max_length=300)
    phone: str = Field(default="", max_length=40)
    tax_id: str = Field(default="", pattern=r"^$|^\d{2}-\d{7}$|^\d{3}-\d{2}-\d{4}$")


class AnalyticsPart(_Part):
    """What the figures of docs/analytics.md assume, and when the monthly report is told of.

    Minutes of staff time: the integration guide says 3 to 5 for each new patient, and gives none for one order.
    `repeat_months`: Rupa's id of a test = months after which it is due again. Neither peer tells such an interval.
    """

    patient_minutes_low: float = Field(default=3, ge=0, le=240)
    patient_minutes_high: float = Field(default=5, ge=0, le=240)
    order_minutes: float = Field(default=0, ge=0, le=240)
    result_minutes: float = Field(default=0, ge=0, le=240)
    hour_cost: float = Field(default=0, ge=0, le=1000)  # dollars; 0: not said, no amount
    abandoned_days: int = Field(default=30, ge=1, le=3650)
    repeat_months: dict[str, Annotated[int, Field(ge=1, le=120)]] = Field(default_factory=dict)
    report_day: int = Field(
        default=0, ge=0, le=28
    )  # of the month: channels are told of the report; 0: nobody is

    @model_validator(mode="after")
    def _low_first(self) -> AnalyticsPart:
        if self.patient_minutes_low > self.patient_minutes_high:
            raise ValueError("patient_minutes_low is more than patient_minutes_high")
        return self


class RupaPart(_Part):
    price_unit: Literal["unknown", "dollars", "cents"] = "unknown"
    practitioners: tuple[RupaPractitioner, ...] = ()


class PracticeConfig(_Part):
    practice: PracticePart
    caspio: CaspioPart
    sync: SyncPart = Field(default_factory=SyncPart)
    alerts: AlertsPart = Field(default_factory=AlertsPart)
    ordering: OrderingPart = Field(default_factory=OrderingPart)
    rupa: RupaPart = Field(default_factory=RupaPart)
    retention: RetentionPart = Field(default_factory=RetentionPart)
    billing: BillingPart = Field(default_factory=BillingPart)
    analytics: AnalyticsPart = Field(default_factory=AnalyticsPart)

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
    return valid(raw)


def valid(raw: dict[str, Any]) -> PracticeConfig:  # any: TOML or JSON
    """A configuration, valid. Raises ConfigProblem with a sentence for every setting that cannot be used."""
    try:
        return PracticeConfig.model_validate(raw)
    except ValidationError as error:
        found = _problems(error)
        sentences = "\n".join(f"{where or 'practice.toml'}: {sentence}" for where, sentence in found)
        raise ConfigProblem(sentences, dict(reversed(found))) from None


def _problems(error: ValidationError) -> list[tuple[str, str]]:
    found = []
    for item in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "missing":
            message = "is missing"
        if item["type"] == "extra_forbidden":
            message = "is not a setting of Labbridge (see docs/practice-toml.md)"
        found.append((where, message))
    return found


def load(path: Path) -> PracticeConfig:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigProblem(f"{path} cannot be read ({type(error).__name__}).") from error
    return parse(text)
