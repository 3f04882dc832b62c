"""The lines that destinations with mail stand in until a plan comes to them; who has left one is skipped when his turn comes.

One without a session comes before one that could do with another, so that none waits for another's queue. Those whose mail was all tried
before stand apart, and take turns with the others while they leave those their share. Who is to be left alone rests until the next plan.
A destination knows which line it stands in (`Destination.line`): it has left all others.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .destination import Destination


class WaitingLines:
    """Destinations with mail: without a session (`first`, `retries`), with room for another perhaps (`more`), and those left alone."""

    def __init__(self) -> None:
        self.first: deque[Destination] = deque()
        self.retries: deque[Destination] = deque()  # as `first`, and all of that mail was tried before
        self.more: deque[Destination] = deque()
        self._resting: dict[str, Destination] = {}
        self._retries_turn = False

    def join(self, destination: Destination, now: float) -> None:
        """Let `destination`, which has mail, stand where it belongs: the next plan looks at it."""
        if destination.breaker.open_until > now or destination.paused_until > now:
            destination.line = "rests"
            self._resting[destination.key] = destination
        elif not destination.running:
            line = "retries" if destination.only_retries else "first"
            if destination.line != line:
                destination.line = line
                (self.first if line == "first" else self.retries).append(destination)
        elif destination.line != "more":
            destination.line = "more"
            self.more.append(destination)

    def go_first(self, destinations: Iterable[Destination]) -> None:
        """Let these stand at the head of their lines, each before the one that is named after it."""
        for destination in reversed([*destinations]):
            destination.line = "more" if destination.running else "retries" if destination.only_retries else "first"
            {"more": self.more, "retries": self.retries, "first": self.first}[destination.line].appendleft(destination)

    def rested(self) -> Iterator[Destination]:
        """Take out those that rest, to be looked at again."""
        resting, self._resting = self._resting, {}
        for destination in resting.values():
            destination.line = ""
            yield destination

    def next(self, *, may_retry: bool) -> Destination | None:
        """The destination whose turn it is, taken out of its line. Retries have one only where they may."""
        retries = self.retries and may_retry
        self._retries_turn = not self._retries_turn
        names = ("retries", "first") if retries and self._retries_turn else ("first", "retries", "more") if retries else ("first", "more")
        for name in names:
            line = self.first if name == "first" else self.more if name == "more" else self.retries
            while line:
                destination = line.popleft()
                if destination.line != name:
                    continue
                if len(destination) and (name != "more" or may_retry or not destination.only_retries):
                    return destination
                destination.line = ""
        return None

    def wanted(self, *, may_retry: bool) -> bool:
        """Whether somebody who has no session waits for one."""
        return _stands(self.first, "first") or (may_retry and _stands(self.retries, "retries"))


def _stands(line: deque[Destination], name: str) -> bool:
    """Whether somebody stands in the line; who has left it is taken out."""
    while line and (line[0].line != name or not len(line[0])):
        gone = line.popleft()
        if gone.line == name:
            gone.line = ""
    return bool(line)
