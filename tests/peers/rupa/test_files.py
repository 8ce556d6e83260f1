from __future__ import annotations

import base64
import io
from contextlib import nullcontext

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.peers.errors import NotFound, Rejected
from labbridge.peers.rupa.files import FileExpired, FileKind, FileRefused, check_pdf, classify, classify_bytes


def pdf(password: str | None = None) -> bytes:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(72, 72)
    if password is not None:
        writer.encrypt(password)
    into = io.BytesIO()
    writer.write(into)
    return into.getvalue()


PDF = pdf()
HL7 = "MSH|^~\\&|LAB\rPID|1"


@pytest.mark.parametrize("value", ["https://files.example/a.pdf?x=1", " HTTP://files.example/a "])
def test_addresses(value: str) -> None:
    found = classify(value)
    assert (found.kind, found.url) == (FileKind.URL, value.strip())


@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(PDF).decode(),
        base64.encodebytes(PDF).decode(),
        base64.urlsafe_b64encode(PDF).decode().rstrip("="),
        "data:application/pdf;base64," + base64.b64encode(PDF).decode(),
        "data:application/pdf;name=x;BASE64," + base64.b64encode(PDF).decode(),
        PDF.decode("latin-1"),
    ],
)
def test_pdfs_in_every_dress(value: str) -> None:
    found = classify(value)
    assert found.kind is FileKind.PDF
    assert found.content is not None
    check_pdf(found.content)


@pytest.mark.parametrize(
    "value",
    [
        HL7,
        "\ufeff" + HL7,
        "\x0b" + HL7 + "\x1c\r",
        "\n" + HL7,
        "BHS|^~\\&\r" + HL7,
        base64.b64encode(HL7.encode()).decode(),
        "data:text/plain," + HL7.replace("|", "%7C"),
        "data:;base64," + base64.b64encode(HL7.encode()).decode(),
    ],
)
def test_hl7_in_every_dress(value: str) -> None:
    found = classify(value)
    assert found.kind is FileKind.HL7
    assert found.text is not None
    assert found.text.startswith(("MSH|", "BHS|"))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "pending",
        "MSHA",
        "/9j/4AAQ",
        "JVBER not base64 \u00e9",
        "data:,",
        "ftp://x/y.pdf",
        "data:application/pdf;base64,***",
        "TVNIfA===x",
    ],
)
def test_all_else_is_unknown(value: str | None) -> None:
    assert classify(value).kind is FileKind.UNKNOWN


def test_downloaded_bytes() -> None:
    assert classify_bytes(PDF).kind is FileKind.PDF
    assert classify_bytes(b"\xef\xbb\xbf" + HL7.encode()).text == HL7
    assert classify_bytes(HL7.encode() + b"\rNTE|1||caf\xe9").text == HL7 + "\rNTE|1||caf\u00e9"
    assert classify_bytes(b"<!doctype html>").kind is FileKind.UNKNOWN


def test_contents_do_not_show() -> None:
    assert "PID" not in repr(classify(HL7))
    assert "files.example" not in repr(classify("https://files.example/a"))


def test_fit_pdfs_pass() -> None:
    check_pdf(PDF)
    check_pdf(pdf("secret"))
    check_pdf(b"\n\n" + PDF)


@pytest.mark.parametrize(
    "content", [PDF.replace(b"startxref", b"startxfer"), b"%PDF-1.4\nnot for us to judge\n%%EOF\n"]
)
def test_a_whole_file_with_faults_reaches_the_chart(content: bytes) -> None:
    """Viewers mend what our reader does not."""
    check_pdf(content)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b"<html>", "file_not_pdf"),
        (b"x" * 2000 + PDF, "file_not_pdf"),
        (b"%PDF-1.7\n" + b"0" * 500, "file_damaged"),
        (PDF[:200], "file_damaged"),
        (PDF + b" " * 5000, "file_too_large"),
    ],
)
def test_unfit_files_are_refused_with_a_sentence(content: bytes, code: str) -> None:
    with pytest.raises(FileRefused) as caught:
        check_pdf(content, max_size=4000)
    assert caught.value.code == code
    assert caught.value.reason.endswith(".")


def test_where_they_stand_in_the_tree() -> None:
    assert issubclass(FileExpired, NotFound)
    assert issubclass(FileRefused, Rejected)
    assert not FileRefused.retryable


@given(st.text() | st.text().map(lambda tail: "JVBER" + tail) | st.text().map(lambda tail: "data:" + tail))
def test_no_value_makes_it_crash(value: str) -> None:
    assert classify(value).kind in FileKind


@given(st.binary())
def test_no_bytes_make_it_crash(content: bytes) -> None:
    with nullcontext() if b"%%EOF" in content else pytest.raises(FileRefused):
        check_pdf(b"%PDF-" + content)
    assert classify_bytes(content).kind in FileKind
