"""Unsubscribing by a link: a form for people, one POST for programs, and nothing for whoever only looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from mailer.suppression.api import SuppressionEntry
from mailer.suppression.unsubscribe import UnsubscribeToken, keys_of, sealed
from tests.web.api import MAIL, Api, refused

TOKEN = UnsubscribeToken("01M7XZE2ZPFN5M9C7PXGDNNSF8", "news", "ann@example.org")


@pytest.fixture
def link(api: Api) -> str:
    """The path of a link that mail has gone out with."""
    return f"/u/{sealed(TOKEN, keys_of(api.spool.place, make=True))}"


def entries(api: Api) -> list[SuppressionEntry]:
    return [*asyncio.run(api.desk.suppressions.listing())]


def test_whoever_only_looks_changes_nothing(api: Api, link: str) -> None:
    """Filters follow every link. The form says who leaves what, loads nothing from elsewhere, and names nobody to others."""
    for method in ("GET", "HEAD", "OPTIONS"):
        answer = api.ask(method, link, None)
    answer = api.ask("GET", link, None)
    assert answer.status_code == 200
    assert "ann@example.org" in answer.text
    assert "news" in answer.text
    assert '<form class="entry" method="post">' in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert entries(api) == []


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_one_post_is_enough(api: Api, link: str, kind: str) -> None:
    """As the program of a mailbox operator sends it, without a key, a cookie or an origin; also a second time. RFC 8058 §3.2"""
    for _ in range(2):
        answer = api.ask("POST", link, None, content=b"List-Unsubscribe=One-Click", headers={"Content-Type": kind})
        assert (answer.status_code, "You are unsubscribed" in answer.text) == (200, True)
    [entry] = entries(api)
    assert (entry.address, entry.scope, entry.reason, entry.until) == ("ann@example.org", "news", "unsubscribe", None)
    assert (entry.source, entry.evidence, entry.by) == ("page", TOKEN.message, "recipient")


def test_the_answer_tells_nothing_about_the_address(api: Api, link: str) -> None:
    """Whether it is on the list already or not, it is the same, to the byte."""
    first = api.ask("POST", link, None)
    again = api.ask("POST", link, None)
    assert (first.content, first.headers.get("content-length")) == (again.content, again.headers.get("content-length"))


def test_whoever_has_been_taken_off_the_list_can_leave_again(api: Api, link: str) -> None:
    api.ask("POST", link, None)
    asyncio.run(api.desk.suppressions.remove([entries(api)[0].key], by="x", at=1.0))
    api.ask("POST", link, None)
    assert len(entries(api)) == 1


@pytest.mark.parametrize("token", ["x", "A" * 100, "A" * 5000, "%00", "é"])
def test_a_link_that_is_none_of_ours_is_said_to_be_none(api: Api, link: str, token: str) -> None:
    """So nobody whose program cut it believes that he is unsubscribed."""
    for method in ("GET", "POST"):
        for path in (f"/u/{token}", link[:-6]):
            answer = api.ask(method, path, None)
            assert answer.status_code == 200
            assert "Nothing has changed" in answer.text
            assert "unsubscribed" not in answer.text
    assert entries(api) == []


def test_no_token_is_in_the_log(api: Api, link: str) -> None:
    api.ask("POST", link, None)
    assert [asked.path for asked in api.told] == ["/u/…"]


def test_a_list_that_cannot_be_written_is_503(api: Api, link: str) -> None:
    """Programs come again then; a person is told that nothing has changed."""
    path = Path(api.spool.place, "suppress.sqlite3")
    path.write_bytes(b"no database" * 1000)
    path.chmod(0o600)
    answer = api.ask("POST", link, None)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "Nothing has changed" in answer.text


def test_the_name_in_the_link_is_one_of_ours(tmp_path: Path) -> None:
    """Whatever api.hosts says."""
    api = Api(tmp_path, 'public_url = "https://leave.example.com"')
    assert api.ask("GET", "/u/x", None, headers={"Host": "leave.example.com"}).status_code == 200
    assert api.ask("GET", "/u/x", None, headers={"Host": "other.example.com"}).status_code == 421
    api.close()


def test_a_key_asks_for_a_link_and_has_to_have_a_stream(tmp_path: Path) -> None:
    """One recipient, a stream, and an address of ours: else it is refused with its reason."""
    api = Api(tmp_path, 'public_url = "https://leave.example.com"')
    news = api.key("news", "send", stream="News")
    assert api.send(news, list_unsubscribe="auto").status_code == 202
    assert api.send(news, list_unsubscribe="auto", to_addresses=["a@example.net", "b@example.net"]).status_code == 400
    assert api.send(list_unsubscribe="auto").status_code == 400
    assert api.send(list_unsubscribe="auto", headers={"List-Id": "News <news.example.com>"}).status_code == 202
    assert api.send(news, list_unsubscribe="yes").json()["error"]["member"] == "list_unsubscribe"
    api.close()


def test_to_ignore_the_list_takes_the_scope_manage(api: Api) -> None:
    plain = api.key("plain", "send")
    assert api.send(ignore_suppression=True).status_code == 202
    assert api.send(plain, ignore_suppression=True).status_code == 403
    assert api.send(plain, ignore_suppression=False).status_code == 202
    assert api.send(ignore_suppression="yes").status_code == 400


def test_a_message_as_it_is_asks_in_its_query(tmp_path: Path) -> None:
    """For the same, by the same terms."""
    api = Api(tmp_path, 'public_url = "https://leave.example.com"')
    news, raw = api.key("news", "send", stream="News"), {"Content-Type": "message/rfc822"}

    def asked(query: str, key: str) -> httpx.Response:
        return api.ask("POST", f"/send_raw?{query}", key, content=b"From: me@example.com\nTo: you@example.net\n\nx\n", headers=raw)

    taken = asked("list_unsubscribe=auto", news)
    assert taken.status_code == 202, taken.text
    assert api.envelope(taken.json()["id"]).options == {"list_unsubscribe": "auto"}
    refused(asked("list_unsubscribe=yes", news), 400, "bad_request", member="list_unsubscribe")
    refused(asked("ignore_suppression=true", news), 403, "missing_scope", member="ignore_suppression")
    refused(asked("ignore_suppression=1", news), 400, "bad_request", member="ignore_suppression")
    assert asked("ignore_suppression=false", news).status_code == 202
    assert api.envelope(asked("ignore_suppression=true", api.shop).json()["id"]).options == {"ignore_suppression": True}
    api.close()


def test_each_message_of_many_asks_for_itself(api: Api) -> None:
    """One that may not is refused in its place, and no other."""
    plain = api.key("plain", "send")
    many = [{**MAIL, "ignore_suppression": ignore} for ignore in (True, False)]
    first, second = api.ask("POST", "/send_emails", plain, json=many).json()
    assert (first["error"]["code"], "id" in second) == ("missing_scope", True)
    results = api.ask("POST", "/send_emails", json=many).json()
    assert [api.envelope(each["id"]).options for each in results] == [{"ignore_suppression": True}, {}]
