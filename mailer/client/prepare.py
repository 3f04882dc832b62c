"""What a program hands in, as what an SMTP session needs: an envelope and the octets of a message.

A message is a `Composition`, one of the standard library's `email.message`, or finished bytes. It is completed as RFC 6409 §8
has it: a Date and a Message-ID if they are missing, no Bcc, and line ends that nobody can take for something else. What the library
writes is mended where it lets through what hosts refuse; finished bytes are not, for they may be signed.
"""

from __future__ import annotations

import secrets
import time
from email.message import Message as StandardMessage
from typing import TYPE_CHECKING, NamedTuple

from mailer.compose import Composition, EmailError
from mailer.compose.standard import octets
from mailer.mail import address, named
from mailer.mail.address import AddressError
from mailer.mail.address_list import in_header, written
from mailer.mail.dates import rfc5322
from mailer.mail.delivery_options import NOTHING, Request
from mailer.mail.header_repair import mended_header, single
from mailer.mail.message import Message, completed, normalise, without_envelope, without_preface
from mailer.mail.named import newest, resent
from mailer.transport.connection import Parcel

from .errors import ErrorKind, SmtpError

if TYPE_CHECKING:
    from collections.abc import Sequence


Mail = Composition | StandardMessage | bytes
"""What can be sent."""

KINDS = {
    "From": ErrorKind.INVALID_FROM_ADDRESS,
    "the sender": ErrorKind.INVALID_FROM_ADDRESS,
    "To": ErrorKind.INVALID_RECIPIENT_ADDRESS,
    "Cc": ErrorKind.INVALID_RECIPIENT_ADDRESS,
    "Bcc": ErrorKind.INVALID_RECIPIENT_ADDRESS,
    "text": ErrorKind.ENCODING_FAILED,
    "html": ErrorKind.ENCODING_FAILED,
    "attachment": ErrorKind.ATTACHMENT_ERROR,
    "the name of an attachment": ErrorKind.ATTACHMENT_ERROR,
    "the type of an attachment": ErrorKind.ATTACHMENT_ERROR,
}
"""The part of a `Composition` that is wrong → kind; every other part is a header field."""


class PreparedMail(NamedTuple):
    """A message that is ready to go, with its envelope."""

    parcel: Parcel
    message_id: str  # with its angle brackets


def prepared(
    mail: Mail, sender: str | None, recipients: Sequence[str] | str | None, hostname: str, request: Request = NOTHING
) -> PreparedMail:
    """What `mail` makes on the host called `hostname`; what the caller says of the envelope goes before what the message says.

    Raises `SmtpMessageError`, and `TypeError` for what is no message at all.
    """
    if isinstance(mail, Composition):
        return _from_email(mail, sender, recipients, hostname, request)
    content = _fit(_octets(mail)) if isinstance(mail, StandardMessage) else normalise(without_preface(_octets(mail)))
    header = Message.head(content)
    who = _author(header) if sender is None else sender
    whom = _named(header) if recipients is None else _listed(recipients)
    return _complete(content, header, _reverse_path(who), _checked(whom), hostname, request)


def _fit(data: bytes) -> bytes:
    """What the library wrote, with what it lets through and hosts refuse mended: fields twice, raw octets, domains that are not ASCII."""
    message = Message.split(normalise(data))
    if message.value(b"dkim-signature") is not None:  # what is signed stays as it is
        return bytes(message)
    return bytes(mended_header(single(message, []), "", []))


def _from_email(
    email: Composition, sender: str | None, recipients: Sequence[str] | str | None, hostname: str, request: Request
) -> PreparedMail:
    try:
        content = email.encode()
        who = email.reverse_path() if sender is None else _reverse_path(sender)
        whom = tuple(email.recipients()) if recipients is None else _checked(_listed(recipients))
    except EmailError as error:
        raise SmtpError(KINDS.get(error.part, ErrorKind.INVALID_HEADER), str(error)) from None
    return _complete(content, Message.head(content), who, whom, hostname, request)


def _complete(content: bytes, header: Message, sender: str, recipients: tuple[str, ...], hostname: str, request: Request) -> PreparedMail:
    """Add what RFC 5322 §3.6 demands or advises, and take away what others must not see."""

    def date() -> str:
        now = time.time()
        return rfc5322(now, time.localtime(now).tm_gmtoff // 60)

    def message_id() -> str:
        return f"<{secrets.token_hex(16)}@{hostname}>"

    made = without_envelope(header, [])
    if made.value(b"message-id") == "":  # one that says nothing
        made = made.without(b"message-id")
    makers = {"Date": date, "Message-ID": message_id}
    made = resent(completed(made, makers, []), {**makers, "From": lambda: sender}, [])
    divided = content.startswith(b"\r\n", len(header.header))  # by the empty line between header and body
    if made.header != header.header or not divided:
        content = b"".join((made.header, b"" if divided else b"\r\n", memoryview(content)[len(header.header) :]))
    return PreparedMail(Parcel(sender, recipients, content, None, request), made.value(b"message-id") or "")


def _octets(mail: StandardMessage | bytes) -> bytes:
    try:
        return octets(mail)
    except EmailError as error:
        raise SmtpError(ErrorKind.ENCODING_FAILED, str(error)) from error


def _author(header: Message) -> str:
    """Who sends it by its header, or sends it on; Sender goes before From, RFC 5322 §3.6.2."""
    again = newest(header)
    for value in (*again.values(b"resent-sender"), *again.values(b"resent-from"), *header.values(b"sender"), *header.values(b"from")):
        for found in in_header(value):
            return found
    raise SmtpError(ErrorKind.INVALID_FROM_ADDRESS, "the message has no From field with an address; say sender=")


def _named(header: Message) -> list[str]:
    found = [*named.recipients(header)]
    if not found:
        raise SmtpError(ErrorKind.INVALID_RECIPIENT_ADDRESS, "the message has no To, Cc or Bcc field with an address; say recipients=")
    return found


def _listed(recipients: Sequence[str] | str) -> Sequence[str]:
    """Each address of what a caller lists, as a program has it: ``Anna <anna@example.org>``, too, and several in one text."""
    return [one for text in ([recipients] if isinstance(recipients, str) else recipients) for one in written(text)]


def _reverse_path(text: str) -> str:
    found = written(text)
    try:
        return address.parse_reverse_path(found[0] if len(found) == 1 else text)
    except AddressError as error:
        raise _bad(ErrorKind.INVALID_FROM_ADDRESS, "the sender ", error) from None


def _checked(recipients: Sequence[str]) -> tuple[str, ...]:
    """Each address once, as it goes over the wire."""
    try:
        found = dict.fromkeys(address.parse(text).path for text in recipients)
    except AddressError as error:
        raise _bad(ErrorKind.INVALID_RECIPIENT_ADDRESS, "", error) from None
    if not found:
        raise SmtpError(ErrorKind.INVALID_RECIPIENT_ADDRESS, "there is no recipient")
    return tuple(found)


def _bad(kind: ErrorKind, before: str, error: AddressError) -> SmtpError:
    return SmtpError(kind, before + str(error).partition(" (set submission")[0])  # that setting is none of a program's
