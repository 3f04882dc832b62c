"""Many messages in one go, each told of only when it is durable.

They are put in sacks (`mailer.spool.files.batch`): while one is being written, the next one is read and checked. One bad message stops no
other. What stops all of them, such as a full disk, stops the batch; what was told by then stands, and with request ids the same
batch can be given again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mailer.mail.problem import Problem
from mailer.mail.text import one_line
from mailer.spool.api import New
from mailer.spool.files import doorbell, layout
from mailer.spool.files.batch import Post, Sack
from mailer.submit import Prepared, Submission, prepare

from . import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config.sections import SubmissionSettings

SACK = 128  # messages; more share no more commits, and their senders wait longer for the first line
LARGEST_SACK = 8 << 20  # bytes


class Taken(NamedTuple):
    """What became of message `number` of a batch, from 1: it is on disk under `id`, now or since an earlier request; or it is refused."""

    number: int
    prepared: Prepared | None = None
    id: str = ""
    problem: Problem | None = None

    @property
    def why(self) -> str:
        """Why the message is refused, on one line; empty if it is not."""
        return one_line(str(self.problem)).removesuffix("; nothing was queued") if self.problem else ""

    def as_json(self) -> dict[str, object]:
        """A line of ``mailer send --batch --json``."""
        if self.prepared is None:
            return {"number": self.number, "id": None, "request_id": None, "repeat": False, "error": self.why}
        envelope = self.prepared.envelope
        refused = [change.as_json() for change in self.prepared.changes if change.action == "refused"]
        return {
            "number": self.number,
            "id": self.id,
            "request_id": envelope.request_id or None,
            "repeat": self.id != envelope.id,
            "error": None,
            **({"refused": refused} if refused else {}),
        }


class Hearer(Protocol):
    """What is told of a batch. Between two `show` all `told` are about one sack."""

    def told(self, taken: Taken) -> None:
        """What became of one message; they are told in the order of the batch."""

    def show(self, read: int) -> None:
        """What was told so far can be shown; the input is read up to `read`, in the unit of `bundle.Item.read`."""


class Interruptions(Protocol):
    """What may break a batch off, as a signal does: not while `calm` is set, and then in `settle`, which may raise."""

    calm: bool

    def settle(self) -> None:
        """Let what was put off happen now: what is true was said."""


class Filled:
    """A sack, and what came to its messages so far: what is wrong with each of them, or its place in the sack."""

    def __init__(self, post: Post) -> None:
        self.sack = Sack(post)
        self.results: list[Prepared | Problem] = []
        self.keys: set[str] = set()
        self.size = 0
        self.read = 0

    @property
    def full(self) -> bool:
        """Whether the next message goes into another."""
        return len(self.results) >= SACK or self.size > LARGEST_SACK


class Loader:
    """A loader that takes messages in, puts them in sacks, and tells `hearer` what became of each."""

    def __init__(self, settings: SubmissionSettings, post: Post, hearer: Hearer, interruptions: Interruptions) -> None:
        self.settings = settings
        self.interruptions = interruptions
        self.post = post
        self.hearer = hearer
        self.number = 0
        self._now = Filled(post)
        self._before: Filled | None = None
        self._need_space()

    def add(self, item: bundle.Item) -> None:
        """Begin to write this message, or note what is wrong with it."""
        self._let_pass(item.request)
        filled = self._now
        filled.read = item.read
        filled.results.append(self._begin(item.request, filled))
        if filled.full:
            self._next()

    def _let_pass(self, request: Submission | Problem) -> None:
        """Of two messages with one request id the first is put first: the second waits until that is done."""
        key = "" if isinstance(request, Problem) else request.request_id
        if key and (key in self._now.keys or (self._before and key in self._before.keys)):
            self._next()
            self._next()
        self._now.keys.add(key)

    def _begin(self, request: Submission | Problem, filled: Filled) -> Prepared | Problem:
        if isinstance(request, Problem):
            return request
        try:
            prepared = prepare(request, self.settings, time.time())
        except Problem as problem:
            if not self.post.refuses(problem):
                raise
            return problem
        envelope = prepared.envelope
        claim = (envelope.request_id, prepared.digest) if envelope.request_id else None
        filled.sack.add(New(envelope.id, envelope.to_line(), prepared.content, claim, envelope.due, request.submitter))
        filled.size += len(prepared.content)
        return prepared

    def _next(self) -> None:
        """While this sack is being written, that before it is said to be."""
        before, self._before, self._now = self._before, self._now, Filled(self.post)
        self._before.sack.begin()
        if before:
            self._say(before)
        self._need_space()

    def _need_space(self) -> None:
        """There is room for another sack. Raises `Problem` (try-again)."""
        settings = self.settings
        layout.check_space(settings.spool, settings.min_free_space, settings.min_free_inodes, LARGEST_SACK)

    def finish(self) -> None:
        """Make all messages durable, and tell of them."""
        self._now.sack.begin()
        for filled in (self._before, self._now):
            if filled:
                self._say(filled)

    def abandon(self) -> None:
        """Let go of what was not told yet: it is not put."""
        for filled in (self._before, self._now):
            if filled:
                filled.sack.abandon()

    def _say(self, filled: Filled) -> None:
        self.interruptions.calm = True  # until the lines say what is true
        try:
            self._tell(filled, iter(filled.sack.close()))
        finally:
            doorbell.ring(self.settings.spool, doorbell.EVERYTHING)
            self.hearer.show(filled.read)
        self.interruptions.settle()

    def _tell(self, filled: Filled, done: Iterator[str | Problem]) -> None:
        for result in filled.results:
            outcome = result if isinstance(result, Problem) else next(done)
            if isinstance(outcome, Problem) and not self.post.refuses(outcome):
                raise outcome
            self.number += 1
            if isinstance(outcome, Problem):
                self.hearer.told(Taken(self.number, problem=outcome))
            else:
                assert isinstance(result, Prepared)
                self.hearer.told(Taken(self.number, result, outcome))


def send_all(path: str, wishes: bundle.Wishes, settings: SubmissionSettings, hearer: Hearer, interruptions: Interruptions) -> None:
    """Put the messages of what is at `path`, or of standard input for nothing. Raises `Problem` for what stops all of them."""
    with Post(settings.spool) as post:
        loader = Loader(settings, post, hearer, interruptions)
        try:
            for item in bundle.items(path, wishes):
                loader.add(item)
            loader.finish()
        except BaseException:
            loader.abandon()
            raise
