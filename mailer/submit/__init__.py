"""Submission: the one door by which mail of our own users enters.

The command line, the sendmail face and the writer of reports call `submit`. So each message is checked and completed once, here
(RFC 6409 §8), and what lies in the spool is complete:

- line ends are CRLF, no stray CR, LF or NUL is left, so that no receiver can see two messages in one;
- Date, Message-ID and From are there; Bcc and Return-Path are not; what may stand once stands once (`mailer.mail.header_repair`);
- every address is one, and there is at least one recipient; names of this machine are who the configuration says they are,
  in the header and in the envelope (`mailer.rewriting`);
- lines are no longer than SMTP allows, and 8-bit text says what it is (`mailer.mail.repair`);
- the sizes and the number of recipients are within their limits.

All that is done with a message is a list, `STEPS`: a `Draft` goes through it, and each step takes it further or raises `Problem`. The
steps need each other only for what they find: all work on what `normalise` has taken in, `address` is the last. So another door can
have another list of the same steps. Mail of strangers has to stay as it is, so it goes by none of them, but by `accept`.

`steps` holds what goes through and the steps for the message and its envelope, `people` those for sender and recipients, `senders` who
may say that a message is from whom. `together` puts many that are prepared as `submit` puts one, and `tray` gathers those that come one by
one. `accept` is the door of strangers.

What is not needed for a message is not imported for it: without rules, and with a message that needs no mending, neither is.
"""

from __future__ import annotations

from mailer.io.system import os
from mailer.mail.problem import Problem
from mailer.spool.files import layout
from mailer.spool.files.enqueue import announce, put

from . import people, steps
from .steps import Draft, Prepared, Submission, refuse_larger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config.sections import SubmissionSettings

    Step = Callable[[Draft], None]

__all__ = ["FORWARDING", "STEPS", "Prepared", "Submission", "check_recipient", "forward", "prepare", "read_all", "refuse_larger", "submit"]

STEPS: tuple[Step, ...] = (
    steps.check_size,
    steps.check_options,
    steps.normalise,
    steps.check_header,
    people.identity,
    people.recipients,
    steps.single_fields,
    people.sender,
    steps.without_envelope,
    steps.identify,
    steps.remember,
    steps.complete,
    steps.mend,
    steps.check_size,
    steps.check_header,
    steps.address,
    steps.unsubscribing,
    steps.permit,
)
"""What is done with mail of our own users, in this order."""


FORWARDING: tuple[Step, ...] = (
    steps.check_size,
    steps.check_options,
    steps.normalise,
    steps.check_header,
    people.identity,
    people.recipients,
    people.sender,
    steps.address,
)
"""What is done with a report of another host that its message's sender gets: nothing is written into it but line ends."""


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
        refuse_larger(size, settings)
        parts.append(part)


def submit(asked: Submission, settings: SubmissionSettings, now: float, *, id: str = "") -> Prepared:
    """Check, complete and put; the message is durable when this returns.

    `now` is in seconds since the epoch; `id` names the message where its maker must choose (a report that
    may be put twice). Raises `Problem`: usage without recipients on the command line, bad-message for whatever is wrong
    with the message, bad-config for aliases that lead nowhere, otherwise as `spool.files.enqueue.put` does.
    """
    return _put(asked, prepare(asked, settings, now, id=id), settings)


def forward(asked: Submission, settings: SubmissionSettings, now: float, *, id: str) -> Prepared:
    """Put a report of another host as it came, under the ID `id`; names of this machine are who the configuration says they are.

    Raises `Problem` as `submit` does.
    """
    draft = Draft(asked, settings, now, id)
    for step in FORWARDING:
        step(draft)
    return _put(asked, Prepared(draft), settings)


def _put(asked: Submission, prepared: Prepared, settings: SubmissionSettings) -> Prepared:
    envelope = prepared.envelope
    layout.check_space(settings.spool, settings.min_free_space, settings.min_free_inodes, len(prepared.content))
    claim = (asked.request_id, prepared.digest) if asked.request_id else None
    done = put(settings.spool, envelope.id, envelope.to_line(), prepared.content, claim, envelope.due, asked.submitter)
    prepared.taken(done)
    prepared.heard = announce(settings.spool, done)
    return prepared


def prepare(asked: Submission, settings: SubmissionSettings, now: float, *, id: str = "") -> Prepared:
    """Check and complete as `submit` does, and write nothing. Raises `Problem` for all that is wrong with what is asked."""
    draft = Draft(asked, settings, now, id)
    for step in STEPS:
        step(draft)
    return Prepared(draft)


def check_recipient(text: str, settings: SubmissionSettings) -> None:
    """Refuse `text` if no mail for it gets anywhere, before there is a message. Raises `Problem`."""
    draft = Draft(Submission(b"", sender="", recipients=[text]), settings, 0.0)
    people.identity(draft)
    people.recipients(draft)
