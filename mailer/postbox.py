"""The postbox: where a program drops mail into the queue, and asks what became of it.

::

    import mailer

    id = mailer.queue(mailer.Email(from_="shop@example.com", to="you@example.org", subject="Hi", text="It works."))
    print(mailer.outcome(id, wait=30).status)

When `queue` returns, the message is on disk and survives a power failure, whether or not a daemon runs; it is the same as ``mailer
send``, in the same process. A user who may not write the spool hands it to the daemon, or leaves it in ``drop/``; he sees his own mail.
`queue_async` and `outcome_async` are the same for an event loop. All may be called from any thread.

What is wrong is raised as `mailer.mail.problem.Problem`, of a kind that says whose trouble it is.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING, Self

from mailer.compose import Composition, EmailError, EmailLimits
from mailer.config.quick import submission
from mailer.mail.dates import rfc3339
from mailer.mail.envelope import is_request_id, queue_priority
from mailer.mail.problem import Problem
from mailer.submit import Submission, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from email.message import Message as StandardMessage

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.message import Change
    from mailer.status.record import Record
    from mailer.submit import Prepared

FIRST, LONGEST = 0.02, 1.0  # seconds between two looks at what becomes of a message: each waits longer than the one before
UNKNOWN = 5.0  # seconds until a message that is on its way from ``drop/``, or into the database, must have been heard of


class QueuedMessage(str):
    """The ID of a message that is in the queue: a text like any other, which knows more.

    `message_id` is its Message-ID, with angle brackets. `refused` are the recipients who get nothing, each with the reason, where others
    do; a report of that goes to the sender. `changes` is all that was done to the message, these included. `repeat`: its request id was
    known, and nothing was queued again. `heard`: a daemon runs, and knows of it.
    """

    __slots__ = ("changes", "heard", "message_id", "refused", "repeat")

    changes: tuple[Change, ...]
    refused: tuple[Change, ...]
    message_id: str
    repeat: bool
    heard: bool

    def __new__(cls, done: Prepared) -> Self:
        """The ID of what was put."""
        made = super().__new__(cls, done.envelope.id)
        made.message_id, made.repeat, made.heard = done.envelope.message_id, done.repeat, done.heard
        made.changes = tuple(done.changes)
        made.refused = tuple(change for change in done.changes if change.action == "refused")
        return made


def queue(
    mail: Composition | StandardMessage | bytes,
    *,
    sender: str | None = None,
    recipients: Sequence[str] | str | None = None,
    request_id: str = "",
    priority: str = "",
    at: datetime | float | None = None,
    options: Mapping[str, object] | None = None,
    stream: str = "",
    config: str | None = None,
    spool: str | None = None,
) -> QueuedMessage:
    """Queue one message: an `Email`, an `email.message.Message`, or bytes; it is durable when this returns. The result is its ID.

    `sender` (the reverse-path; ``""`` for none) and `recipients` are the envelope; without them the message's own fields say it. The same
    `request_id` and message queue once, and give the same ID again. `priority` is high, normal or low. `at` is when it leaves: a `datetime`
    with a time zone, or seconds since the epoch. `options` are asked of those who carry it: ``{"notify": "SUCCESS,DELAY", "ret": "HDRS"}``
    (RFC 3461); `mailer.mail.delivery_options` has them all; and ``{"list_unsubscribe": "auto"}``, ``{"ignore_suppression": True}``.
    `stream` is the kind of mail that it is, which people leave and the suppression list goes by; without it, what List-Id names. `config`
    and `spool` are paths, as ``--config`` and ``--spool``.

    Raises `Problem`: bad-message for what is wrong with the message, its addresses included; bad-config; try-again where the disk is full
    or something else passes; no-permission, cannot-create or io-error for the spool. Nothing is queued then. Raises `TypeError` for what is
    no message.
    """
    settings = submission(config, spool)
    asked = _asked(mail, settings, sender, recipients)
    asked.request_id = _key(request_id or asked.request_id)
    asked.priority = queue_priority(priority or asked.priority)
    asked.options = _options(options, at)
    asked.stream = stream
    return QueuedMessage(submit(asked, settings, time.time()))


async def queue_async(
    mail: Composition | StandardMessage | bytes,
    *,
    sender: str | None = None,
    recipients: Sequence[str] | str | None = None,
    request_id: str = "",
    priority: str = "",
    at: datetime | float | None = None,
    options: Mapping[str, object] | None = None,
    stream: str = "",
    config: str | None = None,
    spool: str | None = None,
) -> QueuedMessage:
    """As `queue`, while the event loop goes on. Cancelled, it may have queued the message, or yet do so."""
    return await asyncio.to_thread(
        queue, mail, sender=sender, recipients=recipients, request_id=request_id, priority=priority, at=at, options=options, stream=stream,
        config=config, spool=spool,
    )  # fmt: skip


def outcome(id: str, *, wait: float = 0.0, config: str | None = None, spool: str | None = None) -> Record:
    """What became of a message, and of each of its recipients, as far as is known; `id` may be its Message-ID or request id, too.

    With `wait` it returns as soon as all is decided (`Record.done`), or after so many seconds with what is known then. Of several messages
    with one Message-ID the newest is meant.

    Raises `Problem`: no-such where no message of yours is called so, no-permission where you may see no mail of this spool and no daemon
    answers; bad-config.
    """
    look = _looking(id, config, spool)
    began = time.monotonic()
    pause = FIRST
    while True:
        found, left = _look(look, time.monotonic() - began, wait)
        if found is not None and (found.done or left <= 0):
            return found
        time.sleep(min(pause, max(left, 0.0)))
        pause = min(pause * 1.5, LONGEST)


async def outcome_async(id: str, *, wait: float = 0.0, config: str | None = None, spool: str | None = None) -> Record:
    """As `outcome`, while the event loop goes on."""
    look = _looking(id, config, spool)
    began = time.monotonic()
    pause = FIRST
    while True:
        found, left = await asyncio.to_thread(_look, look, time.monotonic() - began, wait)
        if found is not None and (found.done or left <= 0):
            return found
        await asyncio.sleep(min(pause, max(left, 0.0)))
        pause = min(pause * 1.5, LONGEST)


def _looking(id: str, config: str | None, spool: str | None) -> Callable[[], Record]:
    from mailer.intake.view import view_of
    from mailer.spool.files.store import SpoolDirectory

    root = submission(config, spool).spool

    def look() -> Record:
        with view_of(SpoolDirectory(root)) as view:
            found = view.find(id)
        if not found:
            raise Problem(f"no message {id!r} is known in {root}", "no-such")
        return found[-1]

    return look


def _look(look: Callable[[], Record], waited: float, wait: float) -> tuple[Record | None, float]:
    """What is known now, and how many seconds of `wait` are left. A message that nobody knows may yet be heard of, for a moment."""
    left = wait - waited
    try:
        return look(), left
    except Problem as problem:
        if problem.kind != "no-such" or left <= 0 or waited > UNKNOWN:
            raise
        return None, left


def _asked(
    mail: Composition | StandardMessage | bytes, settings: SubmissionSettings, sender: str | None, recipients: Sequence[str] | str | None
) -> Submission:
    try:
        if isinstance(mail, Composition):
            return _composed(mail, settings, sender, recipients)
        from mailer.compose.standard import octets

        data = octets(mail)
    except EmailError as error:
        raise Problem(f"{error}; nothing was queued", "bad-message") from None
    return Submission(data, sender=sender, recipients=_listed(recipients), from_header=recipients is None)


def _composed(mail: Composition, settings: SubmissionSettings, sender: str | None, recipients: Sequence[str] | str | None) -> Submission:
    """Raises `EmailError`. Whom the envelope names is not looked for in the message."""
    EmailLimits(settings.max_attachments, settings.max_attachment_size, settings.max_subject_length).check(mail)
    return Submission(
        mail.encode(),
        sender=mail.sender if sender is None else sender,
        recipients=_listed(recipients),
        bcc=mail.hidden() if recipients is None else (),
        from_header=recipients is None,
        request_id=mail.request_id,
        priority=mail.priority,
    )


def _listed(recipients: Sequence[str] | str | None) -> Sequence[str]:
    if recipients is None:
        return ()
    found = [recipients] if isinstance(recipients, str) else [*recipients]
    if not found:
        raise Problem("there is no recipient; nothing was queued", "bad-message")
    return found


def _key(request_id: str) -> str:
    if request_id and not is_request_id(request_id):
        raise Problem("a request id is 1 to 255 printable characters; nothing was queued", "bad-message")
    return request_id


def _options(options: Mapping[str, object] | None, at: datetime | float | None) -> dict[str, object] | None:
    found = {**(options or {})}
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise Problem("at is a time without a time zone; nothing was queued", "usage")
        at = at.timestamp()
    if at is not None and not at <= time.time():  # which no number is, either
        try:
            found["at"] = rfc3339(at)
        except (ValueError, OverflowError) as error:
            raise Problem(f"at: {error}; nothing was queued", "usage") from None
    return found or None
