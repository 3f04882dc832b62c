"""The mailboxes as a part of the daemon: opened by whoever needs one first, looked after from time to time, closed at the end.

A daemon whose domains have their mailboxes elsewhere loads nothing of them. A place that cannot be used keeps no daemon from its other
work: mail for it waits, and an alarm says why.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

from mailer.events import Alarm, Mended
from mailer.io.component import Component
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores

    from .api import Told
    from .box import OwnMailbox, Verdict
    from .mailboxes import Mailboxes

SWEEP: Final = 3600.0  # seconds between two looks at what was deleted long enough ago


class _Lot:
    """The mailboxes of one configuration, and how many use them; they are closed when they are `over` and nobody does."""

    def __init__(self, boxes: Mailboxes) -> None:
        self.boxes = boxes
        self.users = 0
        self.over = False


class MailboxesComponent(Component):
    """The mailboxes of `config`; they are swept by `chores`, unless it is for one pass, or somebody else does that (`once`).

    `news` hears of changes, in whatever thread; `own` is what the bell is not rung for then (`mailboxes_of`).

    `judged` hears in whatever thread what users say of their mail: the ID of the owner, that of the message, and the verdict.
    """

    def __init__(
        self,
        config: Config,
        tell: Callable[[Event], None],
        clock: Clock,
        chores: Chores,
        *,
        once: bool = False,
        judged: Callable[[str, str, Verdict], None] | None = None,
        news: Told | None = None,
        own: Callable[[], str] = str,
    ) -> None:
        self._judged = judged
        self._news = news
        self._own = own
        self._config = config
        self._tell = tell
        self._clock = clock
        self._lock = Lock()
        self._lot: _Lot | None = None
        self._begun: set[asyncio.Future[None]] = set()
        if not once:
            chores.every(SWEEP, self._sweep, what="mailboxes could not be swept")

    @contextmanager
    def of(self, address: str, *, make: bool = False) -> Iterator[OwnMailbox]:
        """The mailbox of `address`, in whatever thread, for as long as the ``with``; it is made with `make`. Raises `Problem`, `NoKey`."""
        with self.lent() as boxes, boxes.of(address, make=make) as mailbox:
            yield mailbox

    @contextmanager
    def lent(self) -> Iterator[Mailboxes]:
        """The mailboxes, in whatever thread; whoever has them keeps them until the end of his ``with``. Raises `Problem`."""
        with self._lock:
            if self._lot is None:
                from .configured import mailboxes_of

                self._lot = _Lot(mailboxes_of(self._config, clock=self._clock.now, tell=self._news, judged=self._judged, own=self._own()))
            lot = self._lot
            lot.users += 1
        try:
            yield lot.boxes
        finally:
            with self._lock:
                lot.users -= 1
                last = lot.over and not lot.users
            if last:
                lot.boxes.close()

    async def start(self) -> None:
        """Say whether they can be used, where there are any."""
        if self._config.has_mailboxes:
            self._tell(await asyncio.to_thread(self._look))

    def _look(self) -> Event:
        """What there is to tell; who is told does things that belong to the loop."""
        now = self._clock.now()
        try:
            with self.lent() as boxes:
                boxes.owners.listing(limit=1)
                self._look_for_keys(boxes)
        except Problem as problem:
            return Alarm(now, "mailboxes", f"mail for our mailboxes waits: {problem}")
        return Mended(now, "mailboxes", detail="they can be used")

    def _look_for_keys(self, boxes: Mailboxes) -> None:
        """Raises `NoKey` where a master key is missing that is needed, or is to be: no mail is taken into a mailbox that does not open."""
        from .masters import keyring_of

        keyring_of(self._config, boxes.owners).look()

    async def _sweep(self) -> None:
        """Remove what was deleted long enough ago."""
        if self._config.has_mailboxes:
            self._tell(await asyncio.to_thread(self._swept))

    def _swept(self) -> Event:
        now = self._clock.now()
        try:
            with self.lent() as boxes:
                troubles = boxes.sweep(now).troubles
        except Problem as problem:
            troubles = [str(problem)]
        if troubles:
            more = f", and {len(troubles) - 1} more" if len(troubles) > 1 else ""
            return Alarm(now, "mailboxes", f"what was deleted is still there: {troubles[0]}{more}", "sweep")
        return Mended(now, "mailboxes", "sweep", "they were swept")

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Go by another configuration; where that has them elsewhere, those that are open are closed when nobody uses them any more.

        Raises `Problem` where they are to be encrypted, or not any more: files are written anew for that which must not be open.
        """
        if self._lot is not None and config.mailboxes.encryption != self._config.mailboxes.encryption:
            raise Problem("mailboxes.encryption is another than that of the daemon, and takes a restart; nothing was changed", "bad-config")
        yield
        before, self._config = self._config, config
        if before.mailboxes != config.mailboxes or before.has_mailboxes != config.has_mailboxes:
            self._begin(asyncio.to_thread(self._retire))
            self._begin(self.start())

    def _retire(self) -> None:
        """Have the next who asks get other ones, and close those that are open."""
        with self._lock:
            lot, self._lot = self._lot, None
            if lot is None:
                return
            lot.over = True
            used = lot.users > 0
        if not used:
            lot.boxes.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    async def stop(self, grace: float) -> None:  # noqa: ARG002 - whoever put something has waited for it
        """Close them."""
        await asyncio.gather(*self._begun)
        await asyncio.to_thread(self._retire)
