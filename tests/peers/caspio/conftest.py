"""A Caspio that says what it is told to say, for answers that a well-behaved simulator never gives."""

import httpx2
import pytest

from labbridge.peers.caspio import Caspio
from labbridge.peers.ports import LocalMeter, LocalTokenStore


class Scripted:
    """Hands out tokens t1, t2, ... and plays `answers` to every other call; the last one repeats."""

    def __init__(self):
        self.answers = [httpx2.Response(200, json={"Result": []})]
        self.requests = []
        self.tokens = 0
        self.refused = set()  #: tokens answered with `stale`
        self.stale = httpx2.Response(401)
        self.token_answer = None
        self.meter, self.store = LocalMeter(), LocalTokenStore()

    def client(self, **options):
        options = {"token_store": self.store, "meter": self.meter, "sleep": lambda _: None} | options
        return Caspio(
            "https://c0abc123.caspio.com",
            "id",
            "s3cret",
            transport=httpx2.MockTransport(self.play),
            **options,
        )

    def says(self, *answers):
        self.answers = list(answers)

    def play(self, request):
        self.requests.append(request)
        if request.url.path == "/oauth/token":
            return self._token()
        if request.headers["Authorization"].removeprefix("Bearer ") in self.refused:
            return self.stale
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _token(self):
        if self.token_answer is not None:
            return self.token_answer
        self.tokens += 1
        return httpx2.Response(
            200, json={"access_token": f"t{self.tokens}", "token_type": "bearer", "expires_in": 86399}
        )

    @property
    def calls(self):
        return [request for request in self.requests if request.url.path != "/oauth/token"]


@pytest.fixture
def scripted():
    return Scripted()


@pytest.fixture
def caspio(scripted):
    return scripted.client()
