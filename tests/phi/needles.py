"""Looking for planted words in whatever form they may have taken."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes


def forms(word: str) -> set[bytes]:
    """A word as plain text, as UTF-16, in base64 (wherever it may start), in hex, in an address."""
    plain = word.encode()
    found = {plain, word.encode("utf-16-le"), word.encode("utf-16-be"), quote(word, safe="").encode()}
    found |= {plain.hex().encode()}
    for encoded in (plain, word.encode("utf-16-le")):
        found |= set(_inside_base64(encoded))
    return found


def _inside_base64(plain: bytes) -> Iterator[bytes]:
    """What base64 makes of these bytes at each of the three places they may begin, without the uncertain ends."""
    for offset in range(3):
        packed = base64.b64encode(b"\0" * offset + plain)
        first = (offset * 8 + 5) // 6
        last = (offset + len(plain)) * 8 // 6
        yield packed[first:last]
        yield packed[first:last].replace(b"+", b"-").replace(b"/", b"_")


class Search:
    """Finds words in any of their forms; plain text in any case."""

    def __init__(self, words: Iterable[str]) -> None:
        self.exact = [(form, word) for word in words for form in sorted(forms(word))]
        self.folded = [(word.lower().encode(), word) for word in words]

    def found_in(self, content: bytes) -> set[str]:
        lowered = content.lower()
        return {word for form, word in self.exact if form in content} | {
            word for form, word in self.folded if form in lowered
        }

    def found_in_address(self, address: str) -> set[str]:
        once = unquote_to_bytes(address.replace("+", " "))
        return self.found_in(address.encode()) | self.found_in(once) | self.found_in(unquote_to_bytes(once))

    def found_below(self, folder: Path) -> dict[str, set[str]]:
        """By file: every byte of every file below a folder."""
        hits: dict[str, set[str]] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and (words := self.found_in(path.read_bytes())):
                hits[str(path.relative_to(folder))] = words
        return hits
