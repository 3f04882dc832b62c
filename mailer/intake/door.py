"""The door as the daemon has it: the socket, ``drop/``, the rules of who may send, and whom it tells of what came in.

It is open where the spool has ``drop/``, which the setting ``intake.enabled`` makes. A spool of one user has no door, and this costs
it nothing.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.spool.files import layout
from mailer.spool.files.admit import Terms

from .adoption import Adoption
from .handlers import Desk
from .rules import SubmitterRules
from .socket import CallLimits, IntakeServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.mail.envelope import Envelope
    from mailer.spool import Spool
    from mailer.status.sqlite.writer import StatusWriter


class Door:
    """Lets the mail of other users into `spool`. `look` is told of IDs that are new or changed, in the daemon's loop."""

    def __init__(
        self,
        spool: Spool,
        config: Config,
        status: StatusWriter,
        clock: Clock,
        look: Callable[[Iterable[str]], None],
        tell: Callable[[Event], None],
    ) -> None:
        self.spool = spool
        self.status = status
        self.clock = clock
        self.look = look
        self.tell = tell
        self.server: IntakeServer | None = None
        if config.intake.enabled:
            layout.share(spool.root)
        self.open = os.path.isdir(f"{spool.root}/drop")
        self.adoption = Adoption(spool, lambda: self.terms, clock, look, tell)
        self.change(config)

    def change(self, config: Config) -> None:
        """Other rules and sizes hold from now on, for what is asked next."""
        submission = config.submission
        rules = SubmitterRules(config.submitters)

        def judge(envelope: Envelope, content: bytes, uid: int) -> None:
            rules.judge(envelope, content, uid)
            layout.check_space(self.spool.root, submission.min_free_space, submission.min_free_inodes, len(content))

        sizes = submission.max_message_size, submission.max_recipients
        writers = frozenset({0, os.geteuid()})
        self.terms = Terms(*sizes, judge, self._used, self._taken, submission.max_header_size, writers)
        intake = config.intake
        each = max(intake.max_connections // 4, 1)
        self.limits = CallLimits(intake.max_connections, each, intake.timeout, self.terms.largest)
        if self.server:
            self.server.change(self.limits)
            self.desk.terms = self.terms

    def listen(self) -> None:
        """Serve the socket from now on. Raises `OSError`."""
        if self.open:
            loop = asyncio.get_running_loop()
            self.desk = Desk(self.spool, self.terms, lambda changed: _call(loop, self.look, [changed]))
            self.server = IntakeServer(self.spool.root, self.desk.answer, self.limits, self._bug)

    async def close(self) -> None:
        """Take no more questions: close the socket."""
        if self.server:
            await self.server.close()
        await self.adoption.close()

    def adopt_now(self) -> None:
        """Take everything that is in ``drop/``, and return when that is done."""
        if self.open:
            self.adoption.now()

    def scan(self) -> None:
        """Take everything that is in ``drop/``, in another thread."""
        if self.open:
            self.adoption.scan()

    def rung(self, ids: Sequence[str]) -> None:
        """The doorbell named `ids`; those that are in ``drop/`` are taken."""
        if self.open:
            self.adoption.rung(ids)

    # What the rules of the spool ask

    def _used(self, id: str, uid: int) -> str:
        try:
            known, owner = self.status.submitter(id)
        except (sqlite3.Error, OSError):  # it is a view, and no mail waits for it
            return ""
        return ("mine" if owner == uid else "taken") if known else ""

    def _taken(self, id: str, uid: int) -> None:
        if uid != os.geteuid():
            try:
                self.status.adopted(id, uid)
            except (sqlite3.Error, OSError):  # the next news of the message brings it
                pass

    def _bug(self, error: BaseException) -> None:
        self.tell(Alarm.of(self.clock.now(), error))


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[list[str]], None], argument: list[str]) -> None:
    """Call it in the loop's thread; a loop that has ended wants no news."""
    try:
        loop.call_soon_threadsafe(function, argument)
    except RuntimeError:
        pass
