"""A post office for the manager's tests: a real spool, recorder and scheduler, a courier that follows a script, a clock that is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mailer.alarms.book import AlarmBook
from mailer.bounces import OwnReports
from mailer.config.sections import SubmissionSettings
from mailer.dsn.fields import Kind
from mailer.events import Alarm, Event, Mended
from mailer.io.clock import SteadyClock
from mailer.limits.backoff import Schedule
from mailer.mail.outcome import Cause, Hop, Outcome, Phase
from mailer.queue.attempt import Job
from mailer.queue.context import Context, Policy
from mailer.queue.invariants import Housekeeping, Invariants
from mailer.queue.manager import QueueManager
from mailer.queue.recorder import Recorder
from mailer.queue.scheduler import QueueLimits, Scheduler
from mailer.queue.tasks import Watchdog
from mailer.routing.resolve import Router
from mailer.spool.api import End, Entry, GiveBack, Lease, New, at_once
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.memory import MemorySpool
from mailer.status.api import StatusRecorder
from mailer.transport.courier import Load, Meaning
from mailer.transport.pool import Pool
from mailer.transport.route import Route, Unroutable
from tests.fakes.mail import BODY, NOW, FakeClock, envelope, outcome
from tests.fakes.mail import put as put_letter

T = TypeVar("T")
Answer = str | Outcome | Exception
DAY = 86_400.0
HOP = Hop("mx.example.net", "192.0.2.1", 25)


class Courier:
    """Answers for each recipient what `script` has for its address: one after the other, the last one for ever.

    A verdict stands for an outcome with that verdict. `gates` are opened by the test: until then, jobs for that
    destination are under way.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.script: dict[str, list[Answer]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.tried: list[tuple[str, list[str]]] = []
        self.order: list[str] = []
        self.contents: list[bytes] = []
        self.senders: list[str] = []
        self.busy = 0
        self.most_busy = 0
        self.closed = False
        self.dialled = 1
        self.unconfirmed: tuple[tuple[int, Kind], ...] = ()

    def session(self, stands: Callable[[], None]) -> Courier:
        """All sessions are one, and stand when they have an answer."""
        return self

    @property
    def phase(self) -> Phase:
        """The host takes the content."""
        return "body"

    def end(self) -> None:
        """Nothing to give back."""

    def change(self, pool: Pool, meaning: Meaning) -> None:
        """It was made of nothing."""

    async def close(self) -> None:
        """Nothing to take leave of."""
        self.closed = True

    async def deliver(self, load: Load[Job], ahead: Callable[[], Load[Job] | None]) -> list[Outcome]:
        """What the script says."""
        job = load.job
        addresses = [load.envelope.recipients[to].address for to in job.recipients]
        self.tried.append((job.attempt.entry.id, addresses))
        self.order.append(job.route.key)
        self.contents.append(load.content)
        self.senders.append(load.returns.of(load.envelope, job.route, job.recipients))
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            await (self.gates[job.route.key].wait() if job.route.key in self.gates else asyncio.sleep(0))
            return [self._answer(to, address) for to, address in zip(job.recipients, addresses, strict=True)]
        finally:
            self.busy -= 1

    def _answer(self, to: int, address: str) -> Outcome:
        answers = self.script.get(address, ["delivered"])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            answer = outcome(to, answer, phase="body" if answer == "delivered" else "rcpt", hop=HOP)  # type: ignore[arg-type]
        return answer._replace(to=to, at=self.clock.now())


class Finder:
    """Each domain is a destination of its own, unless `routes` or `troubles` says otherwise, and reached by `transports`."""

    def __init__(self) -> None:
        self.routes: dict[str, str] = {}
        self.transports: dict[str, str] = {}
        self.troubles: dict[str, Exception] = {}
        self.asked: list[str] = []

    async def find(self, domain: str) -> Route:
        """The way, after one turn of the loop."""
        self.asked.append(domain)
        await asyncio.sleep(0)
        if trouble := self.troubles.get(domain):
            raise trouble
        key = self.routes.get(domain, domain)
        return Route(key, (), relay=key.startswith("relay:"), transport=self.transports.get(key, "smtp"))


def offline() -> Unroutable:
    """There is no network."""
    return Unroutable(451, "4.4.3", "no network", "defer", Cause.OFFLINE)


class Told(StatusRecorder):
    """A status whose batches are written by `write`, in a thread."""

    def __init__(self, write: Callable[[Sequence[Event]], None]) -> None:
        self._write = write

    async def write(self, events: Sequence[Event]) -> None:
        """Have a batch written."""
        await asyncio.to_thread(self._write, [*events])


class Inside:
    """What lies in a spool in memory, as `SpoolDirectory` has it."""

    root = "memory"

    def __init__(self, spool: MemorySpool) -> None:
        self.spool = spool

    def put(self, *recipients: str, body: bytes = BODY, **more: Any) -> str:
        letter = envelope(*recipients, **more)
        at_once(self.spool.put([New(letter.id, letter.to_line(), body)]))
        return letter.id

    def find(self, id: str) -> str | None:
        return each.state if (each := self.spool.messages.get(id)) else None

    def ids(self, state: str) -> list[str]:
        return sorted(id for id, each in self.spool.messages.items() if each.state == state)

    def dues(self) -> list[tuple[float, str]]:
        return [(each.due, id) for id, each in self.spool.messages.items() if each.state == "deferred"]

    def read(self, id: str) -> Entry:
        return at_once(self.spool.read(id))

    def content(self, id: str) -> bytes:
        return self.spool.messages[id].new.content

    @contextmanager
    def claim(self, id: str) -> Iterator[Lease]:
        [lease] = at_once(self.spool.lease(at_once(self.spool.load([id]))))  # type: ignore[arg-type]
        assert isinstance(lease, Lease)
        yield lease
        at_once(self.spool.settle([End(lease, (), GiveBack())]))

    def record(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        at_once(self.spool.record([(lease, outcomes)]))

    def __getattr__(self, what: str) -> Callable[[str, float], None]:
        assert what in {"hold", "release", "retry", "cancel"}

        def act(id: str, at: float = NOW) -> None:
            [done] = at_once(self.spool.act(what, [id], at)).messages  # type: ignore[arg-type]
            if done.problem:
                raise done.problem

        return act


class Post:
    """One manager on one spool, and all that it told."""

    def __init__(
        self,
        root: Path,
        limits: QueueLimits | None = None,
        expire: float = 2 * DAY,
        clock: SteadyClock | None = None,
        *,
        memory: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.spool: Any = SpoolDirectory(str(root / "spool"))
        self.kept: Any = FileSpool(self.spool, 600)
        self.spool.prepare()
        if memory:
            self.kept = MemorySpool(self.clock.now)
            self.spool = Inside(self.kept)
        self.courier = Courier(self.clock)
        self.couriers = {"smtp": self.courier}
        self.finder = Finder()
        self.events: list[Event] = []
        self.book = AlarmBook()
        self.written: list[tuple[str, list[str]]] = []
        self.status_fails: Exception | None = None
        self.scheduler = Scheduler(limits or QueueLimits())
        self.recorder = Recorder(self.kept, Told(self._write), self._left)
        policy = Policy(
            Router(self._find),
            Schedule([60.0, 300.0], expire),
            OwnReports("host.example", "postmaster@host.example"),
            SubmissionSettings(spool=self.spool.root, hostname="host.example"),
        )
        self.manager = QueueManager(
            self.kept, self.scheduler, self.couriers, policy, self.recorder, clock or self.clock, self._tell, lambda: 0.5
        )

    @property
    def context(self) -> Context:
        """The one in force."""
        return self.manager.current.context

    def change(self, **policy: Any) -> None:
        """A reload has changed so much of the policy."""
        self.manager.current.context = self.context._replace(policy=self.context.policy._replace(**policy))

    def housekeeping(self, hush: Callable[[bool], None] = lambda _: None) -> Housekeeping:
        """What looks after the manager."""
        return Housekeeping(self.manager, Invariants(self.manager), Watchdog(self.context.tasks), hush)

    def _left(self, ids: list[str], problems: list[tuple[str, Exception]]) -> None:
        self.manager.left(ids, problems)

    def _tell(self, event: Event) -> None:
        """As the switchboard does: what the book has told before is not told again."""
        if isinstance(event, Alarm | Mended) and self.book.heard(event) is None:
            return
        self.events.append(event)
        self.recorder.told(event)

    def _write(self, events: Sequence[Event]) -> None:
        """The status database: takes note of what was where when it heard."""
        if self.status_fails:
            raise self.status_fails
        for event in events:
            entry = getattr(event, "entry", None)
            if entry is not None:
                self.written.append(
                    (f"{type(event).__name__.lower()} {getattr(event, 'status', '')}".strip(), [self.spool.find(entry.id) or ""])
                )

    # What a test does

    def put(self, *recipients: str, **more: Any) -> str:
        """A message, and the manager is told of it."""
        given = {"at": self.clock.now()} | more
        id = self.spool.put(*recipients, **given) if isinstance(self.spool, Inside) else put_letter(self.spool, *recipients, **given)
        self.look([id])
        return id

    def look(self, ids: Iterable[str]) -> None:
        """The manager is told of these messages."""
        at_once(self.manager.look(ids))

    def mind(self) -> None:
        """The manager is told that suspensions have changed."""
        at_once(self.manager.mind_pauses())

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.clock.time += seconds
        self.context.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The manager runs; what is in the spool is known to it. At the end all is settled and written down."""
        self.manager.expect_all([(0.0, id) for id in self.spool.ids("queued")])
        self.manager.expect_all(self.spool.dues())
        manager = asyncio.create_task(self.manager.run())
        try:
            yield
        finally:
            await self.manager.stop(1.0)
            await manager
            await self.recorder.close()
            await self.kept.close()

    async def _find(self, domain: str) -> Route:
        """As the finder of this moment has it, which a test may have changed."""
        return await self.finder.find(domain)

    async def until(self, what: str, asked: Callable[[], T]) -> T:
        """Wait until the answer is true."""
        for _ in range(15_000):  # a busy machine takes its time
            if answer := asked():
                return answer
            await asyncio.sleep(0.001)
        raise AssertionError(f"never: {what}; told {self.told()[-20:]}; in the spool {self.places()}")

    async def passes(self, seconds: float, what: str, asked: Callable[[], T]) -> T:
        """Likewise, and time passes meanwhile, so many seconds at once."""

        def later() -> T:
            self.advance(seconds)
            return asked()

        return await self.until(what, later)

    async def settled(self, id: str, state: str | None) -> None:
        """Wait until the message is there and nobody holds it."""
        await self.until(f"{id} {state}", lambda: self.spool.find(id) == state and id not in self.scheduler.active)

    # What a test looks at

    def told(self, *names: str) -> list[str]:
        """The events as words: their name and their status or what they are about."""
        words = [f"{type(event).__name__.lower()} {getattr(event, 'status', getattr(event, 'what', ''))}".strip() for event in self.events]
        return [word for word in words if not names or word.split()[0] in names]

    def places(self) -> dict[str, list[str]]:
        """What is where."""
        return {state: ids for state in ("queued", "deferred", "held", "failed", "corrupt") if (ids := self.spool.ids(state))}

    def tries(self, id: str) -> int:
        """How often the courier had it."""
        return sum(1 for tried, _ in self.courier.tried if tried == id)


def play(scenario: Coroutine[Any, Any, None]) -> None:
    """Run it; a scenario that hangs is a failure."""

    async def bounded() -> None:
        async with asyncio.timeout(240):
            await scenario

    asyncio.run(bounded())


on_both = pytest.mark.parametrize("post", ["files", "memory"], indirect=True)
"""A test of the queue that holds on any spool."""

__all__ = ["DAY", "HOP", "NOW", "Courier", "Finder", "Post", "offline", "on_both", "play"]
