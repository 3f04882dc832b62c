"""The page of the sink, looked at in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.sight import FACES, Face, looking
from tests.sink.shown import Served, letter, served

__all__ = ["served"]

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser"), pytest.mark.slow]

LONG = "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff der Ältere " + "x" * 120
FAR = "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643 \u0641\u064a \u0645\u062a\u062c\u0631\u0646\u0627"
HTML = (
    "<body style='font-family:sans-serif'><h2>Your order</h2><p>It is on its way.</p>"
    "<img src='http://tracker.example/pixel.png' alt='' width=1 height=1></body>"
)
DESK, PHONE = FACES[2], FACES[0]


def fill(served: Served) -> None:
    """A list of what is short, long, of the other direction, and without anything."""
    order = letter("Your order", html=HTML)
    order.add_attachment(b"%PDF", "application", "pdf", filename="invoice with a rather long name of 2026-11-30.pdf")
    served.send(order)
    long = letter("Re: " + "a subject that goes on and on " * 9, text="word " * 400)
    long.replace_header("From", f"{LONG} <{'l' * 60}@example.com>")
    served.send(long, "me@example.com", *(f"user{n}.of.a.long.name@department.example.net" for n in range(12)))
    far = letter(FAR, text=FAR + "\n")
    far.replace_header("From", f"{FAR} <far@example.com>")
    served.send(far)
    served.send(b"\r\nno header at all\r\n", "")


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_how_it_looks(served: Served, browser: Browser, album: Path, face: Face) -> None:
    """Nothing yet, a list, each view of a message, nothing found, what was deleted: all is to be read, and nothing is asked of others."""
    with looking(browser, served.page.url, album, face) as someone:
        page = someone.page
        someone.expected = "http://tracker.example/pixel.png"  # which is blocked, as the browser says
        page.goto("/")
        expect(page.locator("h1")).to_have_text("No message yet")
        someone.photograph("sink-empty")
        fill(served)
        expect(page.locator("#rows li")).to_have_count(4)
        someone.photograph("sink-list")
        page.get_by_text("Your order").first.click()
        expect(page.frame_locator("iframe").locator("h2")).to_have_text("Your order")
        someone.complaints.clear()  # the browser says that it has blocked the picture, as it was told to
        someone.photograph("sink-message-html")
        for view in ("Text", "Header", "Source"):
            page.get_by_role("link", name=view, exact=True).click()
            expect(page.locator("nav a[aria-current]")).to_have_text(view)
            someone.check(view)
        page.goto("/")
        page.get_by_text("a subject that goes on").first.click()
        someone.photograph("sink-message-long")
        page.goto("/")
        page.get_by_text(FAR).first.click()
        someone.photograph("sink-message-right-to-left")
        page.goto("/?q=nothing+like+this")
        expect(page.get_by_role("button", name="Delete")).to_have_count(0)
        someone.photograph("sink-nothing-found")
        page.goto("/")
        page.get_by_role("button", name="Delete 4 messages").click()
        expect(page.get_by_role("button", name="Undo")).to_be_visible()
        someone.photograph("sink-deleted")


def test_by_keys_alone(served: Served, browser: Browser, album: Path) -> None:
    """The focus is seen wherever it is; j, k, o, u, #, / and ? do what the list of keys says."""
    fill(served)
    with looking(browser, served.page.url, album, DESK) as someone:
        page, press = someone.page, someone.page.keyboard.press
        someone.expected = "http://tracker.example/pixel.png"
        page.goto("/")
        seen = someone.walk()
        assert seen[:3] == ["#main", "/", "q"]
        assert len([name for name in seen if name.startswith("/messages/")]) == 4
        press("Escape")
        page.locator("body").click(position={"x": 5, "y": 700})
        press("j")
        first = someone.focus()
        press("j")
        press("k")
        assert someone.focus() == first
        press("o")
        page.wait_for_url(f"**{first}")
        press("u")
        page.wait_for_url(served.page.url)
        press("/")
        assert someone.focus() == "q"
        press("Escape")
        press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        someone.photograph("sink-keys")
        press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        press("j")
        press("o")
        page.wait_for_url("**/messages/*")
        press("#")
        page.wait_for_url("**deleted=1")
        expect(page.locator("#rows li")).to_have_count(3)
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#rows li")).to_have_count(4)


def test_what_comes_appears_and_takes_no_focus(served: Served, browser: Browser, album: Path) -> None:
    """A list that is open is the list as it is now; whoever was on a row stays on it. That the sink is gone is said."""
    served.send(letter("first"))
    with looking(browser, served.page.url, album, PHONE) as someone:
        page = someone.page
        page.goto("/")
        page.keyboard.press("j")
        at = someone.focus()
        served.send(letter("second"))
        expect(page.locator("#rows li")).to_have_count(2)
        expect(page).to_have_title("2 messages · mailer sink")
        assert someone.focus() == at
        page.locator("#rows li").first.hover()
        served.send(letter("third"))
        page.get_by_role("button", name="Show").click()  # nothing moves under the pointer
        expect(page.locator("#rows li")).to_have_count(3)
        someone.expected = "ERR_"  # that nobody answers
        served.loop.run(served.page.close())
        expect(page.locator("#live")).to_contain_text("does not answer")
        someone.photograph("sink-offline")


def test_a_list_that_cannot_be_had_is_said_until_it_can(served: Served, browser: Browser, album: Path) -> None:
    """What comes then is there, and what was said is not."""
    served.send(letter("first"))
    with looking(browser, served.page.url, album, PHONE) as someone:
        page = someone.page
        page.goto("/")
        someone.expected = "ERR_"
        page.route(served.page.url, lambda route: route.abort())
        served.send(letter("second"))
        expect(page.locator("#live")).to_contain_text("does not answer")
        page.unroute(served.page.url)
        served.send(letter("third"))
        expect(page.locator("#rows li")).to_have_count(3)
        expect(page.locator("#live")).to_be_empty()
        someone.check("sink-again")
