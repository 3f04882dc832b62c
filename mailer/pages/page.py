"""Drawing a page, and the headers that every answer has."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

import jinja2

from mailer.mail.dates import rfc3339
from mailer.mail.text import human_size, one_line

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What each answer says of itself: nothing from elsewhere, nobody's frame, no copy.

No address of ours is told elsewhere; but with `no-referrer`, browsers say `Origin: null` for our own forms (Fetch §3.2), which is refused.
"""


def span(seconds: float) -> str:
    """A length of time in words: ``45 s``, ``12 min``, ``3 h``, ``5 days``."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length * (2 if unit == "days" else 1):
            return f"{int(seconds // length)} {unit}"
    return f"{int(max(seconds, 0))} s"


def moment(at: float) -> str:
    """A time in seconds since the epoch, as RFC 3339 in UTC, to the second: the browser shows it by the clock of who looks."""
    return rfc3339(int(at))


def many(number: int, noun: str) -> str:
    """A count with its noun: ``1 message``, ``2 messages``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def own(header: dict[bytes, str], host: str) -> bool:
    """Whether a change is asked for by one of our pages, or by what is no browser (Fetch Metadata; RFC 6454)."""
    site, origin = header.get(b"sec-fetch-site"), header.get(b"origin")
    return site in (None, "same-origin", "none") and (origin is None or origin.partition("://")[2] == host)


@functools.cache
def _templates() -> jinja2.Environment:
    """The templates, all of them compiled: that takes 100 ms, for which nobody who asks for a page waits, and once is enough."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters.update(octets=human_size, many=many, line=one_line, span=span, moment=moment)
    for name in made.list_templates():
        made.get_template(name)
    return made


class Pages:
    """What draws pages. When the first is made, it is ready."""

    def __init__(self) -> None:
        self._templates = _templates()

    def draw(self, template: str, **what: object) -> str:
        """The page, or the piece of one, that `template` makes of `what`."""
        return self._templates.get_template(template).render(**what)
