"""Signals while a message comes in: before it is whole they end the program with a line and nothing queued,
and while it is put they wait (`refusing`, `deaf`); while many come in (`Patient`); and SIGHUP while the daemon runs (`HANGUP`).

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


class _Hangup:
    """SIGHUP as the daemon hears it, from the first line of the program to its last: it ends nobody.

    A death by SIGHUP is a clean end to systemd, which then starts nothing anew. So it is not left to the event loop, which is there
    later and leaves earlier. One that comes while nobody listens is noted for the next who does.
    """

    def __init__(self) -> None:
        self._listener: Callable[[], object] | None = None
        self._noted = False

    def watch(self) -> None:
        """From now on."""
        signal(SIGHUP, self._heard)

    def listen(self, listener: Callable[[], object] | None) -> None:
        """Let `listener` be called for each, from a signal handler; None is no listener."""
        self._listener = listener
        if self._noted and listener is not None:
            self._noted = False
            listener()

    def ignore(self) -> None:
        """For what is left of the process: its end gives other handlers up."""
        signal(SIGHUP, SIG_IGN)

    def _heard(self, _number: int, _frame: object) -> None:
        if self._listener is None:
            self._noted = True
        else:
            self._listener()


HANGUP = _Hangup()
