"""The page of the HTTP door, looked at in a browser."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from mailer.config.file import config_of
from mailer.config.sections.doors import DoorPlace
from mailer.io.clock import SystemClock
from mailer.mail.principal import Principal
from mailer.operate.api_keys import KeyTerms, add, keys_of
from mailer.sink.server import LoopThread
from mailer.suppression.unsubscribe import UnsubscribeToken, sealed
from mailer.suppression.unsubscribe import keys_of as keys_of_links
from mailer.web import page as front
from mailer.web.app import application
from mailer.web.desk import Desk
from mailer.web.server import WebServer
from tests.browser.sight import FACES, Face, Looker, looking
from tests.fakes.mail import outcome
from tests.status.office import Office

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser"), pytest.mark.slow]

FAR = "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643 \u0641\u064a \u0645\u062a\u062c\u0631\u0646\u0627"
LONG = f"{'a.long.name.' * 4}x@{'department.' * 5}example.net"
PHONE, DESK = FACES[0], FACES[2]


class Door:
    """A server with the page, over a spool that a test fills."""

    def __init__(self, home: Path) -> None:
        self.office = self._elsewhere(lambda: Office(home))
        text = f'[mailer]\nhostname = "mail.example.com"\nspool = "{home}/spool"\n[[listen]]\nkind = "web"\naddress = "127.0.0.1:1"\n'
        self.config = config_of(f"{home}/config.toml", text.encode())
        self.keys = keys_of(self.config)
        self.bugs: list[Any] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        self.loop = LoopThread("door")
        self.loop.run(self._start())

    async def _start(self) -> None:
        self.desk = Desk(self.config, SystemClock())
        app = application(self.desk, lambda asked: self.bugs.append(asked.bug) if asked.bug else None)
        self.server = WebServer(app, self.config, lambda *_: None, self.bugs.append)
        (await self.server.listen(self.config, {DoorPlace("127.0.0.1", 1): self.socket}))()

    def key(self, name: str, *scopes: str) -> str:
        return self.loop.run(add(self.keys, name, KeyTerms(scopes), self.desk.clock.now())).key

    def put(self, *recipients: str, key: str = "shop", **more: Any) -> str:
        return self._elsewhere(lambda: self.office.put(*recipients, submitter=Principal(f"key:{key}").as_submitter(), **more))

    def settle(self, id: str, *outcomes: Any) -> None:
        self._elsewhere(lambda: self.office.settle(id, *outcomes))

    def stop(self) -> None:
        """No more answers."""
        if self.server is not None:
            self.loop.run(self.server.close(0))
            self.server = None  # type: ignore[assignment]

    def close(self) -> None:
        self.stop()
        self.desk.close()
        self._elsewhere(self.office.close)
        self.loop.close()
        assert self.bugs == []

    def _elsewhere(self, act: Any) -> Any:
        """Do it in a thread that has no loop: here Playwright's runs."""
        found: list[Any] = []

        def run() -> None:
            try:
                found.append((act(), None))
            except BaseException as error:
                found.append((None, error))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        value, error = found[0]
        if error is not None:
            raise error
        return value


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setattr(front, "FRESH", 0.0)
    made = Door(tmp_path)
    try:
        yield made
    finally:
        made.close()


def fill(door: Door) -> None:
    """Mail of each state, of names that are long, of the other direction, and of two keys."""
    for number in range(3):
        id = door.put(f"user{number}@slow.example", subject="Your order of last week")
        door.settle(id, outcome(0, "defer", text="4.7.1 too many messages from your network, come again later", code=451))
    door.settle(door.put(LONG, subject="a subject that goes on and on " * 6), outcome(0, "fail", text="no such user here " * 9))
    door.settle(door.put("far@example.net", subject=FAR), outcome(0, "fail", text="5.1.1 unknown"))
    door.settle(door.put("sent@example.net"), outcome())
    door.put("new@example.org", subject=FAR)
    door.put("theirs@other.example", key="other", subject="of another key")


def login(someone: Looker, key: str) -> None:
    someone.page.goto("/")
    someone.page.get_by_label("API key").fill(key)
    someone.page.keyboard.press("Enter")
    someone.page.wait_for_selector("#states")


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_how_it_looks(door: Door, browser: Browser, album: Path, face: Face) -> None:
    """The form, a wrong key, nothing at all, all mail, and one key's: all of it is to be read, and nothing is asked of others."""
    chief, shop = door.key("chief", "status", "operator"), door.key("shop", "status")
    with looking(browser, door.base, album, face) as someone:
        page = someone.page
        page.goto("/")
        someone.photograph("door-login")
        someone.expected = "401"  # which the browser tells its console
        page.get_by_label("API key").fill("mlr_wrong")
        page.get_by_role("button", name="Show mail").click()
        expect(page.get_by_role("alert")).to_have_text("Error: This is no valid key.")
        someone.photograph("door-wrong-key")
        login(someone, chief)
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits")
        someone.photograph("door-empty")
        fill(door)
        page.keyboard.press("r")
        expect(page.locator("#waits")).to_be_visible()
        someone.photograph("door-all")
        page.get_by_role("button", name="Log out chief").click()
        login(someone, shop)
        expect(page.locator("#own")).to_be_visible()
        assert "other" not in page.locator("main").inner_text()
        someone.photograph("door-own")


def test_it_is_live_and_says_when_it_is_not(door: Door, browser: Browser, album: Path) -> None:
    """What comes is there without a click, the focus stays, keys do what they say, and an old page says that it is old."""
    key = door.key("chief", "status", "operator")
    with looking(browser, door.base, album, DESK) as someone:
        page = someone.page
        page.goto("/")
        assert someone.focus() == "key"
        login(someone, key)
        assert someone.walk() == ["#main", "/", "Log out chief", "face"]
        page.get_by_role("button", name="Log out").focus()
        door.put("new@example.org")
        expect(page.get_by_role("heading", level=1)).to_contain_text("1 message on the way")
        assert someone.focus() == "Log out chief"
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("document.cookie") == ""
        someone.expected = "ERR_"
        door.stop()
        page.keyboard.press("r")
        expect(page.locator("#live")).to_contain_text("does not answer")
        someone.photograph("door-offline")


def test_dark_follows_the_system_until_somebody_switches(door: Door, browser: Browser, album: Path) -> None:
    """What was chosen holds for this browser, by button or key, until the choice is what the system says again."""
    light, dark = "rgb(246, 247, 249)", "rgb(20, 24, 30)"
    with looking(browser, door.base, album, DESK) as someone:
        page = someone.page
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        login(someone, door.key("chief", "status", "operator"))
        assert page.evaluate(ground) == light
        page.get_by_role("button", name="Dark").click()
        assert page.evaluate(ground) == dark
        page.reload()
        assert page.evaluate(ground) == dark
        expect(page.get_by_role("button", name="Light")).to_be_visible()
        someone.photograph("door-switched-to-dark")
        page.keyboard.press("d")
        assert page.evaluate(ground) == light
        assert page.evaluate("localStorage.length") == 0
        page.emulate_media(color_scheme="dark")
        expect(page.get_by_role("button", name="Light")).to_be_visible()
        assert page.evaluate(ground) == dark


@pytest.mark.parametrize("face", [FACES[0], FACES[1], FACES[4]], ids=lambda face: face.name)
def test_how_leaving_a_stream_looks(door: Door, browser: Browser, album: Path, face: Face) -> None:
    """The form, what it says when that is done, and a link that is none: to be read on a phone, in the dark, and enlarged."""
    token = UnsubscribeToken("01M7XZE2ZPFN5M9C7PXGDNNSF8", "the-news-of-a-shop-with-a-very-long-name", LONG)
    link = f"/u/{sealed(token, keys_of_links(door.config.spool, make=True))}"
    with looking(browser, door.base, album, face) as someone:
        page = someone.page
        page.goto(link)
        expect(page.locator("main")).to_contain_text(LONG)
        someone.photograph("door-unsubscribe")
        page.get_by_role("button").last.click()
        expect(page.locator("main")).to_contain_text("You are unsubscribed")
        someone.photograph("door-unsubscribed")
        page.goto(link[:-6])
        expect(page.locator("main")).to_contain_text("Nothing has changed")
        someone.photograph("door-unsubscribe-cut")
