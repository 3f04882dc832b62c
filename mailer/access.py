"""``mailer access``: a process by which users read their mail, at the doors of the kinds imap and pop3.

It needs no daemon: what it reads and writes are the mailboxes. There may be several, each by its number, which have all places together;
each has its lock, and what it is called in the log. Failed logins, sessions, and what happens in mailboxes, they tell one another. A
configuration that cannot be read, or whose doors cannot be opened, is told in one line, and the old one stays. Who is being served when it
ends hears a last word (BYE), the idle ones at once.
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Final

from mailer.accounts.component import ResidentsComponent
from mailer.accounts.sessions.component import SessionsComponent
from mailer.alarms.beside import AlarmsBeside
from mailer.events import Alarm
from mailer.filtering.learner import LearningComponent
from mailer.imapd.kind import ImapDoorKind
from mailer.io import descriptors
from mailer.io.collector import quieten_collector
from mailer.io.component import Chores
from mailer.io.notify import notify
from mailer.limits.store.sqlite import SqliteLimits
from mailer.limits.users import UserLimits
from mailer.log import SPAN
from mailer.mail.neighbours import ACCESS
from mailer.mail.problem import Problem
from mailer.mailbox.component import MailboxesComponent
from mailer.neighbour import Given, Neighbour
from mailer.popd.kind import PopDoorKind
from mailer.serving.boxes import BoxUse
from mailer.serving.component import ServedDoors
from mailer.serving.counting import CountedLimits, limits_of
from mailer.serving.hearing import HearingComponent
from mailer.serving.login import LoginDesk
from mailer.serving.pace import Pace
from mailer.serving.threads import BoxThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config import Config
    from mailer.io.component import Component
    from mailer.scan.opinion import Class
    from mailer.serving.kinds import DoorKind

GRACE: Final = 10.0  # seconds for who is in the middle of something when it ends


class AccessProcess(Neighbour):
    """The process with this `number` (from 1 on) of those that serve IMAP and POP3: see `Neighbour`.

    `listening` is told of the places where clients can call, once it is ready.
    """

    def __init__(
        self,
        given: Given,
        number: int = 1,
        *,
        hangups: Callable[[Callable[[], object] | None], None] = lambda _: None,
        listening: Callable[[Sequence[str]], object] = lambda _: None,
    ) -> None:
        self.name = ACCESS[number - 1]
        self.other = f"another mailer access{f' --number {number}' if number > 1 else ''} serves the spool"
        super().__init__(given, hangups=hangups)
        self._listening = listening

    def check(self, config: Config) -> None:
        """Raises `Problem` (bad-config) where there is nothing to listen at."""
        if not config.access_doors:
            where = config.path or "the configuration"
            text = f'{where}: there is no door for users who read mail; write [[listen]] with kind = "imap" and address = "0.0.0.0:993"'
            raise Problem(text, "bad-config")
        ServedDoors.check(config, ("imap", "pop3"))

    async def work(self) -> None:
        """Serve."""
        descriptors.raise_limit()
        async with AlarmsBeside(self.directory, self.name, self.book).kept(), AsyncExitStack() as ends:
            self.tell("started", self.config.path)
            self._build()
            quieten_collector()
            for component in self.components:
                ends.push_async_callback(component.stop, GRACE)
                await component.start()
            self.chores.begin()
            async with self.hearing():
                places = [*self.doors.ports]
                self._listening(places)
                self.tell("ready", " ".join(places))
                notify("READY=1", "STATUS=serving IMAP and POP3")
                await self.chores.until(self.stopping)
                notify("STOPPING=1")
                self.tell("stopping")

    def _build(self) -> None:
        config, root, clock, tell = self.config, self.config.spool, self.clock, self.events.tell
        self.chores = chores = Chores(self._spool_alarm, self._short)
        chores.every(SPAN, lambda: self.log.log.unfold(clock.now()))
        self.living = ResidentsComponent(config, tell, clock, chores)
        self.logged_in = SessionsComponent(self.name, root, tell, clock, chores)
        self.events.listeners.append(self.logged_in.record)
        self.heard = HearingComponent(config, tell, clock)
        news, own = self.heard.news, lambda: self.heard.own
        self.boxes = MailboxesComponent(config, tell, clock, chores, once=True, judged=self._judged, news=news.told, own=own)
        self.learning = LearningComponent(config, root, self.boxes.lent, tell, self._tell_apart, clock, chores, once=True)
        limits = UserLimits.of(*limits_of(config), secret=secrets.token_bytes(), sends=False)
        counted = CountedLimits(limits, SqliteLimits(root), self.logged_in.process, tell, clock.now, chores)
        self.desk = LoginDesk(self.living.residents.users, limits, tell, clock.now, register=self.logged_in.register)
        self.desk.most_sessions = config.access.connections_per_user
        self.threads = BoxThreads()
        self.kinds = self._kinds(config)
        self.doors = ServedDoors(
            config,
            self.kinds,
            tell,
            clock,
            chores,
            pace=_pace,
            shared=lambda config: config.access.processes > 1,
        )
        self.components: Sequence[Component] = (
            self.living, self.logged_in, self.heard, self.boxes, self.learning, chores, counted, self.doors,
        )  # fmt: skip

    def _kinds(self, config: Config) -> Sequence[DoorKind]:
        tell, now = self.events.tell, self.clock.now
        return (
            ImapDoorKind(config, self.desk, self._hold, self.heard.news, tell, now),
            PopDoorKind(config, self.desk, self._hold, tell),
        )

    def _hold(self, address: str) -> BoxUse:
        """The use of the mailbox of a user."""
        return BoxUse(self.boxes.lent, address, self.threads)

    async def prepare(self, config: Config) -> None:
        """Make ready what another configuration needs. Raises `Problem`."""
        with ExitStack() as ready:
            for component in self.components:
                ready.enter_context(component.reload(config))

    async def take(self, config: Config) -> None:
        """Go by it."""
        self.desk.most_sessions = config.access.connections_per_user
        self.desk.limits.change(*limits_of(config))
        await self.desk.take(self.living.residents.users)

    def _judged(self, owner: str, mail: str, verdict: Class) -> None:
        self.learning.judged(owner, mail, verdict)

    # What is told

    def _spool_alarm(self, error: OSError) -> None:
        self.events.tell(Alarm(self.clock.now(), "spool", f"{error.filename or self.config.spool}: {error.strerror}"))

    def _short(self, what: str) -> None:
        self.events.tell(Alarm(self.clock.now(), "memory", f"{what}: this process gets no more memory"))

    def _tell_apart(self, alarm: Alarm) -> None:
        """Tell what comes from another thread than that of the loop: the log bears that."""
        event = self.book.heard(alarm)
        if event is not None:
            self.log.log.told(event)


def _pace(config: Config) -> Pace:
    limits = config.access
    return Pace(limits.idle_timeout, limits.idle_timeout, config.receiving.message_timeout, 0.0)
