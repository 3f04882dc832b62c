"""The tray: small messages, handed in by a request each, which are put together by `LANES` threads.

Whoever comes while the threads are at work waits in the tray, and goes with the next portion; so the more come, the less the disk costs
each. A message alone waits for nobody. A portion is closed when making it has taken a while: a message that is dear to make holds up those
behind it for no longer than that.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem
from mailer.spool.files.batch import Post
from mailer.submit import prepare
from mailer.submit.together import WRITERS, Ready, put_together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.submit import Prepared, Submission

SMALL: Final = 32_768  # octets of a body that goes by the tray
LANES: Final = 4  # one makes messages while others wait for the disk
PORTION: Final = 64  # messages
MAKING: Final = 0.02  # seconds after which a portion is closed


class Handed(NamedTuple):
    """A message that waits: what makes it, and who is to be told."""

    make: Callable[[], Submission]
    told: asyncio.Future[Prepared]


class Tray:
    """The tray of the spool and with the settings that `settings` says at the moment. For one event loop, until `close`."""

    def __init__(self, settings: Callable[[], SubmissionSettings]) -> None:
        self._settings = settings
        self._waiting: deque[Handed] = deque()
        self._lanes = ThreadPoolExecutor(LANES, "tray")
        self._free = LANES
        self._post: Post | None = None
        self._opening = Lock()

    def hand_in(self, make: Callable[[], Submission]) -> asyncio.Future[Prepared]:
        """What `make` makes, in a thread, durable. The future raises what `make` raises, and `Problem` as `submit` does."""
        loop = asyncio.get_running_loop()
        handed = Handed(make, loop.create_future())
        self._waiting.append(handed)
        if self._free:
            self._begin(loop)
        return handed.told

    def close(self) -> None:
        """Wait for what was begun, and end the threads."""
        self._waiting.clear()
        self._lanes.shutdown()
        if self._post is not None:
            self._post.close()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._free -= 1
        self._lanes.submit(self._work, loop)

    def _tell(self, told: Sequence[tuple[Handed, Prepared | Exception]], loop: asyncio.AbstractEventLoop, *, last: bool) -> None:
        """Tell of a portion, but not those who have left; the thread that put it rests now, if it is the `last`."""
        for handed, became in told:
            if handed.told.done():
                continue
            if isinstance(became, Exception):
                handed.told.set_exception(became)
            else:
                handed.told.set_result(became)
        if last:
            self._free += 1
            if self._waiting:  # it came when the thread had looked for the last time
                self._begin(loop)

    # In a thread

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        last = False
        while not last:
            told = self._put()
            last = not self._waiting
            loop.call_soon_threadsafe(partial(self._tell, told, loop, last=last))

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
                asked = handed.make()
                made.append((handed, Ready(prepare(asked, settings, time.time()), asked.submitter)))
            except Exception as error:  # also a bug: whoever asked for it is to hear, and the others are not to wait
                told.append((handed, error))
            if time.monotonic() > end:
                break

    def _next(self) -> Handed | None:
        try:
            return self._waiting.popleft()
        except IndexError:  # the other thread was faster
            return None

    def _opened(self, root: str) -> Post:
        with self._opening:
            if self._post is None:
                self._post = Post(root, WRITERS, LANES)
            return self._post
