"""The page ``/``: who is let in, and what is shown to whom."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from mailer.mail.problem import Problem
from mailer.operate.api_keys import KeyTerms, add
from mailer.web import page as front
from tests.web.api import Api

HERE = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


class Browser:
    """A browser: it keeps the cookie."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.cookie = ""
        self.said = ""

    def ask(self, method: str = "GET", path: str = "/", fields: dict[str, str] = HERE, **more: object) -> httpx.Response:
        headers = {**fields, **({"Cookie": self.cookie} if self.cookie else {})}
        answer = self.api.ask(method, path, None, headers=headers, **more)
        if "set-cookie" in answer.headers:
            self.said = answer.headers["set-cookie"]
            self.cookie = self.said.partition(";")[0]
        return answer

    def login(self, key: str, **more: object) -> httpx.Response:
        return self.ask("POST", "/login", data={"key": key}, **more)


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


def test_who_has_no_key_sees_a_form_and_nothing_else(api: Api, browser: Browser) -> None:
    api.sent(to_addresses=["secret@example.net"])
    answer = browser.ask()
    assert answer.status_code == 200
    assert 'action="/login"' in answer.text
    assert "secret" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_key_that_is_typed_once_opens_the_page(api: Api, browser: Browser) -> None:
    """The browser has a cookie that is no key, which scripts do not see and other sites do not send; logging out is its end."""
    answer = browser.login(f" {api.shop}\n")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    said = browser.said.lower()
    assert all(word in said for word in ("httponly", "samesite=strict", "path=/", "max-age=43200"))
    assert "secure" not in said.split("; ")
    assert api.shop.lower() not in said
    assert "Nothing waits" in browser.ask().text
    assert api.told[-1].key == "shop"
    assert browser.ask("POST", "/logout").status_code == 303
    browser.cookie = said.partition(";")[0]
    assert 'action="/login"' in browser.ask().text


def test_over_tls_the_cookie_is_for_tls_alone(api: Api, browser: Browser) -> None:
    """Also where a proxy speaks it: the browser says so."""
    browser.login(api.shop, fields={"Origin": "https://localhost"})
    assert "secure" in browser.said.lower().split("; ")


@pytest.mark.parametrize("key", ["", "x", "mlr_" + "0" * 40, "mlr_ü"])
def test_a_wrong_key_is_refused(api: Api, browser: Browser, key: str) -> None:
    """With a word beside the field; what was typed is not said again."""
    answer = browser.login(key)
    assert answer.status_code == 401
    assert "Error: This is no valid key." in answer.text
    assert browser.said == ""
    assert not key or f'value="{key}' not in answer.text


def test_what_a_key_may_not(api: Api, browser: Browser) -> None:
    """One without the scope, one from elsewhere; and whoever tries many is told to wait."""
    assert "no scope status" in browser.login(api.key("sender", "send")).text
    assert "may not be used from this address" in browser.login(api.key("far", "status", networks=("192.0.2.0/24",))).text
    for _ in range(10):
        browser.login("mlr_" + "0" * 40)
    answer = browser.login("mlr_" + "0" * 40)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


FOREIGN = [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]


@pytest.mark.parametrize("fields", FOREIGN, ids=str)
def test_the_page_of_others_logs_nobody_in_or_out(api: Api, browser: Browser, fields: dict[str, str]) -> None:
    assert browser.login(api.shop, fields=fields).status_code == 403
    browser.login(api.shop)
    assert browser.ask("POST", "/logout", fields=fields).status_code == 403
    assert "Nothing waits" in browser.ask().text


def test_a_session_ends_with_its_key_and_with_its_time(api: Api, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.login(api.shop)
    asyncio.run(api.keys.remove(["shop"]))
    assert 'action="/login"' in browser.ask().text
    browser.login(api.key("third", "status"))
    [third] = [key for key in asyncio.run(api.keys.all()) if key.name == "third"]
    asyncio.run(api.keys.put([third._replace(digest="0" * 64, previous=third.digest, previous_until=api.clock.now() + 60)]))
    assert "Nothing waits" in browser.ask().text
    asyncio.run(api.keys.put([third._replace(digest="0" * 64)]))
    assert 'action="/login"' in browser.ask().text
    monkeypatch.setattr(front, "LASTING", -1.0)
    browser.login(api.key("other", "status"))
    assert 'action="/login"' in browser.ask().text


def test_a_body_without_an_end_is_no_form(api: Api, browser: Browser) -> None:
    """A form has 4 kB; more of it is not read."""
    assert browser.ask("POST", "/login", content=b"key=" + b"x" * 100_000).status_code == 401


def test_each_sees_its_own_mail_and_an_operator_all(api: Api, browser: Browser) -> None:
    """Nothing of others, not even how much of it there is; and what somebody wrote stays text."""
    other = api.key("other", "send", "status")
    api.send(other, subject="theirs", to_addresses=["them@example.net"])
    api.sent(subject="<script>alert(1)</script>")
    browser.login(api.shop)
    mine = browser.ask().text
    assert "1 message on the way" in mine
    assert "anna@example.net" in mine
    assert "&lt;script&gt;" in mine
    assert "<script>alert" not in mine
    assert "them" not in mine.replace("themselves", "")
    assert "This door" not in mine
    chief = Browser(api)
    chief.login(asyncio.run(add(api.keys, "chief", KeyTerms(("status", "operator")), api.clock.now())).key)
    whole = chief.ask().text
    assert "2 messages on the way" in whole
    assert "No daemon runs." in whole
    assert "example.net" in whole
    assert "This door" in whole


def test_what_cannot_be_read_is_said(api: Api, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without saying where on this machine it is."""

    def broken(*_: object) -> None:
        raise Problem(f"{api.spool.place}: broken", "io-error")

    browser.login(api.shop)
    monkeypatch.setattr(front, "own_standing", broken)
    answer = browser.ask()
    assert answer.status_code == 503
    assert api.spool.place not in answer.text
    assert "cannot be read" in answer.text


@pytest.mark.parametrize(
    ("name", "kind"),
    [("style.css", "text/css"), ("door.js", "text/javascript"), ("common.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
def test_what_comes_with_it(browser: Browser, name: str, kind: str) -> None:
    answer = browser.ask(path=f"/static/{name}")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    assert browser.ask(path="/static/sink.js").status_code == 404
    assert browser.ask(path="/static/..%2Fpage.py").status_code == 404
