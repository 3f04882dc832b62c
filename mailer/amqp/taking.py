"""Taking: what many letters ask for is checked, completed and put together, and only then it is said of any of them.

Plain functions, for threads that wait for the disk. What is wrong with one letter stops no other; what would meet each, such as a full
disk, is told apart from that, since a letter is not to blame for it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from mailer.io import durable
from mailer.mail.problem import Problem, from_os
from mailer.spool import new_id
from mailer.spool.files import layout
from mailer.submit import prepare
from mailer.submit.together import Ready, put_together

from .letter import submission
from .shelf import PORTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.spool.files.batch import Post
    from mailer.submit import Prepared

    from .letter import Letter, QueueTerms


TRIAL = 65536  # bytes that are written to see whether the disk takes any


class Accepted(NamedTuple):
    """The letter is in the spool under `id`, durably; or it was, as an earlier request (`repeat`)."""

    id: str
    prepared: Prepared
    repeat: bool


class Faulty(NamedTuple):
    """Something is wrong with the letter, and will be."""

    problem: Problem


class Postponed(NamedTuple):
    """The machine has trouble, and not the letter; nothing is known to be put."""

    problem: Problem


Taken = Accepted | Faulty | Postponed

PASSES = ("try-again", "io-error", "unavailable")
"""Kinds of problems that are the machine's, and pass, where a message is looked at; of what is put, all but two are."""


class Taker:
    """Puts letters into the spool of `settings` by way of `post`. May be asked by several threads."""

    def __init__(self, settings: SubmissionSettings, post: Post) -> None:
        self.settings = settings
        self.post = post

    def shortage(self, size: int = 0) -> str:
        """What the disk lacks for `size` bytes more; empty if nothing."""
        settings = self.settings
        return layout.shortage(settings.spool, settings.min_free_space, settings.min_free_inodes, size)

    def trial(self) -> str:
        """Why the disk would not take mail now, found out by trying; empty if it does."""
        settings = self.settings
        if lack := self.shortage(PORTION):
            return f"the disk of the spool {settings.spool} has {lack}"
        path = f"{settings.spool}/tmp/{new_id(time.time())}"
        try:
            try:
                durable.write_new(path, (bytes(TRIAL),))
            finally:
                durable.forget(path)
        except OSError as error:
            return str(from_os("cannot write in the spool", settings.spool, error))
        return ""

    def take(self, letters: Sequence[tuple[Letter, QueueTerms]]) -> list[Taken]:
        """What became of each of them, in their order. What is `Accepted` survives a loss of power from now on."""
        prepared = [self._prepare(letter, terms) for letter, terms in letters]
        good = [each for each in prepared if isinstance(each, Ready)]
        put = self._put(good) if good else iter(())
        return [next(put) if isinstance(each, Ready) else each for each in prepared]

    def _prepare(self, letter: Letter, terms: QueueTerms) -> Ready | Faulty | Postponed:
        try:
            return Ready(prepare(submission(letter, terms), self.settings, time.time()), terms.who)
        except Problem as problem:
            return Postponed(problem) if problem.kind in PASSES else Faulty(problem)

    def _put(self, good: Sequence[Ready]) -> Iterator[Taken]:
        for ready, problem in zip(good, put_together(good, self.settings, self.post), strict=True):
            if problem is None:
                yield Accepted(ready.prepared.envelope.id, ready.prepared, ready.prepared.repeat)
            else:
                yield Faulty(problem) if problem.kind in ("usage", "bad-message") else Postponed(problem)
