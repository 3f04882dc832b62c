"""Signals while a message comes in: before it is whole they end the program with a line and nothing queued,
and while it is put they wait (`refusing`, `deaf`).

`_signal` instead of `signal`, whose import builds enumerations that nobody here needs.
"""

from __future__ import annotations

from mailer.mail.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, signal
    from types import FrameType
else:
    from _signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, signal

NAMES: dict[int, str] = {SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGTERM: "SIGTERM"}


class Handled:
    """A context manager: within it, `handler` has the three signals, except those that the program's caller has set to be ignored."""

    def __init__(self, handler: Callable[[int, object], None] | int) -> None:
        self.handler = handler
        self.before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> None:
        for number in NAMES:
            before = signal(number, self.handler)
            if before is SIG_IGN or before == SIG_IGN:  # nohup(1): our caller decided
                signal(number, before)
            else:
                self.before[number] = before

    def __exit__(self, *_: object) -> None:
        for number, before in self.before.items():
            signal(number, before)


def refusing(doing: str) -> Handled:
    """A context manager: within it, SIGINT, SIGTERM and SIGHUP raise a `Problem` (try-again) that says what was going on."""

    def handler(number: int, _frame: object) -> None:
        raise Problem(f"{NAMES[number]} while {doing}; nothing was queued", "try-again")

    return Handled(handler)


def deaf() -> Handled:
    """A context manager: within it, the three signals are ignored, for a message is put in milliseconds, and then it is put."""
    return Handled(SIG_IGN)
