"""The account: where secrets may be sent, and lists that come in two shapes."""

import httpx2
import pytest

from labbridge.peers.caspio import Caspio
from labbridge.peers.caspio.types import Field, Webhook


@pytest.mark.parametrize(
    "url",
    [
        "http://c0abc123.caspio.com",
        "https://caspio.com.evil.example",
        "https://evilcaspio.com",
        "https://c0abc123.caspio.com/path",
        "https://c0abc123.caspio.com?x=1",
        "https://user@c0abc123.caspio.com",
        "https://-.caspio.com",
        "https://localhost",
        "http://127.0.0.1:8000",
        "c0abc123",
    ],
)
def test_the_secret_goes_to_caspio_only(url):
    with pytest.raises(ValueError, match=r"https|Caspio address"):
        Caspio(url, "id", "s3cret")


def test_other_hosts_by_setting_only():
    Caspio("https://c0abc123.caspio.com/", "id", "s3cret").close()
    Caspio("https://data.clinic.example", "id", "s3cret", custom_domains=["Data.clinic.example"]).close()
    Caspio("http://127.0.0.1:8000", "id", "s3cret", allow_http=True).close()
    with pytest.raises(ValueError, match="https"):
        Caspio("http://10.0.0.1", "id", "s3cret", allow_http=True)


@pytest.mark.parametrize("principal", ["", " x", "a\nb", "é", "x" * 129])
def test_a_principal_that_is_no_header(principal):
    with pytest.raises(ValueError, match="principal"):
        Caspio("https://c0abc123.caspio.com", "id", "s3cret", principal=principal)


@pytest.mark.parametrize("wrapped", [False, True])
def test_webhooks_come_bare_or_wrapped(scripted, caspio, wrapped):
    hook = {"Id": "71a8dk", "Name": "labbridge", "Status": "Inactive", "OutgoingUrls": ["https://x.example"]}

    def answer(status, body):
        return httpx2.Response(status, json={"Result": body} if wrapped else body)

    scripted.says(
        answer(200, [hook]), answer(200, hook), answer(200, [{"Id": "l9m8rk", "Type": "table.recordInsert"}])
    )
    assert [found.name for found in caspio.outgoing_webhooks()] == ["labbridge"]
    assert not caspio.outgoing_webhook("71a8dk").active
    assert caspio.webhook_events("71a8dk")[0].active


def test_a_secret_is_not_shown_by_repr():
    assert "hush" not in repr(Webhook(id="1", secret="hush"))


def test_directory_users_are_read_to_the_last_page(scripted, caspio, monkeypatch):
    monkeypatch.setattr(Caspio, "DIRECTORY_PAGE_SIZE", 2)
    pages = [[{"UserGUID": "a"}, {"UserGUID": "b"}], [{"UserGUID": "c"}]]
    scripted.says(*(httpx2.Response(200, json={"Result": page}) for page in pages))
    assert [user["UserGUID"] for user in caspio.directory_users("dir1")] == ["a", "b", "c"]
    assert b"q.pageNumber=2" in scripted.calls[1].url.query


@pytest.mark.parametrize(
    ("settings", "writable"),
    [
        ({"Name": "A", "Type": "STRING"}, True),
        ({"Name": "A", "Type": "STRING", "Editable": False}, False),
        ({"Name": "A", "Type": "NUMBER", "IsFormula": True}, False),
        ({"Name": "A", "Type": "Prefixed_Autonumber"}, False),
        ({"Name": "A", "Type": "RANDOMID"}, False),
        ({"Name": "A", "Type": "ATTACHMENT"}, False),
        ({"Name": "PK_Other", "Type": "INTEGER"}, False),
        ({"Name": "A", "Type": "NEW KIND"}, True),
    ],
)
def test_which_fields_may_be_written(settings, writable):
    assert Field.model_validate(settings).writable is writable
