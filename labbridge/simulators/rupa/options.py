"""What the stand-in can be told to do otherwise; every default is the one that rupa-api.md says to build."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

DAY = 86_400.0


@dataclass(frozen=True)
class Options:
    """All switches of the simulator; changed at run time with `POST /_sim/options`. Times are in seconds."""

    webhook_url: str | None = None  # one URL for all practitioners (rupa-api.md 7)
    signing_secret: str = ""  # comma-separated while rotating: one v1= for each
    redirect_uris: str = ""  # comma-separated; empty lets any http(s) address through
    practice_url: str = ""  # the practice's stand-in, which /order-for/{key} asks about its patients
    app_url: str = ""  # address of the labs web app in checkout URLs; empty takes the request's own host

    # OAuth (rupa-api.md 3)
    expires_in: float = 36_000
    code_lifetime: float = 60
    rotate_refresh_tokens: bool = True
    publishable_key_lifetime: float = 36_000
    me_path: str = "me"  # /practitioners/{me_path}; empty takes the path away

    # JSON:API (rupa-api.md 2.1 and 4)
    catalogue_paths: str = "both"  # both | kebab | snake: how /lab-tests and /lab-companies are spelled
    slash: str = "both"  # both | required | forbidden
    other_slash: str = "404"  # what the wrong slash form answers: 404 | redirect
    filters: bool = True  # False: each filter answers 400
    sorting: bool = True
    includes: bool = True
    page_size: int = 50
    max_page_size: int = 100
    price_unit: str = "dollars"  # dollars | cents
    price_as: str = "number"  # number | string
    patient_endpoint: bool = True  # False: POST and PATCH of patients answer 405
    duplicate_email: str = "reject"  # POST of a patient whose e-mail exists: reject | use_existing | create
    intent_lifetime: float | None = None

    # Orders and results (rupa-api.md 6 and 8)
    complete_with_last_result: bool = True
    physician_services_fee: bool = False
    file_url_lifetime: float = 900
    file_needs_bearer: bool = False
    file_base_url: str = ""  # a foreign host in file URLs; empty takes the simulator's own
    file_redirect_to: str = ""  # the file route redirects there instead of answering
    file_content: str = "file"  # file | html | huge | empty
    results_pdf_as: str = "url"  # url | base64
    huge_bytes: int = 60_000_000

    # Webhooks (rupa-api.md 7)
    only_connected_clinics: bool = True  # clinics without a connected practitioner send nothing
    deliver_per_connection: bool = False  # one delivery for each connected practitioner of the clinic
    metadata_place: str = "attributes"  # attributes | data | top | included
    signature: str = "valid"  # valid | none | wrong | stale
    first_retry: float = 60  # doubled at each attempt
    longest_retry: float = 12 * 3600
    give_up_after: float = 3 * DAY
    time_scale: float = 1.0  # 0.001 makes three days four minutes
    delivery_timeout: float = 10
    sender_threads: int = 1

    catalogue_size: int = 0  # more invented tests until the catalogue has so many

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "catalogue_paths": ("both", "kebab", "snake"),
        "slash": ("both", "required", "forbidden"),
        "other_slash": ("404", "redirect"),
        "price_unit": ("dollars", "cents"),
        "price_as": ("number", "string"),
        "duplicate_email": ("reject", "use_existing", "create"),
        "file_content": ("file", "html", "huge", "empty"),
        "results_pdf_as": ("url", "base64"),
        "metadata_place": ("attributes", "data", "top", "included"),
        "signature": ("valid", "none", "wrong", "stale"),
    }

    def changed(self, raw: Mapping[str, Any]) -> "Options":
        """Return a copy with these options. Raises ValueError with a sentence."""
        known = {field.name: field.type for field in fields(self)}
        for name, value in raw.items():
            if name not in known:
                raise ValueError(f"unknown option {name}")
            _check(name, getattr(Options, name), value, self.CHOICES.get(name))
        return replace(self, **raw)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _check(name: str, default: Any, value: Any, choices: tuple[str, ...] | None) -> None:
    if choices and value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}")
    if default is None:
        fits = value is None or isinstance(value, str | int | float)
    elif isinstance(default, bool):
        fits = isinstance(value, bool)
    elif isinstance(default, int | float):
        fits = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    else:
        fits = isinstance(value, str)
    if not fits:
        raise ValueError(f"{name} has a value of the wrong kind")
