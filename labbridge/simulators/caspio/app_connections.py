"""App connections: services that a directory's users may sign in to (caspio-api.md 5.4), and who may."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.security import check_password_hash, generate_password_hash

from labbridge.simulators.caspio import design, directories, records
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.errors import bad_body, no_object
from labbridge.simulators.caspio.query import Query
from labbridge.simulators.caspio.rest import account_of, body_object, whole

routes = Blueprint("app_connections", __name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS app_connections (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, sp_entity_id TEXT NOT NULL, reply_url TEXT NOT NULL,
  sp_certificate TEXT NOT NULL DEFAULT '', certificate TEXT NOT NULL, private_key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS directory_passwords (email TEXT PRIMARY KEY COLLATE NOCASE, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS app_access (
  connection TEXT NOT NULL, email TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (connection, email));
"""


@dataclass(frozen=True)
class AppConnection:
    id: str
    name: str
    sp_entity_id: str
    reply_url: str
    sp_certificate: str
    certificate: str
    private_key: str


def install(account: Account) -> None:
    with account.store.transaction() as db:
        for statement in SCHEMA.split(";"):
            db.execute(statement)


# --- state ----------------------------------------------------------------------------------------
def create(account: Account, name: str, sp_entity_id: str, reply_url: str, sp_certificate: str = "") -> str:
    """Create an app connection with a signing certificate of its own. Returns its id."""
    connection_id = secrets.token_hex(8)
    certificate, key = _signing_pair(account.options.account)
    with account.store.transaction() as db:
        db.execute(
            "INSERT INTO app_connections VALUES (?, ?, ?, ?, ?, ?, ?)",
            (connection_id, name, sp_entity_id, reply_url, sp_certificate, certificate, key),
        )
    return connection_id


def find(account: Account, connection_id: str) -> AppConnection:
    with account.store.transaction() as db:
        row = db.execute("SELECT * FROM app_connections WHERE id = ?", (connection_id,)).fetchone()
    if row is None:
        raise no_object(connection_id)
    return AppConnection(**dict(row))


def listed(account: Account) -> list[AppConnection]:
    with account.store.transaction() as db:
        rows = db.execute("SELECT * FROM app_connections ORDER BY name, id").fetchall()
    return [AppConnection(**dict(row)) for row in rows]


def set_password(account: Account, email: str, password: str) -> None:
    """Give a user of a directory a password; somebody new joins the first directory."""
    if email.lower() not in {user["Email"].lower() for user in users(account)}:
        with account.store.transaction() as db:
            row = db.execute("SELECT id FROM directories ORDER BY created, id").fetchone()
        directory = row["id"] if row else directories.create_directory(account, "Staff")
        directories.add_user(account, directory, {"Email": email}, "Active")
    with account.store.transaction() as db:
        db.execute(
            "INSERT OR REPLACE INTO directory_passwords VALUES (?, ?)",
            (
                email,
                generate_password_hash(password, "pbkdf2:sha256:1000"),
            ),  # quick: nothing real is kept here
        )


def set_access(account: Account, connection_id: str, email: str, *, allowed: bool) -> None:
    """Give or take a user's "Application access" (caspio-api.md 5.5)."""
    sql = (
        "INSERT OR IGNORE INTO app_access VALUES (?, ?)"
        if allowed
        else ("DELETE FROM app_access WHERE connection = ? AND email = ?")
    )
    with account.store.transaction() as db:
        db.execute(sql, (connection_id, email))


def has_access(account: Account, connection_id: str, email: str) -> bool:
    with account.store.transaction() as db:
        sql = "SELECT 1 FROM app_access WHERE connection = ? AND email = ?"
        return db.execute(sql, (connection_id, email)).fetchone() is not None


def signs_in(account: Account, email: str, password: str) -> str | None:
    """The e-mail as the directory spells it, when e-mail and password belong to an active user."""
    with account.store.transaction() as db:
        row = db.execute("SELECT hash FROM directory_passwords WHERE email = ?", (email,)).fetchone()
    if row is None or not check_password_hash(row["hash"], password):
        return None
    active = [user["Email"] for user in users(account) if user["_status"] == "Active"]
    return next((known for known in active if known.lower() == email.lower()), None)


def users(account: Account) -> list[dict[str, Any]]:
    """The users of all directories."""
    with account.store.transaction() as db:
        sql = "SELECT t.name FROM directories d JOIN tables t ON t.id = d.table_id ORDER BY d.created"
        names = [row["name"] for row in db.execute(sql).fetchall()]
    found: list[dict[str, Any]] = []
    for name in names:
        table = design.find_table(account.store, name)
        found += records.select(account, table, Query(order_by="Email", limit=1000), hidden=True)[0]
    return found


def _signing_pair(account: str) -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{account} directory (simulated)")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


# --- pages and controls ---------------------------------------------------------------------------
def links(connection: AppConnection) -> dict[str, str]:
    """What Caspio's panel gives for the service to be configured with."""
    return {
        "id": connection.id,
        "entity_id": url_for("saml.metadata", connection_id=connection.id, _external=True),
        "sso_url": url_for("saml.sso", connection_id=connection.id, _external=True),
        "certificate": connection.certificate,
    }


@routes.route("/app-connections", methods=["GET", "POST"])
def page() -> Any:
    account = account_of()
    if request.method == "POST":
        name, entity_id, reply_url = (
            request.form.get(field, "").strip() for field in ("name", "sp_entity_id", "reply_url")
        )
        if not (name and entity_id and reply_url):
            raise bad_body("Name, SP Entity ID and Reply URL are required.")
        create(account, name, entity_id, reply_url, request.form.get("sp_certificate", "").strip())
        return redirect(url_for("app_connections.page"), 303)
    shown = [(one, links(one), {u["Email"] for u in users(account) if has_access(account, one.id, u["Email"])})
             for one in listed(account)]  # fmt: skip
    return render_template("app_connections.html", connections=shown, users=users(account))


@routes.post("/app-connections/<connection_id>/access")
def change_access(connection_id: str) -> Any:
    account, chosen = account_of(), set(request.form.getlist("email"))
    find(account, connection_id)
    for user in users(account):
        set_access(account, connection_id, user["Email"], allowed=user["Email"] in chosen)
    return redirect(url_for("app_connections.page"), 303)


@routes.post("/app-connections/passwords")
def change_password() -> Any:
    set_password(account_of(), request.form["email"].strip(), request.form["password"])
    return redirect(url_for("app_connections.page"), 303)


@routes.post("/_sim/app-connections")
@whole
def create_by_program() -> Any:
    """{"name", "sp_entity_id", "reply_url", "sp_certificate"?, "users": [{"email", "password"}]}: all at once.

    An app connection with that SP Entity ID is used again as it is.
    """
    body, account = body_object(), account_of()
    name, entity_id, reply_url = (
        str(body.get(field) or "") for field in ("name", "sp_entity_id", "reply_url")
    )
    people = body.get("users", [])
    if not (name and entity_id and reply_url) or not isinstance(people, list):
        raise bad_body("name, sp_entity_id and reply_url are required; users is a list.")
    same = [one.id for one in listed(account) if (one.sp_entity_id, one.reply_url) == (entity_id, reply_url)]
    made = (
        same[0] if same else create(account, name, entity_id, reply_url, str(body.get("sp_certificate", "")))
    )
    for one in people:
        set_password(account, str(one["email"]), str(one["password"]))
        set_access(account, made, str(one["email"]), allowed=True)
    return jsonify(links(find(account, made)))
