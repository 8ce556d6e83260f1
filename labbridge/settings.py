"""Every setting of a deployment, read here and nowhere else (design.md 6.2).

Each `LABBRIDGE_X` may also be given as `LABBRIDGE_X_FILE`, the path of a file that holds the value. Unsafe or
contradictory settings stop the start with a sentence (`SettingsProblem`, and `checks.py` for what needs Django).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from labbridge.addresses import is_loopback

PREFIX = "LABBRIDGE_"
SANDBOX_API = "https://api-sandbox.rupahealth.com"  #: rupa-api.md 2
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SHORTEST_SECRET = 32
MAX_WEBHOOK_BYTES = 10 * 1024 * 1024  #: design.md 6.4


class SettingsProblem(SystemExit):
    """A setting is missing, unsafe or contradicts another. Prints its sentence and ends the process with 2."""

    def __init__(self, sentence: str) -> None:
        super().__init__(2)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


CommaSeparated = Annotated[list[str], BeforeValidator(_comma_separated)]


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


BlankSeparated = Annotated[list[str], BeforeValidator(_words)]  # addresses hold commas


#: How Rupa signs, where it turns out to be otherwise: the parts of `peers.rupa.signature.SignatureScheme`.
SIGNATURE_PARTS = {
    "header": re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}"),
    "layout": re.compile(r"timestamped|body"),
    "encoding": re.compile(r"hex|base64"),
    "prefix": re.compile(r"[!-~]{0,64}"),
}


def _signature(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = dict(word.partition("=")[::2] for word in value.split())
    if len(parts) < len(value.split()) or not all(
        name in SIGNATURE_PARTS and SIGNATURE_PARTS[name].fullmatch(part) for name, part in parts.items()
    ):
        raise ValueError(
            "must be words such as header=Rupa-Signature layout=timestamped (or body) encoding=hex (or base64) "
            "prefix=sha256=, each at most once"
        )
    return parts


class Deployment(BaseModel):
    """The environment, typed. Field `x` is the variable `LABBRIDGE_X`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(default=Path("var"), validate_default=True)
    database_url: str = ""
    public_url: str = "http://127.0.0.1:8000"
    secret_key: str = ""
    encryption_keys: CommaSeparated = Field(default_factory=list)
    key_adapter: str = ""
    signing_keys: CommaSeparated = Field(default_factory=list)
    anchor_path: Path | None = None
    bind: str = "127.0.0.1:8000"
    rupa_api_url: str = "https://api.rupahealth.com"
    rupa_authorize_url: str = "https://labs.rupahealth.com/oauth/authorize"
    rupa_token_url: str = "https://api.rupahealth.com/oauth/token"  # noqa: S105  # an address, not a password
    rupa_client_id: str = ""
    rupa_client_secret: str = ""
    rupa_webhook_signing_secret: CommaSeparated = Field(default_factory=list)
    rupa_signature: Annotated[dict[str, Any], BeforeValidator(_signature)] = Field(default_factory=dict)
    rupa_calls_per_second: float = Field(default=5, gt=0, le=100)
    healthie_api_url: str = ""  # "": Healthie is not asked
    rupa_file_hosts: CommaSeparated = Field(default_factory=list)
    rupa_sandbox: bool = False
    allow_http_peers: bool = False
    caspio_hosts: CommaSeparated = Field(default_factory=list)
    allowed_hosts: CommaSeparated = Field(default_factory=list)
    trusted_proxies: int | None = Field(default=None, ge=0, le=5)
    metrics_token: str = ""
    worker_concurrency: int = Field(default=4, ge=1, le=64)
    web_threads: int = Field(default=8, ge=1, le=64)
    max_result_mb: int = Field(default=25, ge=1, le=200)
    log_level: str = "INFO"
    alert_channels: BlankSeparated = Field(default_factory=list)
    alert_hosts: CommaSeparated = Field(default_factory=list)
    alert_ping_url: str = ""
    backup_dir: Path | None = None
    backup_hour: int = Field(default=2, ge=0, le=23)
    backup_keep: int = Field(default=14, ge=1, le=1000)

    @model_validator(mode="before")
    @classmethod
    def _sandbox_addresses(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The sandbox has an API host of its own (rupa-api.md 2)."""
        if str(values.get("rupa_sandbox", "")).lower() not in {"1", "true", "yes", "on"}:
            return values
        return {"rupa_api_url": SANDBOX_API, "rupa_token_url": f"{SANDBOX_API}/oauth/token", **values}

    @field_validator("data_dir", "anchor_path")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("backup_dir")
    @classmethod
    def _absolute_backups(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("public_url", "rupa_api_url", "rupa_authorize_url", "rupa_token_url", "healthie_api_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in LOG_LEVELS:
            raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
        return value.upper()

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if value and len(value) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters: openssl rand -base64 48")
        return value

    @model_validator(mode="after")
    def _whole_application(self) -> Deployment:
        if bool(self.rupa_client_id) != bool(self.rupa_client_secret):
            raise ValueError(
                f"{PREFIX}RUPA_CLIENT_ID and {PREFIX}RUPA_CLIENT_SECRET belong together: set both"
            )
        return self

    @model_validator(mode="after")
    def _encrypted_transport(self) -> Deployment:
        for name in ("public_url", "rupa_api_url", "rupa_authorize_url", "rupa_token_url"):
            problem = _transport_problem(getattr(self, name), allow_http=self.allow_http_peers)
            loopback_default = name == "public_url" and "public_url" not in self.model_fields_set
            if problem and not loopback_default:
                raise ValueError(f"{PREFIX}{name.upper()} {problem}")
        if self.healthie_api_url and (
            problem := _transport_problem(self.healthie_api_url, allow_http=self.allow_http_peers)
        ):
            raise ValueError(f"{PREFIX}HEALTHIE_API_URL {problem}")
        if self.alert_ping_url and (
            problem := _transport_problem(self.alert_ping_url, allow_http=self.allow_http_peers)
        ):
            raise ValueError(f"{PREFIX}ALERT_PING_URL {problem}")
        if self.rupa_sandbox and "rupa_authorize_url" not in self.model_fields_set:
            # The sandbox's consent page is not documented (rupa-api.md 2), so it is never guessed.
            raise ValueError(f"{PREFIX}RUPA_SANDBOX also needs {PREFIX}RUPA_AUTHORIZE_URL: ask Rupa for it")
        if self.database_url and not self.database_url.startswith(("postgresql://", "postgres://")):
            raise ValueError(f"{PREFIX}DATABASE_URL must start with postgresql://")
        return self

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = self.bind.rpartition(":")
        return host.strip("[]") or "127.0.0.1", int(port)

    @field_validator("bind")
    @classmethod
    def _port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("must look like 127.0.0.1:8000")
        return value


def _transport_problem(url: str, *, allow_http: bool) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "is not a web address"
    if parts.scheme == "https" and host:
        return None
    if parts.scheme == "http" and is_loopback(host):
        return (
            None if allow_http else "is plain http: set LABBRIDGE_ALLOW_HTTP_PEERS=1 to allow it on loopback"
        )
    return "must be an https address (plain http is for loopback only)"


def environment(source: dict[str, str]) -> dict[str, str]:
    """The LABBRIDGE_ variables by field name; `X_FILE` is read and stands for `X`."""
    found: dict[str, str] = {}
    for name in Deployment.model_fields:
        variable = PREFIX + name.upper()
        path = source.get(variable + "_FILE", "").strip()
        if path and source.get(variable):
            raise SettingsProblem(f"Set {variable} or {variable}_FILE, not both.")
        if path:
            found[name] = _file_text(variable, path)
        elif source.get(variable, "").strip():
            found[name] = source[variable].strip()
    return found


def _file_text(variable: str, path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsProblem(f"{variable}_FILE cannot be read: {type(error).__name__}.") from None
    if not text:
        raise SettingsProblem(f"{variable}_FILE names an empty file.")
    return text


def read_deployment(source: dict[str, str]) -> Deployment:
    """The deployment from an environment.

    Raises:
        SettingsProblem: with one sentence for every variable that cannot be used. Values are never repeated.

    """
    try:
        return Deployment.model_validate(environment(source))
    except ValidationError as error:
        sentences = []
        for item in error.errors(include_input=False, include_url=False):
            where = ".".join(str(part) for part in item["loc"])
            message = item["msg"].removeprefix("Value error, ")
            sentences.append(f"{PREFIX}{where.upper()}: {message}" if where else message)
        raise SettingsProblem("Settings: " + "; ".join(sentences) + ".") from None


def _kept_key(data_dir: Path, name: str, make: str) -> str:
    """A key generated once for a fresh data dir, kept beside the data with mode 0600."""
    path = data_dir / "keys" / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            temporary = path.with_name(f".{name}.{os.getpid()}")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(make + "\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process was first: its key is the one
                os.link(temporary, path)
            temporary.unlink()
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsProblem(
            f"The data directory {data_dir} cannot be used ({error.strerror}): set LABBRIDGE_DATA_DIR to a "
            "directory this user may write."
        ) from error


def parse_keys(texts: list[str], variable: str) -> list[bytes]:
    """Keys of 32 bytes from base64 text; the first is used from now on, all can read what was written before."""
    keys = []
    for number, text in enumerate(texts, start=1):
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise SettingsProblem(
                f"{variable}: key {number} is not 32 bytes in base64. Make one with: openssl rand -base64 32"
            )
        keys.append(key)
    return keys


def wrapped_keys(texts: list[str]) -> list[bytes]:
    """What a key management system gave for each key, from base64 text."""
    try:
        return [base64.b64decode(text, validate=True) for text in texts]
    except (binascii.Error, ValueError):
        raise SettingsProblem(f"{PREFIX}ENCRYPTION_KEYS: a wrapped key is not base64.") from None


DEPLOYMENT = read_deployment(dict(os.environ))
SECRET_KEY = DEPLOYMENT.secret_key or _kept_key(DEPLOYMENT.data_dir, "secret_key", secrets.token_urlsafe(50))


def _kept_keys(given: list[str], name: str) -> list[bytes]:
    fresh = base64.b64encode(secrets.token_bytes(32)).decode()
    return parse_keys(
        given or _kept_key(DEPLOYMENT.data_dir, name, fresh).split(","), f"{PREFIX}{name.upper()}"
    )


if DEPLOYMENT.key_adapter:  # wrapped by a key management system: trust/keys.py has it open them
    if not DEPLOYMENT.encryption_keys:
        raise SettingsProblem(
            f"{PREFIX}KEY_ADAPTER needs {PREFIX}ENCRYPTION_KEYS: `labbridge keys new` says how."
        )
    ENCRYPTION_KEYS = wrapped_keys(DEPLOYMENT.encryption_keys)
else:
    ENCRYPTION_KEYS = _kept_keys(DEPLOYMENT.encryption_keys, "encryption_keys")
SIGNING_KEYS = _kept_keys(DEPLOYMENT.signing_keys, "signing_keys")  # seeds of Ed25519 (trust/chain.py)
ANCHOR_PATH = DEPLOYMENT.anchor_path or DEPLOYMENT.data_dir / "anchors.jsonl"

# --- Django -----------------------------------------------------------------------------------------------
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False  # every page is in English: nothing is looked up for each number and date of a list
ROOT_URLCONF = "labbridge.urls"
WSGI_APPLICATION = "labbridge.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_PUBLIC = urlsplit(DEPLOYMENT.public_url)
ALLOWED_HOSTS = [
    _PUBLIC.hostname or "127.0.0.1",
    "127.0.0.1",
    "localhost",
    "[::1]",
    *DEPLOYMENT.allowed_hosts,
]
_CONSENT = urlsplit(DEPLOYMENT.rupa_authorize_url)
CSRF_TRUSTED_ORIGINS = [f"{_PUBLIC.scheme}://{_PUBLIC.netloc}"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "labbridge.accounts",  # before allauth, whose templates it replaces
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "procrastinate.contrib.django",
    "labbridge.trust",
    "labbridge.engine",
    "labbridge.outbox",
    "labbridge.practices",
    "labbridge.alerts",
    "labbridge.backup",
    "labbridge.inbox",
    "labbridge.mirror",
    "labbridge.filing",
    "labbridge.catalog",
    "labbridge.ordering",
    "labbridge.billing",
    "labbridge.analytics",
    "labbridge.reconcile",
    "labbridge.handover",
    "labbridge.console",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "labbridge.accounts.middleware.SessionLimits",
    "labbridge.accounts.middleware.SignInRequired",  # Django's LoginRequiredMiddleware
    "labbridge.accounts.middleware.Guard",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "labbridge.console.unopened.Unopened",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "labbridge.console.surroundings.surroundings",
            ]
        },
    }
]


def _databases(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """An outside server by address, or the embedded one, which starts at the first connection."""
    common: dict[str, Any] = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True, "NAME": "labbridge"}
    if not deployment.database_url:
        return {"default": {**common, "ENGINE": "labbridge.database.backend"}}
    try:
        from psycopg.conninfo import conninfo_to_dict

        parts = conninfo_to_dict(deployment.database_url)
    except Exception as error:
        raise SettingsProblem("LABBRIDGE_DATABASE_URL is not a PostgreSQL address.") from error
    return {
        "default": {
            **common,
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.pop("dbname", "labbridge"),
            "USER": parts.pop("user", ""),
            "PASSWORD": parts.pop("password", ""),
            "HOST": parts.pop("host", ""),
            "PORT": parts.pop("port", ""),
            "OPTIONS": {"connect_timeout": 10, **parts},
        }
    }


DATABASES = _databases(DEPLOYMENT)

STATIC_URL = "static/"
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.InMemoryStorage"
    },  # uploads never touch the disk in clear
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # straight from the package: nothing to collect at installation
WHITENOISE_AUTOREFRESH = False
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_WEBHOOK_BYTES + 1

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]

# Argon2 for all; the second can read what earlier versions stored, which is replaced at the next sign-in.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]

# --- sign-in (labbridge/accounts) ---------------------------------------------------------------------------
SESSION_IDLE = timedelta(minutes=15)  # design.md 8
SESSION_ABSOLUTE = timedelta(hours=12)
SESSION_ENGINE = "labbridge.accounts.sessions"
SESSION_COOKIE_AGE = int(SESSION_ABSOLUTE.total_seconds())
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
ACCOUNT_ADAPTER = "labbridge.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]  # nobody signs up; it says what a person consists of
ACCOUNT_EMAIL_VERIFICATION = "none"  # people are added by an administrator
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {  # beside allauth's own, which stay: of callers of the machine API without a usable key
    "api_key": "30/m/key",
    "api_key_told": "1/h/key",  # an entry of the audit is for good: one guesser may not fill it
}
ACCOUNT_FORMS = {
    "login": "labbridge.accounts.forms.SignInForm",
    "change_password": "labbridge.accounts.forms.PasswordForm",
    "reauthenticate": "labbridge.accounts.forms.ConfirmForm",
}
MFA_ADAPTER = "labbridge.accounts.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "labbridge.accounts.forms.CodeForm",
    "reauthenticate": "labbridge.accounts.forms.CodeAgainForm",
    "activate_totp": "labbridge.accounts.forms.AppForm",
    "add_webauthn": "labbridge.accounts.forms.PasskeyForm",
    "login_webauthn": "labbridge.accounts.forms.KeyAloneForm",
    "edit_webauthn": "labbridge.accounts.forms.RenameKeyForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Labbridge"
MFA_TOTP_TOLERANCE = 1  # one step of 30 seconds to either side, for slow typing and clocks
MFA_ALLOW_UNVERIFIED_EMAIL = True  # e-mail addresses are an administrator's entry, not a claim
# Rate limits and used codes are shared by all processes and hosts: a table of the same database holds them.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "labbridge_cache"}
}
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
_OVER_HTTPS = _PUBLIC.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _OVER_HTTPS
if _OVER_HTTPS:  # browsers take cookies of these names from this very host only, over https
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SECURE_HSTS_SECONDS = 31536000 if _OVER_HTTPS else 0
# Whose word about the client counts: TLS ends at a proxy of ours, which adds one X-Forwarded-For entry.
ALLAUTH_TRUSTED_PROXY_COUNT = (
    int(_OVER_HTTPS) if DEPLOYMENT.trusted_proxies is None else DEPLOYMENT.trusted_proxies
)
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if _OVER_HTTPS and ALLAUTH_TRUSTED_PROXY_COUNT else None
)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "base-uri": ["'none'"],
        # Browsers hold redirects after a form to this as well: "Go to Rupa" ends at the consent page.
        "form-action": ["'self'", f"{_CONSENT.scheme}://{_CONSENT.netloc}"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}

# --- the job engine ---------------------------------------------------------------------------------------
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""  # one literal list of task modules instead (engine/app.py)
PROCRASTINATE_IMPORT_PATHS = [
    "labbridge.handlers.jobs",
    "labbridge.handlers.mapping",
    "labbridge.handlers.schedule",
    "labbridge.backup.jobs",
    "labbridge.reconcile.watch.jobs",
    "labbridge.reconcile.preparing",
    "labbridge.reconcile.applied",
    "labbridge.reconcile.schedule",
    "labbridge.handover.jobs",
]

# --- logs: JSON lines with allow-listed keys only (trust/logs.py) ------------------------------------------
LOGGING_CONFIG = "labbridge.trust.logs.configure"
LOGGING = {"level": DEPLOYMENT.log_level}
SILENCED_SYSTEM_CHECKS = [
    "security.W004",  # HSTS, secure cookies and the redirect follow LABBRIDGE_PUBLIC_URL (see above);
    "security.W008",  # on plain http they are off because it is allowed on loopback only
    "security.W012",
    "security.W016",
]
