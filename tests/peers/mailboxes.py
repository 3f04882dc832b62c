"""Where a peer keeps what it took: a directory for each of those at peer.example who have a mailbox, as a rule a Maildir."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.fakes.processes import PATIENCE, wait_until

MARK = b"X-Test: "
HEAD = 65536  # octets in which the mark is found, below what delivery wrote above it


class Mailboxes:
    """The mailboxes below `path`, named after the local parts of their owners. Each message of the tests bears a mark.

    `newline` is how the peer stores the end of a line, and `files` says where in a mailbox its messages are.
    """

    def __init__(self, path: Path, newline: bytes = b"\n", files: str = "new/*") -> None:
        self.path = path
        self.newline = newline
        self.files = files
        self._marks: dict[Path, str] = {}

    def arrived(self, mark: str, who: Iterable[str], seconds: float = PATIENCE) -> dict[str, list[bytes]]:
        """Wait until each of `who` has the message `mark`; then all that anybody has of it, as it was sent.

        What delivery wrote above (Return-Path to Received) is taken off: our tests' messages begin with ``X-Test``.
        """
        expected = set(who)
        wait_until(f"{len(expected)} mailboxes have the message {mark}", lambda: expected <= set(self._with(mark)), seconds, every=0.02)
        return {owner: [as_sent(path.read_bytes(), self.newline) for path in paths] for owner, paths in self._with(mark).items()}

    def above(self, mark: str, who: str) -> str:
        """What the peer wrote above the message `mark` that `who` has."""
        stored = self._with(mark)[who][0].read_bytes()
        return stored.partition(MARK)[0].decode()

    def reports(self, mark: str, who: str) -> list[str]:
        """Wait until `who` has a message about the message `mark`; all of those."""

        def arrived() -> list[str]:
            stored = {path: path.read_bytes() for path in self.path.glob(f"{who}/{self.files}") if path.stat().st_size < HEAD}
            return [text.decode() for path, text in stored.items() if mark.encode() in text and _mark(path) != mark]

        return wait_until(f"{who} has a report about the message {mark}", arrived, every=0.05)

    def _with(self, mark: str) -> dict[str, list[Path]]:
        """The files of that message, by owner. Each file is looked into once, however often we ask."""
        found: dict[str, list[Path]] = {}
        for path in self.path.glob(f"*/{self.files}"):
            if path not in self._marks:
                self._marks[path] = _mark(path)
            if self._marks[path] == mark:
                found.setdefault(path.relative_to(self.path).parts[0], []).append(path)
        return found


def _mark(path: Path) -> str:
    """The mark in its header; a report about a message has it in its body."""
    with path.open("rb") as file:
        header = re.split(rb"\r?\n\r?\n", file.read(HEAD))[0]
    return (b"\n" + header).partition(b"\n" + MARK)[2].partition(b"\n")[0].strip().decode()


def as_sent(stored: bytes, newline: bytes = b"\n") -> bytes:
    """A stored message without what was written above our own first field, and with the line ends that it had."""
    header = stored.partition(newline * 2)[0]
    above = (b"\n" + header).partition(b"\n" + MARK)[0]
    return stored[len(above) :].replace(newline, b"\r\n")
