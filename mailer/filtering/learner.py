"""What filters learn, as a part of the daemon: users are heard in whatever thread they move their mail, filters are told in the loop."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mailer.events import Alarm, Judged
from mailer.io.component import Component
from mailer.mail.problem import Problem

from .learning import Learning
from .lessons.sqlite import SqliteLessons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.mailbox.mailboxes import Mailboxes
    from mailer.scan.opinion import Class

TEACH: Final = 5.0  # seconds
SWEEP: Final = 3600.0


class LearningComponent(Component):
    """What the filters of `config` learn. Lessons are kept beside the spool at `root`, messages are in the mailboxes that are `lent`.

    `tell` is for the thread of the event loop, `tell_apart` for any.
    """

    def __init__(
        self,
        config: Config,
        root: str,
        lent: Callable[[], AbstractContextManager[Mailboxes]],
        tell: Callable[[Event], None],
        tell_apart: Callable[[Alarm], None],
        clock: Clock,
        chores: Chores,
        *,
        once: bool = False,
    ) -> None:
        self._lent = lent
        self._tell = tell
        self._tell_apart = tell_apart
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self.learning = Learning(SqliteLessons(root), self._content, tell, clock)
        self.learning.take(config)
        if not once:
            chores.every(TEACH, self.learning.teach)
            chores.every(SWEEP, self.learning.sweep)

    async def start(self) -> None:
        """Know where events are told."""
        self._loop = asyncio.get_running_loop()

    def judged(self, owner: str, mail: str, verdict: Class) -> None:
        """A user has said what a message of his is. It may be called in any thread, and raises nothing: his mail has been moved already."""
        try:
            with self._lent() as boxes:
                [found] = boxes.owners.by_id([owner])
            said = Judged(self._clock.now(), owner, found.address if found else "", mail, verdict)
            self.learning.hear(said)
        except Problem as problem:
            self._tell_apart(Alarm(self._clock.now(), "filter", f"what a user says of his mail is not kept: {problem}", "lessons"))
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, said)

    def _content(self, owner: str, mail: str) -> bytes | None:
        """A message as it was delivered; None where there is none any more. Raises `Problem`."""
        with self._lent() as boxes:
            [found] = boxes.owners.by_id([owner])
            if found is None or found.state == "removed":
                return None
            with boxes.opened(found) as box:
                [kept] = box.mails([mail])
                return box.read(kept) if kept is not None else None

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Teach the filters of another configuration."""
        yield
        self.learning.take(config)

    async def stop(self, grace: float) -> None:  # noqa: ARG002 - what is not told is told by the next daemon
        """Let go of the lessons."""
        await asyncio.to_thread(self.learning.close)
