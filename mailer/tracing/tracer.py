"""The listener that chooses what is traced, and the thread that sends it.

In the loop an attempt costs the choice, and one that is chosen a place in a line. The line has an end, and so has what is taken into it in
a second: an hour in which all mail fails must not be spent on telling that. While the collector takes nothing, nothing is kept for it.
"""

from __future__ import annotations

import time
from collections import deque
from math import inf
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING

from mailer.events import Tried

from .spans import Traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.events import Event

    from .choice import Choice
    from .otlp import Otlp

MOST = 1000  # attempts that wait to be sent
BATCH = 100  # of them in one request
A_SECOND = 100  # that are chosen, at most
GATHER = 0.2  # seconds in which the first of a batch waits for others
PAUSE = 5.0  # seconds between two requests, of which each costs as much as ten traces
REST = (5.0, 60.0)  # seconds for which a collector that takes nothing is left alone, at first and at most


class Tracer:
    """Sends what `choice` wants by `connect()`, which is called in the thread. `trouble` is told why a collector takes
    nothing, each time, and "" when he takes something again."""

    def __init__(self, choice: Choice, connect: Callable[[], Otlp], trouble: Callable[[str], object]) -> None:
        self.choice = choice
        self._taken = 0  # attempts, by the collector
        self._lost = 0  # that he did not take; of the thread, as the one above
        self._refused = 0  # that had no place in the line; of the loop
        self._connect = connect
        self._trouble = trouble
        self._waiting: deque[Traced] = deque()
        self._second = 0.0
        self._chosen = 0  # since then
        self._rests_until = 0.0
        self._rest = 0.0
        self._down = False
        self._come = Flag()
        self._ending = Flag()
        self._otlp: Otlp | None = None
        self._thread = Thread(target=self._run, name="traces", daemon=True)

    @property
    def counts(self) -> dict[str, int]:
        """How many attempts were ``sent``, and ``dropped``, since the start."""
        return {"sent": self._taken, "dropped": self._lost + self._refused}

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def told(self, event: Event) -> None:
        """Take an attempt, if it is to be traced."""
        if isinstance(event, Tried) and self.choice.wants(event):
            self._take(event)

    def _take(self, event: Tried) -> None:
        now = time.monotonic()
        if now - self._second >= 1.0:
            self._second, self._chosen = now, 0
        self._chosen += 1
        if self._chosen > A_SECOND or len(self._waiting) >= MOST or now < self._rests_until:
            self._refused += 1
            return
        self._waiting.append(Traced(event.entry, event.outcomes, time.time() - now))
        self._come.set()

    def stop(self, seconds: float) -> None:
        """Send what waits, for so long at most; what is not sent then never is."""
        self._ending.set()
        self._come.set()
        self._thread.join(seconds)
        if self._thread.is_alive() and self._otlp is not None:
            self._otlp.close()

    def _run(self) -> None:
        try:
            self._otlp = otlp = self._connect()
        except Exception as error:  # a library of another version, or one that lacks another: mail goes on
            self._rests_until = inf
            self._trouble(f"{type(error).__name__}: {error}")
            return
        while True:
            self._come.wait()
            self._ending.wait(GATHER)
            self._come.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
                self._sent(batch, self._send(otlp, batch))
            if self._ending.wait(PAUSE) and not self._waiting:
                break
        otlp.close()

    @staticmethod
    def _send(otlp: Otlp, batch: list[Traced]) -> str:
        """Why it was not sent, or nothing; a bug of ours or of the libraries is such a reason."""
        try:
            return otlp.send(batch)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _sent(self, batch: list[Traced], why: str) -> None:
        """Count the batch. Where it was not taken, let the collector rest, each time longer, and keep nothing for it."""
        if not why:
            self._taken += len(batch)
            if self._down:
                self._trouble("")
            self._down, self._rest = False, 0.0
            return
        self._down = True
        self._rest = min(max(2 * self._rest, REST[0]), REST[1])
        self._rests_until = time.monotonic() + self._rest
        self._lost += len(batch)
        while self._waiting:
            self._waiting.popleft()
            self._lost += 1
        self._trouble(why)
