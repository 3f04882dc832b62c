"""Acceptance: the door by which mail of strangers enters, beside `submit`: the same spool, the same promise, and no word of theirs changed.

What they wrote stays as it is, since it may be signed. On top come our Received field and the `fields` of those who judged it; taken out
are fields that only we write (`mailer.mail.trace`) and Authentication-Results that claim to be ours. Of a server of ours that hands mail on
by LMTP the marks of its filter stay. Authentication-Results in our own name do not, even then: RFC 8601 §5 lets them pass, but nothing says
whether that server cuts out what strangers forge, and what stands there is sealed when the message leaves; so it writes them under a name
of its own, and those stay. And line ends are CRLF, which the spool demands, where they were not: signatures were judged before. Nothing is
completed, and no name is looked up.

A transaction is one message, however many recipients of however many kinds it has, so one file, and one promise: whoever is told 250 has
been told that all of it is durable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailer.auth.results import strip
from mailer.mail.address import ascii_address
from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, shown_subject
from mailer.mail.message import Message, header_end, normalise
from mailer.mail.trace import received, without_forged
from mailer.spool import new_id

from .steps import Prepared
from .together import Ready, put_alone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.arrival import Arrival
    from mailer.mail.envelope import Recipient
    from mailer.mail.message import Change


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message of a stranger that is to be taken.

    `arrival` says how it came, `sender` is its reverse-path. `recipients` are those that it goes to when aliases were followed, and `named`
    the one whom the client named, where there was only one. `content` is the message; `fields` are lines of a header that belong on top of
    it. One that is `held` waits for an operator, and `why` says for him what was found against it, if anything was. `proven`: its sender is
    who it says. `options` are what is asked of those who carry it.
    """

    arrival: Arrival
    sender: str
    recipients: Sequence[Recipient]
    content: bytes
    fields: bytes = b""
    named: str = ""
    held: bool = False
    why: str = ""
    proven: bool = False
    options: Mapping[str, object] = field(default_factory=dict)


class AcceptedMail(Prepared):
    """A message of a stranger as it lies in the spool."""

    __slots__ = ()

    def __init__(self, envelope: Envelope, content: bytes) -> None:
        self.envelope = envelope
        self.content = content
        self.changes: list[Change] = []
        self.digest = self.own_id = ""
        self.queued = self.heard = self.repeat = False


def accept(inbound: Inbound, settings: SubmissionSettings) -> Prepared:
    """Make the file and put it; the message is durable when this returns.

    Raises `Problem`: try-again for a full disk, cannot-create or io-error for other trouble with it, no-permission for missing rights.
    """
    return put_alone(made(inbound, settings), settings)


def made(inbound: Inbound, settings: SubmissionSettings) -> Ready:
    """The message as it can be put: its envelope, and its content with what is ours on top."""
    arrival = inbound.arrival
    id = new_id(arrival.at)
    message, body = _plain(inbound.content)
    found = {**({"proven": True} if inbound.proven else {}), **({"why": inbound.why} if inbound.why else {})}
    options = {**inbound.options, **({"sandbox": settings.sandbox.mode} if settings.sandbox.holds else {})}
    envelope = Envelope(
        id,
        rfc3339(arrival.at),
        ascii_address(inbound.sender),
        [*inbound.recipients],
        message_id=message.value(b"message-id") or "",
        subject=shown_subject(message),
        submitter={**arrival.as_submitter(), **found},
        options=options,
    )
    header = strip(without_forged(message.header, relayed=arrival.relayed), settings.hostname)
    top = received(arrival, settings.hostname, id, inbound.named) + inbound.fields
    return Ready(AcceptedMail(envelope, b"".join((top, header, *body))), None, inbound.held)


def _plain(content: bytes) -> tuple[Message, Sequence[bytes | memoryview]]:
    """The header of the message with the line ends that the spool has, and the rest, which is large, in pieces that are no copies.

    What is no header is its body, as in `Message.split`.
    """
    content = normalise(content) if content else b"\r\n"
    at = header_end(content)
    rest = memoryview(content)[at:]
    return Message(content[:at], b""), [rest] if not rest or content.startswith(b"\r\n", at) else [b"\r\n", rest]
