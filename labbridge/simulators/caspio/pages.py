"""Pages that look like a practice's DataPages: patients, orders, results, catalogue, and a datasheet."""

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, redirect, render_template, request, url_for

from labbridge.simulators.caspio import design, forms, records
from labbridge.simulators.caspio.design import Table
from labbridge.simulators.caspio.errors import CaspioError, no_object
from labbridge.simulators.caspio.query import Query
from labbridge.simulators.caspio.records import Row
from labbridge.simulators.caspio.rest import account_of
from labbridge.simulators.caspio.rest_attachments import attachment

routes = Blueprint("pages", __name__)

SHEET_ROWS = 25
OWN_PREFIX = "Rupa_"  # fields that Labbridge fills: shown on the patient's page, not edited there


@routes.app_context_processor
def surroundings() -> dict[str, Any]:
    return {"options": account_of().options, "order_links": order_links}


# --- patients -------------------------------------------------------------------------------------
@routes.route("/", methods=["GET", "POST"])
def patients() -> str:
    """List patients; a search is posted, so that no name stands in an address."""
    search = request.form.get("search", "").strip()
    where = None
    if search:
        like = quoted(f"%{escaped(search)}%")
        where = f"Last_Name LIKE {like} OR First_Name LIKE {like}"
    table = table_of("patients")
    rows = rows_of("patients", where) if table else []
    return render_template("patients.html", table=table, rows=rows, search=search, key=key_field())


@routes.get("/patients/<key>")
def patient(key: str) -> str:
    row, table = one("patients", key_field(), key), needed("patients")
    return render_template(
        "patient.html",
        row=row,
        key=key,
        fields=[f for f in table.shown if not f.name.startswith(OWN_PREFIX)],
        rupa_fields=[f for f in table.shown if f.name.startswith(OWN_PREFIX)],
        orders=rows_of("lab_orders", f"Patient_Key = {quoted(key)}", "PK_ID DESC"),
        results=rows_of("lab_results", f"Patient_Key = {quoted(key)}", "PK_ID DESC"),
        requests=rows_of("lab_order_requests", f"Patient_Key = {quoted(key)}", "PK_ID DESC"),
        protocols=rows_of("lab_protocols"),
        can_request=table_of("lab_order_requests") is not None,
    )


@routes.route("/patients/new", methods=["GET", "POST"])
def new_patient() -> Any:
    return _edited_patient(None)


@routes.route("/patients/<key>/edit", methods=["GET", "POST"])
def edit_patient(key: str) -> Any:
    return _edited_patient(one("patients", key_field(), key))


def _edited_patient(row: Row | None) -> Any:
    table = needed("patients")
    fields = [f for f in table.shown if f.editable and not f.name.startswith(OWN_PREFIX)]
    title = "Edit patient" if row else "New patient"
    if request.method == "GET":
        return _form(title, fields, row or {})
    try:
        saved = forms.save(account_of(), table, fields, row, "DataPages")
    except CaspioError as error:
        return _form(title, fields, {**(row or {}), **request.form}, error.message), 400
    return redirect(url_for("pages.patient", key=saved[key_field()]), 303)


@routes.post("/patients/<key>/request")
def request_labs(key: str) -> Any:
    """Write a row into the request table, as a DataPage with a hidden form would."""
    one("patients", key_field(), key)
    table = needed("lab_order_requests")
    given = {"Patient_Key": key, "Requested_At": account_of().now_text()}
    for name in ("Protocol_ID", "Test_IDs", "Practitioner_Email"):
        given[name] = request.form.get(name, "").strip()
    request_id = table.field("Request_ID")
    if request_id.editable:
        given["Request_ID"] = f"R-{len(rows_of('lab_order_requests')) + 1:06d}"
    allowed = {field.name for field in table.shown}
    kept = {name: value for name, value in given.items() if name in allowed}
    records.insert(account_of(), table, kept, source="DataPages")
    return redirect(url_for("pages.patient", key=key) + "#requests", 303)


# --- labs -----------------------------------------------------------------------------------------
@routes.get("/orders")
def orders() -> str:
    rows = rows_of("lab_orders", None, "PK_ID DESC")
    return render_template("orders.html", table=table_of("lab_orders"), rows=rows)


@routes.get("/orders/<order_id>")
def order(order_id: str) -> str:
    mine = f"Rupa_Order_ID = {quoted(order_id)}"
    return render_template(
        "order.html",
        row=one("lab_orders", "Rupa_Order_ID", order_id),
        tests=rows_of("lab_order_tests", mine),
        results=rows_of("lab_results", mine),
    )


@routes.get("/results/<key>")
def lab_result(key: str) -> str:
    row = one("lab_results", "Result_Key", key)
    values = rows_of("lab_result_values", f"Result_Key = {quoted(key)}")
    return render_template("result.html", row=row, values=values)


@routes.get("/results/<key>/report.pdf")
def report(key: str) -> Response:
    row = one("lab_results", "Result_Key", key)
    found = attachment(needed("lab_results").field("Result_PDF"), row["PK_ID"])
    if found is None:
        raise no_object("report")
    headers = {"Content-Disposition": "inline", "X-Content-Type-Options": "nosniff"}
    return Response(found["content"], mimetype="application/pdf", headers=headers)


@routes.get("/catalog")
def catalog() -> str:
    rows = rows_of("lab_tests", None, "Name")
    return render_template("catalog.html", table=table_of("lab_tests"), rows=rows)


# --- datasheet ------------------------------------------------------------------------------------
@routes.get("/browse")
def browse() -> str:
    return render_template("browse.html", names=design.table_names(account_of().store))


@routes.get("/browse/<name>")
def sheet(name: str) -> str:
    table = design.find_table(account_of().store, name)
    page = max(request.args.get("page", 1, type=int), 1)
    query = Query(order_by="PK_ID", limit=SHEET_ROWS, page=page, with_total=True)
    rows, pagination = records.select(account_of(), table, query)
    total = pagination["TotalCount"] if pagination else 0
    more = page * SHEET_ROWS < total
    return render_template("sheet.html", table=table, rows=rows, page=page, more=more, total=total)


@routes.route("/browse/<name>/new", methods=["GET", "POST"])
def new_row(name: str) -> Any:
    return _edited_row(name, None)


@routes.route("/browse/<name>/<int:pk>", methods=["GET", "POST"])
def edit_row(name: str, pk: int) -> Any:
    table = design.find_table(account_of().store, name)
    return _edited_row(name, _row(table, pk))


@routes.post("/browse/<name>/<int:pk>/delete")
def delete_row(name: str, pk: int) -> Any:
    table = design.find_table(account_of().store, name)
    records.delete(account_of(), table, f"PK_ID={pk}", source="Datasheet")
    return redirect(url_for("pages.sheet", name=table.name), 303)


def _edited_row(name: str, row: Row | None) -> Any:
    table = design.find_table(account_of().store, name)
    fields = [f for f in table.shown if f.editable and f.type != "PASSWORD"]
    title = f"{table.name}: {'row ' + str(row['PK_ID']) if row else 'new row'}"
    delete = url_for("pages.delete_row", name=table.name, pk=row["PK_ID"]) if row else None
    if request.method == "GET":
        return _form(title, fields, row or {}, delete=delete)
    try:
        forms.save(account_of(), table, fields, row, "Datasheet")
    except CaspioError as error:
        return _form(title, fields, {**(row or {}), **request.form}, error.message, delete), 400
    return redirect(url_for("pages.sheet", name=table.name), 303)


# --- shared ---------------------------------------------------------------------------------------
def _form(
    title: str, fields: list[design.Field], values: Row, error: str = "", delete: str | None = None
) -> str:
    inputs = [forms.shown(field, values.get(field.name)) for field in fields]
    return render_template("form.html", title=title, inputs=inputs, error=error, delete=delete)


def table_of(key: str) -> Table | None:
    """The table that plays this part, if the practice has it yet."""
    try:
        return design.find_table(account_of().store, account_of().options.tables[key])
    except CaspioError:
        return None


def needed(key: str) -> Table:
    return design.find_table(account_of().store, account_of().options.tables[key])


def rows_of(key: str, where: str | None = None, order: str = "PK_ID") -> list[Row]:
    table = table_of(key)
    if table is None:
        return []
    try:
        return records.select(account_of(), table, Query(where=where, order_by=order, limit=1000))[0]
    except CaspioError:  # a practice may have made the table without the field that joins it
        return []


def one(key: str, field: str, value: str) -> Row:
    found = rows_of(key, f"{field} = {quoted(value)}")
    if not found:
        raise no_object(value)
    return found[0]


def _row(table: Table, pk: int) -> Row:
    try:
        return records.by_pk(account_of(), table, pk)
    except LookupError as error:
        raise no_object(str(pk)) from error


def key_field() -> str:
    return account_of().options.patient_key


def order_links(key: str) -> dict[str, str | None]:
    """Where the two order links of a patient go; the key is all that an address holds."""
    options = account_of().options
    ours = None
    if options.labbridge_url and options.practice_slug:
        ours = f"{options.labbridge_url.rstrip('/')}/order/{options.practice_slug}?patient={quote(key)}"
    theirs = options.rupa_order_url.replace("{patient}", quote(key)) if options.rupa_order_url else None
    return {"labbridge": ours, "rupa": theirs}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def escaped(text: str) -> str:
    return text.replace("[", "[[]").replace("%", "[%]").replace("_", "[_]")
