"""The Files area of a Caspio account (caspio-api.md 2.5). Files on rows are in `table.py`."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from labbridge.peers.caspio.session import Session
from labbridge.peers.caspio.types import FileItem
from labbridge.peers.errors import Unreadable


class Files:
    PAGE_SIZE = 1000
    SECONDS = 120.0

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self, folder: UUID | None = None) -> Iterator[FileItem]:
        """The files of one folder, or of the root."""
        number, is_last = 1, False
        while not is_last:
            page = {"pageNumber": str(number), "pageSize": str(self.PAGE_SIZE)}
            response = self._session.request(
                "GET", "/files", operation="list files", params=_in(folder) | page
            )
            items = self._session.read_list(FileItem, response)
            yield from items
            number, is_last = number + 1, len(items) < self.PAGE_SIZE

    def upload(self, name: str, content: bytes, folder: UUID | None = None) -> FileItem:
        """Add a file. Raises Conflict when the name is taken in that folder."""
        response = self._session.request(
            "POST",
            "/files",
            operation="upload a file",
            params=_in(folder),
            files=[("Files", (name, content, "application/octet-stream"))],
            expect=(201,),
            timeout=self.SECONDS,
        )
        stored = self._session.read_list(FileItem, response)
        if len(stored) != 1:
            raise response.error(Unreadable, code="unexpected_shape")
        return stored[0]

    def overwrite(self, name: str, content: bytes, folder: UUID | None = None) -> FileItem:
        """Add a file, or replace the one of that name."""
        response = self._session.request(
            "PUT",
            "/files",
            operation="overwrite a file",
            params=_in(folder),
            files=[("File", (name, content, "application/octet-stream"))],
            expect=(200, 201),
            timeout=self.SECONDS,
        )
        return self._session.read(FileItem, response)

    def info(self, key: UUID) -> FileItem:
        """Name, size and type of one file. Raises NotFound."""
        response = self._session.request("GET", f"/files/{key}/fileInfo", operation="read a file's name")
        return self._session.read(FileItem, response)

    def download(self, key: UUID) -> bytes:
        """The content of one file; its told type is not to be trusted (2.5). Raises NotFound."""
        octets = "application/octet-stream"
        return self._session.request(
            "GET", f"/files/{key}", operation="download a file", accept=octets
        ).content

    def delete(self, key: UUID) -> None:
        """Delete one file. Raises NotFound."""
        self._session.request("DELETE", f"/files/{key}", operation="delete a file", expect=(204,))


def _in(folder: UUID | None) -> dict[str, str]:
    return {"externalKey": str(folder)} if folder else {}
