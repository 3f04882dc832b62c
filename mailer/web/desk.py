"""What every endpoint has at hand: the configuration in force, the time, and threads for what waits for the disk.

There are `THREADS` threads: more would only take the interpreter from each other. Small messages have threads of their own
(`mailer.submit.tray`). A request that finds all of them taken waits, up to ``api.waiting`` of them; the next is told to come again, so
that nobody waits for longer than it takes.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from mailer.operate.api_keys import keys_of
from mailer.submit import prepare
from mailer.submit.together import Ready
from mailer.submit.tray import Tray
from mailer.suppression.sqlite import SqliteSuppression

from .answer import ApiRefusal
from .bell import JournalBell
from .figures import Requests
from .gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from mailer.config import Config
    from mailer.config.sections import SubmissionSettings
    from mailer.io.clock import Clock
    from mailer.submit import Prepared, Submission

THREADS: Final = 16
RETRY: Final = 5  # seconds after which a client may come again

P = ParamSpec("P")
T = TypeVar("T")


class TooBusy(Exception):
    """Too many wait already: 503, and `RETRY` seconds."""


class Desk:
    """What endpoints work with. `config` is replaced at a reload; `given` is what the command line said: (configuration, spool)."""

    def __init__(self, config: Config, clock: Clock, given: tuple[str | None, str | None] = (None, None)) -> None:
        self.config = config
        self.clock = clock
        self.given = given
        self.requests = Requests()
        self.gate = Gate(keys_of(config), clock.now)
        self.suppressions = SqliteSuppression(config.spool)
        self.ending = asyncio.Event()
        self.bell = JournalBell()
        self.streams: Counter[str] = Counter()  # of events, by the name of the key
        self._asking: Counter[str] = Counter()  # requests that are answered now, by the same
        self._threads = ThreadPoolExecutor(THREADS, "web")
        self._tray = Tray(lambda: self.config.submitting)
        self._at_work = 0

    @property
    def stopping(self) -> bool:
        """Whether this process is about to end."""
        return self.ending.is_set()

    @staticmethod
    def of(request: Request) -> Desk:
        """The desk of the application which `request` came to."""
        desk = request.app.state.desk
        assert isinstance(desk, Desk)
        return desk

    @contextmanager
    def share(self, name: str) -> Iterator[None]:
        """Answer a request of the key `name`, which has a quarter of the places. Raises `ApiRefusal` where it has used them all.

        Its holder may be at many addresses, or behind a proxy, where the shares of addresses do not count: others have their turn all the
        same.
        """
        most = max(1, self.config.api.max_connections // 4)
        if self._asking[name] >= most:
            words = f"{most} requests of this key are under way (a quarter of api.max_connections); wait for one of them"
            raise ApiRefusal(429, "too_many_at_once", words, headers={"Retry-After": "1"})
        self._asking[name] += 1
        try:
            yield
        finally:
            self._asking[name] -= 1
            if not self._asking[name]:
                del self._asking[name]

    async def put(self, make: Callable[[], Submission]) -> Prepared:
        """Put the small message that `make` makes, in a thread, beside others. Raises `TooBusy`, what `make` raises, and as `submit` does.

        A client that leaves meanwhile stops nothing.
        """

        def ready(settings: SubmissionSettings) -> Ready:
            asked = make()
            return Ready(prepare(asked, settings, time.time()), asked.submitter)

        self._have_place()
        future = self._tray.hand_in(ready)
        self._counted(future)
        return await future

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that waits for the disk, in a thread. Raises `TooBusy`, and what the function raises.

        A client that leaves meanwhile stops nothing: what was begun is done.
        """
        self._have_place()
        future = asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))
        self._counted(future)
        return await asyncio.shield(future)

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread, or are in one."""
        return self._at_work

    def close(self) -> None:
        """Wait for what was begun, and end the threads."""
        self._threads.shutdown(cancel_futures=True)
        self._tray.close()
        self.suppressions.close_now()

    def _have_place(self) -> None:
        if self._at_work >= THREADS + self.config.api.waiting:
            raise TooBusy

    def _counted(self, future: asyncio.Future[Any]) -> None:
        self._at_work += 1
        future.add_done_callback(self._done)

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._at_work -= 1
        if not future.cancelled():
            future.exception()  # it was heard of by whoever waited, or nobody does
