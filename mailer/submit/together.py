"""Put together: messages of one moment, each handed in by itself, which share the waits for the disk.

A door that has many clients at a time has many messages at a time. `submit` would sync each of them, in a thread of its own, and those
threads would take the interpreter from one another. Here they go into one sack (`mailer.spool.files.batch`), and the promise to each is
that of `submit`: none is said to be put before it is durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.problem import Problem
from mailer.spool.api import New
from mailer.spool.files import doorbell, layout
from mailer.spool.files.batch import Sack
from mailer.spool.files.enqueue import announce, put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.principal import Principal
    from mailer.spool.files.batch import Post

    from .steps import Prepared

WRITERS = 2  # threads that sync the messages of a door that has several sacks at a time: more take the interpreter from one another


class Ready(NamedTuple):
    """A message that can be put: `who` has submitted it, where that is another than the user of this process; `held` for an operator."""

    prepared: Prepared
    who: Principal | None
    held: bool = False

    @property
    def new(self) -> New:
        """The message as a spool takes it."""
        envelope = self.prepared.envelope
        claim = (envelope.request_id, self.prepared.digest) if envelope.request_id else None
        return New(envelope.id, envelope.to_line(), self.prepared.content, claim, envelope.due, self.who, self.held)


def put_together(messages: Sequence[Ready], settings: SubmissionSettings, post: Post) -> list[Problem | None]:
    """Put these by way of `post`, and tell the daemon; for each of them, in order, what is wrong, or None where it is durable now.

    What would meet every message, such as a full disk, is the answer to all that are not put.
    """
    if not messages:
        return []
    size = sum(one.prepared.size for one in messages)
    if lack := layout.shortage(settings.spool, settings.min_free_space, settings.min_free_inodes, size):
        return [Problem(f"the disk of the spool {settings.spool} has {lack}", "try-again")] * len(messages)
    sack = Sack(post)
    for one in messages:
        sack.add(one.new)
    sack.write()
    try:
        done = sack.close()
    except Problem as problem:
        return [problem] * len(messages)
    found = [outcome if isinstance(outcome, Problem) else None for outcome in done]
    for one, outcome in zip(messages, done, strict=False):
        if not isinstance(outcome, Problem):
            one.prepared.taken(outcome)
    heard = doorbell.ring(settings.spool, *(outcome for outcome in done if not isinstance(outcome, Problem)))
    for one in messages:
        one.prepared.heard = heard and one.prepared.queued
    end = found[-1] or Problem("it was not put", "try-again")
    return found + [end] * (len(messages) - len(found))


def put_alone(ready: Ready, settings: SubmissionSettings) -> Prepared:
    """Put one message by itself; it is durable when this returns.

    Raises `Problem`: try-again for a full disk, cannot-create or io-error for other trouble with it, no-permission for missing rights.
    """
    one = ready.new
    layout.check_space(settings.spool, settings.min_free_space, settings.min_free_inodes, len(one.content))
    ready.prepared.taken(put(settings.spool, *one))
    ready.prepared.heard = announce(settings.spool, one.id)
    return ready.prepared
