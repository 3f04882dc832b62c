"""The time of day, handed in: whoever needs it gets a `Clock`, so that a test decides what time it is."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Seconds since the epoch, in UTC."""


class SystemClock:
    """The clock of this machine. It may be set, so waits are measured by the event loop's, not by this one."""

    now = staticmethod(time.time)
    """Seconds since the epoch, in UTC."""
