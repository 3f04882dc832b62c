"""One message to its server: circuit breaker, attempts, transactions; [002] §7.2 from the breaker on."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from mailer.transport.connection import Mail

from . import backoff
from .errand import Errand
from .errors import (
    ErrorKind,
    SmtpAuthenticationError,
    SmtpCancelledError,
    SmtpConnectionError,
    SmtpError,
    SmtpPoolError,
    SmtpRateLimitError,
    SmtpTimeoutError,
    SmtpTlsError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .breaker import Breaker
    from .lane import Lane
    from .letter import Letter
    from .settings import RetrySettings

THE_SERVERS = (SmtpConnectionError, SmtpTlsError, SmtpAuthenticationError, SmtpTimeoutError)
GARBLED = frozenset({ErrorKind.INVALID_RESPONSE, ErrorKind.UNEXPECTED_RESPONSE, ErrorKind.SERVER_SHUTDOWN})
OURS = (SmtpPoolError, SmtpRateLimitError, SmtpCancelledError)


class Carrier:
    """`sleep` waits so many seconds and returns False if the client is shut down meanwhile."""

    def __init__(self, breaker: Breaker, settings: RetrySettings, host: str, sleep: Callable[[float], Awaitable[bool]]) -> None:
        self._breaker = breaker
        self._settings = settings
        self._host = host
        self._sleep = sleep

    async def carry(self, letter: Letter, lane: Lane) -> Errand:
        """Do what can be done, on sessions of `lane`. Raises `SmtpError` where nobody has it in the end."""
        loop = asyncio.get_running_loop()
        if blocked := self._breaker.blocked(loop.time()):
            text = f"the server failed too often and is left alone for {blocked:.1f} s"
            raise SmtpError(ErrorKind.CIRCUIT_OPEN, text, host=self._host, retry_after=blocked)
        errand = Errand(letter, lambda error: backoff.wanted(error, self._settings))
        ticket = self._breaker.enter()
        try:
            await self._attempts(errand, lane)
        except BaseException:
            self._breaker.left(ticket)
            raise
        self._judge(ticket, errand)
        if errand.error and not errand.taken:
            errand.error.rejected = errand.rejected
            raise errand.error
        return errand

    def _judge(self, ticket: int, errand: Errand) -> None:
        """What the breaker learns: whether the server did its part. A refused message or recipient is no fault of it."""
        error = errand.error
        if errand.taken or error is None:
            self._breaker.succeeded(ticket)
        elif isinstance(error, OURS):
            self._breaker.left(ticket)
        elif isinstance(error, THE_SERVERS) or error.kind in GARBLED or (error.temporary and error.phase != "rcpt"):
            self._breaker.failed(ticket, asyncio.get_running_loop().time())
        else:
            self._breaker.succeeded(ticket)

    async def _attempts(self, errand: Errand, lane: Lane) -> None:
        """One after the other, until nobody waits or there is no point."""
        while True:
            errand.attempts += 1
            await self._attempt(errand, lane)
            if not errand.waiting or errand.attempts >= self._settings.max_attempts:
                return
            if not await self._sleep(backoff.pause(errand.attempts, self._settings, random.random)):
                return  # shut down: the last error stands

    async def _attempt(self, errand: Errand, lane: Lane) -> None:
        """Ask about all who wait, in as many transactions as the server's limit on recipients makes necessary."""
        left = list(errand.waiting)
        while left:
            try:
                left = await self._transact(errand, left, lane)
            except SmtpError as error:
                for to in left:
                    errand.fail(to, error)
                return

    async def _transact(self, errand: Errand, asked: list[int], lane: Lane) -> list[int]:
        """One transaction. What a session that lay idle loses before it has taken the message is asked again on another."""
        letter = errand.letter
        recipients = tuple(letter.recipients[to] for to in asked)
        while True:
            connection = await lane.lend(letter)
            reused = connection.deliveries > 0
            try:
                answers = await connection.deliver(
                    Mail(letter.sender, recipients, letter.content, None, letter.request), lane.ahead(connection, letter)
                )
            finally:  # `deliver` has abandoned it if it was cancelled
                lane.give_back(connection)
            if not (reused and all(answer.kind == "lost" and answer.phase in ("mail", "rcpt") for answer in answers)):
                return errand.hear(asked, answers, connection.hop)
