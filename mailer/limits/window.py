"""The window: how many sessions a destination may have at once. It feels its way to what the other side bears.

N successes make a window of N one larger: a round in which all went well, not a single message, proves that there is room. The first
failure of a host makes it one smaller at once, and then N more are needed for the next step. So what happens at one moment to all
sessions is one step, and a window that has found the limit of the other side stays beside it, instead of running into it with
every other message. Postfix's SCHEDULER_README derives this hysteresis, and `tests/simulation` measures it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Window:
    """A window of sessions: `size` now, `cap` at most, `start` when nothing is known. All three are whole numbers, whatever their type."""

    size: float
    cap: int
    start: int = 0
    gained: float = 0.0
    """What the successes since the last step are worth, from 0 to 1."""

    spent: float = 0.0
    """What failures may still come before the next step down, from 0 to 1."""

    def __post_init__(self) -> None:
        self.start = self.start or int(self.size)

    def succeeded(self) -> bool:
        """Note that a message went through; returns whether there is room for one more session now."""
        size = self.size
        if size >= self.cap:
            return False
        self.gained += 1 / size
        if self.gained < 1 - 1e-9:
            return False
        self.gained = self.spent = 0.0
        self.size = size + 1
        return True

    def failed(self) -> None:
        """Note that a host refused to talk or broke off."""
        self.spent -= 1 / self.size
        self.gained = 0.0
        if self.spent < -1e-9:
            self.size = max(self.size - 1, 1)
            self.spent = 1.0

    def restart(self) -> None:
        """Begin anew, as with a destination that was never met."""
        self.size = min(self.start, self.cap)
        self.gained = self.spent = 0.0

    def limit(self, start: int, cap: int) -> None:
        """Let other limits hold from now on."""
        self.start, self.cap = start, cap
        self.size = min(self.size, cap)
