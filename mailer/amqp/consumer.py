"""A consumer: what is held of one queue, and what the broker is told of it.

It has a channel of its own, for what is acknowledged is told by numbers of the channel. What is too large is dropped while it comes,
frame by frame, and so is never in memory; of the rest there is as much as `Budget` allows: the channel is not read while it is spent, and
the broker waits.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from .letter import Letter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from aiormq.abc import AbstractChannel, DeliveredMessage
    from pamqp.header import ContentHeader

    from .letter import QueueTerms

TAG = "mailer"


class Budget:
    """A budget of `octets` that may be held, whoever holds them; one body alone may be more."""

    def __init__(self, octets: int) -> None:
        self.left = self.octets = octets
        self._freed = asyncio.Event()

    async def take(self, octets: int, wanted: Callable[[], bool]) -> bool:
        """Wait until there is room for so many more; or False, where they are no longer `wanted`."""
        while wanted():
            if octets <= self.left or self.left >= self.octets:
                self.left -= octets
                return True
            self._freed.clear()
            await self._freed.wait()
        return False

    def give(self, octets: int) -> None:
        """Note that so many are held no more; with 0, whoever waits is to look whether it is still wanted."""
        self.left += octets
        self._freed.set()


class Consumer:
    """Takes from the queue of `terms` by `channel`; each letter is given to `deliver`. `cancelled` is called when the broker ends that."""

    def __init__(
        self,
        channel: AbstractChannel,
        terms: QueueTerms,
        prefetch: int,
        budget: Budget,
        deliver: Callable[[Letter], None],
        cancelled: Callable[[], None],
    ) -> None:
        self.channel = channel
        self.terms = terms
        self._prefetch = prefetch
        self._budget = budget
        self._deliver = deliver
        self._cancelled = cancelled
        self._held: dict[int, int] = {}  # tag → bytes, in the order of the tags
        self._takes = False
        self._inside = cast("Any", channel)  # what the library has no name for that others may use
        self._read = self._inside._read_content
        self._inside._read_content = self._bounded
        channel.on_consumer_cancel_callbacks.add(self._ended)

    @property
    def held(self) -> int:
        """How many letters are held."""
        return len(self._held)

    async def begin(self) -> None:
        """Take, until `pause`. Raises what the library raises."""
        self._takes = True
        await self.channel.basic_qos(prefetch_count=self._prefetch)
        await self.channel.basic_consume(self.terms.queue, self._heard, consumer_tag=TAG)

    async def pause(self) -> None:
        """Take no more. What is held is still to be settled."""
        if self._takes:
            self._takes = False
            self._budget.give(0)
            await self.channel.basic_cancel(TAG)

    async def return_all(self) -> None:
        """Give back all that is held, at once, for another time."""
        if self._held:
            tag = next(reversed(self._held))
            self._forget([*self._held])
            await self.channel.basic_nack(tag, multiple=True, requeue=True)

    async def accept(self, tags: Collection[int]) -> None:
        """What has these tags is ours now. One word stands for all that come first."""
        accepted = {tag for tag in tags if tag in self._held}
        first = 0
        for tag in self._held:
            if tag not in accepted:
                break
            first = tag
        rest = [tag for tag in accepted if tag > first]
        self._forget(accepted)
        if first:
            await self.channel.basic_ack(first, multiple=True, wait=False)
        for tag in rest:
            await self.channel.basic_ack(tag, wait=False)

    async def refuse(self, tag: int) -> None:
        """What has this tag becomes a dead letter."""
        if tag in self._held:
            self._forget([tag])
            await self.channel.basic_reject(tag, requeue=False, wait=False)

    def _forget(self, tags: Collection[int]) -> None:
        self._budget.give(sum(self._held.pop(tag) for tag in tags))

    async def _bounded(self, frame: object, header: ContentHeader) -> DeliveredMessage:
        """What the library calls to read a body: it has no bound, we do. What is not kept has no body."""
        size = header.body_size or 0
        if size <= self.terms.largest and await self._budget.take(size, lambda: self._takes):
            message: DeliveredMessage = await self._read(frame, header)
            return message
        left = size
        while left > 0:
            left -= len((await self._inside._get_frame()).value)
        header.body_size = 0
        message = await self._read(frame, header)
        header.body_size = size
        return message

    async def _heard(self, message: DeliveredMessage) -> None:
        letter = Letter.of(message)
        self._held[letter.tag] = 0 if letter.body is None else letter.size
        if self._takes and (letter.body is not None or letter.size > self.terms.largest):
            self._deliver(letter)
        # else it was under way when nothing more was to be taken: it goes back with all that is held

    def _ended(self, _frame: object) -> None:
        self._takes = False
        self._cancelled()
