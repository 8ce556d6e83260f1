"""The consent page of the labs web app, and the token endpoint of the API host (rupa-api.md 3)."""

import base64
import binascii
import hmac
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from labbridge.simulators.rupa import tokens
from labbridge.simulators.rupa.tokens import OAuthError
from labbridge.simulators.rupa.world import World, world

routes = Blueprint("oauth", __name__)

PASSED_ON = ("client_id", "redirect_uri", "response_type", "state", "code_challenge", "code_challenge_method")


@routes.get("/oauth/authorize")
def consent_page() -> AnyResponse | str:
    here = world()
    _check_request(here)
    if request.args.get("response_type") != "code":
        return _back({"error": "unsupported_response_type"})
    clinics = [
        (clinic, here.store.many("practitioner", clinic=clinic["id"])) for clinic in here.store.many("clinic")
    ]
    passed_on = {name: request.args[name] for name in PASSED_ON if name in request.args}
    return render_template("consent.html", clinics=clinics, passed_on=passed_on)


@routes.post("/oauth/authorize")
def decide() -> AnyResponse:
    """The practitioner accepts or denies."""
    here = world()
    _check_request(here)
    if request.form.get("decision") != "accept":
        return _back({"error": "access_denied"})
    return accept(here, request.form.get("practitioner", ""))


def accept(here: World, practitioner: str) -> AnyResponse:
    """Send the browser back with a code for this practitioner."""
    if here.store.one("practitioner", practitioner) is None:
        abort(400, "Choose a practitioner.")
    with here.store.transaction():
        code = tokens.new_code(
            here,
            practitioner,
            request.values["redirect_uri"],
            challenge=request.values.get("code_challenge", ""),
            method=request.values.get("code_challenge_method", ""),
        )
    return _back({"code": code})


def _check_request(here: World) -> None:
    """Errors of client and address are shown, never redirected (RFC 6749 4.1.2.1)."""
    if request.values.get("client_id") != here.client_id:
        abort(400, "Unknown client_id.")
    address = request.values.get("redirect_uri", "")
    allowed = [uri for uri in here.options.redirect_uris.split(",") if uri]
    if (allowed and address not in allowed) or urlsplit(address).scheme not in ("http", "https"):
        abort(400, "The redirect_uri is not registered for this application.")


def _back(answer: dict[str, str]) -> AnyResponse:
    if "state" in request.values:
        answer["state"] = request.values["state"]
    address = request.values["redirect_uri"]
    return redirect(f"{address}{'&' if '?' in address else '?'}{urlencode(answer)}")


@routes.post("/oauth/token")
def give_tokens() -> Response:
    here = world()
    try:
        _check_client(here)
        with here.store.transaction():
            pair = _granted(here)
    except OAuthError as error:
        return _refused(error)
    return Response(
        jsonify(pair).get_data(), headers={"Cache-Control": "no-store"}, mimetype="application/json"
    )


def _granted(here: World) -> dict[str, object]:
    form = request.form
    match form.get("grant_type"):
        case "authorization_code":
            return tokens.redeem(
                here, form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier", "")
            )
        case "refresh_token":
            return tokens.refresh(here, form.get("refresh_token", ""))
        case _:
            raise OAuthError("unsupported_grant_type")


@routes.post("/oauth/revoke_token")
def revoke() -> Response:
    here = world()
    try:
        _check_client(here)
    except OAuthError as error:
        return _refused(error)
    with here.store.transaction():
        tokens.revoke(here, request.form.get("token", ""))
    return Response("")


def _check_client(here: World) -> None:
    """Take the client's credentials from Basic or from the body. Raises OAuthError invalid_client."""
    client_id, secret = request.form.get("client_id", ""), request.form.get("client_secret", "")
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            client_id = secret = ""
    right_id = hmac.compare_digest(client_id.encode(), here.client_id.encode())
    if not (hmac.compare_digest(secret.encode(), here.client_secret.encode()) and right_id):
        raise OAuthError("invalid_client", status=401)


def _refused(error: OAuthError) -> Response:
    body = {"error": error.error}
    if error.description:
        body["error_description"] = error.description
    answer = jsonify(body)
    answer.status_code = error.status
    return answer
