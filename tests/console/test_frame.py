"""What stands around every page: navigation, the choice of practice, times, parts, and answers that are no pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.paginator import Paginator
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import timezone

from labbridge.accounts.models import Membership
from labbridge.accounts.roles import Role
from labbridge.console.templatetags.words import age, ago, commands, tag, when
from labbridge.practices.models import Practice
from tests.people import member, sign_in

TEMPLATES = Path(__file__).resolve().parents[2] / "labbridge"


@pytest.fixture
def willow(db: None) -> Practice:
    return Practice.objects.create(slug="willow", name="Willow", time_zone="America/Los_Angeles")


def navigation(client: Client, address: str = "/") -> list[str]:
    shown = client.get(address).content.decode()
    return re.findall('data-key="."[^>]*>([^<]+)<', shown)


def test_the_navigation_shows_what_the_role_may_open(client: Client, willow: Practice) -> None:
    sign_in(client, member(willow, Role.FRONT_DESK))
    assert navigation(client) == ["Today", "Pipeline", "Matches", "Catalogue", "Protocols"]
    other = Client()
    sign_in(other, member(willow, Role.AUDITOR))
    assert navigation(other) == ["Today", "Pipeline", "Events", "Health", "Audit", "Settings"]


def test_the_navigation_follows_the_role_at_the_chosen_practice(client: Client, willow: Practice) -> None:
    birch = Practice.objects.create(slug="birch", name="Birch")
    user = member(willow, Role.AUDITOR)
    Membership.objects.create(user=user, practice=birch, role=Role.OWNER)
    sign_in(client, user)
    assert navigation(client) == [
        "Today",
        "Pipeline",
        "Results",
        "Matches",
        "Catalogue",
        "Protocols",
        "Billing",
        "Analytics",
        "Events",
        "Health",
        "Feeds",
        "Audit",
        "Settings",
    ]
    assert navigation(client, "/?practice=willow") == [
        "Today",
        "Pipeline",
        "Events",
        "Health",
        "Audit",
        "Settings",
    ]
    assert navigation(client, "/?practice=birch") == [
        "Today",
        "Pipeline",
        "Results",
        "Matches",
        "Catalogue",
        "Protocols",
        "Billing",
        "Analytics",
        "Events",
        "Health",
        "Feeds",
        "Audit",
        "Settings",
    ]
    assert client.get("/cases?practice=willow").status_code == 403


def test_one_practice_needs_no_choice(client: Client, willow: Practice) -> None:
    sign_in(client, member(willow))
    assert 'name="practice"' not in client.get("/").content.decode()


def test_a_page_says_when_it_goes_blank(client: Client, willow: Practice) -> None:
    sign_in(client, member(willow))
    assert 'data-blank-after="855"' in client.get("/").content.decode()


def test_news_that_a_page_asks_for_itself_keep_no_session_alive(
    client: Client, willow: Practice, settings: Any
) -> None:
    from labbridge.accounts.middleware import SEEN

    sign_in(client, member(willow))
    client.get("/")
    for headers, touched in (({"X-Labbridge-Quiet": "1"}, False), ({}, True)):
        session = client.session
        session[SEEN] = before = session[SEEN] - 60
        session.save()
        assert client.get("/", headers=headers).status_code == 200
        assert (client.session[SEEN] > before) == touched


def test_whatever_asks_for_news_by_itself_says_so() -> None:
    """In a part that htmx asks for again, and in a script with a clock that fetches."""
    for path in TEMPLATES.rglob("templates/**/*.html"):
        for part in re.findall(r'<[^<]*hx-trigger="every[^<]*>', path.read_text()):
            assert '"X-Labbridge-Quiet": "1"' in part, path
    page = Path(str(finders.find("console/order_request.js"))).read_text()
    (asked,) = re.findall(r"fetch\(.*?\)", page)
    assert "headers: quiet" in asked
    assert 'quiet = { "X-Labbridge-Quiet": "1" }' in page


def test_htmx_of_a_stranger_reloads_the_page(client: Client, willow: Practice) -> None:
    answer = client.get("/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer["HX-Refresh"] == "true"
    assert client.get("/accounts/here").status_code == 302


def test_here_answers_with_nothing(client: Client, willow: Practice) -> None:
    sign_in(client, member(willow))
    answer = client.get("/accounts/here")
    assert answer.status_code == 204
    assert "no-store" in answer["Cache-Control"]


def test_a_page_that_is_not_there(client: Client, willow: Practice) -> None:
    for known in (False, True):
        if known:
            sign_in(client, member(willow))
        answer = client.get("/nothing/is/here")
        assert answer.status_code == 404
        assert "no-store" in answer["Cache-Control"]
        assert "Nothing is here" in answer.content.decode()


def test_a_mistake_of_ours_is_a_page_without_a_trace(
    client: Client, willow: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labbridge.console import today

    def broken(_viewer: object) -> list[object]:
        raise RuntimeError("PLANTED")

    monkeypatch.setattr(today, "groups", broken)
    sign_in(client, member(willow))
    client.raise_request_exception = False
    answer = client.get("/")
    assert answer.status_code == 500
    assert "It is a mistake of ours" in answer.content.decode()
    assert "PLANTED" not in answer.content.decode()


def test_no_template_holds_what_the_content_policy_forbids() -> None:
    """No inline style, no inline script, no handler in an attribute, nothing from another host."""
    for path in TEMPLATES.rglob("templates/**/*.html"):
        if "simulators" in path.parts:
            continue
        html = path.read_text()
        data = re.sub(r'<script data-allauth-onload="[^"]+" type="application/json">', "", html)
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|hx-on|javascript:", html), path
        assert not re.search(r"<script(?![^>]*\ssrc=)", data), path
        assert not re.search(r"(src|href)=\"(https?:)?//", html), path


def test_the_style_sheet_loads_nothing() -> None:
    sheet = Path(str(finders.find("console/labbridge.css"))).read_text()
    assert "url(" not in sheet
    assert "@import" not in sheet


class TestTimes:
    PLACE = Practice(slug="willow", time_zone="America/Los_Angeles")

    def test_on_the_wall_clock_of_the_practice(self) -> None:
        shown = when(datetime(2020, 7, 1, 0, 5, tzinfo=UTC), self.PLACE)
        assert 'datetime="2020-06-30T17:05:00-07:00"' in shown
        assert "Jun 30, 2020, 5:05 pm<" in shown
        assert 'title="Tuesday, June 30, 2020, 5:05 pm PDT"' in shown

    def test_today_and_yesterday_are_the_practices(self) -> None:
        now = timezone.now()
        assert ">Today " in str(when(now, self.PLACE))
        assert ">Yesterday " in str(when(now - timedelta(days=1), self.PLACE))

    @pytest.mark.parametrize(
        ("passed", "words"),
        [(timedelta(seconds=-5), "just now"), (timedelta(seconds=59), "just now"),
         (timedelta(minutes=59), "59 min ago"), (timedelta(hours=47), "47 h ago"),
         (timedelta(hours=48), "2 days ago")],
    )  # fmt: skip
    def test_ages(self, passed: timedelta, words: str) -> None:
        assert age(passed) == words

    def test_never(self) -> None:
        assert when(None, self.PLACE) == "—"
        assert ago(None, self.PLACE) == "never"


class TestParts:
    def part(self, name: str, **context: Any) -> str:
        return render_to_string(f"console/parts/{name}.html", context)

    def test_a_tag_has_a_word_and_a_tone(self) -> None:
        assert tag("awaiting_payment") == '<span class="tag wait">awaiting payment</span>'
        assert tag("something new") == '<span class="tag">something new</span>'
        assert tag("failed", "<refused>") == '<span class="tag harm">&lt;refused&gt;</span>'

    def test_a_command_in_a_sentence_is_marked_and_the_rest_escaped(self) -> None:
        assert commands("Run `a < b` & wait.") == "Run <code>a &lt; b</code> &amp; wait."
        assert commands("It's `one` without its ` pair<") == "It&#x27;s `one` without its ` pair&lt;"
        found = [
            {"state": "warn", "check": "backup", "sentence": "None.", "action": "Run `labbridge backup`."}
        ]
        assert "Run <code>labbridge backup</code>." in self.part("checks", found=found)

    def test_a_problem_has_a_sentence_and_an_action(self) -> None:
        shown = self.part("problem", text="It broke & fell.", address="/again", action="Try again")
        assert "It broke &amp; fell." in shown
        assert 'href="/again">Try again' in shown

    def test_progress_of_known_and_unknown_length(self) -> None:
        assert 'value="3" max="9"' in self.part("progress", id="p", label="Reading", done=3, total=9)
        unknown = self.part("progress", id="p", label="Reading", done=3, total=0)
        assert "max=" not in unknown
        assert "3 so far" in unknown

    def test_a_field_is_tied_to_its_label_and_help(self) -> None:
        from django import forms

        class Form(forms.Form):
            why = forms.CharField(label="Reason", help_text="Kept with your name.")

        shown = self.part("field", field=Form({})["why"])
        assert '<label for="id_why">Reason' in shown
        assert 'aria-describedby="id_why_helptext' in shown
        assert 'id="id_why_helptext"' in shown
        assert 'aria-invalid="true"' in shown

    def test_pages_keep_the_filters_of_the_address(self) -> None:
        request = RequestFactory().get("/cases?decided=1&page=2")
        page = Paginator(range(90), 30).page(2)
        shown = render_to_string("console/parts/pages.html", {"page": page}, request)
        assert 'href="?decided=1&amp;page=3"' in shown
        assert 'href="?decided=1&amp;page=1"' in shown
        assert self.part("pages", page=Paginator([], 30).page(1)).strip() == ""
