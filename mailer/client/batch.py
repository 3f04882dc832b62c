"""A batch: many messages, some at a time, each with its result in its place.

Each worker sends one message after the other. Where nothing has to be asked or waited for in between, no interceptor and
no limit, it takes the next one out of the batch while the one before goes out, for the sake of the `Pipeline`.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

from mailer.transport.exchange import Pipeline

from .errors import ErrorKind, SmtpError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from mailer.transport.connection import Parcel
    from mailer.transport.lender import Lender

    from .errors import SendResult
    from .prepare import Mail, PreparedMail


class Batch:
    """The messages of one call of `SmtpClient.send_batch`.

    `send` sends a message on a pipeline, as what was prepared of it if there is something; `ready` prepares what may go
    at once, or says None. Both raise what is wrong with the message.
    """

    def __init__(
        self,
        mails: Iterable[Mail],
        lender: Lender,
        send: Callable[[Mail, Pipeline, PreparedMail | None], Awaitable[SendResult]],
        ready: Callable[[Mail], PreparedMail | None],
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
        waiting: tuple[int, Mail, PreparedMail | None] | None = None

        def follow() -> Parcel | None:
            nonlocal waiting
            waiting = waiting or self._take(ready=True)
            return waiting[2].parcel if waiting and waiting[2] else None

        pipeline = Pipeline(self._lender, follow)
        try:
            while (now := waiting or self._take()) is not None:
                waiting = None
                await self._try(pipeline, *now)
        finally:
            pipeline.drop()

    def _take(self, *, ready: bool = False) -> tuple[int, Mail, PreparedMail | None] | None:
        """The next one with its number, and prepared if it can be now; what is wrong is said in its turn."""
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

    async def _try(self, pipeline: Pipeline, number: int, mail: Mail, ready: PreparedMail | None) -> None:
        """Whatever is wrong with one, it must not cost the caller what is known of the others: who has them would get them twice."""
        try:
            self.results[number] = await self._send(mail, pipeline, ready)
        except SmtpError as error:
            self.results[number] = error
        except Exception as problem:  # no message at all, a field of the wrong type, a hook that fails: the program's mistake
            self.results[number] = _mistake(problem)


def _mistake(problem: Exception) -> SmtpError:
    error = SmtpError(ErrorKind.MESSAGE, f"the message cannot be sent: {type(problem).__name__}: {problem}")
    error.__cause__ = problem
    return error
