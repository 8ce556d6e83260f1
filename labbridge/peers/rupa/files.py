"""Result files: what a value of `results_pdf` or `results_hl7` is, and whether bytes are a fit PDF.

Rupa shows only null there, so a value may be an address or the content itself (rupa-api.md 8).
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar
from urllib.parse import unquote_to_bytes

import puremagic

from labbridge.peers.errors import NotFound, Rejected

MAX_PDF = 25 * 1024 * 1024  #: bytes
A_PAGE = "page_instead_of_file"  #: code of FileExpired when HTML came: a sign-in page, or maintenance


class FileExpired(NotFound):
    """The address does not serve the file (403, 404, 410, a page): read the order again for a fresh one."""

    advice: ClassVar[str] = "Read the order again: it carries a fresh address."


class FileRefused(Rejected):
    """We will not fetch or keep this file. `reason` is a sentence for a person, without data."""

    advice: ClassVar[str] = (
        "Look at the result in Rupa; a file host may be added to LABBRIDGE_RUPA_FILE_HOSTS."
    )

    def __init__(self, reason: str, *, code: str, status: int | None = None) -> None:
        self.reason = reason
        super().__init__("rupa", "fetch a result file", code=code, status=status)


class FileKind(StrEnum):
    URL = "url"
    PDF = "pdf"
    HL7 = "hl7"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ResultFile:
    """`url` for an address, `content` for a PDF, `text` for HL7; none of them for what is unknown."""

    kind: FileKind
    url: str | None = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)


_UNKNOWN_FILE = ResultFile(FileKind.UNKNOWN)
_DATA_URL = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
_PDF_AS_BASE64 = "JVBER"  # %PDF
_HL7_AS_BASE64 = "TVNI"  # MSH
_END = b"%%EOF"  #: a cut-off file lacks it; viewers look for it in the last 1,024 bytes
_HL7_FRAME = "\ufeff\x0b\x1c\r\n\t "  #: a byte order mark, MLLP's frame, blanks


def classify(value: str | None) -> ResultFile:
    """An address, a PDF (base64, data address or plain), HL7 text, or unknown. Never raises."""
    stripped = (value or "").strip(_HL7_FRAME)
    if re.match(r"https?://", stripped, re.IGNORECASE):
        return ResultFile(FileKind.URL, url=stripped)
    if prefix := _DATA_URL.match(stripped):
        packed = stripped[prefix.end() :]
        encoded = prefix[0].lower().rstrip(",").endswith(";base64")
        return classify_bytes(_from_base64(packed) if encoded else unquote_to_bytes(packed))
    if stripped.startswith((_PDF_AS_BASE64, _HL7_AS_BASE64)):
        return classify_bytes(_from_base64(stripped))
    if stripped.startswith("%PDF"):
        return classify_bytes(stripped.encode("latin-1", "replace"))
    return _as_hl7(stripped)


def classify_bytes(content: bytes) -> ResultFile:
    """The same for a downloaded file: PDF or HL7 (UTF-8, else Windows' Latin), else unknown."""
    if b"%PDF-" in content[:1024]:
        return ResultFile(FileKind.PDF, content=content)
    head = content[:64].decode("latin-1").lstrip(_HL7_FRAME + "ï»¿")
    if not head.startswith(("MSH", "FHS", "BHS")):
        return _UNKNOWN_FILE
    try:
        return _as_hl7(content.decode("utf-8-sig").strip(_HL7_FRAME))
    except UnicodeDecodeError:
        return _as_hl7(content.decode("cp1252", "replace").strip(_HL7_FRAME))


def is_page(content: bytes) -> bool:
    """Whether a page of HTML came in place of a file."""
    start = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype", b"<html"))


def _as_hl7(text: str) -> ResultFile:
    """A header segment and a field separator that is no letter; batches have headers of their own."""
    found = re.match(r"(MSH|FHS|BHS)[^\w\s]", text)
    return ResultFile(FileKind.HL7, text=text) if found else _UNKNOWN_FILE


def _from_base64(packed: str) -> bytes:
    """The bytes, either alphabet, broken into lines or not; nothing when it is not base64."""
    joined = re.sub(r"\s+", "", packed).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(joined + "=" * (-len(joined) % 4), validate=True)
    except ValueError:
        return b""


def check_pdf(content: bytes, max_size: int = MAX_PDF) -> None:
    """Return when these bytes are a whole PDF: one with its end mark, else one that opens.

    A lab's file with faults that viewers mend must reach its chart, and our reader is stricter than they are.
    Protected ones pass: the reader has the password. Raises FileRefused with a sentence.
    """
    if not content:
        raise FileRefused("The file is empty.", code="file_empty")
    if len(content) > max_size:
        raise FileRefused(f"The file is larger than {max_size // (1024 * 1024)} MB.", code="file_too_large")
    start = content.find(b"%PDF-", 0, 1024)  # Acrobat too allows some bytes before the header
    if start < 0 or not _looks_like_pdf(content[start:]):
        raise FileRefused("The file is not a PDF.", code="file_not_pdf")
    if _END not in content[-1024:] and not _opens(content):
        raise FileRefused("The file starts like a PDF but cannot be opened.", code="file_damaged")


def _looks_like_pdf(content: bytes) -> bool:
    try:
        return any(match.extension == ".pdf" for match in puremagic.magic_string(content))
    except puremagic.PureError:
        return False


def _opens(content: bytes) -> bool:
    from pypdf import PdfReader  # late: a tenth of the time of every start, for the few jobs that read files

    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        return reader.is_encrypted or len(reader.pages) > 0
    except Exception:  # noqa: BLE001 - pypdf fails in a dozen ways on damaged files; all mean the same here
        return False
