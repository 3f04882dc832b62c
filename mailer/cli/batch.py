"""``mailer send --batch``: many messages in one go, each with its line of result, said only when that message is durable."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.io.signals import NAMES, Handled
from mailer.mail.envelope import dump_json
from mailer.mail.problem import Problem
from mailer.operate import batch, bundle

from . import BAD_MESSAGE, OK, mute

if TYPE_CHECKING:
    from mailer.config.sections import SubmissionSettings

    from .options import Given


class Patient(Handled):
    """Like `refusing`; but a signal that comes while `calm` is set is acted upon by `settle`, when what must not be torn is whole."""

    def __init__(self, doing: str) -> None:
        super().__init__(self._heard)
        self.doing = doing
        self.calm = False
        self.asked = 0

    def _heard(self, number: int, _frame: object) -> None:
        self.asked = number
        if not self.calm:
            self.settle()

    def settle(self) -> None:
        """Act upon the signal that was put off, if one was. Raises `Problem` (try-again)."""
        self.calm = False
        if self.asked:
            raise Problem(f"{NAMES[self.asked]} while {self.doing}", "try-again")


class Tally:
    """What is told of a batch: one line for each message, in order, and how far it is."""

    def __init__(self, given: Given, total: int) -> None:
        self.json = given.flag("--json")
        self.quiet = given.flag("--quiet")
        self.total = total
        self.good = self.bad = 0
        self._lines: list[str] = []
        self._bar = not self.quiet and sys.stderr is not None and sys.stderr.isatty()
        self._below = self._bar and sys.stdout is not None and sys.stdout.isatty()  # the lines go to the terminal, too, above the bar
        self._shown = 0.0

    @property
    def number(self) -> int:
        """The number of the message that was told last, from 1."""
        return self.good + self.bad

    def told(self, taken: batch.Taken) -> None:
        """A message is on disk, now or since an earlier request; or it is not, and will not be."""
        self.good += taken.problem is None
        self.bad += taken.problem is not None
        if self.json:
            self._lines.append(dump_json(taken.as_json()) + "\n")
        elif not self.quiet:
            self._lines.append(f"- {taken.why}\n" if taken.problem else f"{taken.id}\n")
        if taken.problem and not self._bar:
            _note(f"message {self.number}: {taken.why}")
        for change in taken.prepared.changes if taken.prepared else ():
            if change.action == "refused":
                _note(f"message {self.number}: {change}")

    def show(self, read: int) -> None:
        """Print what was told since the last time. A reader that has left changes nothing about the messages."""
        lines, self._lines = self._lines, []
        if self._below and lines:
            self._clear()
        try:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
        except OSError:
            mute(1)
        now = time.monotonic()
        if self._bar and (now - self._shown > 0.1 or (self._below and lines)):
            self._shown = now
            sys.stderr.write(f"\r{bar(read, self.total)} {self.number} messages\x1b[K")
            sys.stderr.flush()

    def end(self) -> None:
        """Print the last word, for a person."""
        if self._bar:
            self._clear()
        if not self.quiet and (self._bar or self.bad):
            _note(f"{self.good} queued" + (f", {self.bad} refused" if self.bad else ""))

    def _clear(self) -> None:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def bar(read: int, total: int, width: int = 30) -> str:
    """A bar that shows how much of a batch is done; empty where that is not known."""
    if not total:
        return ""
    part = min(read / total, 1.0)
    return f"[{'#' * int(part * width):<{width}}] {part:4.0%}"


def _note(text: str) -> None:
    sys.stderr.write(f"mailer: {text}\n")


def run(given: Given, settings: SubmissionSettings, options: dict[str, object] | None) -> int:
    """Send all messages of the batch, each with these options of its envelope; 65 if some were refused."""
    path, recipients = _path(given)
    wishes = bundle.Wishes(
        settings.max_message_size,
        given.text("--sender"),
        recipients,
        given.flag("--from-header") or not recipients,
        given.text("--request-id-from") or "",
        options,
        (settings.max_attachments, settings.max_attachment_size, settings.max_subject_length),
        settings.strict,
        given.text("--stream") or "",
    )
    tally = Tally(given, bundle.total(path))
    try:
        with (signals := Patient("the batch was read")):
            batch.send_all(path, wishes, settings, tally, signals)
    except Problem as problem:
        raise Problem(f"after {tally.number} messages: {str(problem).removesuffix('; nothing was queued')}", problem.kind) from None
    finally:
        tally.end()
    return BAD_MESSAGE if tally.bad else OK


def _path(given: Given) -> tuple[str, list[str]]:
    """Where the batch is, empty for standard input; and the recipients. ``--batch PATH`` is written as often as ``--batch=PATH``."""
    path, operands = given.text("--batch") or "", given.operands
    if not path and operands and "@" not in operands[0]:
        path, operands = operands[0], operands[1:]
    return ("" if path == "-" else path), operands
