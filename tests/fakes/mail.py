"""Mail for tests: messages in a spool, outcomes, and a clock that stands still."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import count
from typing import Any

from mailer.io.clock import SystemClock
from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.history import History
from mailer.mail.outcome import Outcome, Verdict
from mailer.spool import encode
from mailer.spool.api import Entry
from mailer.spool.files import suspensions
from mailer.spool.files.enqueue import head
from mailer.spool.files.enqueue import put as spool_put
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.suspensions import Suspension

NOW = 1_800_000_000.0
BODY = b"From: me@example.com\r\nSubject: a test\r\n\r\nThe body.\r\n"
REPLIES: dict[str, tuple[int, str]] = {
    "delivered": (250, "2.0.0"), "defer": (451, "4.3.0"), "fail": (550, "5.1.1"), "expire": (451, "4.4.7"), "cancel": (0, ""),
}  # fmt: skip


_serial = count()


def id_at(at: float) -> str:
    """The ID of a message put at `at` by a process of its own; of one moment, they sort in the order in which they are made."""
    return encode((int(at * 1000) << 80) | (next(_serial) << 40) | int.from_bytes(os.urandom(5), "big"), 26)


def envelope(*recipients: str, id: str = "", sender: str = "me@example.com", at: float = NOW, **more: Any) -> Envelope:
    """An envelope for `recipients`, or for one; `more` as `Envelope` takes it."""
    people = [Recipient(address) for address in recipients or ("you@example.net",)]
    return Envelope(id or id_at(at), rfc3339(at), sender, people, **more)


def spool_file(envelope: Envelope, body: bytes = BODY) -> bytes:
    """The bytes of a spool file, as `put` writes them."""
    line = envelope.to_line()
    return head(line, body) + line + body


def put(spool: SpoolDirectory, *recipients: str, body: bytes = BODY, **more: Any) -> str:
    """Put a message for `recipients` (or for one); returns its ID. `more` as `envelope` takes it."""
    letter = envelope(*recipients, **more)
    return spool_put(spool.root, letter.id, letter.to_line(), body)


def suspend(root: str, target: str, until: float, why: str, now: float) -> bool:
    """Let mail for `target` wait, as an operator does; whether a daemon heard."""
    return suspensions.suspend(root, Suspension(target, until, why, now))


def outcome(to: int = 0, verdict: Verdict = "delivered", **more: Any) -> Outcome:
    """An outcome of recipient `to`, with a reply that suits its verdict."""
    code, enhanced = REPLIES[verdict]
    given: dict[str, Any] = {"scope": "recipient", "code": code, "enhanced": enhanced, "text": "a reply", "phase": "rcpt", "at": NOW} | more
    return Outcome(to, verdict, **given)


def entry_of(*recipients: str, outcomes: Sequence[Outcome] = (), size: int = len(BODY), **more: Any) -> Entry:
    """A message in memory, to which `outcomes` happened; `more` as `envelope` takes it."""
    letter = envelope(*recipients, **more)
    return Entry(letter.id, "queued", letter, size, History(len(letter.recipients), outcomes), 0.0, NOW)


class FakeClock:
    """A clock that a test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.time

    def check(self) -> float:
        """Nobody has set it since it was asked last: what a test sets is time that passes."""
        return 0.0

    def waited(self, since: float, before: float) -> float:
        """It has run for ever."""
        return max(self.time - since, 0.0)


class Machine:
    """A machine whose clock a test sets, and whose time it lets pass."""

    def __init__(self, now: float = NOW) -> None:
        self.up = 1000.0
        self.ahead = now - self.up
        self.clock = SystemClock(lambda: self.up + self.ahead, lambda: self.up)

    def set(self, seconds: float) -> None:
        """Somebody sets the clock by so many seconds."""
        self.ahead += seconds

    def passes(self, seconds: float) -> None:
        """So much time passes."""
        self.up += seconds
