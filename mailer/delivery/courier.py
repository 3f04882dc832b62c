"""The courier: takes one job to its destination and comes back with an outcome for each recipient.

`Courier` is the seam where other ways of delivery attach (a local mailbox, LMTP, a pipe); `SmtpCourier` is
the one for SMTP. It tries the hosts of the way in order: another host is tried while the trouble is the
host's (`Scope` ``host``); a refusal of the message or of a recipient is an answer, and no other host is
asked for a better one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from mailer.mail.outcome import Hop, Outcome
from mailer.net.connection import Answer, SessionError

from .remote import queue_id
from .verdict import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.clock import Clock
    from mailer.mail.envelope import Envelope
    from mailer.net.connection import Connection
    from mailer.net.pool import Pool

    from .attempt import Job
    from .router import Stop

MAX_HOSTS = 5  # addresses dialled in one attempt; a long MX set must not hold a session for hours


class Courier(Protocol):
    """One way of taking mail somewhere."""

    async def deliver(self, job: Job, envelope: Envelope, content: bytes) -> list[Outcome]:
        """Take `content` to the recipients of `job`; an outcome for each. Raises nothing but bugs."""

    async def close(self) -> None:
        """End all sessions politely."""


class SmtpCourier:
    """Delivers by SMTP on pooled connections."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self.pool = pool
        self.clock = clock
        self._closing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Say QUIT to all idle sessions."""
        await asyncio.gather(self.pool.close_all(), *self._closing)

    def change(self, pool: Pool) -> None:
        """Open new sessions as `pool` does from now on; those that lie idle take their leave."""
        task = asyncio.get_running_loop().create_task(self.pool.close_all())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self.pool = pool

    async def deliver(self, job: Job, envelope: Envelope, content: bytes) -> list[Outcome]:
        """Try the stops of the job's way until one has answered for every recipient."""
        began = self.clock.now()
        waiting = list(job.recipients)
        outcomes: dict[int, Outcome] = {}
        for stop, address in self._doors(job):
            for outcome in await self._try(stop, address, envelope, waiting, content, began):
                outcomes[outcome.to] = outcome
            waiting = [to for to in waiting if outcomes[to].scope == "host"]
            if not waiting:
                break
        return [outcomes[to] for to in job.recipients]

    def _doors(self, job: Job) -> list[tuple[Stop, str]]:
        return [(stop, address) for stop in job.way.stops for address in stop.addresses][:MAX_HOSTS]

    async def _try(
        self, stop: Stop, address: str, envelope: Envelope, recipients: Sequence[int], content: bytes, began: float
    ) -> list[Outcome]:
        """One host: its answers as outcomes, in as many transactions as its limits on recipients make necessary."""
        outcomes: list[Outcome] = []
        left = list(recipients)
        while left:
            connection, answers = await self._transact(stop, address, envelope, left, content)
            hop = connection.hop if connection else Hop(stop.endpoint.host, address, stop.endpoint.port)
            again = [answer.to for answer in answers if answer.kind == "again"]
            if len(again) == len(left):  # not one was taken: then it is no limit but a refusal
                again = []
            outcomes += [self._outcome(answer, stop, answer_hop(answer, hop), began) for answer in answers if answer.to not in again]
            left = again
        return outcomes

    async def _transact(
        self, stop: Stop, address: str, envelope: Envelope, recipients: Sequence[int], content: bytes
    ) -> tuple[Connection | None, list[Answer]]:
        """One transaction on a connection of the pool.

        A connection that lay idle may be dead without our knowing; what it loses before it has taken the
        message is tried once more on a new one, and is no failure of the host.
        """
        while True:
            try:
                connection = await self.pool.lend(stop.endpoint, [address])
            except SessionError as error:
                return None, [Answer(to, error.phase, error.kind, error.reply) for to in recipients]
            reused = connection.deliveries > 0
            try:
                addresses = [envelope.recipients[to].address for to in recipients]
                answers = await connection.deliver(envelope.sender, addresses, content)
            except BaseException:
                connection.abandon()
                raise
            finally:
                self.pool.give_back(connection)
            if not (reused and all(answer.kind == "lost" and answer.phase in ("mail", "rcpt") for answer in answers)):
                return connection, [answer._replace(to=recipients[answer.to]) for answer in answers]

    def _outcome(self, answer: Answer, stop: Stop, hop: Hop, began: float) -> Outcome:
        judgement = judge(answer.phase, answer.kind, answer.reply, relay=stop.relay)
        now = self.clock.now()
        reply = answer.reply
        delivered = judgement.verdict == "delivered"
        return Outcome(
            answer.to,
            judgement.verdict,
            judgement.scope,
            reply.code,
            reply.enhanced,
            reply.text,
            answer.phase,
            hop,
            now,
            now - began,
            0.0,
            queue_id(reply.text) if delivered else "",
        )


def answer_hop(answer: Answer, hop: Hop) -> Hop:
    """Where the answer came from; what we refuse ourselves came from nowhere."""
    return Hop() if answer.kind == "local" else hop
