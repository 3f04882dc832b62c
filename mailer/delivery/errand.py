"""An errand: work that another processor may do while this one delivers, and that nobody ever waits for in a queue.

For what takes the processor for a while and lets go of the interpreter meanwhile, as an RSA signature does. Errands are begun
in the order in which they were given. Whoever needs a result that nobody has begun to make yet makes it himself, so an errand is
never slower than doing without; one that is being made is waited for, which takes no longer than making it.
"""

from __future__ import annotations

from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Errand(Generic[T]):
    """Some `work`, done once, by whoever comes first."""

    __slots__ = ("_begun", "_error", "_made", "_over", "_work")

    def __init__(self, work: Callable[[], T]) -> None:
        self._work: Callable[[], T] | None = work
        self._begun, self._over = Lock(), Lock()
        self._over.acquire()
        self._made: T
        self._error: Exception | None = None

    def run(self) -> None:
        """Do it, unless somebody has begun to."""
        if not self._begun.acquire(blocking=False):
            return
        assert self._work is not None
        try:
            self._made = self._work()
        except Exception as error:
            self._error = error
        finally:
            self._work = None  # what it holds is needed no longer
            self._over.release()

    def result(self) -> T:
        """What the work has made; raises what it raised."""
        self.run()
        with self._over:
            pass
        if self._error is not None:
            raise self._error
        return self._made


class Runner:
    """Runs errands on a thread of its own, which begins with the first one and ends with the process."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Errand[object]] = SimpleQueue()
        self._thread: Thread | None = None

    def send(self, errand: Errand[T]) -> Errand[T]:
        """Have it run as soon as those before it are done."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="errands", daemon=True)
            self._thread.start()
        self._queue.put(errand)  # type: ignore[arg-type]
        return errand

    def _run(self) -> None:
        while True:
            self._queue.get().run()


RUNNER = Runner()
"""One for the process: the other processor is one, too, and a thread for each reload of the configuration would be many."""
