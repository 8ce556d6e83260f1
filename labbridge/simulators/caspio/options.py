"""Everything about a simulated Caspio account that a test or a demo may choose."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

TABLES = {
    "patients": "Patients",
    "lab_orders": "Lab_Orders",
    "lab_order_tests": "Lab_Order_Tests",
    "lab_results": "Lab_Results",
    "lab_result_values": "Lab_Result_Values",
    "lab_tests": "Lab_Tests",
    "lab_companies": "Lab_Companies",
    "lab_protocols": "Lab_Protocols",
    "lab_protocol_tests": "Lab_Protocol_Tests",
    "lab_order_requests": "Lab_Order_Requests",
}


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Options:
    """How this account behaves. Times in seconds; the defaults are what is documented or observed."""

    client_id: str
    client_secret: str
    account: str = "c0abc123"
    calls_per_second: float | None = None  #: None: no limit; the limit is per account (caspio-api.md 3.1)
    rate_limit_as_400: bool = False  #: the other observed form of the refusal
    token_seconds: int = 86_400
    stale_token_as_400: bool = False  #: IncorrectQueryParameter instead of 401, observed by others
    unique_code: str = (
        "SqlServerError"  #: wording unknown (caspio-api.md 3.2): SQL Server's own, configurable
    )
    unique_message: str = (
        "Cannot insert duplicate key row in object 'dbo.{table}' with unique index 'UX_{field}'. "
        "The duplicate key value is ({value})."
    )
    shuffle_unordered_pages: bool = True  #: unordered paging skips and repeats rows (caspio-api.md 2.2)
    allow_http_loopback: bool = True  #: webhooks to plain http on loopback, though Caspio demands https
    honour_throttling: bool = False  #: space webhook calls by CallThrottling
    max_call_throttling: int = 10
    retry_seconds: tuple[float, ...] = (5, 30, 120, 600, 3600, 14_400)  #: invented: the schedule is unknown
    delivery_timeout: float = 15.0
    delivery_workers: int = 1
    deliver: bool = True
    webhook_secret_in_body: bool = True
    webhook_hmac_header: str | None = None  #: HMAC-SHA256 of the raw body in hex, when a header is named
    rows_per_message: int = 50
    max_upload_bytes: int = 100 * 1024 * 1024
    labbridge_url: str | None = None
    practice_slug: str | None = None
    rupa_order_url: str | None = None  #: a template with {patient}
    practice_name: str = "Willow Functional Medicine"
    tables: dict[str, str] = field(default_factory=lambda: dict(TABLES))
    patient_key: str = "Patient_ID"
    clock: Callable[[], datetime] = utc_now

    @property
    def host(self) -> str:
        return f"https://{self.account}.caspio.com"
