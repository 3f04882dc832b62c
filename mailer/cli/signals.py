"""Signals while a message comes in: before it is whole they end the program with a line and nothing queued,
and while it is put they wait. `patience` is for many messages, `hangup` for the daemon.

`_signal` instead of `signal`, whose import builds enumerations that nobody here needs.
"""

from __future__ import annotations

from _signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, signal  # type: ignore[import-not-found]

from mailer.mail.failure import TRY_AGAIN, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGTERM: "SIGTERM"}


class Handled:
    """Within it, `handler` has the three signals, except those that our caller has set to be ignored."""

    def __init__(self, handler: Callable[[int, object], None] | int) -> None:
        self.handler = handler
        self.before: dict[int, object] = {}

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
    """Within it, SIGINT, SIGTERM and SIGHUP raise a `Failure` (75) that says what was going on."""

    def handler(number: int, _frame: object) -> None:
        raise Failure(f"{NAMES[number]} while {doing}; nothing was queued", TRY_AGAIN)

    return Handled(handler)


def deaf() -> Handled:
    """Within it, the same signals are ignored: a message is put in milliseconds, and then it is put."""
    return Handled(SIG_IGN)
