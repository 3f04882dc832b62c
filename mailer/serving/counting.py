"""What is counted of users who log in, shared by all processes where they do: the daemon's submission, and each that serves IMAP and POP3.

Each process says every `SHARE` seconds what it has counted, and hears what the others have: so a failed login, or a network from which
somebody has logged in, counts everywhere within two seconds, and a guesser who goes from process to process has no more guesses than at one
door, but for those of the moment. Every `KEEP` seconds all of it is written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.events import Alarm, Mended
from mailer.io.component import Component
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.component import Chores
    from mailer.limits.store.api import LimitStore
    from mailer.limits.users import UserLimits

SHARE: Final = 0.5  # seconds between two times that processes tell one another
KEEP: Final = 10.0  # seconds between two times that limits are written down


class CountedLimits(Component):
    """The `limits` of users, kept in `store`, and shared by it; `process` is what this one is called there."""

    def __init__(
        self, limits: UserLimits, store: LimitStore, process: str, tell: Callable[[Event], None], now: Callable[[], float], chores: Chores
    ) -> None:
        self.limits = limits
        self._store = store
        self._process = process
        self._tell = tell
        self._now = now
        self._failing: set[str] = set()
        chores.every(SHARE, self.share)
        chores.every(KEEP, self.keep)

    async def start(self) -> None:
        """Read what was counted. What cannot be read is counted anew, with an alarm."""
        try:
            await self.limits.load(self._store)
        except Problem as problem:
            self._trouble("share", problem)

    async def share(self) -> None:
        """Tell other processes what was counted, and hear of them."""
        try:
            await self.limits.share(self._store, self._process)
        except Problem as problem:
            self._trouble("share", problem)
        else:
            self._went("share")

    async def keep(self) -> None:
        """Write down what was counted."""
        try:
            await self.limits.keep(self._store, self._now())
        except Problem as problem:
            self._trouble("keep", problem)
        else:
            self._went("keep")

    async def stop(self, grace: float = 0.0) -> None:  # noqa: ARG002 - nothing is under way
        """Write down what is left."""
        await self.share()
        await self.keep()
        await self._store.close()

    def _trouble(self, what: str, problem: Problem) -> None:
        self._failing.add(what)
        self._tell(Alarm(self._now(), "status", f"limits of users are not written down: {problem}", "limits"))

    def _went(self, what: str) -> None:
        if self._failing == {what}:
            self._tell(Mended(self._now(), "status", "limits", "they are written down"))
        self._failing.discard(what)


def limits_of(config: Config) -> tuple[int, int, int, int]:
    """The numbers of `UserLimits` by a configuration."""
    found = config.accounts
    return found.failures_per_minute, found.failures_per_day, found.messages_per_day, found.new_recipients_per_day
