"""Logs: only keys on the list, only names of what was dropped, never a library's words."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from labbridge.trust.logs import ALLOWED, allow_listed, configure

PLANTED = "Testa Sampleperson"


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]):
    before = logging.getLogger().handlers[:]
    configure({"level": "INFO"})

    def read() -> list[dict[str, object]]:
        out, err = capsys.readouterr()
        assert not err
        assert PLANTED not in out
        return [json.loads(line) for line in out.splitlines()]

    yield read
    logging.getLogger().handlers[:] = before
    configure(settings.LOGGING)


def test_a_line_is_an_event_with_ids(lines):
    structlog.get_logger().info("inbox.recorded", event_id="e1", count=2)
    (line,) = lines()
    assert (line["event"], line["event_id"], line["count"], line["level"]) == (
        "inbox.recorded",
        "e1",
        2,
        "info",
    )
    assert "timestamp" in line


def test_an_unknown_key_is_named_and_its_value_dropped(lines):
    structlog.get_logger().warning("something", patient_name=PLANTED, email=PLANTED)
    (line,) = lines()
    assert line["dropped_keys"] == ["email", "patient_name"]


def test_an_exceptions_text_never_shows(lines):
    try:
        int(PLANTED)
    except ValueError:
        structlog.get_logger().exception("it.failed", peer="rupa")
        structlog.get_logger().error("it.failed", exc_info=True, stack_info=True)
        logging.getLogger("some.library").exception("failed for %s", PLANTED)
    first, second, third = lines()
    assert first["dropped_keys"] == ["exc_info"]
    assert set(second["dropped_keys"]) <= {"exc_info", "stack_info"}
    assert third["exception_type"] == "ValueError"
    assert third["logger"] == "some.library"


def test_a_librarys_words_and_arguments_never_show(lines):
    logging.getLogger("some.library").error("could not greet %s", PLANTED, extra={"patient": PLANTED})
    (line,) = lines()
    assert line["event"] == "library.log"
    assert line["level"] == "error"
    assert set(line) == {"event", "level", "timestamp", "logger", "function", "line"}


def test_libraries_below_warning_and_own_lines_below_the_level_are_silent(lines):
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("httpx2").warning("chatter")
    structlog.get_logger().debug("chatter")
    assert lines() == []


def test_a_value_that_is_no_json_shows_its_kind_only(lines):
    class Person:
        def __repr__(self) -> str:
            return PLANTED

    structlog.get_logger().info("seen", key=Person())
    (line,) = lines()
    assert line["key"] == "Person"


def test_an_unknown_level_falls_back(capsys: pytest.CaptureFixture[str]):
    before = logging.getLogger().handlers[:]
    configure({"level": "loud"})
    structlog.get_logger().info("still.said")
    logging.getLogger().handlers[:] = before
    configure(settings.LOGGING)
    assert "still.said" in capsys.readouterr().out


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=8))
def test_nothing_passes_that_the_list_does_not_hold(entry: dict[str, str]):
    passed = allow_listed(None, "info", dict(entry))
    assert set(passed) <= ALLOWED | {"dropped_keys"}
    assert set(passed.get("dropped_keys", [])) == set(entry) - ALLOWED
