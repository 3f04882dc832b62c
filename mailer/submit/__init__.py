"""Submission: the one door by which mail enters.

The command line, the sendmail face and the writer of reports call `submit`; later the API and the SMTP
server do. So each message is checked and completed once, here (RFC 6409 §8), and what lies in the spool is
complete:

- line ends are CRLF, no stray CR, LF or NUL is left, so that no receiver can see two messages in one;
- Date, Message-ID and From are there; Bcc and Return-Path are not; what may stand once stands once (`mailer.mail.once`);
- every address is one, and there is at least one recipient; names of this machine are who the configuration says they are,
  in the header and in the envelope (`mailer.rewriting`);
- lines are no longer than SMTP allows, and 8-bit text says what it is (`mailer.mail.repair`);
- the sizes and the number of recipients are within their limits.

What is not needed for a message is not imported for it: without rules, and with a message that needs no mending, neither is.
"""

from __future__ import annotations

import os

from mailer.mail.dates import rfc3339
from mailer.mail.envelope import PRIORITIES, Envelope, shown_subject
from mailer.mail.message import Message, header_end, normalise, without_preface
from mailer.mail.problem import Problem
from mailer.spool.files import layout
from mailer.spool.files.enqueue import announce, put

from . import steps
from .people import recipients_of, rules_for, same, sender_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.envelope import Recipient
    from mailer.mail.message import Change
    from mailer.rewriting import Rules

__all__ = ["Prepared", "Request", "Submitted", "check_recipient", "check_size", "prepare", "read_all", "submit"]


class Request:
    """What somebody wants sent.

    `data` is the message as it came. `sender` is the reverse-path; None takes it from who sends or re-sends it by its
    header or, without one, from the configuration. `recipients` are addresses or lists of them as they were written, `bcc` those
    whom the others are not to see; `from_header` adds those of To, Cc and Bcc. `full_name` stands in a From field that has to be added.
    `request_id` makes it idempotent. `options` are what is asked of those who carry it, as `mailer.mail.delivery_options` reads them.
    `changes` are what was mended already in what the message is made of. `whole`: one bad address refuses all, where somebody reads the
    answer; else the others get their mail, and the sender a report.
    """

    __slots__ = ("bcc", "changes", "data", "from_header", "full_name", "options", "priority", "recipients", "request_id", "sender", "whole")

    def __init__(
        self,
        data: bytes,
        *,
        sender: str | None = None,
        recipients: Sequence[str] = (),
        bcc: Sequence[str] = (),
        from_header: bool = False,
        full_name: str = "",
        request_id: str = "",
        priority: str = "normal",
        options: Mapping[str, object] | None = None,
        changes: Sequence[Change] = (),
        whole: bool = False,
    ) -> None:
        self.data = data
        self.sender = sender
        self.recipients = recipients
        self.bcc = bcc
        self.from_header = from_header
        self.full_name = full_name
        self.request_id = request_id
        self.priority = priority
        self.options = options
        self.changes = changes
        self.whole = whole


class Prepared:
    """A message that is checked and complete: its `envelope`, its `content` as it will lie in the spool, and all `changes` that made it so.

    `digest` is what makes another request the same one, if it has an ID; `own_id` the Message-ID that it came with.
    """

    __slots__ = ("changes", "content", "digest", "envelope", "own_id")

    def __init__(self, envelope: Envelope, content: bytes, changes: list[Change], digest: str, own_id: str) -> None:
        self.envelope = envelope
        self.content = content
        self.changes = changes
        self.digest = digest
        self.own_id = own_id

    def as_json(self) -> dict[str, object]:
        """As `Submitted` will have it, without an ID and a status, and with all changes."""
        done = Submitted(self.envelope, self.content, heard=False, repeat=False, changes=[])
        return done.as_json() | {"id": None, "status": None, "changes": [change.as_json() for change in self.changes]}


class Submitted:
    """What became of a request: the `envelope` and `content` in the spool, whether a daemon `heard`, the `changes` that
    were made, and whether it is a `repeat` of a request that was made before; then the ID is the one from then."""

    __slots__ = ("changes", "content", "envelope", "heard", "repeat")

    def __init__(self, envelope: Envelope, content: bytes, *, heard: bool, repeat: bool, changes: list[Change]) -> None:
        self.envelope = envelope
        self.content = content
        self.heard = heard
        self.repeat = repeat
        self.changes = changes

    @property
    def refusals(self) -> Iterator[str]:
        """Lines on the recipients that get nothing, with the reason; then one on those that do, and on who is told."""
        refused = [change for change in self.changes if change.action == "refused"]
        yield from map(str, refused)
        lost = {change.before for change in refused if not change.after}
        if lost:
            left = sum(recipient.outcome is None for recipient in self.envelope.recipients)
            others = {0: "nobody else", 1: "the other recipient"}.get(left, f"the other {left} recipients")
            told = f", and a report to {self.envelope.sender}" if self.envelope.sender else ""
            yield f"the message goes to {others}{told}"

    @property
    def size(self) -> int:
        """Of the message, in bytes."""
        return len(self.content)

    def as_json(self) -> dict[str, object]:
        """The message in the form that its status has later, and what was changed in it beyond completing it."""
        from mailer.mail import document

        envelope = self.envelope
        changes = [change.as_json() for change in self.changes if change.action != "added"]
        at = envelope.options.get("at")
        queued = document.message(
            envelope.id,
            envelope.message_id,
            envelope.request_id,
            "deferred" if envelope.due else "queued",
            envelope.sender,
            envelope.subject,
            self.size,
            envelope.priority,
            queued_at=envelope.created,
            next_attempt_at=str(at) if at else None,
            recipients=[_recipient(recipient, envelope.created) for recipient in envelope.recipients],
        )
        return {**queued, **({"changes": changes} if changes else {})}


def _recipient(recipient: Recipient, at: str) -> dict[str, object]:
    """A recipient as JSON, with what is known when the message is queued."""
    from mailer.mail import document

    if (outcome := recipient.outcome) is None:
        return document.recipient(recipient.address, recipient.type, "queued", updated_at=at)
    return document.recipient(
        recipient.address,
        recipient.type,
        "failed" if outcome["verdict"] == "fail" else "sent",
        code=outcome["code"],
        enhanced_code=outcome["enhanced"],
        reply=outcome["text"],
        ours=outcome["cause"] is not None,
        cause=outcome["cause"],
        updated_at=at,
    )


def read_all(fd: int, settings: SubmissionSettings) -> bytes:
    """All of `fd`, but no more than a message may have. Raises `Problem` (bad-message, io-error)."""
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            part = os.read(fd, 1 << 20)
        except OSError as error:
            raise Problem(f"cannot read the message: {error.strerror}; nothing was queued", "io-error") from None
        if not part:
            return b"".join(parts)
        size += len(part)
        check_size(size, settings)
        parts.append(part)


def submit(request: Request, settings: SubmissionSettings, now: float, *, id: str = "") -> Submitted:
    """Check, complete and put; the message is durable when this returns.

    `now` is in seconds since the epoch; `id` names the message where its maker must choose (a report that
    may be put twice). Raises `Problem`: usage without recipients on the command line, bad-message for whatever is wrong
    with the message, bad-config for aliases that lead nowhere, otherwise as `spool.put` does.
    """
    prepared = prepare(request, settings, now, id=id)
    envelope = prepared.envelope
    layout.check_space(settings.spool, settings.min_free_space, settings.min_free_inodes, len(prepared.content))
    claim = (request.request_id, prepared.digest) if request.request_id else None
    done = put(settings.spool, envelope.id, envelope.to_line(), prepared.content, claim, envelope.due)
    repeat = done != envelope.id
    if repeat:
        envelope.id, envelope.message_id = done, prepared.own_id
    heard = announce(settings.spool, done)
    return Submitted(envelope, prepared.content, heard=heard, repeat=repeat, changes=prepared.changes)


def prepare(request: Request, settings: SubmissionSettings, now: float, *, id: str = "") -> Prepared:
    """Check and complete as `submit` does, and write nothing. Raises `Problem` for all that is wrong with the request."""
    check_size(len(request.data), settings)
    if request.priority not in PRIORITIES:
        raise Problem(f"the priority is one of {', '.join(PRIORITIES)}; nothing was queued", "bad-message")
    if request.options:
        _check_options(request.options)
    changes = [*request.changes]
    came = Message.split(normalise(without_preface(request.data)))
    _check_header(came.header, settings)  # much more than it has would be made of it
    rules = rules_for(request, came, settings)
    recipients = recipients_of(request, came, settings, rules, changes)
    if not came.is_single():
        came = steps.single_fields(came, changes, strict=settings.strict)
    sender = sender_of(request, came, settings, rules, changes)
    message = steps.without_envelope(came, changes)
    if rules is not None:
        from mailer.rewriting import identified

        message = identified(message, rules, changes)
    digest = _digest(sender, recipients, message) if request.request_id else ""
    message = steps.complete(message, lambda: _author(request, sender, settings, rules), settings, now, changes)
    own_id = came.value(b"message-id") or ""
    del came  # a large message is not to be there once more than it has to
    content = steps.mended(message, changes, strict=settings.strict) if steps.needs_mending(message) else bytes(message)
    check_size(len(content), settings)
    message = Message(content[: header_end(content)], b"")
    _check_header(message.header, settings)
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
    """Refuse a message of more than `max_message_size` bytes. Raises `Problem` (bad-message)."""
    if size > settings.max_message_size:
        raise Problem(
            f"the message is larger than {settings.max_message_size} bytes (submission.max_message_size); nothing was queued", "bad-message"
        )


def _check_header(header: bytes, settings: SubmissionSettings) -> None:
    """Refuse a header of more than `max_header_size` bytes. Raises `Problem` (bad-message)."""
    if len(header) > settings.max_header_size:
        limit = f"{settings.max_header_size} bytes (submission.max_header_size)"
        raise Problem(f"the header of the message is larger than {limit}; nothing was queued", "bad-message")


def check_recipient(text: str, settings: SubmissionSettings) -> None:
    """Refuse `text` if no mail for it gets anywhere, before there is a message. Raises `Problem`."""
    request, nothing = Request(b"", sender="", recipients=[text]), Message(b"", b"")
    recipients_of(request, nothing, settings, rules_for(request, nothing, settings), [])


def _check_options(options: Mapping[str, object]) -> None:
    """Nothing is queued that asks for what nobody can ask for. Raises `Problem` (bad-message)."""
    from mailer.mail.delivery_options import Request as Asked

    try:
        Asked.read(options)
    except ValueError as error:
        raise Problem(f"{error}; nothing was queued", "bad-message") from None


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
