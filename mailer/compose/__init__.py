"""A message composed from plain parts: addresses, a subject, a text, the same as HTML, pictures, files and links.

One builder, `Composition`, for ``mailer send --to … --subject … --text …``, for programs, for the JSON that an API or a message queue
is handed, and for whatever else describes a message. What comes out is what submission takes in: it has no Date and no
Message-ID unless it was given one, which submission adds, and no Bcc, which belongs to the envelope only. It is 7-bit
with short lines, so it passes everywhere unchanged; only an address with letters beyond ASCII before the @ stays as it is
and needs SMTPUTF8.

The same parts make the same bytes: boundaries are made of what they divide, nothing is random.

No value can begin a second field: a line end or another control character in one is refused, not mended
(header injection is how contact forms become open relays). Nothing here reads a file: what a stranger describes can
attach what he sent along and nothing else.

Why not `email.message.EmailMessage`: of ``To: Anna <anna@exämple.org>`` it makes ``Anna <anna@=?utf-8?q?ex=C3=A4mple?=.org>``, an encoded
word within an address (which RFC 2047 §5 forbids, and which no server delivers to), and its boundaries are random.

``composition``  the builder, and how much of all that there may be
``payload``      the same from JSON
``beside``       what such JSON asks for beside the message
``fields``       addresses and header fields, and what is wrong with one
``parts``        the body as a tree of parts: text, HTML and the text of it, what is offered in place of a file
``standard``     octets of a message of the standard library
``attachment``   a file, what it is, and its name on the wire
"""

from __future__ import annotations

from .attachment import Attachment
from .composition import Composition, EmailLimits
from .fields import EmailError
from .parts import Link

__all__ = ["Attachment", "Composition", "EmailError", "EmailLimits", "Link"]
