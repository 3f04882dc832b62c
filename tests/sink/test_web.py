"""The page of what came: asked over HTTP as browsers and programs ask it."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.sink.shown import Served, letter, served

__all__ = ["served"]

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(20)


def test_nothing_came_yet(served: Served) -> None:
    """The page says how to send something."""
    assert f"curl smtp://127.0.0.1:{served.sink.port}" in served.page_of()


def test_what_came_is_listed_and_shown(served: Served) -> None:
    """Newest first; what was looked at is read."""
    served.send(letter("grüße"))
    served.send(letter("second"), "", "a@example.net", "b@example.net")
    page = served.page_of()
    assert page.index("second") < page.index("grüße")
    assert "2 messages, 2 unread" in " ".join(page.split())
    second, first = served.listed()
    assert (second["recipients"], second["from"], first["header_from"]) == (
        ["a@example.net", "b@example.net"], "", "Anna Müller <anna@example.com>",
    )  # fmt: skip
    shown = served.page_of(f"/messages/{first['id']}")
    assert '<h1 dir="auto">grüße</h1>' in shown
    assert "envelope: me@example.com" in shown
    assert [each["unread"] for each in served.listed()] == [True, False]
    assert "hi" in served.page_of(f"/messages/{first['id']}?view=text")
    assert "Content-Type" in served.page_of(f"/messages/{first['id']}?view=header")
    answer, source = served.ask(f"/messages/{first['id']}/source")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert source.startswith("From: ")


def test_searching(served: Served) -> None:
    """All words, in sender, recipients and subject."""
    served.send(letter("one fish"))
    served.send(letter("two"))
    assert [each["subject"] for each in served.listed("anna+FISH")] == ["one fish"]
    assert "No message matches" in served.page_of("/?q=nothing")


@pytest.mark.slow
def test_a_long_list_has_pages(served: Served) -> None:
    for number in range(60):
        served.send(letter(f"no {number}"))
    first = served.page_of()
    assert first.count('<li class="unread">') == 50
    more = first.split("after=")[1].split('"')[0]
    assert served.page_of(f"/?after={more}").count('<li class="unread">') == 10


HOSTILE = '<img src="cid:logo"><img src=http://tracker.example/x><script>alert(1)</script><form action=/delete method=post>'


def test_html_runs_nothing_and_loads_nothing_from_elsewhere(served: Served) -> None:
    """It is in a frame without an origin; pictures within the message are shown, those of others when that is asked for."""
    message = letter("html", html=HOSTILE)
    message.get_payload()[1].add_related(PICTURE, "image", "png", cid="<logo>")  # type: ignore[union-attr, index]
    served.send(message)
    id = served.listed()[0]["id"]
    page = served.page_of(f"/messages/{id}")
    assert '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "Pictures from elsewhere are blocked" in page
    assert "<script>alert" not in page
    answer, html = served.ask(f"/messages/{id}/html")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "https:" not in policy
    assert f'src="/messages/{id}/parts/' in html
    number = html.split("/parts/")[1].split("?")[0]
    answer, _ = served.ask(f"/messages/{id}/parts/{number}?inline=1")
    assert answer.headers["Content-Type"] == "image/png"
    answer, _ = served.ask(f"/messages/{id}/html?remote=1")
    assert "img-src http://127.0.0.1" in answer.headers["Content-Security-Policy"]
    assert "https:" in answer.headers["Content-Security-Policy"]


def test_an_attachment_is_kept_and_never_shown(served: Served) -> None:
    """Whatever it calls itself."""
    message = letter("files")
    message.add_attachment("<script>alert(1)</script>", subtype="html", filename='ü"x.html')
    served.send(message)
    id = served.listed()[0]["id"]
    (file,) = json.loads(served.page_of(f"/api/messages/{id}"))["attachments"]
    assert (file["name"], file["type"]) == ('ü"x.html', "text/html")
    for asked in ("", "?inline=1"):
        answer, _ = served.ask(f"/messages/{id}/parts/{file['number']}{asked}")
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%C3%BC%22x.html"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_was_deleted_comes_back_when_that_was_a_mistake(served: Served) -> None:
    for subject in ("one", "two", "three"):
        served.send(letter(subject))
    id = served.listed("two")[0]["id"]
    answer, _ = served.ask(f"/messages/{id}/delete", "POST")
    assert (answer.status, answer.headers["Location"]) == (303, "/?deleted=1")
    assert "Deleted 1 message." in served.page_of("/?deleted=1")
    assert [each["subject"] for each in served.listed()] == ["three", "one"]
    served.ask("/restore", "POST")
    assert len(served.listed()) == 3
    answer, _ = served.ask("/delete?q=one", "POST")
    assert answer.headers["Location"] == "/?q=one&deleted=1"
    served.ask("/api/messages", "DELETE")
    assert served.listed() == []
    answer, page = served.ask(f"/messages/{id}")
    assert answer.status == 404
    assert "There is no such message" in page


NESTED = b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 2000
ODD = [
    b"",
    b"\x00\xff" * 9,
    b"Subject: =?x?y?z?=\r\n",
    b"Subject: =?utf-8?b?a?=\r\nFrom: =?utf-8?b?a?= <a@example.com>\r\n\r\n",
    b'Content-Type: multipart/mixed; boundary="\r\n\r\n--',
    b"Content-Type: text/html; charset=klingon\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
    b"From: <<>@,;\r\nTo: " + b"(" * 3000,
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + NESTED,
    b"Subject: <script>x</script>\r\n\r\n<b>",
    b"Subject: =?utf-7?q?+2AA-?=\r\nContent-Type: text/html; charset=utf-7\r\n\r\n+2AA-",
    b"Subject: =?unicode_escape?q?=5Cud800?=\r\nContent-Type: text/plain; charset=unicode_escape\r\n\r\n\\ud800",
    b"Subject: \xff\r\nX-\xff: \xff\r\nContent-Type: a/\xff\r\nContent-Disposition: attachment; filename=\xff\r\n\r\nx",
]


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_any_bytes_are_shown(served: Served, tmp_path: Path, content: bytes) -> None:
    """As much of them as can be read; and nothing of them becomes part of a page."""
    (tmp_path / "mail" / "new" / "1.M2P3.host").write_bytes(content)
    (kept,) = served.listed()
    for view in ("text", "header", "source", "html"):
        assert "<script>x" not in served.page_of(f"/messages/{kept['id']}?view={view}")
    for path in (f"/api/messages/{kept['id']}", f"/messages/{kept['id']}/source"):
        served.page_of(path)
    for path in ("html", "parts/0"):
        assert served.ask(f"/messages/{kept['id']}/{path}")[0].status in (200, 404)
    assert "<script>x" not in served.page_of()


def test_who_may_ask(served: Served) -> None:
    """A page of somebody else neither reads nor changes anything: by a name that leads here, or by a form."""
    served.send(letter())
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1"):
        answer, text = served.ask("/", Host=host)
        assert answer.status in (400, 421)
        assert "hello" not in text
    for name, value in (("Origin", "http://evil.example"), ("Origin", "null"), ("Origin", "http://["), ("Sec_Fetch_Site", "cross-site")):
        answer, _ = served.ask("/delete", "POST", **{name: value})
        assert answer.status == 403
    assert len(served.listed()) == 1
    answer, _ = served.ask("/delete", "POST", Sec_Fetch_Site="same-origin")
    assert answer.status == 303


MISSING = ["/nothing", "/static/../page.py", "/static/base.html", "/messages/x/parts/1", "/messages/x/html", "/messages/x/source"]


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there(served: Served, path: str) -> None:
    answer, _ = served.ask(path)
    assert answer.status == 404
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_open_pages_hear_of_what_comes(served: Served) -> None:
    """A line for each change, until the sink ends."""
    heard = threading.Event()
    ended = threading.Event()

    def listen() -> None:
        with urllib.request.urlopen(f"{served.page.url}events", timeout=60) as stream:
            assert stream.readline() == b"retry: 2000\n"
            began.set()
            for line in stream:
                if line == b"data: changed\n":
                    heard.set()
        ended.set()

    began = threading.Event()
    listener = threading.Thread(target=listen)
    listener.start()
    assert began.wait(30)
    served.send(letter())
    assert heard.wait(30)
    served.loop.run(served.page.close())
    assert ended.wait(30)
    listener.join()


def test_what_came_while_a_page_was_opened_is_told_to_it_at_once(served: Served) -> None:
    """It says which change it has seen."""
    found = re.search(r'data-changes="(\d+)"', served.page_of())
    assert found
    served.send(letter())
    with urllib.request.urlopen(f"{served.page.url}events?after={found[1]}", timeout=60) as stream:
        assert [stream.readline() for _ in range(3)] == [b"retry: 2000\n", b"\n", b"data: changed\n"]
