"""Submission: the one door by which mail enters.

The command line, the sendmail face and the writer of reports call `submit`; later the API and the SMTP
server do. So each message is checked and completed once, here (RFC 6409 §8), and what lies in the spool is
complete:

- line ends are CRLF, no stray CR, LF or NUL is left, so that no receiver can see two messages in one;
- Date, Message-ID and From are there; Bcc and Return-Path are not; what may stand once stands once (`mailer.mail.once`);
- every address is one, and there is at least one recipient; names of this machine are who the configuration says they are,
  in the header and in the envelope (`mailer.identity`);
- lines are no longer than SMTP allows, and 8-bit text says what it is (`mailer.mail.repair`);
- the sizes and the number of recipients are within their limits.

What is not needed for a message is not imported for it: without rules, and with a message that needs no mending, neither is.
"""

from __future__ import annotations

import os

from mailer.mail.envelope import PRIORITIES, Envelope, shown_subject
from mailer.mail.failure import BAD_MESSAGE, Failure
from mailer.mail.message import Message, header_end, normalise, without_preface
from mailer.mail.when import rfc3339
from mailer.spool import layout, space
from mailer.spool.put import announce, put

from . import steps
from .people import recipients_of, rules_for, same, sender_of
from .request import Prepared, Request, Submitted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailer.config.quick import SubmissionSettings
    from mailer.identity import Rules
    from mailer.mail.envelope import Recipient

__all__ = ["Prepared", "Request", "Submitted", "check_recipient", "check_size", "prepare", "submit"]


def submit(request: Request, settings: SubmissionSettings, now: float, *, id: str = "") -> Submitted:
    """Check, complete and put; the message is durable when this returns.

    `now` is in seconds since the epoch; `id` names the message where its maker must choose (a report that
    may be put twice). Raises `Failure`: 64 without recipients on the command line, 65 for whatever is wrong
    with the message, 78 for aliases that lead nowhere, otherwise as `spool.put` does.
    """
    prepared = prepare(request, settings, now, id=id)
    envelope = prepared.envelope
    space.check(settings.spool, settings.min_free_space, settings.min_free_inodes, len(prepared.content))
    claim = (request.request_id, prepared.digest) if request.request_id else None
    done = put(settings.spool, envelope.id, envelope.to_line(), prepared.content, claim, envelope.due)
    repeat = done != envelope.id
    if repeat:
        envelope.id, envelope.message_id = done, prepared.own_id
    heard = announce(settings.spool, done)
    return Submitted(envelope, prepared.content, heard=heard, repeat=repeat, changes=prepared.changes)


def prepare(request: Request, settings: SubmissionSettings, now: float, *, id: str = "") -> Prepared:
    """Check and complete as `submit` does, and write nothing. Raises `Failure` for all that is wrong with the request."""
    check_size(len(request.data), settings)
    if request.priority not in PRIORITIES:
        raise Failure(f"the priority is one of {', '.join(PRIORITIES)}; nothing was queued", BAD_MESSAGE)
    if request.options:
        _check_options(request.options)
    changes = [*request.changes]
    came = Message.split(normalise(without_preface(request.data)))
    rules = rules_for(request, came, settings)
    recipients = recipients_of(request, came, settings, rules, changes)
    if not came.is_single():
        came = steps.single_fields(came, changes, strict=settings.strict)
    sender = sender_of(request, came, settings, rules, changes)
    message = steps.without_envelope(came, changes)
    if rules is not None:
        from mailer.identity import identified

        message = identified(message, rules, changes)
    digest = _digest(sender, recipients, message) if request.request_id else ""
    message = steps.complete(message, lambda: _author(request, sender, settings, rules), settings, now, changes)
    own_id = came.value(b"message-id") or ""
    del came  # a large message is not to be there once more than it has to
    content = steps.mended(message, changes, strict=settings.strict) if steps.needs_mending(message) else bytes(message)
    check_size(len(content), settings)
    message = Message(content[: header_end(content)], b"")
    if len(message.header) > settings.max_header_size:
        limit = f"{settings.max_header_size} bytes (submission.max_header_size)"
        raise Failure(f"the header of the message is larger than {limit}; nothing was queued", BAD_MESSAGE)
    envelope = Envelope(
        id or layout.new_id(now),
        rfc3339(now),
        sender,
        recipients,
        message_id=message.value(b"message-id") or "",
        subject=shown_subject(message),
        request_id=request.request_id,
        priority=request.priority,
        submitter={"uid": os.getuid()},
        options=request.options,
    )
    return Prepared(envelope, content, changes, digest, own_id)


def check_size(size: int, settings: SubmissionSettings) -> None:
    """Refuse a message of more than `max_message_size` bytes. Raises `Failure` (65)."""
    if size > settings.max_message_size:
        raise Failure(
            f"the message is larger than {settings.max_message_size} bytes (submission.max_message_size); nothing was queued", BAD_MESSAGE
        )


def check_recipient(text: str, settings: SubmissionSettings) -> None:
    """That somebody gets mail for `text`, for who asks before there is a message. Raises `Failure`."""
    request, nothing = Request(b"", sender="", recipients=[text]), Message(b"", b"")
    recipients_of(request, nothing, settings, rules_for(request, nothing, settings), [])


def _check_options(options: Mapping[str, object]) -> None:
    """Nothing is queued that asks for what nobody can ask for. Raises `Failure` (65)."""
    from mailer.mail.request import Request as Asked

    try:
        Asked.read(options)
    except ValueError as error:
        raise Failure(f"{error}; nothing was queued", BAD_MESSAGE) from None


def _author(request: Request, sender: str, settings: SubmissionSettings, rules: Rules | None) -> str:
    """Who writes a message that names nobody; few do."""
    from .author import author_of

    return author_of(request, sender, settings, rules)


def _digest(sender: str, recipients: list[Recipient], message: Message) -> str:
    """What makes two requests the same: everything but what we add."""
    from hashlib import sha256

    envelope = "\n".join((sender, *sorted(same(recipient.address) for recipient in recipients)))
    found = sha256(envelope.encode() + b"\n\n" + message.header)
    found.update(message.rest)
    return found.hexdigest()
