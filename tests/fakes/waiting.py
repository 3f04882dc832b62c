"""A loop whose time passes only while there is nothing to do: what waits 50 ms waits 50 ms, however busy the machine is, and costs none."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

GRACE = 0.003  # real seconds in which what was sent over the loopback has come


def run(work: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`; whoever else has a part in it, client or server, is to be in the same loop."""
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(work)


class PatientLoop(asyncio.SelectorEventLoop):
    """See the module. Threads have all the time that they need, too."""

    def __init__(self) -> None:
        self._now = 0.0
        self._elsewhere = 0  # calls in threads of the executor
        super().__init__(_Selector(self._busy, self._pass))

    def time(self) -> float:
        """Seconds that were waited."""
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """As ever; time stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._elsewhere += 1
        future.add_done_callback(self._back)
        return future

    def _back(self, _: object) -> None:
        self._elsewhere -= 1

    def _busy(self) -> bool:
        return bool(self._elsewhere) or any(thread.name == "aside" for thread in threading.enumerate())

    def _pass(self, seconds: float) -> None:
        self._now += seconds


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Where nothing has come and no thread is `busy`, the time passes that would have been waited."""

    def __init__(self, busy: Callable[[], bool], passes: Callable[[float], None]) -> None:
        super().__init__()
        self._busy = busy
        self._passes = passes

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready."""
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        while True:
            busy = self._busy()
            alone = len(self.get_map()) == 1  # the loop's own, by which threads wake it: nobody is at the other end of anything else
            if ready := super().select(GRACE if busy or not alone else 0):
                return ready
            if not busy:
                self._passes(timeout)
                return []
