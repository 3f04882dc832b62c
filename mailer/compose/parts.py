"""The body of a message as a tree of parts, no deeper than it has to be.

mixed                     with attachments
├─ alternative            with text and HTML, the plainest first, RFC 2046 §5.1.4
│  ├─ text/plain
│  └─ related             with pictures that the HTML shows, RFC 2387 §3
│     ├─ text/html
│     └─ image/png …
└─ application/pdf …

Mail without a text looks like an advertisement, to people and to filters, so what its HTML says is said in text, too. Markdown is what
people write when they write plain text with headings, lists and links, so that is what comes out. The libraries do the reading
(Beautiful Soup takes any HTML there is) and the writing (markdownify); they are imported when they are needed.

Links are offered in place of attachments: for what is too large for mail, or is to be fetched when it is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address import printable
from mailer.mail.message import normalise
from mailer.mail.mime import multipart, part

from .attachment import Attachment, file_part
from .fields import EmailError, checked

if TYPE_CHECKING:
    from collections.abc import Sequence

UNSEEN = ("head", "title", "script", "style", "template", "img", "svg")
SCHEMES = ("https://", "http://", "ftp://", "ftps://")
LONGEST = 2000  # characters; browsers take no more for certain


class Link(NamedTuple):
    """A `url` to fetch something from, and its `name`."""

    name: str
    url: str


def body(text: str | None, html: str | None, files: Sequence[Attachment], links: Sequence[Link] = ()) -> bytes:
    """The body of a message: its Content fields and all below. Raises `EmailError`.

    Without a text (None), what the HTML says is said in text, too; with an empty one the HTML stands alone.
    """
    attached = [file_part(file) for file in files if not file.content_id]
    shown = [file_part(file) for file in files if file.content_id]
    if html is not None:
        if text is None:
            text = text_of(html)
        html = in_html(html, links)
    text = in_text(text or "", links) if text or html is None else None
    return _tree("multipart/mixed", [_words(text, html, shown), *attached])


def _words(text: str | None, html: str | None, shown: list[bytes]) -> bytes:
    """What is read: text, HTML, or both."""
    if html is None:
        if shown:
            raise EmailError("html", "pictures are shown within HTML, and there is none")
        return _text_part("plain", text or "")
    rich = _tree('multipart/related; type="text/html"', [_text_part("html", html), *shown])
    return rich if text is None else _tree("multipart/alternative", [_text_part("plain", text), rich])


def _tree(type: str, parts: list[bytes]) -> bytes:
    """One part as it is, several under `type`."""
    if len(parts) == 1:
        return parts[0]
    from hashlib import sha256  # costs a plain text more than all the rest

    seed = sha256()
    for one in parts:
        seed.update(one + b"\0")
    return multipart(type, parts, seed.hexdigest()[:24])


def _text_part(kind: str, text: str) -> bytes:
    try:
        data = normalise(text.encode())
    except UnicodeEncodeError as error:
        raise EmailError("text", f"the text holds a byte that is no UTF-8, at character {error.start}") from None
    return part(f"text/{kind}; charset={'us-ascii' if data.isascii() else 'utf-8'}", data)


def text_of(html: str) -> str:
    """What `html` says, as plain text with short paragraphs of Markdown; any text is some HTML, so nothing fails."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(f"{html}\n", "html.parser")  # in a single line it looks for names of files, and warns of them
    for tag in soup.find_all(UNSEEN):
        tag.decompose()
    writer = MarkdownConverter(
        heading_style="underlined", bullets="-", escape_asterisks=False, escape_underscores=False, escape_misc=False, autolinks=True
    )
    try:
        text = writer.convert_soup(soup)
    except RecursionError:  # nested deeper than anybody means it
        text = soup.get_text("\n")
    return _tidied(text.replace("\xa0", " "))


def _tidied(text: str) -> str:
    """No blanks at the ends of lines, no more than one empty line at a time, none at the edges."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip("\n") + "\n"


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
