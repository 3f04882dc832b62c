"""When what failed is tried again, and for how long: by a `Schedule` of hours and days, or within seconds after growing pauses (`pause`).

Pure: time and randomness come in as arguments. Jitter keeps mail that failed together from
coming back together: without it, a host that was away for an hour is met by all that waited for it at once, and
again at every later step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Schedule:
    """Waits between tries in seconds, the last of which repeats; `expire` seconds after its arrival mail is given up.

    Each wait is varied by up to `jitter` of itself either way. RFC 5321 §4.5.4.1 asks for 30 minutes between tries
    after the first ones and for four or five days; the defaults of the configuration give up sooner, because people
    want to know.
    """

    steps: Sequence[float]
    expire: float
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if not self.steps or min(self.steps) <= 0:
            raise ValueError("a schedule needs waits that are longer than nothing")
        if not 0 <= self.jitter < 1:
            raise ValueError("jitter is a part of the wait: from 0 to less than 1")

    def next_due(self, attempts: int, now: float, random: Callable[[], float]) -> float:
        """When to try again after `attempts` tries (the first wait follows the first); `random` gives 0.0 to 1.0."""
        step = self.steps[min(max(attempts, 1), len(self.steps)) - 1]
        return now + step * (1 + self.jitter * (2 * random() - 1))


def pause(attempts: int, initial: float, multiplier: float, longest: float, random: Callable[[], float] | None = None) -> float:
    """Seconds to wait after so many attempts: `initial` after the first, each `multiplier` times as long, at most `longest`; [002] §7.1.1.

    With `random`, which gives 0.0 to 1.0, somewhere between half and all of that.
    """
    try:
        seconds = min(initial * multiplier ** (attempts - 1), longest)
    except OverflowError:
        seconds = longest
    return seconds if random is None else seconds * (0.5 + 0.5 * random())
