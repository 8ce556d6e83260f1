"""Channels that listen: what apprise sends to them over real HTTP and real SMTP."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import orjson


class Ear:
    """`url` is a channel's address in apprise's form; `heard` are titles and bodies, oldest first."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.raw: list[bytes] = []
        self.paths: list[str] = []
        self.status = 200
        self.location = ""  #: where a redirect leads
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                ear.raw.append(content)
                if ear.status == 200:
                    message = orjson.loads(content)
                    ear.heard.append((message["title"], message["message"]))
                self._answer()

            def do_GET(self) -> None:
                ear.paths.append(self.path)
                self._answer()

            def _answer(self) -> None:
                self.send_response(ear.status)
                if ear.location:
                    self.send_header("Location", ear.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/alerts"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


class MailEar:
    """A mail server for one test. `taken` are whom each letter was for, and the letter itself, oldest first."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], Message]] = []
        self.refuses = False
        ear = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                whom: list[str] = []
                self._say("220 ear")
                while line := self.rfile.readline():
                    word = line.decode().strip().upper()
                    if word.startswith("RCPT"):
                        whom.append(line.decode().partition("<")[2].partition(">")[0])
                        self._say("550 no" if ear.refuses else "250 yes")
                    elif word == "DATA":
                        self._say("354 go on")
                        ear.taken.append((whom, message_from_bytes(self._letter())))
                        self._say("250 taken")
                    elif word == "QUIT":
                        return self._say("221 bye")
                    else:
                        self._say("250 ear")
                return None

            def _letter(self) -> bytes:
                lines = b""
                while (line := self.rfile.readline()).rstrip(b"\r\n") != b".":
                    lines += line
                return lines

            def _say(self, words: str) -> None:
                self.wfile.write(words.encode() + b"\r\n")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.server.server_address[1]}/?from=us@willow.example&to=desk@willow.example"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)
