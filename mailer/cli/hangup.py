"""SIGHUP while the daemon runs.

`_signal` as in `signals`.
"""

from __future__ import annotations

from _signal import SIG_IGN, SIGHUP, signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


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
        """Let `listener` be called for each, from a signal handler; with None, nobody."""
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
