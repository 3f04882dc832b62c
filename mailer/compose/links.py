"""Links that are offered in place of attachments: for what is too large for mail, or is to be fetched when it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address import printable

from .errors import EmailError
from .fields import checked

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMES = ("https://", "http://", "ftp://", "ftps://")
LONGEST = 2000  # characters; browsers take no more for certain


class Link(NamedTuple):
    """A `url` to fetch something from, and its `name`."""

    name: str
    url: str


def in_text(text: str, links: Sequence[Link]) -> str:
    """`text` with a line for each link below it."""
    if not links:
        return text
    lines = [f"{link.name}: <{link.url}>" if link.name else f"<{link.url}>" for link in map(_checked, links)]
    return "\n\n".join(filter(None, (text.rstrip("\r\n"), "\n".join(lines)))) + "\n"


def in_html(html: str, links: Sequence[Link]) -> str:
    """`html` with a paragraph for each link at its end, within its body if it has one."""
    if not links:
        return html
    from html import escape

    made = "".join(f'<p><a href="{escape(link.url)}">{escape(link.name or link.url)}</a></p>\n' for link in map(_checked, links))
    at = html.lower().rfind("</body>")
    return html[:at] + made + html[at:] if at >= 0 else f"{html}\n{made}"


def _checked(link: Link) -> Link:
    """The same, if it leads somewhere and can stand in a text and in HTML. Raises `EmailError`."""
    name, url = checked("the name of a link", link.name), link.url
    if not url.lower().startswith(SCHEMES) or len(url) > LONGEST or not url.isprintable() or any(char in ' <>"' for char in url):
        raise EmailError("link", f"{printable(url)!r} is no link; write https://example.com/file")
    return Link(name, url)
