"""A letter: what a queue delivers, as a value; and the submission that it asks for, by the terms of its queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.compose import Composition, EmailError, EmailLimits, beside
from mailer.compose.payload import strict
from mailer.mail.envelope import is_request_id, queue_priority
from mailer.mail.principal import parse
from mailer.mail.problem import Problem
from mailer.mail.text import one_line
from mailer.submit import Submission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiormq.abc import DeliveredMessage

    from mailer.config.sections import SubmissionSettings
    from mailer.config.sections.amqp import AmqpQueue
    from mailer.mail.principal import Principal

PLAIN = ("", "identity", "utf-8", "utf8", "UTF-8")
"""Encodings of a body that change none of its octets."""


class Letter(NamedTuple):
    """A delivery: its `tag` on the channel, its `body`, or None where that was not kept, and its `size` in bytes.

    The others are properties of the message, empty where it has none; `traceparent` is a header. AMQP 0-9-1 §1.8.3, §4.2.6.1.
    """

    tag: int
    size: int
    body: bytes | None
    message_id: str = ""
    reply_to: str = ""
    correlation_id: str = ""
    content_encoding: str = ""
    traceparent: str = ""

    @classmethod
    def of(cls, message: DeliveredMessage) -> Letter:
        """The letter that the library has read."""
        properties = message.header.properties
        trace = (properties.headers or {}).get("traceparent", "")
        if isinstance(trace, bytes | bytearray):
            trace = trace.decode("ascii", "replace")
        size = message.header.body_size or 0
        return cls(
            message.delivery_tag or 0,
            size,
            message.body if len(message.body) == size else None,
            properties.message_id or "",
            properties.reply_to or "",
            properties.correlation_id or "",
            properties.content_encoding or "",
            trace if isinstance(trace, str) else "",
        )


class QueueTerms(NamedTuple):
    """What holds for the messages of the queue called `queue`: whose they are, who may be their sender, what they may have."""

    queue: str
    who: Principal
    stream: str
    senders: Sequence[str]
    limits: EmailLimits
    largest: int
    ignores: bool = False
    """Whether its messages may ask to be sent to who is on the suppression list."""

    @classmethod
    def of(cls, queue: str, sections: Sequence[AmqpQueue], settings: SubmissionSettings) -> QueueTerms:
        """The terms of `queue` that are configured. Raises `Problem` (bad-config) for a name that is too long to be a submitter's."""
        section = next((each for each in sections if each.name == queue), None)
        try:
            who = parse(f"amqp:{queue}")
        except ValueError:
            raise Problem(f"the name of the queue {queue[:40]!r} is too long for one that mail is taken from", "bad-config") from None
        return cls(
            queue,
            who,
            (section and section.stream) or queue,
            section.senders if section else ("*",),
            EmailLimits(settings.max_attachments, settings.max_attachment_size, settings.max_subject_length),
            largest(settings),
            section is not None and section.ignore_suppression,
        )


def largest(settings: SubmissionSettings) -> int:
    """How many bytes a body may have: base 64 makes four of three."""
    return settings.max_message_size * 4 // 3 + 1_000_000


def submission(letter: Letter, terms: QueueTerms) -> Submission:
    """What `letter` asks for. Raises `Problem` (bad-message) that says what is wrong with it."""
    if letter.body is None:
        limit = f"{terms.largest}, which submission.max_message_size allows"
        raise Problem(f"the body of {letter.size} bytes is larger than {limit}", "bad-message")
    if letter.content_encoding not in PLAIN:
        raise Problem(f"the content-encoding {one_line(letter.content_encoding, 40)!r} is not read; send the JSON as it is", "bad-message")
    email, options = _email(letter.body, terms)
    key = email.request_id or letter.message_id
    if key and not is_request_id(key):
        name = "request_id" if email.request_id else "the property message-id"
        raise Problem(f"{name} is no request id: it takes 1 to 255 printable characters", "bad-message")
    try:
        return Submission(
            email.encode(),
            sender=email.sender,
            bcc=email.hidden(),
            from_header=True,
            request_id=key,
            priority=queue_priority(email.priority),
            whole=True,
            submitter=terms.who,
            senders=None if "*" in terms.senders else terms.senders,
            stream=terms.stream,
            traceparent=letter.traceparent,
            options=options,
        )
    except EmailError as error:
        raise Problem(str(error), "bad-message") from None


def _email(body: bytes, terms: QueueTerms) -> tuple[Composition, dict[str, object]]:
    """The email, and what is asked beside it."""
    try:
        payload, options = beside.apart(strict(body))
        email = Composition.from_payload(payload)
        terms.limits.check(email)
    except EmailError as error:
        raise Problem(str(error), "bad-message") from None
    except ValueError as error:
        raise Problem(f"the body is no JSON that is taken: {one_line(str(error), 200)}", "bad-message") from None
    if beside.IGNORE in options and not terms.ignores:
        raise Problem(f"the queue {terms.queue} may not say {beside.IGNORE} (amqp_queue.{beside.IGNORE})", "bad-message")
    return email, options
