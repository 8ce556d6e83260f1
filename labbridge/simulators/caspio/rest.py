"""What every REST call passes through: length, token, throttle, content type, errors, request id."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Blueprint, Flask, Response, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from labbridge.simulators.caspio import oauth
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.errors import CaspioError, bad_body, envelope, new_request_id
from labbridge.simulators.caspio.throttle import Throttle
from labbridge.simulators.faults import API_CALLS_RATE

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BASE = "/integrations/rest/v3"
PROGRAMS = ("/integrations", "/oauth", "/_sim")
MAX_URI = 2047  #: caspio-api.md 3.1
REQUEST_ID = "X-Caspio-Request-ID"
CODES = {401: "Unauthorized", 404: "ObjectNotFound", 405: "MethodNotAllowed", 429: "TooManyRequests"}

View = Callable[..., Any]


def blueprint(name: str) -> Blueprint:
    return Blueprint(name, __name__, url_prefix=BASE)


def account_of() -> Account:
    """The account that answers the present request."""
    account: Account = g.account
    return account


def whole(view: View) -> View:
    """Do all of a request in one transaction, so that a refusal leaves nothing behind."""

    @wraps(view)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with account_of().store.transaction():
            return view(*args, **kwargs)

    return inside


def result(value: object, status: int = 200) -> tuple[Response, int]:
    return jsonify({"Result": value}), status


def body_object() -> dict[str, Any]:
    """The request's JSON object. Raises CaspioError 400."""
    try:
        body = json.loads(request.get_data(), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise bad_body("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise bad_body("The body must be a JSON object.")
    if not all(_is_text(name) for name in body):
        raise bad_body("The body holds a name that is no text.")
    return body


def argument(name: str) -> str | None:
    """A query parameter by its case-insensitive name."""
    for key, value in request.args.items():
        if key.lower() == name.lower():
            return str(value)
    return None


def where_argument() -> str | None:
    # Caspio's own n8n node sends `where` on PUT and DELETE, the document says `q.where` (caspio-api.md 2.2)
    return argument("q.where") or argument("where")


def wants_rows() -> bool:
    return (argument("response") or "").lower() == "rows"


def install(app: Flask, account: Account) -> None:
    """Add the checks and the error forms to the application."""
    throttle = Throttle(account.options.calls_per_second)

    @app.before_request
    def check() -> Response | None:
        g.account = account
        g.request_id = new_request_id()
        return _refusal(account, throttle) if request.path.startswith(BASE) else None

    @app.after_request
    def mark(response: Response) -> Response:
        if "account" in g and request.path.startswith(("/oauth", "/integrations")):
            response.headers[REQUEST_ID] = g.request_id
        return response

    @app.errorhandler(CaspioError)
    def refused(error: CaspioError) -> Any:
        if not request.path.startswith(PROGRAMS):  # a person looks at a page
            page = render_template("notice.html", title="That did not work", text=error.message)
            return page, error.status
        return _answered(error.status, error.code, error.message)

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> Any:
        if not request.path.startswith(PROGRAMS):
            page = render_template("notice.html", title=error.name, text=error.description)
            return page, error.code or 500
        status = error.code or 500
        return _answered(status, CODES.get(status, "InternalError"), error.name)


def fault_body(
    account: Account,
) -> Callable[["WSGIEnvironment", int, str], tuple[list[tuple[str, str]], bytes]]:
    """Errors of ordered faults in the envelope of this peer."""

    def made(environ: "WSGIEnvironment", status: int, kind: str) -> tuple[list[tuple[str, str]], bytes]:
        request_id = new_request_id()
        resource = account.options.host + quote(environ.get("PATH_INFO", ""))
        text = "Authorization has been denied for this request." if status == 401 else f"simulated: {kind}"
        body = envelope(CODES.get(status, "InternalError"), text, resource, request_id)
        headers = [("Content-Type", "application/json"), (REQUEST_ID, request_id)]
        return headers, json.dumps(body).encode()

    return made


def _refusal(account: Account, throttle: Throttle) -> Response | None:  # noqa: PLR0911  (the order matters)
    # the real host is counted, so that a client meets the same limit on loopback
    uri = len(account.options.host) + len(quote(request.path)) + 1 + len(request.query_string)
    if uri > MAX_URI:
        return _answered(414, "UriTooLong", "The request URI is longer than 2047 characters.")
    if not _is_authorised(account):
        if account.options.stale_token_as_400:
            return _answered(400, "IncorrectQueryParameter", "Incorrect query parameter.")
        return _answered(401, "Unauthorized", "Authorization has been denied for this request.")
    if not throttle.admits():
        if account.options.rate_limit_as_400:
            return Response(API_CALLS_RATE, 400, mimetype="application/json")
        return _answered(429, "TooManyRequests", "You have exceeded your API call rate limits.")
    if request.method in ("POST", "PUT", "DELETE") and not _has_content_type():
        return _answered(415, "UnsupportedMediaType", "The Content-Type of the request is not supported.")
    return None


def _is_authorised(account: Account) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and oauth.is_live(account, token)


def _has_content_type() -> bool:
    """application/json on every write, DELETE included; multipart for uploads (caspio-api.md 3.6)."""
    parts = request.path.removeprefix(BASE).strip("/").split("/")
    uploads = parts[0] == "files" or (len(parts) == 5 and parts[2] == "attachments")
    if uploads and request.method != "DELETE" and parts[-1] != "fileInfo":
        return request.mimetype == "multipart/form-data"
    return request.mimetype == "application/json"


def _answered(status: int, code: str, message: str) -> Response:
    resource = account_of().options.host + quote(request.path)
    answer = jsonify(envelope(code, message, resource, g.request_id))
    answer.status_code = status
    return answer


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def texts(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse a body with lone surrogates anywhere, which no database can hold. Raises CaspioError 400."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise bad_body("The body holds characters that are no text.") from error
    return body
