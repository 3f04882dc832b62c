"""A message composed from plain parts: addresses, a subject, a text, the same as HTML, pictures and files.

One builder, `Email`, for ``mailer send --to … --subject … --text …``, for programs, and for whatever else describes a
message. What comes out is what submission takes in: it has no Date and no Message-ID unless it was given one, which
submission adds, and no Bcc, which belongs to the envelope only. It is 7-bit with short lines, so it passes everywhere
unchanged; only an address with letters beyond ASCII before the @ stays as it is and needs SMTPUTF8.

The same parts make the same bytes: boundaries are made of what they divide, nothing is random.

No value can begin a second field: a line end or another control character in one is refused, not mended
(header injection is how contact forms become open relays). Nothing here reads a file: what a stranger describes can
attach what he sent along and nothing else.

``email``        the builder
``fields``       addresses and header fields
``parts``        the body as a tree of parts
``attachment``   a file, its type and its name on the wire
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.failure import BAD_MESSAGE, Failure

from .attachment import Attachment
from .email import Email
from .errors import EmailError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Attachment", "Email", "EmailError", "compose"]


def compose(
    *,
    sender: str = "",
    to: Sequence[str] = (),
    cc: Sequence[str] = (),
    reply_to: Sequence[str] = (),
    subject: str = "",
    text: str = "",
    html: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """The message, with CRLF line ends; `sender` is the From field. Raises `Failure` (65) where `Email` raises `EmailError`."""
    email = Email(from_=sender, to=to, cc=cc, reply_to=reply_to, subject=subject, text=text, html=html, headers=[*headers])
    try:
        return email.encode()
    except EmailError as error:
        raise Failure(f"{error}; nothing was queued", BAD_MESSAGE) from None
