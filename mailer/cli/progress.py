"""How far something is that takes its time: a bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
import time
from typing import Final

from mailer.mail.text import one_line

from .batch import bar

OFTEN: Final = 0.1  # seconds between two looks of it


class ProgressBar:
    """A bar that is drawn anew as things go on, and is gone at the end. With `quiet` there is none."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._shows = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._drawn = 0.0

    def tell(self, what: str, done: int, total: int) -> None:
        """Show how much of `what` is done; `total` below 1 where nobody knows how much there is."""
        now = time.monotonic()
        if self._shows and now - self._drawn > OFTEN:
            self._drawn = now
            sys.stderr.write(f"\r{bar(done, max(total, 0))} {done} {one_line(what)[:40]}\x1b[K")
            sys.stderr.flush()

    def note(self, text: str) -> None:
        """A line above the bar."""
        self.end()
        sys.stderr.write(f"mailer: {one_line(text)}\n")

    def end(self) -> None:
        """Take the bar away."""
        if self._shows:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
