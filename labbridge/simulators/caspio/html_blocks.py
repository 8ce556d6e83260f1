"""An HTML block of a DataPage, filled in from rows of a table: what an app builder pastes is seen as it will work.

Caspio puts values into the page as plain text, on its server (caspio-api.md 5.1, 5.2); so does this. Its designer
itself, where one chooses the table and the filter, is not documented and is not imitated: here that is a small form.
"""

import re
from typing import Any

from flask import Blueprint, render_template, request, url_for
from markupsafe import Markup

from labbridge.simulators.caspio import design, records
from labbridge.simulators.caspio.design import Table
from labbridge.simulators.caspio.errors import CaspioError
from labbridge.simulators.caspio.query import Query
from labbridge.simulators.caspio.records import Row
from labbridge.simulators.caspio.rest import account_of

routes = Blueprint("html_blocks", __name__)

FIELD = re.compile(r"\[@field:(\w+)(/?)\]")
SHOWN = 10


@routes.route("/html-block", methods=["GET", "POST"])
def html_block() -> str:
    given = {name: request.form.get(name, "") for name in ("table", "filter", "html")}
    blocks, error = [], ""
    if request.method == "POST":
        try:
            table = design.find_table(account_of().store, given["table"])
            query = Query(where=given["filter"].strip() or None, order_by="PK_ID DESC", limit=SHOWN)
            rows = records.select(account_of(), table, query)[0]
            blocks = [filled(given["html"], table, row) for row in rows]
        except CaspioError as problem:
            error = problem.message
    names = design.table_names(account_of().store)
    return render_template("html_block.html", names=names, given=given, blocks=blocks, error=error)


def filled(html: str, table: Table, row: Row) -> Markup:
    """The block with `[@field:Name]` replaced; a name that the table does not have stays as it is."""
    kinds = {field.name: field.type for field in table.shown}

    def value(found: re.Match[str]) -> str:
        name, address = found.groups()
        if name not in row:
            return found.group(0)
        if address and kinds.get(name) == "ATTACHMENT":
            return url_for("pages.report", key=row.get("Result_Key", "")) if row[name] else ""
        return as_text(row[name])

    return Markup(FIELD.sub(value, html))


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, str) and re.match(r"\d{4}-\d{2}-\d{2}T", value):
        return value.removesuffix("T00:00:00").replace("T", " ")
    return str(value)
