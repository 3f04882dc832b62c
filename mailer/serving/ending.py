"""The end of a session from outside: at once where its client is waited for, else behind what is under way."""

from __future__ import annotations

import asyncio


class SessionTask:
    """The task of a session, made within it. Whoever drives the session sets `listening` while its client is waited for, and nothing is
    owed to him."""

    __slots__ = ("_cancelled", "_task", "listening")

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._cancelled = False
        self.listening = False

    def end(self) -> None:
        """Wake the session where it waits for its client."""
        if self.listening and self._task is not None:
            self._cancelled = self._task.cancel()

    def is_ended_alone(self) -> bool:
        """Whether nobody but `end` wants the task to end, which goes on then."""
        return self._cancelled and self._task is not None and self._task.uncancel() == 0
