"""DataPages that an app builder makes: details, reports and submission forms with HTML blocks of their own.

What a block looks like is tried out at `/html-block`; these are whole pages with an address. Only what is documented
and a practice's pages need: they are loaded by AJAX and say `DataPageReady` after each rendering (caspio-api.md 5.3).
They are served with a strict content policy.
"""

import re
import secrets
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request, url_for

from labbridge.simulators.caspio import design, records
from labbridge.simulators.caspio.account import Account
from labbridge.simulators.caspio.design import Field, Table
from labbridge.simulators.caspio.errors import CaspioError, no_object
from labbridge.simulators.caspio.html_blocks import as_text, filled
from labbridge.simulators.caspio.pages import quoted
from labbridge.simulators.caspio.query import Query
from labbridge.simulators.caspio.records import Row
from labbridge.simulators.caspio.rest import account_of

routes = Blueprint("datapages", __name__)

KINDS = {
    "details": "Details page: one record",
    "report": "Report: many records",
    "table": "Tabular report: many records, in columns",
    "form": "Submission form: a new record",
}
SCHEMA = """CREATE TABLE IF NOT EXISTS datapages (
  app_key TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, found_by TEXT NOT NULL,
  filter TEXT NOT NULL, block TEXT NOT NULL, elements TEXT NOT NULL, next_page TEXT NOT NULL)"""
PARAMETER = re.compile(r"\[@(\w+)\]")


class DataPage(NamedTuple):
    """`elements`: of a form, one field a line; `Field = text` is hidden, filled in when the page loads.

    Of a tabular report, its columns; `Field DESC` and `Field ASC` sort by it as well.
    """

    app_key: str
    name: str
    kind: str
    source: str
    found_by: str = ""
    filter: str = ""
    block: str = ""
    elements: str = ""
    next_page: str = ""


def install(account: Account) -> None:
    with account.store.transaction() as db:
        db.execute(SCHEMA)


# --- the app builder's side -----------------------------------------------------------------------
@routes.route("/datapages", methods=["GET", "POST"])
def build() -> Any:
    if request.method == "POST":
        given = {name: request.form.get(name, "").strip() for name in DataPage.__annotations__}
        page = DataPage(**{**given, "app_key": given["app_key"] or f"a0e15000{secrets.token_hex(10)}"})
        design.find_table(account_of().store, page.source)
        marks = ", ".join("?" for _ in page)
        with account_of().store.transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO datapages VALUES ({marks})", tuple(page))
        return redirect(url_for("datapages.build"), 303)
    chosen = request.args.get("page", "")
    return render_template(
        "datapages.html",
        made=_all(),
        editing=_page(chosen) if chosen else DataPage("", "", "details", ""),
        kinds=KINDS,
        tables=design.table_names(account_of().store),
    )


def _all() -> list[DataPage]:
    with account_of().store.transaction() as db:
        return [DataPage(*row) for row in db.execute("SELECT * FROM datapages ORDER BY name").fetchall()]


def _page(app_key: str) -> DataPage:
    found = [page for page in _all() if page.app_key == app_key]
    if not found:
        raise no_object(app_key)
    return found[0]


# --- the visitor's side ---------------------------------------------------------------------------
@routes.get("/dp/<app_key>")
def visit(app_key: str) -> Response:
    """The page around it; what it shows is loaded by AJAX, and again by the refresh button."""
    page = Response(render_template("datapage.html", page=_page(app_key)))
    labbridge = urlsplit(account_of().options.labbridge_url or "")
    scripts = f" {labbridge.scheme}://{labbridge.netloc}" if labbridge.netloc else ""
    page.headers["Content-Security-Policy"] = (
        f"default-src 'self'; script-src 'self'{scripts}; object-src 'none'"
    )
    return page


@routes.get("/dp/<app_key>/content")
def content(app_key: str) -> str:
    page = _page(app_key)
    table = design.find_table(account_of().store, page.source)
    if page.kind == "form":
        return render_template("datapage_form.html", page=page, inputs=_inputs(page, table))
    rows = _rows(page, table)
    if not rows:
        return "<p>No records found.</p>"
    if page.kind == "table":
        fields = [table.field(line.split()[0]) for line in _lines(page)]
        lines = [[_cell(field, row[field.name]) for field in fields] for row in rows]
        return render_template("datapage_table.html", page=page, fields=fields, lines=lines)
    return "\n".join(filled(page.block, table, row) for row in rows)


@routes.post("/dp/<app_key>")
def submit(app_key: str) -> Any:
    page = _page(app_key)
    table = design.find_table(account_of().store, page.source)
    names = [one["name"] for one in _inputs(page, table)]
    given = {name: request.form.get(f"InsertRecord{name}", "").strip() for name in names}
    row = records.insert(account_of(), table, given, source="DataPages")
    if not page.next_page:
        return redirect(url_for("datapages.visit", app_key=app_key), 303)
    found_by = _page(page.next_page).found_by
    return redirect(url_for("datapages.visit", app_key=page.next_page, **{found_by: row[found_by]}), 303)


def _rows(page: DataPage, table: Table) -> list[Row]:
    conditions = [f"({page.filter})"] if page.filter else []
    if page.found_by:
        conditions.append(f"{page.found_by} = {quoted(request.args.get(page.found_by, ''))}")
    sorted_by = [line for line in _lines(page) if " " in line] if page.kind == "table" else []
    order = ", ".join([*sorted_by, "PK_ID"])
    try:
        query = Query(where=" AND ".join(conditions) or None, order_by=order, limit=100)
        return records.select(account_of(), table, query)[0]
    except CaspioError:  # such as a text that is no number
        return []


def _cell(field: Field, value: Any) -> str:
    return f"{value:,.2f}" if field.type == "CURRENCY" and value is not None else as_text(value)


def _lines(page: DataPage) -> list[str]:
    return [line for line in map(str.strip, page.elements.splitlines()) if line]


def _inputs(page: DataPage, table: Table) -> list[dict[str, Any]]:
    shown = []
    for line in _lines(page):
        name, hidden, text = (part.strip() for part in line.partition("="))
        table.field(name)  # it must be there
        value = account_of().now_text() if text == "now" else filled_in(text)
        shown.append({"name": name, "hidden": bool(hidden), "value": value, "label": name.replace("_", " ")})
    return shown


def filled_in(text: str) -> str:
    """External parameters in a hidden field: whatever somebody typed into the address."""
    return PARAMETER.sub(lambda match: request.args.get(match[1], ""), text)
