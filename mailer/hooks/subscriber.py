"""One endpoint's reader of the journal: which events are posted when, and how far its cursor is.

A window of the journal is in memory: events that are neither done with nor refused are read up to `FEW` and a page, and what an endpoint
has refused, and will be asked once more, up to `LATE` besides. So one event that it does not want holds up none that come after it. Up to
`AT_ONCE` are under way, of one message one at a time and in
order: the *lane* of a message has its events, and the next is posted when the one before is done with. An event is done with when the
endpoint has taken it, or when it was given up and is buried. The cursor moves up to the first one that is not: so a crash, at whatever
moment, repeats some and loses none, and an endpoint that is not well keeps its cursor where it is.

Each endpoint has a task of its own and a share of nothing: one that is dead holds up no other.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from .api import DeadEvent
from .endpoint import TRIES, EndpointState
from .payload import payload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mailer.config.sections.webhook import Webhook
    from mailer.io.clock import Clock
    from mailer.journal.api import Journal, JournalEvent

    from .api import HookStore, HookWish
    from .post import Poster

AT_ONCE = 8
FEW = 1024  # events that wait for their turn, below which more are read
LATE = 4096  # events that were refused and are tried once more; when there are so many, nothing more is read
BEHIND = 65536  # events from the cursor on, most of them done with: what a crash repeats at most
PAGE = 512
SAVING = 0.5  # seconds in which a cursor moves at most once
NOTING = 5.0  # the same for figures
LOOK = 60.0  # seconds after which the clock is looked at anew, which may have been set
UNWELL = 5.0  # seconds after trouble with our disk


def cursor_of(name: str) -> str:
    """The name of the cursor of an endpoint."""
    return f"hooks.{name}"


class _Item:
    """An event in the window: how often it was refused, and whether it was dead before."""

    __slots__ = ("again", "body", "event", "refusals")

    def __init__(self, event: JournalEvent, body: bytes, *, again: bool = False) -> None:
        self.event = event
        self.body = body
        self.refusals = 0
        self.again = again

    @property
    def lane(self) -> str:
        """Those of one lane are posted one after the other."""
        return self.event.message or self.event.id


class Subscriber:
    """Posts the events that `hook` wants by `poster`. `told` hears of each change of its state, and of trouble with our disk."""

    def __init__(
        self,
        hook: Webhook,
        journal: Journal,
        store: HookStore,
        poster: Poster,
        clock: Clock,
        told: Callable[[Webhook, EndpointState, OSError | None], object] = lambda *_: None,
    ) -> None:
        self.hook = hook
        self.state = EndpointState()
        self._journal = journal
        self._store = store
        self._poster = poster
        self._clock = clock
        self._told = told
        self._cursor = self._read = ""
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._stopping = False
        self._flying: set[asyncio.Task[None]] = set()
        self._news: asyncio.Task[None] | None = None
        self._saved = self._noted = 0.0
        self._moved = self._counted = False
        self._again: set[str] = set()
        self._exhuming = False
        self._bug: BaseException | None = None
        self._wishes: list[HookWish] = []
        self._clear()

    def _clear(self) -> None:
        self._window: OrderedDict[str, _Item | None] = OrderedDict()  # None is one that is done with
        self._open = 0  # of the window, those that are not
        self._lanes: dict[str, deque[_Item]] = {}
        self._ready: deque[_Item] = deque()
        self._later: list[tuple[float, str, _Item]] = []

    def ask(self, wishes: list[HookWish]) -> None:
        """Grant these soon."""
        self._wishes = wishes
        self._wake.set()

    async def run(self) -> None:
        """Post until `stop`. Trouble with our disk is told, and tried again."""
        begun = False
        while not self._stopping:
            try:
                if not begun:
                    await self._begin()
                    begun = True
                await self._pump()
            except OSError as error:
                self._told(self.hook, self.state, error)
                await self._pause(UNWELL)

    async def stop(self, grace: float) -> None:
        """Begin nothing new; what is under way has `grace` seconds. Then the cursor is where it belongs, if our disk lets it."""
        self._stopping = True
        self._wake.set()
        if self._flying:
            await asyncio.wait(self._flying, timeout=grace)
        for task in [*self._flying, *([self._news] if self._news else [])]:
            task.cancel()
        try:
            await self._save(now=True)
        except OSError as error:
            self._told(self.hook, self.state, error)

    async def _begin(self) -> None:
        self.state = await self._store.state(self.hook.name)
        self._cursor = self._read = await self._journal.cursor(cursor_of(self.hook.name))
        await self._exhumed(await self._store.exhume(self.hook.name, new=False))
        self._told(self.hook, self.state, None)

    async def _pump(self) -> None:
        """Decide what is next, begin it, and wait for something to happen."""
        while not self._stopping:
            self._wake.clear()
            if self._bug is not None:
                raise self._bug
            while self._wishes:
                await self._grant(self._wishes.pop(0))
            wait = LOOK
            if not self.state.off:
                await self._fill()
                wait = self.state.waits(self._clock.now()) or self._launch()
            await self._save()
            await self._pause(min(wait, SAVING if self._moved else LOOK, NOTING if self._counted else LOOK))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    # What comes

    async def _fill(self) -> None:
        """Read on, where there is room; what the endpoint does not want is passed over."""
        if self._full() or self._news is not None:
            return
        events = await self._journal.read(self._read, PAGE)
        for event in events:
            self._read = event.id
            body = payload(event, self.hook.format) if self.hook.wants(event.type, event.stream) else None
            if body is not None:
                item = self._window[event.id] = _Item(event, body)
                self._open += 1
                self._line_up(item)
        self._advance()
        if not events:
            self._news = self._loop.create_task(self._listen(self._read))
        elif not self._full():  # a page that nobody wanted: others have their turn first
            self._wake.set()

    def _full(self) -> bool:
        """Whether there is enough in memory."""
        late = len(self._later)
        return self._open - late >= FEW or late >= LATE or len(self._window) >= BEHIND

    async def _listen(self, after: str) -> None:
        """Wait for news; where that has trouble, look again a little later."""
        try:
            await self._journal.wait(after)
        except OSError as error:
            self._told(self.hook, self.state, error)
            await asyncio.sleep(UNWELL)
        finally:
            self._news = None
            self._wake.set()

    def _line_up(self, item: _Item) -> None:
        lane = self._lanes.setdefault(item.lane, deque())
        lane.append(item)
        if len(lane) == 1:
            self._ready.append(item)

    # What goes

    def _launch(self) -> float:
        """Begin as many posts as there may be; returns after how many seconds there may be more, if nothing happens before."""
        now = self._loop.time()
        while self._later and self._later[0][0] <= now:
            self._ready.append(heappop(self._later)[2])
        most = 1 if self.state.failures else AT_ONCE
        while self._ready and len(self._flying) < most:
            task = self._loop.create_task(self._fly(self._ready.popleft()))
            self._flying.add(task)
            task.add_done_callback(self._landed)
        return min(self._later[0][0] - now, LOOK) if self._later else LOOK

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._bug = error

    async def _fly(self, item: _Item) -> None:
        """One post, and what follows from its answer."""
        began = self._clock.now()
        posted = await self._poster.post(self.hook, item.event.id, item.body)
        verdict = posted.verdict
        before, self.state = self.state, self.state.after(verdict, began, self._clock.now())
        self._counted = True
        if verdict.word == "good":
            self._done(item)
        elif verdict.word == "refused":
            await self._refused(item, verdict.why)
        else:
            self._ready.appendleft(item)
        await self._changed(before)

    async def _refused(self, item: _Item, why: str) -> None:
        """Try it again a little later, or give it up: it is buried before the cursor goes past it."""
        if item.refusals < len(TRIES):
            heappush(self._later, (self._loop.time() + TRIES[item.refusals], item.event.id, item))
            item.refusals += 1
            return
        now = self._clock.now()
        try:
            await self._store.bury(self.hook.name, [DeadEvent(item.event, now, why)])
        except OSError as error:  # it is not passed over
            self._told(self.hook, self.state, error)
            heappush(self._later, (self._loop.time() + UNWELL, item.event.id, item))
            return
        self.state = self.state.buried(1, now)
        self._done(item)

    async def _changed(self, before: EndpointState) -> None:
        """Keep what a restart must not forget, and tell it."""
        if (before.off, before.until, before.failures, before.dead) == (
            self.state.off, self.state.until, self.state.failures, self.state.dead,
        ):  # fmt: skip
            return
        self._told(self.hook, self.state, None)
        try:
            await self._note()
        except OSError as error:
            self._told(self.hook, self.state, error)

    def _done(self, item: _Item) -> None:
        lane = self._lanes.get(item.lane)
        if lane and lane[0] is item:
            lane.popleft()
            if lane:
                self._ready.append(lane[0])
            else:
                del self._lanes[item.lane]
        if item.again:
            self._again.discard(item.event.id)
        elif self._window.get(item.event.id) is item:
            self._window[item.event.id] = None
            self._open -= 1
            self._advance()

    def _advance(self) -> None:
        """The cursor goes up to the first event that is not done with; to the last that was read where all are."""
        at = self._cursor
        while self._window and next(iter(self._window.values())) is None:
            at, _ = self._window.popitem(last=False)
        if not self._window:
            at = self._read
        if at > self._cursor:
            self._cursor, self._moved = at, True

    # What is kept

    async def _save(self, *, now: bool = False) -> None:
        time = self._loop.time()
        if self._moved and (now or time - self._saved >= SAVING):
            self._saved, self._moved = time, False
            await self._keeping(self._journal.move(cursor_of(self.hook.name), self._cursor), "_moved")
        if self._counted and (now or time - self._noted >= NOTING):
            await self._keeping(self._note(), "_counted")
        if self._exhuming and not self._again:
            await self._store.settled(self.hook.name)
            self._exhuming = False

    async def _keeping(self, work: Awaitable[None], mark: str) -> None:
        """Do it, and do it again later if the disk does not take it."""
        try:
            await work
        except OSError:
            setattr(self, mark, True)
            raise

    async def _note(self) -> None:
        self._noted, self._counted = self._loop.time(), False
        await self._store.note(self.hook.name, self.state)

    # What is wished

    async def _grant(self, wish: HookWish) -> None:
        before = self.state
        if wish.word == "on":
            self.state = self.state.switched_on()
        elif wish.word == "off":
            self.state = self.state.switched_off(wish.to or "it was switched off", self._clock.now())
        elif wish.word == "dead":
            await self._exhumed(await self._store.exhume(self.hook.name))
        else:
            await self._back(wish.to)
        if self.state != before:
            await self._note()
            self._told(self.hook, self.state, None)
        await self._store.granted(self.hook.name, wish)

    async def _back(self, to: str) -> None:
        """Post everything after the event `to` again; what is under way is finished first."""
        if self._flying:
            await asyncio.wait(self._flying)
        if to >= self._cursor:
            return
        again = [item for lane in self._lanes.values() for item in lane if item.again]
        self._clear()
        for item in again:
            self._line_up(item)
        self._cursor = self._read = to
        await self._journal.move(cursor_of(self.hook.name), to)
        if self._news is not None:
            self._news.cancel()

    async def _exhumed(self, dead: Sequence[DeadEvent]) -> None:
        """Post these, which were given up, beside what comes; those that are waiting for that already are not waiting twice.

        What the format of the endpoint has no words for, since that was changed, stays dead.
        """
        bodies = [(each, payload(each.event, self.hook.format)) for each in dead]
        if wordless := [each for each, body in bodies if body is None]:
            await self._store.bury(self.hook.name, wordless)
        for each, body in bodies:
            if body is not None and each.event.id not in self._again:
                self._again.add(each.event.id)
                self._line_up(_Item(each.event, body, again=True))
        self._exhuming = self._exhuming or bool(dead)
