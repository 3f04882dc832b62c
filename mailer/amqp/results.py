"""Results: what the journal has, published to the topic exchange ``amqp.events``; permanent failures to the queue ``amqp.failed``, too.

The cursor moves when the broker has confirmed, twice a second at most: so each event comes at least once, also after a crash here or there,
with the same ID.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mailer.events import Alarm, Mended
from mailer.mail.domain import ascii_domain

from .answers import LONGEST_PROPERTY, Unheard, property_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.config.sections.amqp import Amqp
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.journal.api import Journal, JournalEvent

    from .answers import Publisher
    from .figures import AmqpFigures

T = TypeVar("T")

CURSOR = "amqp"
"""The name of the cursor in the journal."""

PAGE = 256  # events under way at a time
LASTING = frozenset(("failed", "expired"))
"""Types of events that a permanent failure has."""

MOVES = 0.5  # seconds between two moves of the cursor, each of which waits for the disk: what a crash may repeat
RETRY = 10.0  # seconds until what the broker did not take is published again


class Results:
    """The reader of `journal` for the exchange and the queue of `section`."""

    def __init__(self, journal: Journal, section: Amqp, tell: Callable[[Event], None], clock: Clock) -> None:
        self._journal = journal
        self._section = section
        self._tell = tell
        self._clock = clock

    async def publish(self, publisher: Publisher, figures: AmqpFigures) -> None:
        """Publish what there is, and what comes. Raises what the library raises where the broker is gone."""
        journal, time = self._journal, asyncio.get_running_loop().time
        after = noted = await self._asked(lambda: journal.cursor(CURSOR))
        moved = -MOVES
        try:
            while True:
                if after != noted and time() - moved >= MOVES:
                    await self._asked(partial(journal.move, CURSOR, after))
                    noted, moved = after, time()
                events = await self._asked(partial(journal.read, after, PAGE))
                if not events:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(None if after == noted else max(moved + MOVES - time(), 0.0)):
                            await self._asked(partial(journal.wait, after))
                    continue
                unheard = [why for why in await asyncio.gather(*(self._published(event, publisher) for event in events)) if why]
                if unheard:
                    exchange = f"the exchange {self._section.events} of the broker"
                    self._tell(Alarm(self._clock.now(), "unheard", unheard[0], "results", exchange))
                    await asyncio.sleep(RETRY)
                    continue
                for event in events:
                    figures.results[event.type] += 1
                after = events[-1].id
        finally:
            if after != noted:  # else what was published a moment ago would be published again
                with suppress(OSError):
                    await journal.move(CURSOR, after)

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the journal answers. Trouble with its disk is told, and it is asked again: mail is taken meanwhile, where that can be."""
        failing = False
        while True:
            try:
                found = await ask()
            except OSError as error:
                failing = True
                text = f"results of mail wait: the journal cannot be read, or its cursor not be moved: {error.strerror or error}"
                self._tell(Alarm(self._clock.now(), "journal", text, CURSOR))
                await asyncio.sleep(RETRY)
                continue
            if failing:
                self._tell(Mended(self._clock.now(), "journal", CURSOR, "results of mail are published again"))
            return found

    async def _published(self, event: JournalEvent, publisher: Publisher) -> str:
        """Why the broker does not have it, or nothing."""
        publish = partial(
            publisher.publish,
            document=event.as_json(),
            message_id=event.id,
            correlation_id=property_of(event.request_id, event.message),
            type=event.type,
        )
        try:
            await publish(key(event), exchange=self._section.events, mandatory=False)
            if event.type in LASTING and self._section.failed:
                await publish(self._section.failed)
        except Unheard as error:
            return str(error)
        return ""


def key(event: JournalEvent) -> str:
    """The routing key: ``delivered.example.net``; the type alone where there is no recipient, or a domain that no DNS has."""
    _, at, domain = event.to.rpartition("@")
    try:
        made = f"{event.type}.{ascii_domain(domain)}" if at else event.type
    except ValueError:
        return event.type
    return made if len(made) <= LONGEST_PROPERTY else event.type
