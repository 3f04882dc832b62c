"""The body of a message as a tree of parts, no deeper than it has to be.

mixed                     with attachments
├─ alternative            with text and HTML, the plainest first, RFC 2046 §5.1.4
│  ├─ text/plain
│  └─ related             with pictures that the HTML shows, RFC 2387 §3
│     ├─ text/html
│     └─ image/png …
└─ application/pdf …
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.message import normalise
from mailer.mail.mime import multipart, part

from .attachment import Attachment, file_part
from .errors import EmailError
from .links import in_html, in_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .links import Link


def body(text: str | None, html: str | None, files: Sequence[Attachment], links: Sequence[Link] = ()) -> bytes:
    """The Content fields and all below. Raises `EmailError`.

    Without a text (None), what the HTML says is said in text, too; with an empty one the HTML stands alone.
    """
    attached = [file_part(file) for file in files if not file.content_id]
    shown = [file_part(file) for file in files if file.content_id]
    if html is not None:
        if text is None:
            from .plain import text_of

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
