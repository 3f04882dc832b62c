"""What comes in, as parts of the daemon: the door for other users, and the doorbell that senders ring.

The door is open where the spool has ``drop/``, which the setting ``intake.enabled`` makes. A spool of one user has none, and this costs
it nothing.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.io.component import Component
from mailer.mail.principal import unix
from mailer.spool.api import Reserve
from mailer.spool.files import layout
from mailer.spool.files.admit import IntakeTerms
from mailer.status.api import StatusError

from .adoption import Adoption
from .handlers import Handlers
from .rules import SubmitterRules
from .socket import CallLimits, IntakeServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.mail.envelope import Envelope
    from mailer.mail.principal import Principal
    from mailer.spool.api import Changes, Spool
    from mailer.spool.files.store import SpoolDirectory
    from mailer.status.api import StatusRecorder


class IntakeComponent(Component):
    """The door of other users' mail into `spool`, by the socket and by ``drop/``; with `once`, by what is in ``drop/`` at the start.

    `look` is told of IDs that are new or changed, in the daemon's loop.
    """

    def __init__(
        self,
        spool: SpoolDirectory,
        config: Config,
        status: StatusRecorder,
        clock: Clock,
        look: Callable[[Iterable[str]], None],
        tell: Callable[[Event], None],
        chores: Chores,
        *,
        once: bool = False,
    ) -> None:
        self.spool = spool
        self.status = status
        self.clock = clock
        self.look = look
        self.tell = tell
        self.once = once
        self._chores = chores
        self._server: IntakeServer | None = None
        self._adoption = Adoption(spool, lambda: self.terms, clock, look, tell)
        if config.intake.enabled:
            layout.share(spool.place)
        self.open = spool.shared
        self._take_over(config)

    async def start(self) -> None:
        """Take what is in ``drop/``: one pass is not over before; a daemon delivers meanwhile, for there may be any amount. Then listen.

        Where the socket cannot be had, other users are left with ``drop/``, which an alarm says.
        """
        if self.open and self.once:
            self._adoption.now()
        elif self.open:
            self._adoption.scan()
            self._chores.every(lambda: self._rescan, self._adoption.scan)
            try:
                self._listen()
            except OSError as error:
                why = f"{error.filename or self.spool.place}: {error.strerror}: other users hand in by drop/ alone"
                self.tell(Alarm(self.clock.now(), "intake", why))

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Let other rules and sizes hold for what is asked next."""
        yield
        self._take_over(config)

    async def stop(self, _grace: float) -> None:
        """Close the door: take nothing more from other users."""
        if self._server:
            await self._server.close()
        await self._adoption.close()

    async def heard(self, changes: Changes) -> None:
        """Take those of the IDs that are in ``drop/``, or all that is there."""
        if self.open:
            self._adoption.rung(changes.ids)
        if self.open and changes.everything:
            self._adoption.scan()

    def _take_over(self, config: Config) -> None:
        submission, intake = config.submission, config.intake
        rules = SubmitterRules(config.submitters)

        def judge(envelope: Envelope, content: bytes, who: Principal) -> None:
            rules.judge(envelope, content, who)
            layout.check_space(self.spool.place, submission.min_free_space, submission.min_free_inodes, len(content))

        sizes = submission.max_message_size, submission.max_recipients
        writers = frozenset({0, os.geteuid()})
        box = config.sandbox.mode if config.sandbox.holds else ""
        self.terms = IntakeTerms(*sizes, judge, self._used, self._taken, submission.max_header_size, writers, box)
        each = max(intake.max_connections // 4, 1)
        self._limits = CallLimits(intake.max_connections, each, intake.timeout, self.terms.largest)
        self._rescan = config.delivery.rescan
        self._keep = Reserve(submission.min_free_space, submission.min_free_inodes)
        if self._server:
            self._server.change(self._limits)
            self._handlers.terms, self._handlers.keep = self.terms, self._keep

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._handlers = Handlers(self.spool, self.terms, lambda changed: _call(loop, self.look, [changed]))
        self._handlers.keep = self._keep
        self._server = IntakeServer(self.spool.place, self._handlers.answer, self._limits, self._bug)

    # What the rules of the spool ask

    def _used(self, id: str, who: Principal) -> str:
        try:
            known, owner = self.status.submitter(id)
        except StatusError:  # it is a view, and no mail waits for it
            return ""
        return ("mine" if owner == who else "taken") if known else ""

    def _taken(self, id: str, who: Principal) -> None:
        if who != unix(os.geteuid()):
            try:
                self.status.adopted(id, who)
            except StatusError:  # the next news of the message brings it
                pass

    def _bug(self, error: BaseException) -> None:
        self.tell(Alarm.of(self.clock.now(), error))


class Doorbell(Component):
    """Waits for what others change in `spool`, and calls each of `heard` with that. Without it, new mail is found by the next rescan."""

    def __init__(
        self, spool: Spool, heard: Iterable[Callable[[Changes], Awaitable[None]]], clock: Clock, tell: Callable[[Event], None]
    ) -> None:
        self._spool = spool
        self._heard = tuple(heard)
        self._clock = clock
        self._tell = tell
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, before the spool is looked through; where that cannot be, an alarm says so."""
        try:
            await self._spool.listen()
        except OSError as error:
            text = f"{error.filename}: {error.strerror}: new mail is found by the rescan (delivery.rescan)"
            self._tell(Alarm(self._clock.now(), "doorbell", text))
        else:
            self._task = asyncio.create_task(self._listen())

    async def stop(self, _grace: float) -> None:
        """Hear nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _listen(self) -> None:
        while True:
            changes = await self._spool.changes()
            try:
                for heard in self._heard:
                    await heard(changes)
            except Exception as error:  # the next one is heard all the same
                self._tell(Alarm.of(self._clock.now(), error))


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[list[str]], None], argument: list[str]) -> None:
    """Call it in the loop's thread; a loop that has ended wants no news."""
    try:
        loop.call_soon_threadsafe(function, argument)
    except RuntimeError:
        pass
