"""The tray: small messages, each handed in by itself, by a request or a session, which are put together by a thread.

Whoever comes while the thread is at work waits in the tray, and goes with the next portion; so the more come, the less the disk costs
each. A message alone waits for nobody. One thread does it: several would take the interpreter from one another, and each would have a few
messages where one has them all. A portion is closed when making it has taken a while, and where the thread does not come for the next one,
because a message is dear to make or the disk is slow, another thread takes that: so nothing holds up those behind it for longer.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem
from mailer.spool.files.batch import Post

from .together import put_together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config.sections import SubmissionSettings

    from .steps import Prepared
    from .together import Ready

SMALL: Final = 32_768  # octets of a message that goes by the tray
LANES: Final = 4  # threads, of which all but one are for what is held up
HELD_UP: Final = 0.05  # seconds
PORTION: Final = 64  # messages
MAKING: Final = 0.02  # seconds after which a portion is closed
SYNCING: Final = 4  # threads that sync a portion, the one that made it among them


class Handed(NamedTuple):
    """A message that waits: what makes it, and who is to be told."""

    make: Callable[[SubmissionSettings], Ready]
    told: asyncio.Future[Prepared]


class Tray:
    """The tray of the spool and with the settings that `settings` says at the moment. For one event loop, until `close`."""

    def __init__(self, settings: Callable[[], SubmissionSettings]) -> None:
        self._settings = settings
        self._waiting: deque[Handed] = deque()
        self._lanes = ThreadPoolExecutor(LANES, "tray")
        self._spare = LANES - 1
        self._working = False  # whether the thread is at work that goes on until the tray is empty
        self._watched: asyncio.TimerHandle | None = None
        self._post: Post | None = None
        self._opening = Lock()

    def hand_in(self, make: Callable[[SubmissionSettings], Ready]) -> asyncio.Future[Prepared]:
        """What `make` makes, in a thread, durable. The future raises what `make` raises, and `Problem` as `submit` does."""
        loop = asyncio.get_running_loop()
        handed = Handed(make, loop.create_future())
        self._waiting.append(handed)
        if not self._working:
            self._begin(loop)
        elif self._watched is None:
            self._watch(loop)
        return handed.told

    def close(self) -> None:
        """Wait for what was begun, and end the threads."""
        self._waiting.clear()
        self._lanes.shutdown()
        if self._post is not None:
            self._post.close()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._working = True
        self._lanes.submit(self._work, loop)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """See to it that who is the first in the tray now is taken soon."""
        first = self._first()
        self._watched = loop.call_later(HELD_UP, self._relieve, first, loop) if first else None

    def _relieve(self, first: Handed, loop: asyncio.AbstractEventLoop) -> None:
        """Put a portion by another thread, if nobody has come for it."""
        if self._spare and self._first() is first:
            self._spare -= 1
            self._lanes.submit(self._work_once, loop)
        self._watch(loop)

    def _first(self) -> Handed | None:
        try:
            return self._waiting[0]
        except IndexError:
            return None

    def _tell(self, told: Sequence[tuple[Handed, Prepared | Exception]]) -> None:
        """Tell of a portion, but not those who have left."""
        for handed, became in told:
            if handed.told.done():
                continue
            if isinstance(became, Exception):
                handed.told.set_exception(became)
            else:
                handed.told.set_result(became)

    def _rest(self, told: Sequence[tuple[Handed, Prepared | Exception]], loop: asyncio.AbstractEventLoop) -> None:
        self._tell(told)
        self._working = False
        if self._waiting:  # it came when the thread had looked for the last time
            self._begin(loop)
        elif self._watched is not None:
            self._watched.cancel()
            self._watched = None

    def _relieved(self, told: Sequence[tuple[Handed, Prepared | Exception]]) -> None:
        self._tell(told)
        self._spare += 1

    # In a thread

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            told = self._put()
            if not self._waiting:
                loop.call_soon_threadsafe(self._rest, told, loop)
                return
            loop.call_soon_threadsafe(self._tell, told)

    def _work_once(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(self._relieved, self._put())

    def _put(self) -> list[tuple[Handed, Prepared | Exception]]:
        """Put a portion; what became of each message of it."""
        told: list[tuple[Handed, Prepared | Exception]] = []
        made: list[tuple[Handed, Ready]] = []
        try:
            settings = self._settings()
        except Problem as problem:
            return [(handed, problem) for handed in iter(self._next, None)]
        self._make(settings, made, told)
        try:
            problems = put_together([ready for _, ready in made], settings, self._opened(settings.spool))
        except Exception as error:
            return told + [(handed, error) for handed, _ in made]
        return told + [(handed, problem or ready.prepared) for (handed, ready), problem in zip(made, problems, strict=True)]

    def _make(
        self, settings: SubmissionSettings, made: list[tuple[Handed, Ready]], told: list[tuple[Handed, Prepared | Exception]]
    ) -> None:
        """Add to `made` what is to be put together, and to `told` what cannot be."""
        end = time.monotonic() + MAKING
        while len(made) < PORTION and (handed := self._next()):
            try:
                made.append((handed, handed.make(settings)))
            except Exception as error:  # also a bug: whoever asked for it is to hear, and the others are not to wait
                told.append((handed, error))
            if time.monotonic() > end:
                break

    def _next(self) -> Handed | None:
        try:
            return self._waiting.popleft()
        except IndexError:  # another thread was faster
            return None

    def _opened(self, root: str) -> Post:
        with self._opening:
            if self._post is None:
                self._post = Post(root, SYNCING)
            return self._post
