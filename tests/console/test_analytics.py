"""Pages of figures: charts and tables, amounts by role, addresses that can be shared, files, the report."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from typer.testing import CliRunner

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.analytics.facts import refresh
from labbridge.analytics.questions import QUESTIONS
from labbridge.cli import app
from labbridge.practices.models import Practice
from labbridge.trust.models import AuditEntry
from tests.console.things import make_order, make_patient, make_practice, text
from tests.people import member, sign_in

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = 14
MONEY = [name for name, one in QUESTIONS.items() if one.money]


def address(name: str) -> str:
    return f"/analytics/{'money' if QUESTIONS[name].money else 'question'}?show={name}"


@pytest.fixture
def willow() -> Practice:
    practice = make_practice()
    practice.config["rupa"]["price_unit"] = "dollars"
    practice.save()
    for number in range(ORDERS):
        moment = timezone.now() - timedelta(days=number % 5)
        make_order(
            practice,
            number,
            make_patient(practice, number),
            submitted_at=moment,
            paid_at=moment,
            source="caspio",
        )
    make_order(
        practice, 99, submitted_at=timezone.now() - timedelta(days=60), paid_at=None, phase="awaiting_payment"
    )
    make_order(practice, 100, is_demo=True)
    refresh(practice)
    return practice


@pytest.fixture
def owner(client: Client, willow: Practice) -> Client:
    sign_in(client, member(willow))
    return client


def test_every_question_has_a_page_that_shows_no_patient(
    owner: Client, django_assert_max_num_queries: Any
) -> None:
    for name, question in QUESTIONS.items():
        with django_assert_max_num_queries(20):
            shown = text(owner.get(address(name)))
        assert f"<h1>{question.title}</h1>" in shown
        assert "Sampleperson" not in shown
        assert "style=" not in shown
        assert "P-1" not in shown


def test_a_bar_leads_to_exactly_the_orders_behind_it(owner: Client) -> None:
    shown = text(owner.get(address("orders-by-lab")))
    (bar,) = re.findall(r'<a href="([^"]+)" aria-label="Invented Lab: (\d+)', shown)
    assert bar[1] == str(ORDERS + 1)
    listed = text(owner.get(unescape(bar[0])))
    assert "The orders behind a figure" in listed
    assert len(set(re.findall(r">(ord_\w+)</a>", listed))) == ORDERS + 1
    assert "ord_willow_100" not in listed, "a demo order stands behind no figure"


def test_the_list_behind_a_bar_can_be_narrowed_kept_and_taken_away(owner: Client) -> None:
    shown = text(owner.get(address("unpaid")))
    behind = unescape(
        re.findall(r'<a href="(/pipeline\?figure=unpaid[^"]+)" aria-label="31 to 90 days', shown)[0]
    )
    listed = text(owner.get(behind))
    assert set(re.findall(r">(ord_\w+)</a>", listed)) == {"ord_willow_99"}
    assert 'type="hidden" name="figure" value="unpaid"' in listed
    assert "ord_willow_99" not in text(owner.get(f"{behind}&phase=complete"))
    rows = list(
        csv.reader(
            io.StringIO(b"".join(owner.get(behind.replace("/pipeline", "/pipeline/orders.csv"))).decode())
        )
    )  # type: ignore[call-overload]
    assert [row[1] for row in rows[1:]] == ["ord_willow_99"]


@pytest.mark.parametrize(
    "query",
    ["figure=nothing", "figure=ordered&since=x&until=2026-13-45", "figure=ordered&lab='%3B%20drop", "test=%00",
     "figure=due&test=labts_1", "figure=paid&lab=several&since=0001-01-01", "figure=ordered&practitioner=name:abc"],
)  # fmt: skip
def test_an_odd_address_is_no_error(owner: Client, query: str) -> None:
    assert owner.get(f"/pipeline?{query}").status_code == 200


def test_amounts_are_for_those_who_may_see_money(willow: Practice) -> None:
    client = Client()
    sign_in(client, member(willow, Role.PRACTITIONER))
    shown = text(client.get("/analytics"))
    assert "Revenue" not in shown
    assert "report" not in shown.lower().replace("reports", "")
    for name in MONEY:
        assert client.get(address(name)).status_code == 403
        assert client.get(f"/analytics/question?show={name}").status_code == 404, "no other address tells it"
        assert client.get(f"/analytics/question/file?show={name}").status_code == 404


def test_a_period_stands_in_the_address(owner: Client) -> None:
    shown = text(owner.get(f"{address('orders-by-lab')}&from=2024-01-01&to=2024-12-31"))
    assert "Nothing to draw here" in shown
    assert "Compared with Jan 1, 2023 to Dec 31, 2023." in shown
    assert 'value="2024-01-01"' in shown
    assert "from=2024-01-01&amp;to=2024-12-31" in shown, "the other questions are asked of the same period"


@pytest.mark.parametrize(
    "odd", ["from=x&to=y", "from=2026-02-01&to=2026-01-01", "from=0001-01-01&to=9999-12-31", "to=2026-01-01"]
)
def test_an_odd_period_is_said_and_the_usual_one_shown(owner: Client, odd: str) -> None:
    shown = text(owner.get(f"/analytics?{odd}"))
    assert "That is no period" in shown
    assert "<h1>The period at a glance</h1>" in shown


def test_several_practices_are_asked_one_by_one(willow: Practice, client: Client) -> None:
    birch = make_practice("birch")
    user = sign_in(client, member(willow))
    Membership.objects.create(user=user, practice=birch, role=Role.OWNER)
    assert "Which one?" in text(client.get("/analytics"))
    shown = text(client.get("/analytics/question?show=orders-by-lab&practice=willow"))
    assert "/pipeline?practice=willow&amp;figure=ordered" in shown
    assert "No rows." in text(client.get("/analytics/question?show=orders-by-lab&practice=birch"))


def test_a_table_is_taken_away_as_csv_and_parquet(owner: Client) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    for name, question in QUESTIONS.items():
        file = address(name).replace("?", "/file?")
        rows = list(csv.reader(io.StringIO(owner.get(file).content.decode())))
        table = parquet.read_table(pa.BufferReader(owner.get(f"{file}&as=parquet").content))
        assert table.num_rows == len(rows) - 1
        assert table.num_columns == len(rows[0])
        for place, column in enumerate(table.columns):
            for cell, said in zip(column.to_pylist(), (row[place] for row in rows[1:]), strict=True):
                assert said == ("" if cell is None else str(cell)), name
        if not question.size:
            assert owner.get(f"{file}&for=sharing").status_code == 404
    assert AuditEntry.objects.filter(action="figures.export").count() == 2 * len(QUESTIONS)
    assert owner.get(f"{address('totals').replace('?', '/file?')}&as=xls").status_code == 404


def test_what_is_shared_leaves_out_what_few_stand_behind(owner: Client) -> None:
    file = "/analytics/question/file?show=orders-by-lab&for=sharing"
    rows = list(csv.DictReader(io.StringIO(owner.get(file).content.decode())))
    assert rows == [{"Lab company": "Invented Lab", "Orders": "15", "Canceled": "0",
                     "Share of orders": "1.0", "Orders in the period before": "0"}]  # fmt: skip
    few = owner.get("/analytics/question/file?show=orders-by-lab&for=sharing&from=2000-01-01&to=" + str(
        (timezone.now() - timedelta(days=30)).date())).content.decode()  # fmt: skip
    assert "Invented Lab,,,,\r\n" in few


def test_files_ask_for_a_fresh_proof(willow: Practice) -> None:
    client = Client()
    sign_in(client, member(willow))
    session = client.session
    for one in session["account_authentication_methods"]:
        one["at"] -= 3600
    session.save()
    for file in (
        "/analytics/question/file?show=totals",
        "/analytics/money/file?show=unpaid",
        "/analytics/report",
    ):
        answer = client.get(file)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/confirm?next=")


def test_other_assumptions_change_the_page_alone(owner: Client, willow: Practice) -> None:
    before = text(owner.get(address("value")))
    tried = text(owner.get(f"{address('value')}&order_minutes=10&hour_cost=30"))
    assert "10 for an order" in tried
    assert "At $30" in tried
    assert "10 for an order" not in before
    wrong = text(owner.get(f"{address('value')}&patient_minutes_low=9&patient_minutes_high=1"))
    assert "At most cannot be less" in wrong
    file = owner.get("/analytics/question/file?show=value&order_minutes=10").content.decode()
    assert f"Orders filed in Caspio,{ORDERS + 1},{(ORDERS + 1) * 10},{(ORDERS + 1) * 10}" in file


def test_the_monthly_report_is_a_pdf(owner: Client) -> None:
    from pypdf import PdfReader

    month = f"{timezone.now():%Y-%m}"
    answer = owner.get(f"/analytics/report?month={month}")
    assert answer["Content-Type"] == "application/pdf"
    said = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    for question in QUESTIONS.values():
        assert question.title in said
    assert "Invented Lab" in said
    assert "Sampleperson" not in said
    shared = owner.get(f"/analytics/report?month={month}&for=sharing").content
    told = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(shared)).pages)
    assert "Unpaid orders (today)" not in told
    assert "For sharing" in told
    assert owner.get("/analytics/report?month=2031-99").status_code == 302
    assert owner.get("/analytics/report?month=2999-01").status_code == 302
    assert [
        entry.detail["shared"] for entry in AuditEntry.objects.filter(action="figures.export").order_by("at")
    ] == [0, 1]


def test_the_report_as_a_command(willow: Practice, tmp_path: Path) -> None:
    runner, file = CliRunner(), tmp_path / "report.pdf"
    done = runner.invoke(app, ["report", "monthly", "--out", str(file), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["practice"] == "willow"
    assert file.read_bytes().startswith(b"%PDF")
    assert file.stat().st_mode & 0o777 == 0o600
    for wrong in (
        ["--month", "2026-13"],
        ["--month", "2999-01"],
        ["--out", str(tmp_path / "no" / "where.pdf")],
    ):
        said = runner.invoke(app, ["report", "monthly", *wrong])
        assert said.exit_code == 2, said.output
        assert "Traceback" not in said.output
