"""The journal as a part of the daemon: it is written where somebody subscribes, made good after a crash, and cleared out.

It starts before the status, and stops after it: the recorder writes to both until the end.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mailer.events import Alarm, Mended
from mailer.io.component import Component

from .api import Behind, Held
from .catchup import missed, recall
from .chronicle import Chronicle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.spool.api import Entry
    from mailer.spool.files.store import SpoolDirectory

    from .api import Journal

KEEP_EVERY = 60.0  # seconds between two looks at what is too old or too much
MAKE_GOOD_EVERY = 1.0  # seconds
MAKING_GOOD = 0.005  # seconds at a time


class JournalRecorder(Protocol):
    """A recorder that has a chronicle written before everything else, where there is one."""

    chronicle: Chronicle | None

    def resumed(self, entry: Entry) -> None:
        """Have written what the journal may not have of this message."""


class JournalState(NamedTuple):
    """How it stands with a journal: what there is, how far each reader is behind, what each has lost, what was dropped unwritten."""

    held: Held
    behind: Mapping[str, Behind]
    lost: Mapping[str, int]


async def state_of(journal: Journal, readers: tuple[str, ...]) -> JournalState:
    """How it stands with `journal` and these readers. Raises `OSError`."""
    behind = {name: await journal.behind(name) for name in readers}
    return JournalState(await journal.held(), behind, {name: await journal.lost(name) for name in readers})


class JournalComponent(Component):
    """The part of the daemon that has the `journal` of `spool` written by `recorder`.

    `knows` says whether the status has a message, `believed` whether the clock is one by which things may be deleted.
    """

    def __init__(
        self,
        journal: Journal,
        recorder: JournalRecorder,
        spool: SpoolDirectory,
        knows: Callable[[str], bool],
        believed: Callable[[], bool],
        config: Config,
        tell: Callable[[Event], None],
        clock: Clock,
        chores: Chores,
        *,
        once: bool = False,
    ) -> None:
        self.journal = journal
        self.state: JournalState | None = None
        """How it stood a minute ago; None while nobody subscribes."""
        self._recorder = recorder
        self._spool = spool
        self._knows = knows
        self._believed = believed
        self._config = config
        self._tell = tell
        self._clock = clock
        self._chores = chores
        self._once = once

    @property
    def chronicle(self) -> Chronicle | None:
        """What is written to it; None while nobody subscribes."""
        return self._recorder.chronicle

    async def start(self) -> None:
        """Begin to write, where somebody subscribes. A journal that cannot be used now is told of, and tried again with each event."""
        if self._config.journaled:
            self._begin()
            try:
                await self._keep()
                await self._recall()
            except OSError as error:
                self._trouble(error)
        self._chores.beside(self.look)
        self._chores.every(KEEP_EVERY, self.look)
        if self._once:
            await self._make_good(pause=False)
        else:
            self._chores.beside(self._make_good)
            self._chores.every(MAKE_GOOD_EVERY, self._make_good_again)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Begin where the first one subscribes, end where the last one has left. What has happened before that is in no journal."""
        yield
        self._config = config
        if not config.journaled:
            self._recorder.chronicle = self.state = None
        elif self.chronicle is None:
            self._begin()

    async def stop(self, _grace: float) -> None:
        """Let go of it. All is written: no event comes after."""
        await self.journal.close()

    async def look(self) -> None:
        """Delete what is too old or too much, and see how far readers are behind."""
        if self.chronicle is None:
            return
        try:
            await self._keep()
            self.state = await state_of(self.journal, self._config.readers)
        except OSError as error:
            self._trouble(error)
            return
        self._tell(Mended(self._clock.now(), "journal", "keep", "it can be read and cleared out again"))

    def _begin(self) -> None:
        self._recorder.chronicle = Chronicle(self.journal, self._clock, self._tell, self._knows)

    async def _keep(self) -> None:
        settings, now = self._config.journal, self._clock.now()
        seconds = settings.retention if self._believed() else inf
        for name, count in (await self.journal.keep(seconds, settings.size, self._config.readers)).items():
            text = f"{name} has lost {count} events: it was so far behind that they were deleted for the size of the journal (journal.size)"
            self._tell(Alarm(now, "journal", text, name))

    async def _recall(self) -> None:
        if (chronicle := self.chronicle) is not None:
            with chronicle.recalling():
                chronicle.recall(*await recall(self.journal, self._spool))

    async def _make_good(self, *, pause: bool = True) -> None:
        """Tell what is in the spool and not in the journal, in a part of the time: the mail goes first."""
        chronicle = self.chronicle
        if chronicle is None:
            return
        if chronicle.since:
            await self._tell_missed(chronicle, pause=pause)
        chronicle.made_good()

    async def _tell_missed(self, chronicle: Chronicle, *, pause: bool) -> None:
        time = asyncio.get_running_loop().time
        begin = time()
        for entry in missed(self._spool, chronicle.since):
            if entry is not None:
                self._recorder.resumed(entry)
            if pause and time() - begin > MAKING_GOOD:
                await asyncio.sleep(9 * (time() - begin))
                begin = time()

    async def _make_good_again(self) -> None:
        """The journal could not be written for so long that lines were dropped, and can be now."""
        chronicle = self.chronicle
        if chronicle is not None and chronicle.incomplete and not chronicle.failing:
            chronicle.incomplete = False
            await self._recall()
            await self._make_good()

    def _trouble(self, error: OSError) -> None:
        text = f"the journal cannot be read or cleared out: {error.strerror or error}"
        self._tell(Alarm(self._clock.now(), "journal", text, "keep"))
