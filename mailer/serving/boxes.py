"""Mailboxes as sessions use them: questions go to threads, and news come back.

A session is idle for hours, and there are thousands: so it holds no mailbox open, but the owner alone, by whom `Mailboxes` finds it each
time; those that are used most are open in any case. A mailbox that was moved meanwhile is found where it is now, once for each question.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from mailer.mail.problem import Problem
from mailer.mailbox.api import Frozen

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from mailer.mailbox.api import Mailbox
    from mailer.mailbox.mailboxes import Mailboxes
    from mailer.mailbox.owners.api import Owner

    from .threads import BoxThreads

    NewsCallback = Callable[[int, int], None]
    Lent = Callable[[], AbstractContextManager[Mailboxes]]

P = ParamSpec("P")
T = TypeVar("T")


class MailboxGone(Problem):
    """The mailbox that a session uses is nobody's any more: the session can only end."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "unavailable")


class BoxUse:
    """The use that one session makes of the mailbox of `address`, of those that are `lent`, in threads of `computing`.

    The mailbox is made if there is none. It may be asked from one task at a time, or several.
    """

    __slots__ = ("_computing", "_id", "_lent", "_owner", "address")

    def __init__(self, lent: Lent, address: str, computing: BoxThreads) -> None:
        self._lent = lent
        self._computing = computing
        self._owner: Owner | None = None
        self._id = ""  # of him, once he is known
        self.address = address

    async def owner_id(self) -> str:
        """The ID of the owner, which changes are told by. Raises `Problem`, `NoKey`."""
        if self._owner is None:
            await self.ask(_nothing)
        assert self._owner is not None
        return self._owner.id

    async def ask(self, function: Callable[Concatenate[Mailbox, P], T], *args: P.args, **more: P.kwargs) -> T:
        """What ``function(mailbox, *args)`` gives, in a thread. Raises what it raises; of a mailbox that was moved, behind a second try."""
        return await self._computing.answer(self.address.casefold(), lambda: self._asked(function, *args, **more))

    def close(self) -> None:
        """Forget whose mailbox it is; nothing was held."""
        self._owner = None

    def _asked(self, function: Callable[Concatenate[Mailbox, P], T], *args: P.args, **more: P.kwargs) -> T:
        try:
            return self._once(function, *args, **more)
        except Frozen:
            raise
        except Problem as problem:
            if problem.kind != "try-again" or self._owner is None:
                raise
            self._owner = None
            return self._once(function, *args, **more)

    def _once(self, function: Callable[Concatenate[Mailbox, P], T], *args: P.args, **more: P.kwargs) -> T:
        with self._lent() as boxes:
            if self._id:
                self._owner = self._owner or self._found(boxes)
                with boxes.opened(self._owner) as box:
                    return function(box, *args, **more)
            with boxes.of(self.address, make=True) as box:
                self._owner, self._id = box.owner, box.owner.id
                return function(box, *args, **more)

    def _found(self, boxes: Mailboxes) -> Owner:
        """The owner as he is now; never another one, whose address it may be by now. Raises `MailboxGone`."""
        owner = boxes.owners.by_id([self._id])[0]
        if owner is None or owner.state == "removed":
            raise MailboxGone(f"the mailbox of {self.address} was removed, or has another owner now")
        return owner


class News:
    """The listeners of one process, by the mailboxes that they want to hear of.

    Told of changes by whatever thread, it tells in that of the loop.

    What comes while the loop does something else is told together, of each folder the last MODSEQ. A listener is called with folder and
    MODSEQ, or with 0 and 0 where anything may have changed; in either case he asks the mailbox, which alone knows.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: dict[str, dict[int, NewsCallback]] = {}
        self._numbers = iter(range(1 << 62))
        self._newest: dict[tuple[str, int], int] = {}
        self._lock = Lock()

    def listen(self, owner: str, callback: NewsCallback) -> Callable[[], None]:
        """Call `callback` when the mailbox of the owner with this ID changes, from now on until what is returned is called."""
        number = next(self._numbers)
        self._listeners.setdefault(owner, {})[number] = callback

        def leave() -> None:
            listeners = self._listeners.get(owner, {})
            listeners.pop(number, None)
            if not listeners:
                self._listeners.pop(owner, None)

        return leave

    def told(self, owner: str, folder: int, modseq: int) -> None:
        """A folder has changed, of the owner with this ID; without one, any of anybody."""
        if owner and owner not in self._listeners:
            return
        with self._lock:
            is_first = not self._newest
            key = owner, folder
            self._newest[key] = max(self._newest.get(key, 0), modseq)
        if is_first:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        with self._lock:
            newest, self._newest = self._newest, {}
        for (owner, folder), modseq in newest.items():
            owners = [owner] if owner else [*self._listeners]
            for each in owners:
                for callback in [*self._listeners.get(each, {}).values()]:
                    callback(folder, modseq)


def _nothing(_: Mailbox) -> None:
    """It is open."""
