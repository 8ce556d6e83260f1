"""Result files behind expiring signed addresses (assumed; see rupa-api.md 8)."""

import base64
import hashlib
import hmac
import secrets

from flask import Blueprint, Response, has_request_context, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from labbridge.simulators.rupa.store import Doc
from labbridge.simulators.rupa.world import World, world

routes = Blueprint("files", __name__)

EXPIRED = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
LOGIN_PAGE = (
    b"<!doctype html><html lang=en><title>Log in</title><p>Please log in to see this file.</p></html>"
)


def own_address() -> str:
    """Say where this simulator answers, as the caller sees it."""
    return request.host_url.rstrip("/") if has_request_context() else "http://localhost"


def signed_url(world: World, file_id: str) -> str:
    """Mint an address of a file that holds for `file_url_lifetime` seconds."""
    expires = int(world.seconds + world.options.file_url_lifetime)
    base = world.options.file_base_url or own_address()
    return f"{base}/files/{file_id}?expires={expires}&signature={_signature(world, file_id, expires)}"


def shown_pdf(world: World, file_id: str) -> str:
    """Say what `results_pdf` holds: an address, or the content in base64 when the option asks for it."""
    if world.options.results_pdf_as == "base64":
        _, content = world.store.file(file_id) or ("", b"")
        return base64.b64encode(content).decode()
    return signed_url(world, file_id)


def keep(world: World, content: bytes, media: str, suffix: str) -> Doc:
    """Store one file under an opaque name; return its id and hash."""
    file_id = f"{secrets.token_hex(12)}.{suffix}"
    world.store.add_file(file_id, media, content)
    return {"file": file_id, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _signature(world: World, file_id: str, expires: int) -> str:
    key = str(world.store.setting("file_key")).encode()
    return hmac.new(key, f"{file_id}.{expires}".encode(), hashlib.sha256).hexdigest()


@routes.get("/files/<file_id>")
def serve_file(file_id: str) -> AnyResponse:
    here = world()
    expires = request.args.get("expires", "")
    right = expires.isdigit() and hmac.compare_digest(
        request.args.get("signature", "").encode(), _signature(here, file_id, int(expires)).encode()
    )
    if not right or int(expires) < here.seconds:
        return Response(EXPIRED, 403, mimetype="application/xml")
    if here.options.file_needs_bearer and not _has_bearer(here):
        return Response("", 401, {"WWW-Authenticate": "Bearer"})
    if here.options.file_redirect_to:
        return redirect(here.options.file_redirect_to)
    found = here.store.file(file_id)
    return _content(here, *found) if found else Response("", 404)


def _has_bearer(here: World) -> bool:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    found = here.store.one("access_token", token)
    return found is not None and float(found["expires_at"]) > here.seconds


def _content(here: World, media: str, content: bytes) -> Response:
    match here.options.file_content:
        case "html":
            return Response(LOGIN_PAGE, mimetype="text/html")
        case "huge":
            chunk = b"%PDF-1.7\n".ljust(65_536, b"0")
            return Response((chunk for _ in range(here.options.huge_bytes // len(chunk))), mimetype=media)
        case "empty":
            return Response(b"", mimetype=media)
        case _:
            return Response(content, mimetype=media)
