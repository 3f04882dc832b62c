"""A batch: many messages, some at a time, each with its result in its place.

Each worker sends one message after the other. Where nothing has to be asked or waited for in between, no interceptor and
no limit, it takes the next one out of the batch while the one before goes out, for the sake of `lane`.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

from .errors import ErrorKind, SmtpError
from .lane import Lane

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from .lender import Lender
    from .letter import Letter, Mail
    from .results import SendResult


class Batch:
    """One call of `SmtpClient.send_batch`.

    `send` sends a message on a lane, as the letter that was made of it if there is one; `ready` makes a letter that may go
    at once, or says None. Both raise what is wrong with the message.
    """

    def __init__(
        self,
        mails: Iterable[Mail],
        lender: Lender,
        send: Callable[[Mail, Lane, Letter | None], Awaitable[SendResult]],
        ready: Callable[[Mail], Letter | None],
    ) -> None:
        self._left = zip(count(), mails, strict=False)
        self._lender = lender
        self._send = send
        self._ready = ready
        self._broken: Exception | None = None  # what `mails` raised instead of the next one
        self.results: dict[int, SendResult | SmtpError] = {}

    async def run(self, workers: int) -> None:
        """Send all. Where `mails` breaks off, what is under way is finished, and then that is raised."""
        tasks = [asyncio.create_task(self._work()) for _ in range(workers)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._broken:
            raise self._broken

    async def _work(self) -> None:
        """One message after the other, until there is none."""
        waiting: tuple[int, Mail, Letter | None] | None = None

        def follow() -> Letter | None:
            nonlocal waiting
            waiting = waiting or self._take(ready=True)
            return waiting[2] if waiting else None

        lane = Lane(self._lender, follow)
        try:
            while (now := waiting or self._take()) is not None:
                waiting = None
                await self._try(lane, *now)
        finally:
            lane.drop()

    def _take(self, *, ready: bool = False) -> tuple[int, Mail, Letter | None] | None:
        """The next one with its number, and with its letter if it can be made now; what is wrong is said in its turn."""
        try:
            item = next(self._left, None)
        except Exception as error:
            self._broken = error
            return None
        if item is None:
            return None
        number, mail = item
        try:
            return number, mail, self._ready(mail) if ready else None
        except Exception:
            return number, mail, None

    async def _try(self, lane: Lane, number: int, mail: Mail, letter: Letter | None) -> None:
        """Whatever is wrong with one, it must not cost the caller what is known of the others: who has them would get them twice."""
        try:
            self.results[number] = await self._send(mail, lane, letter)
        except SmtpError as error:
            self.results[number] = error
        except Exception as problem:  # no message at all, a field of the wrong type, a hook that fails: the program's mistake
            self.results[number] = _mistake(problem)


def _mistake(problem: Exception) -> SmtpError:
    error = SmtpError(ErrorKind.MESSAGE, f"the message cannot be sent: {type(problem).__name__}: {problem}")
    error.__cause__ = problem
    return error
