"""The bell of the journal: all streams of a process share one look at the disk."""

from __future__ import annotations

import asyncio

from mailer.journal.api import JournalEvent
from mailer.journal.memory import MemoryJournal
from mailer.web.bell import JournalBell
from tests.fakes import waiting


class Watched(MemoryJournal):
    """A journal that counts who waits at it, and whose disk may fail."""

    waiting = most = 0
    broken = False

    async def last(self) -> str:
        if self.broken:
            raise OSError(5, "Input/output error")
        return await super().last()

    async def wait(self, after: str = "") -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await super().wait(after)
        finally:
            self.waiting -= 1


def event(number: int) -> JournalEvent:
    return JournalEvent("", 1_800_000_000.0 + number, "delivered", to=f"r{number}@example.net")


async def reads(bell: JournalBell, journal: Watched, after: str, wanted: int) -> list[str]:
    """As a stream does it: note, read, wait."""
    found: list[str] = []
    async with bell.heard(journal):
        while len(found) < wanted:
            seen = bell.rings
            page = await journal.read(after)
            await asyncio.sleep(0)  # others have their turn: something may be written now
            if page:
                found += [each.id for each in page]
                after = found[-1]
            else:
                await bell.rung(seen)
    return found


def test_one_looks_for_all() -> None:
    """Each hears of each event, wherever it goes on; nobody is watched when the last one has left."""

    async def scenario() -> None:
        bell, journal = JournalBell(), Watched()
        [first, *_] = await journal.append([event(number) for number in range(3)])
        readers = [asyncio.create_task(reads(bell, journal, after, many)) for after, many in (("", 20), (first.id, 19)) * 20]
        for number in range(3, 20):
            await asyncio.sleep(0.001 * number)
            await journal.append([event(number)])
        found = await asyncio.wait_for(asyncio.gather(*readers), 60)
        assert all(len(each) == len(set(each)) for each in found)
        assert found[0] == [first.id, *found[1]]
        assert journal.most == 1
        await asyncio.sleep(0)
        assert journal.waiting == 0

    waiting.run(scenario())


def test_who_waits_behind_an_id_that_is_not_there_yet_disturbs_nobody() -> None:
    """The IDs of clients are their own affair."""

    async def scenario() -> None:
        bell, journal = JournalBell(), Watched()
        far = asyncio.create_task(reads(bell, journal, "7" + "Z" * 25, 1))
        near = asyncio.create_task(reads(bell, journal, "", 1))
        await asyncio.sleep(0.1)
        [written] = await journal.append([event(1)])
        assert await asyncio.wait_for(near, 60) == [written.id]
        assert not far.done()
        far.cancel()

    waiting.run(scenario())


def test_trouble_with_the_disk_passes() -> None:
    """Those who wait are woken, and see for themselves; later it goes on."""

    async def scenario() -> None:
        bell, journal = JournalBell(), Watched()
        async with bell.heard(journal):
            await asyncio.sleep(0.1)
            journal.broken, seen = True, bell.rings
            await journal.append([event(1)])
            await asyncio.wait_for(bell.rung(seen), 60)
            journal.broken, seen = False, bell.rings
            await asyncio.wait_for(bell.rung(seen), 60)

    waiting.run(scenario())
