"""What a person sees of a page, as far as it can be measured; and photographs of it.

A page is looked at in each of `FACES`: on a phone and on a desk, in light and in dark, and enlarged to 200 % (to a page, that is half the
room at twice the resolution).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests.fakes.processes import PATIENCE

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


class Face(NamedTuple):
    """Under which conditions somebody looks."""

    name: str
    width: int
    height: int
    scheme: str
    scale: int = 1


FACES = (
    Face("phone-light", 375, 812, "light"),
    Face("phone-dark", 375, 812, "dark"),
    Face("desk-light", 1280, 800, "light"),
    Face("desk-dark", 1280, 800, "dark"),
    Face("desk-200-percent", 640, 400, "light", 2),
)

# Text that is less than 4.5 : 1 from its ground (WCAG 2.2 §1.4.3), each piece that is to be seen; what is half transparent is laid over
# what is below it.
FAINT = """() => {
  const parts = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { if (!e) return [255, 255, 255, 1]; const own = parts(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(e.parentElement)); };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const e = node.parentElement, box = e.getBoundingClientRect();
    if (!node.data.trim() || box.width < 2 || !e.checkVisibility({ visibilityProperty: true })) continue;
    const back = ground(e), a = light(over(parts(getComputedStyle(e).color), back)), b = light(back);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${node.data.trim().slice(0, 40)}`);
  }
  return found;
}"""

# What is wider than the page, where it does not scroll by itself.
WIDE = """() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  return [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > room + 1)
    .map((e) => `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`).concat("the page scrolls sideways");
}"""

# What can be touched on a phone and is too small for that (WCAG 2.2 §2.5.8); links within text may be as high as the text is.
SMALL = """() => [...document.querySelectorAll("button, .button, input:not([type=hidden]), select, summary")]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }) && e.getBoundingClientRect().width > 2)
  .filter((e) => { const b = e.getBoundingClientRect(); return b.width < 24 || b.height < 24; })
  .map((e) => e.textContent.trim() || e.id)"""

NAMELESS = """() => [...document.querySelectorAll("button, a, input:not([type=hidden]), select, iframe, table")]
  .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.getAttribute("aria-label") || e.title || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 80))"""

# What has the focus, and how wide the line around it is; null where nothing has it
FOCUS = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const s = getComputedStyle(e);
  return { name: e.id || e.getAttribute("href") || e.textContent.trim(), line: s.outlineStyle === "none" ? 0 : parseFloat(s.outlineWidth) };
}"""


class Looker:
    """Somebody who looks at pages of `base`; what a page complains of, and whom else it asks, is noted."""

    def __init__(self, browser: Browser, base: str, album: Path, face: Face, **more: Any) -> None:
        self.base = base
        self.album = album
        self.face = face
        self.complaints: list[str] = []
        self.expected = ""
        """What the browser is to complain of, in its words."""
        self.elsewhere: list[str] = []
        self.context: BrowserContext = browser.new_context(
            base_url=base,
            viewport={"width": face.width, "height": face.height},
            device_scale_factor=face.scale,
            color_scheme=face.scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
            service_workers="block",
            **more,
        )
        self.context.set_default_timeout(PATIENCE * 1000)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.context.on("request", self._asked)
        self.context.on("requestfailed", self._failed)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not (self.expected and self.expected in message.text):
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        there = urlsplit(request.url)
        if there.scheme in ("http", "https", "ws", "wss") and there.netloc != urlsplit(self.base).netloc:
            self.elsewhere.append(request.url)

    def _failed(self, request: Request) -> None:
        if request.failure == "csp" and request.url in self.elsewhere:  # the page's own policy forbade it, and nobody was asked
            self.elsewhere.remove(request.url)

    def photograph(self, name: str) -> Path:
        """The whole page as a picture, and what is wrong with it is an error."""
        self.album.mkdir(parents=True, exist_ok=True)
        place = self.album / f"{name}-{self.face.name}.png"
        self.page.screenshot(path=place, full_page=True)
        self.check(name)
        return place

    def check(self, name: str) -> None:
        """All that can be measured of the page as it is."""
        self.page.wait_for_load_state("load")
        for what, script in {"too faint": FAINT, "too wide": WIDE, "too small": SMALL, "without a name": NAMELESS}.items():
            found = self.page.evaluate(script)
            assert found == [], f"{name}, {self.face.name}: {what}: {found}"
        assert (self.complaints, self.elsewhere) == ([], []), f"{name}, {self.face.name}: {self.complaints} {self.elsewhere}"

    def walk(self, most: int = 40) -> list[str]:
        """What one comes by with the Tab key from the top of the page; each has a line of two pixels around it."""
        self.page.evaluate("() => { document.activeElement?.blur(); getSelection().removeAllRanges(); scrollTo(0, 0); }")
        seen: list[str] = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            found = self.page.evaluate(FOCUS)
            if found is None or found["name"] in seen:
                break
            assert found["line"] >= 2, found
            seen.append(found["name"])
        return seen

    def focus(self) -> str:
        """The name of what has the focus."""
        found = self.page.evaluate(FOCUS)
        return str(found["name"]) if found else ""


@contextmanager
def looking(browser: Browser, base: str, album: Path, face: Face, **more: Any) -> Iterator[Looker]:
    """A person with a window of their own."""
    looker = Looker(browser, base, album, face, **more)
    try:
        yield looker
    finally:
        looker.context.close()
