import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlencode

import pytest
from waitress.server import create_server
from werkzeug.test import Client

from labbridge.simulators.caspio import create_app
from tests.contract.openapi import validate_request, validate_response

BASE = "/integrations/rest/v3"
ORDERS = [
    {"Name": "Order_No", "Type": "STRING", "Unique": True},
    {"Name": "Name", "Type": "STRING"},
    {"Name": "Note", "Type": "TEXT"},
    {"Name": "Total", "Type": "CURRENCY"},
    {"Name": "Weight", "Type": "NUMBER"},
    {"Name": "Pieces", "Type": "INTEGER"},
    {"Name": "Ordered", "Type": "DATE/TIME"},
    {"Name": "Paid", "Type": "YES/NO"},
    {"Name": "Report", "Type": "ATTACHMENT"},
    {"Name": "Colours", "Type": "LIST-STRING", "ListField": ["Red", "Green", "Blue"]},
    {"Name": "Pin", "Type": "PASSWORD"},
    {"Name": "Ref", "Type": "STRING", "Unique": True, "UniqueAllowNulls": True},
]


class Rest:
    """Calls the API as a client would; every request and every answer is held against the document."""

    def __init__(self, wsgi, token=None):
        self.http = Client(wsgi)
        self.token = token or self.new_token()

    def new_token(self):
        form = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
        return self.http.post("/oauth/token", data=form).json["access_token"]

    def call(self, method, path, query=None, body=None, *, valid=True, **more):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= more.pop("headers", {})
        content = None if body is None else json.dumps(body).encode()
        if valid:
            validate_request(method, BASE + path, query, headers, content)
        encoded = urlencode(query or {}, quote_via=quote)
        answer = self.http.open(
            BASE + path, method=method, query_string=encoded, data=content, headers=headers, **more
        )
        validate_response(method, BASE + path, answer.status_code, answer.headers, answer.data)
        return answer

    def get(self, path, query=None, **more):
        return self.call("GET", path, query, **more)

    def post(self, path, body, query=None, **more):
        return self.call("POST", path, query, body, **more)

    def put(self, path, body, query=None, **more):
        return self.call("PUT", path, query, body, **more)

    def delete(self, path, query=None, **more):
        return self.call("DELETE", path, query, **more)

    def upload(self, method, path, part, *files):
        headers = {"Authorization": f"Bearer {self.token}"}
        data = {part: [(stream, name) for stream, name in files]}
        answer = self.http.open(BASE + path, method=method, data=data, headers=headers)
        validate_response(method, BASE + path, answer.status_code, answer.headers, answer.data)
        return answer

    # short forms
    def rows(self, where=None, table="Orders", **query):
        wanted = {f"q.{name}": value for name, value in query.items()}
        answer = self.get(f"/tables/{table}/records", wanted | ({"q.where": where} if where else {}))
        assert answer.status_code == 200, answer.text
        return answer.json["Result"]

    def add(self, table="Orders", **values):
        answer = self.post(f"/tables/{table}/records", values, {"response": "rows"})
        assert answer.status_code == 201, answer.text
        return answer.json["Result"][0]


@pytest.fixture
def make(tmp_path):
    """Build simulators on one state file; all are closed at the end."""
    made = []

    def build(**options):
        options = {"deliver": False, "client_id": "id", "client_secret": "secret", **options}
        simulator = create_app(tmp_path / "state.db", **options)
        made.append(simulator)
        return simulator

    yield build
    for simulator in made:
        simulator.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("caspio") / "state.db"
    simulator = create_app(path, client_id="id", client_secret="secret", deliver=False)
    yield simulator
    simulator.close()


@pytest.fixture
def sim(kept):
    """One simulator for a module, since building one takes a tenth of a second; empty for each test."""
    kept.account.store.reset()
    kept.faults.clear()
    kept.faults.clear_requests()
    return kept


@pytest.fixture
def rest(sim):
    return Rest(sim)


@pytest.fixture
def orders(rest):
    """The API with an Orders table in the account."""
    assert rest.post("/tables", {"Name": "Orders", "Fields": ORDERS}).status_code == 201
    return rest


class Receiver:
    """A real HTTP server that keeps what is posted to it and answers as told."""

    def __init__(self):
        self.got = []
        self.answers = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    @property
    def messages(self):
        return [json.loads(body) for _, body in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@contextmanager
def served(wsgi):
    """Run a WSGI app under waitress on a free port."""
    server = create_server(wsgi, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown()  # workers first: they still tell the loop that they are done
        server.trigger.pull_trigger(server.close)  # closing in the loop's own thread ends it cleanly
        thread.join(5)
        assert not thread.is_alive()
