"""Suppressions by HTTP: put, asked for, listed and taken off, by keys that may."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.suppression.api import SuppressionEntry
from mailer.suppression.sqlite import SqliteSuppression
from tests.web.api import Api, refused

ANN = "ann@example.org"


@pytest.fixture
def keeper(api: Api) -> str:
    """A key that speaks for all streams."""
    return api.key("keeper", "suppress")


@pytest.fixture
def news(api: Api) -> str:
    """A key that speaks for its own."""
    return api.key("news", "suppress", "send", stream="News")


def test_an_address_is_put_asked_for_and_taken_off(api: Api, keeper: str) -> None:
    """The answer is the entry, as the command line prints it; the second time there is nothing to take off."""
    refused(api.ask("GET", f"/suppressions/{ANN}", keeper), 404, "not_found")
    put = api.ask("PUT", "/suppressions/Ann%40EXAMPLE.org", keeper, json={"reason": "complaint", "note": "by phone", "until": None})
    assert put.status_code == 200, put.text
    entry = put.json()
    assert (entry["address"], entry["scope"], entry["reason"], entry["by"], entry["source"]) == (ANN, "*", "complaint", "key:keeper", "api")
    assert api.ask("GET", f"/suppressions/{ANN}", keeper).json() == entry
    assert api.ask("PUT", f"/suppressions/{ANN}", keeper).json() == entry  # what lasts as long stays
    described = api.ask("GET", "/openapi.json", None).json()["paths"]
    assert described["/suppressions/{address}"]["put"]["requestBody"]["required"] is False
    gone = api.ask("DELETE", f"/suppressions/{ANN}", keeper)
    assert (gone.status_code, gone.content) == (204, b"")
    refused(api.ask("DELETE", f"/suppressions/{ANN}", keeper), 404, "not_found")


def test_a_key_with_a_stream_speaks_for_that_alone(api: Api, keeper: str, news: str) -> None:
    """Without a scope it is its own; another one is not its affair. An operator's key may."""
    assert api.ask("PUT", f"/suppressions/{ANN}", news).json()["scope"] == "news"
    for method, path in (
        ("PUT", f"/suppressions/{ANN}?scope=*"),
        ("DELETE", f"/suppressions/{ANN}?scope=receipts"),
        ("GET", "/suppressions?scope=*"),
    ):
        refused(api.ask(method, path, news), 403, "forbidden", member="scope")
    api.ask("PUT", "/suppressions/bob@example.org", keeper)
    assert [each["address"] for each in api.ask("GET", "/suppressions", news).json()] == [ANN]
    operator = api.key("boss", "suppress", "operator", stream="news")
    assert api.ask("DELETE", f"/suppressions/{ANN}?scope=news", operator).status_code == 204
    assert api.ask("GET", "/suppressions/bob@example.org", news).status_code == 200  # what holds for all holds for this one


def test_nobody_without_the_scope_is_heard(api: Api) -> None:
    for method in ("GET", "PUT", "DELETE"):
        refused(api.ask(method, f"/suppressions/{ANN}"), 403, "missing_scope")
        refused(api.ask(method, f"/suppressions/{ANN}", None), 401, "unauthorized")
    refused(api.ask("GET", "/suppressions"), 403, "missing_scope")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/suppressions/nobody", None, 400),
        ("PUT", "/suppressions/@", None, 400),
        ("PUT", f"/suppressions/{ANN}?scpoe=x", None, 400),
        ("PUT", f"/suppressions/{ANN}", b'{"reason":"whim"}', 400),
        ("PUT", f"/suppressions/{ANN}", b'{"until":"soon"}', 400),
        ("PUT", f"/suppressions/{ANN}", b'{"raeson":"hard"}', 400),
        ("PUT", f"/suppressions/{ANN}", b'{"reason":7}', 400),
        ("PUT", f"/suppressions/{ANN}", b"[]", 400),
        ("PUT", f"/suppressions/{ANN}", b"{" * 1000, 400),
        ("PUT", f"/suppressions/{ANN}", b" " * 5000, 413),
        ("GET", "/suppressions?limit=0", None, 400),
        ("GET", "/suppressions?after=%00", None, 400),
        ("GET", "/suppressions?reason=whim", None, 400),
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, keeper: str, method: str, path: str, body: bytes | None, status: int) -> None:
    answer = api.ask(method, path, keeper, content=body or b"")
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert api.ask("GET", "/suppressions", keeper).json() == []


def test_a_list_goes_on_where_it_ended(api: Api, keeper: str) -> None:
    names = [f"u{at}@example.org" for at in range(5)]
    for name in names:
        api.ask("PUT", f"/suppressions/{name}", keeper)
    found, path = [], "/suppressions?limit=2"
    while path:
        answer = api.ask("GET", path, keeper)
        found += [each["address"] for each in answer.json()]
        path = answer.links.get("next", {}).get("url", "")
    assert found == names
    assert [each["address"] for each in api.ask("GET", "/suppressions?address=u3@*", keeper).json()] == ["u3@example.org"]


def test_who_hands_mail_in_is_told_who_will_not_get_it(api: Api, keeper: str, news: str) -> None:
    """In the answer of each message; of mail that ignores the list, and of another stream, nobody is."""
    api.ask("PUT", f"/suppressions/{ANN}?scope=news", keeper)
    to = [ANN, "bob@example.org"]
    assert [each["status"] for each in api.send(news, to_addresses=to).json()["recipients"]] == ["suppressed", "queued"]
    assert [each["status"] for each in api.send(to_addresses=to).json()["recipients"]] == ["queued", "queued"]


def test_no_address_is_in_the_log(api: Api, keeper: str) -> None:
    api.ask("PUT", f"/suppressions/{ANN}", keeper)
    assert [asked.path for asked in api.told] == ["/suppressions/…"]


def test_a_list_that_cannot_be_read_is_503_and_mail_is_taken(api: Api, keeper: str) -> None:
    """It waits in the queue until somebody has mended it."""
    path = Path(api.spool.place, "suppress.sqlite3")
    path.write_bytes(b"no database" * 1000)
    path.chmod(0o600)
    refused(api.ask("GET", f"/suppressions/{ANN}", keeper), 503, "unavailable")
    assert api.send().status_code == 202


def test_what_a_command_has_put_there_is_seen_at_once(api: Api, keeper: str) -> None:
    entries = SqliteSuppression(api.spool.place)
    refused(api.ask("GET", f"/suppressions/{ANN}", keeper), 404, "not_found")
    asyncio.run(entries.add([SuppressionEntry(ANN, at=1.0)]))
    assert api.ask("GET", f"/suppressions/{ANN}", keeper).status_code == 200
    entries.close_now()
