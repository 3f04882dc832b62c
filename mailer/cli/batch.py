"""``mailer send --batch``: many messages in one go, each with its line of result, said only when that message is durable.

They are put in sacks (`mailer.spool.sack`): while one is being written, the next one is read and checked. One bad message stops no
other. What stops all of them, such as a full disk, stops the batch; what was said by then stands, and with request ids the same
batch can be given again.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.mail.envelope import dump_json
from mailer.mail.failure import BAD_MESSAGE, OK, Failure
from mailer.mail.text import one_line
from mailer.spool import doorbell, layout
from mailer.spool.sack import Letter, Post, Sack
from mailer.submit import Prepared, Request, prepare

from . import bundle, later, mute
from .options import usage
from .patience import Patient
from .send import COMPOSING, changes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config.sections import SubmissionSettings

    from .options import Given

SACK = 128  # messages; more share no more commits, and their senders wait longer for the first line
LARGEST_SACK = 8 << 20  # bytes
ALONE = (*COMPOSING, "--priority", "--request-id", "--wait", "--fcc", "--dry-run")
"""The options that are for one message."""


class Filled:
    """A sack, and what came to its messages so far: what is wrong with each of them, or its place in the sack."""

    def __init__(self, post: Post) -> None:
        self.sack = Sack(post)
        self.results: list[Prepared | Failure] = []
        self.keys: set[str] = set()
        self.size = 0
        self.read = 0

    @property
    def full(self) -> bool:
        """Whether the next message goes into another."""
        return len(self.results) >= SACK or self.size > LARGEST_SACK


class Batch:
    """Takes messages in, puts them in sacks, and tells `tally` what became of each. A signal waits until what is said is true."""

    def __init__(self, settings: SubmissionSettings, post: Post, tally: Tally, signals: Patient) -> None:
        self.settings = settings
        self.signals = signals
        self.post = post
        self.tally = tally
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

    def _let_pass(self, request: Request | Failure) -> None:
        """Of two messages with one request id the first is put first: the second waits until that is done."""
        key = "" if isinstance(request, Failure) else request.request_id
        if key and (key in self._now.keys or (self._before and key in self._before.keys)):
            self._next()
            self._next()
        self._now.keys.add(key)

    def _begin(self, request: Request | Failure, filled: Filled) -> Prepared | Failure:
        if isinstance(request, Failure):
            return request
        try:
            prepared = prepare(request, self.settings, time.time())
        except Failure as failure:
            if not self.post.refuses(failure):
                raise
            return failure
        envelope = prepared.envelope
        claim = (envelope.request_id, prepared.digest) if envelope.request_id else None
        filled.sack.add(Letter(envelope.id, envelope.to_line(), prepared.content, claim, envelope.due))
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
        """There is room for another sack. Raises `Failure` (75)."""
        settings = self.settings
        layout.check_space(settings.spool, settings.min_free_space, settings.min_free_inodes, LARGEST_SACK)

    def finish(self) -> None:
        """All of it is durable, and said."""
        self._now.sack.begin()
        for filled in (self._before, self._now):
            if filled:
                self._say(filled)

    def abandon(self) -> None:
        """What was not said is not put."""
        for filled in (self._before, self._now):
            if filled:
                filled.sack.abandon()

    def _say(self, filled: Filled) -> None:
        self.signals.calm = True  # until the lines say what is true
        try:
            self._tell(filled, iter(filled.sack.close()))
        finally:
            doorbell.ring(self.settings.spool, doorbell.EVERYTHING)
            self.tally.show(filled.read)
        self.signals.settle()

    def _tell(self, filled: Filled, done: Iterator[str | Failure]) -> None:
        for result in filled.results:
            outcome = result if isinstance(result, Failure) else next(done)
            if isinstance(outcome, str):
                assert isinstance(result, Prepared)
                self.tally.queued(result, outcome)
            elif self.post.refuses(outcome):
                self.tally.refused(outcome)
            else:
                raise outcome


class Tally:
    """One line for each message, in the order of the batch, and how far it is."""

    def __init__(self, given: Given, total: int) -> None:
        self.json = given.flag("--json")
        self.quiet = given.flag("--quiet")
        self.total = total
        self.good = self.bad = 0
        self._lines: list[str] = []
        self._bar = not self.quiet and sys.stderr is not None and sys.stderr.isatty() and not sys.stdout.isatty()
        self._shown = 0.0

    @property
    def number(self) -> int:
        """Of the message that was told last, from 1."""
        return self.good + self.bad

    def queued(self, prepared: Prepared, id: str) -> None:
        """It is on disk, now or since an earlier request."""
        self.good += 1
        key, repeat = prepared.envelope.request_id or None, id != prepared.envelope.id
        refused = [change for change in prepared.changes if change.action == "refused"]
        more = {"refused": changes_of(refused)} if refused else {}
        self._line({"number": self.number, "id": id, "request_id": key, "repeat": repeat, "error": None, **more}, id)
        for change in refused:
            _note(f"message {self.number}: {change}")

    def refused(self, failure: Failure) -> None:
        """It is not, and will not be."""
        self.bad += 1
        why = one_line(str(failure)).removesuffix("; nothing was queued")
        self._line({"number": self.number, "id": None, "request_id": None, "repeat": False, "error": why}, f"- {why}")
        if not self._bar:
            _note(f"message {self.number}: {why}")

    def _line(self, document: dict[str, object], text: str) -> None:
        if self.json:
            self._lines.append(dump_json(document) + "\n")
        elif not self.quiet:
            self._lines.append(text + "\n")

    def show(self, read: int) -> None:
        """Print what was told since the last time. A reader that has left changes nothing about the messages."""
        lines, self._lines = self._lines, []
        try:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
        except OSError:
            mute(1)
        now = time.monotonic()
        if self._bar and now - self._shown > 0.1:
            self._shown = now
            sys.stderr.write(f"\r{bar(read, self.total)} {self.number} messages\x1b[K")
            sys.stderr.flush()

    def end(self) -> None:
        """The last word, for a person."""
        if self._bar:
            sys.stderr.write("\r\x1b[K")
        if not self.quiet and (self._bar or self.bad):
            _note(f"{self.good} queued" + (f", {self.bad} refused" if self.bad else ""))


def bar(read: int, total: int, width: int = 30) -> str:
    """How much of it is done; nothing where nobody knows."""
    if not total:
        return ""
    part = min(read / total, 1.0)
    return f"[{'#' * int(part * width):<{width}}] {part:4.0%}"


def _note(text: str) -> None:
    sys.stderr.write(f"mailer: {text}\n")


def run(given: Given, settings: SubmissionSettings) -> int:
    """Send them all; 65 if some were refused."""
    for name in ALONE:
        if given.flag(name):
            raise usage(f"{name} is for one message, and does not go with --batch", "send")
    path, recipients = _path(given)
    options = later.asked(given, time.time()) or None
    from_header = given.flag("--from-header") or not recipients
    keys = given.text("--request-id-from") or ""
    limits = (settings.max_attachments, settings.max_attachment_size, settings.max_subject_length)
    wishes = bundle.Wishes(
        settings.max_message_size, given.text("--sender"), recipients, from_header, keys, options, limits, settings.strict
    )
    tally = Tally(given, bundle.total(path))
    try:
        with (signals := Patient("the batch was read")), Post(settings.spool) as post:
            batch = Batch(settings, post, tally, signals)
            try:
                for item in bundle.items(path, wishes):
                    batch.add(item)
                batch.finish()
            except BaseException:
                batch.abandon()
                raise
    except Failure as failure:
        raise Failure(f"after {tally.number} messages: {str(failure).removesuffix('; nothing was queued')}", failure.code) from None
    finally:
        tally.end()
    return BAD_MESSAGE if tally.bad else OK


def _path(given: Given) -> tuple[str, list[str]]:
    """Where the batch is, empty for standard input; and the recipients. ``--batch PATH`` is written as often as ``--batch=PATH``."""
    path, operands = given.text("--batch") or "", given.operands
    if not path and operands and "@" not in operands[0]:
        path, operands = operands[0], operands[1:]
    return ("" if path == "-" else path), operands
