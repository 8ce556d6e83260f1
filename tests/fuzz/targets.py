"""What is fuzzed: everything of ours that reads what a stranger may send. Each target takes bytes.

A target lets through what its reader declares and fails on anything else: another exception, a secret in an error's
text, or a broken promise. `test_targets.py` runs the table with hypothesis, `python -m tests.fuzz` with atheris.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp

from labbridge.mirror.hl7 import Hl7Unreadable, read_oru
from labbridge.peers.caspio.where import encoded_length, field, split
from labbridge.peers.errors import Unreadable
from labbridge.peers.rupa.events import EventEnvelope
from labbridge.peers.rupa.files import FileRefused, check_pdf, classify, classify_bytes
from labbridge.peers.rupa.signature import SignatureRejected, sign, verify
from labbridge.practices.config import ConfigProblem, parse
from tests.world import PRACTICE_TOML

PAYLOADS = Path(__file__).resolve().parents[1] / "payloads" / "rupa"
SECRET = "whsec_fuzz"
BODY = b'{"id": "evt_fuzz"}'
NOW = 1_900_000_000

HL7 = (
    b"MSH|^~\\&|SAMPLELAB|X|EHR|Y|20310203101500-0800||ORU^R01^ORU_R01|ctl-1|P|2.5.1\r"
    b"PID|1|int-1|MR-7^^^LAB^MR~ord_1^^^RUPA||Testcase^Ada^Q||19800102|F\r"
    b"OBR|1|ord_1^RUPA|acc-9^LAB|P1^Invented Panel^L|||203102010815-0800\r"
    b"OBX|1|NM|3016-3^TSH^LN^T1^Thyrotropin^L|1|2.50|mIU/L^milli^UCUM|0.40-4.00|N|||F|||20310201083000-0800\r"
    b"NTE|1|L|First note.~Second\\.br\\line\\X41\\.\r"
    b"OBX|2|SN|2093-3^Cholesterol^LN|1|>^300|mg/dL|<200|HH|||F\r"
    b"OBX|3|ED|PDF^Report^L|1|^application^pdf^Base64^JVBERi0xLjQKJSVFT0YK||||||F\r"
)

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def signature_header(data: bytes) -> None:
    """Nothing but our own signature of our own body is let in, whatever stands in the header."""
    header = data.decode("latin-1")
    try:
        verify(BODY, header, [SECRET], now=NOW)
    except SignatureRejected:
        return
    digest = sign(BODY, SECRET, now=NOW).partition("v1=")[2]
    assert digest in header.lower(), "a header without the signature was let in"


def json_api(data: bytes) -> None:
    """An event's envelope and all that is read of it."""
    try:
        envelope = EventEnvelope.parse(data)
    except Unreadable as error:
        if error.__cause__ is not None:
            raise AssertionError("the decoder's error carries the document") from error
        return
    assert envelope.id
    for read in (lambda: envelope.order, lambda: envelope.lab_test):
        with contextlib.suppress(Unreadable):
            read()


def hl7_message(data: bytes) -> None:
    try:
        report = read_oru(data.decode("utf-8", "replace"))
    except Hl7Unreadable:
        return
    for value in report.values:
        assert value.value_number is None or value.value_number.is_finite()


def result_file(data: bytes) -> None:
    """What a result's address serves, or the field itself holds."""
    for found in (classify_bytes(data), classify(data.decode("latin-1"))):
        if found.content is not None:
            with contextlib.suppress(FileRefused):
                check_pdf(found.content)


def where_condition(data: bytes) -> None:
    """Any text comes back from SQL as the one value it was, and no piece is longer than it may be."""
    texts = [part.decode("utf-8", "replace") for part in data.split(b"\n")[:40]]
    try:
        condition = field("Key").is_in(texts) & (field("Note") == texts[0])
    except ValueError:
        return  # control characters have no place in a condition
    with contextlib.suppress(ValueError):
        for piece in split(condition, 2047):
            assert encoded_length(piece) <= 2047
    tree = sqlglot.parse_one(f"SELECT 1 FROM t WHERE {field('Key').is_in(texts).sql()}", dialect="tsql")
    within = tree.find(exp.In)
    assert within is not None
    assert [str(one.this) for one in within.expressions] == list(dict.fromkeys(texts))


def practice_toml(data: bytes) -> None:
    try:
        config = parse(data.decode("utf-8", "replace"))
    except ConfigProblem:
        return
    assert config.practice.slug


Target = Callable[[bytes], None]


@dataclass(frozen=True)
class Fuzzed:
    target: Target
    seeds: tuple[bytes, ...]


TARGETS: dict[str, Fuzzed] = {
    "signature_header": Fuzzed(
        signature_header,
        (
            sign(BODY, SECRET, now=NOW).encode(),
            b"t=1900000000,v1=00,v1=ff",
            sign(BODY, "other", now=NOW).encode(),
        ),
    ),
    "json_api": Fuzzed(json_api, tuple(path.read_bytes() for path in sorted(PAYLOADS.glob("event_*.json")))),
    "hl7_message": Fuzzed(hl7_message, (HL7, b"FHS|^~\\&\rBHS|^~\\&\r" + HL7 + b"\rBTS|1\rFTS|1")),
    "result_file": Fuzzed(
        result_file, (PDF, HL7, b"<!doctype html><title>Sign in</title>", b"https://f.example/a")
    ),
    "where_condition": Fuzzed(
        where_condition, (b"O'Hara\n'; DROP TABLE x; --", b"[%_]\nN'x'\n/*", b"a\n" * 30)
    ),
    "practice_toml": Fuzzed(
        practice_toml,
        (PRACTICE_TOML.format(caspio="https://c0abc123.caspio.com", rate=5, refresh_token="r").encode(),),
    ),
}
