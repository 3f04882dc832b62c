"""`Composition`: a message described by its parts; `EmailLimits`: how much of them there may be.

The message as a whole, its header and its recipients have limits of submission.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail import address
from mailer.mail.mime import field as header_field

from . import fields
from .attachment import Attachment
from .fields import EmailError
from .parts import Link, body

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self


@dataclass(slots=True, kw_only=True)
class Composition:
    """A message to be. Set what it has, add to it with `attach`, `inline` and `header`, and `encode` it.

    Addresses are written as in a mail program, ``Anna <anna@example.org>`` or ``anna@example.org``: one text, with
    commas between several, or a list of such. What is wrong with any part is said by `encode`, `reverse_path` and
    `recipients`, which raise `EmailError`.
    """

    from_: str = ""  # the author; empty: left to submission
    to: str | Sequence[str] = ()
    cc: str | Sequence[str] = ()
    bcc: str | Sequence[str] = ()  # in the envelope only
    reply_to: str | Sequence[str] = ()
    subject: str = ""
    text: str | None = field(default=None, repr=False)  # None: what the HTML says; empty: none beside the HTML
    html: str | None = field(default=None, repr=False)
    files: list[Attachment] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)  # offered in the body, in place of attachments
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()  # further fields
    priority: str = ""  # highest, high, normal, low or lowest
    message_id: str = ""  # empty: left to submission
    in_reply_to: str = ""  # the Message-ID of what this answers
    references: Sequence[str] = ()  # those of the thread, oldest first; empty: what it answers
    unsubscribe: str | Sequence[str] = ()  # where a reader leaves the list: https://… or mailto:…, or both
    one_click: bool = True  # whether a click alone is enough, at the https address
    sender: str | None = None  # the reverse-path, to which reports go; None: the author, "": nobody
    request_id: str = ""  # for a queue, which takes it once

    @classmethod
    def from_payload(cls, payload: object) -> Self:
        """The email that an object of JSON describes; see `mailer.compose.payload`. Raises `EmailError`."""
        from .payload import parts

        return cls(**parts(payload))

    def attach(self, data: bytes | str, name: str, type: str = "") -> Self:
        """Add a file: its contents, its name, and its media type unless those two tell it."""
        self.files.append(Attachment(_octets(data), name, type))
        return self

    def inline(self, data: bytes, content_id: str, type: str = "", name: str = "") -> Self:
        """Add a picture that the HTML shows as ``<img src="cid:CONTENT_ID">``; its type as with `attach`, or from the ID."""
        self.files.append(Attachment(data, name or content_id, type, content_id))
        return self

    def link(self, name: str, url: str) -> Self:
        """Offer a file by a link in the body."""
        self.links.append(Link(name, url))
        return self

    def header(self, name: str, value: str) -> Self:
        """Add one more field."""
        self.headers = [*_pairs(self.headers), (name, value)]
        return self

    def encode(self, bad: list[str] | None = None) -> bytes:
        """The message, with CRLF line ends, without Bcc; the same parts make the same bytes. Raises `EmailError`.

        With `bad`, what is no address in To and Cc is left out and added to that list, so that the others get their mail.
        """
        return self.header_fields(bad) + body(self.text, self.html, self.files, self.links)

    __bytes__ = encode

    def header_fields(self, bad: list[str] | None = None) -> bytes:
        """The header of the message, but for what says how its body is written; `bad` is as for `encode`. Raises `EmailError`."""
        made = [
            *fields.addresses("From", _listed(self.from_), most=1),
            *fields.addresses("To", _listed(self.to), bad=bad),
            *fields.addresses("Cc", _listed(self.cc), bad=bad),
            *fields.addresses("Reply-To", _listed(self.reply_to)),
            *fields.subject(self.subject),
            *fields.identifiers("Message-ID", _listed(self.message_id)),
            *fields.identifiers("In-Reply-To", _listed(self.in_reply_to)),
            *fields.identifiers("References", self.references or _listed(self.in_reply_to)),
            *fields.unsubscribe(_listed(self.unsubscribe), one_click=self.one_click),
            *fields.priority(self.priority),
        ]
        lines = [*made, *fields.further(_pairs(self.headers), made), header_field("MIME-Version", "1.0")]
        return "".join(lines).encode()

    def reverse_path(self) -> str:
        """The sender of the envelope, ``""`` for none. Raises `EmailError`, also without any author."""
        if self.sender is None:
            authors = fields.mailboxes("From", _listed(self.from_), most=1)
            if not authors:
                raise EmailError("From", "the message has no author; say whom it is from")
            return _complete("From", authors[0].address)
        try:
            return address.parse_reverse_path(fields.checked("the sender", self.sender))
        except address.AddressError as error:
            raise EmailError("From", f"the sender {error}") from None

    def hidden(self, bad: list[str] | None = None) -> list[str]:
        """The recipients whom the others do not see, those of Bcc; `bad` is as for `encode`. Raises `EmailError`."""
        return [box.address for box in fields.mailboxes("Bcc", _listed(self.bcc), bad=bad)]

    def recipients(self) -> list[str]:
        """The recipients of the envelope, each once: To, Cc and Bcc. Raises `EmailError`, also if there are none."""
        named = [("To", self.to), ("Cc", self.cc), ("Bcc", self.bcc)]
        found = [_complete(name, box.address) for name, texts in named for box in fields.mailboxes(name, _listed(texts))]
        if not found:
            raise EmailError("To", "the message has no recipient; set to, cc or bcc")
        return list(dict.fromkeys(found))


def _listed(texts: str | Sequence[str]) -> Sequence[str]:
    if isinstance(texts, str):
        return [texts] if texts else []
    return texts


def _pairs(headers: Mapping[str, str] | Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    # a mapping is told by its items: the abstract class is an import too many for a value
    return list(headers.items()) if hasattr(headers, "items") else list(headers)


def _octets(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _complete(name: str, text: str) -> str:
    """An address that can be mailed to as it stands: with a domain."""
    try:
        return str(address.parse(text))
    except address.AddressError:
        raise EmailError(name, f"{name}: {address.printable(text)!r} has no domain") from None


class EmailLimits(NamedTuple):
    """The limits of a message: so many `attachments`, each of `attachment_size` octets, and a subject of `subject_length` characters."""

    attachments: int = 50
    attachment_size: int = 25_000_000
    subject_length: int = 1000

    def check(self, email: Composition) -> None:
        """Raises `EmailError` for an email that goes beyond them, with the setting of the limit."""
        if len(email.files) > self.attachments:
            said = f"{len(email.files)} attachments are more than {self.attachments} (submission.max_attachments)"
            raise EmailError("attachment", said)
        for file in email.files:
            if len(file.data) > self.attachment_size:
                said = f"the attachment {file.name!r} is larger than {self.attachment_size} bytes (submission.max_attachment_size)"
                raise EmailError("attachment", said)
        if len(email.subject) > self.subject_length:
            raise EmailError("Subject", f"the subject is longer than {self.subject_length} characters (submission.max_subject_length)")
