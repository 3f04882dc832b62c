"""NOTIFY: a client hears of what it asked for, whenever that happens, in IDLE and without. RFC 5465.

What is known of all folders is kept with the session that wants to hear of them; when somebody tells that one has changed, it is asked for
as it is, and compared (`watching`). So a change is told once, however often it rings, and what was made and unmade meanwhile is not.

A client is told nothing of what it did itself: changes of names, subscriptions and notes, and messages that it put into a folder, unless
something else has happened there as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.imap.answer import Answer
from mailer.imap.command import Fetch, NumberSet
from mailer.imap.notifying import BAD_EVENT, SELECTED, unknown
from mailer.imap.sets import pairs

from .fetching import fetch
from .watched import WatchedFolders
from .watching import SERVER, OwnPut, Survey, WatchTerms, first_status, news

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.imap.command import EventGroup, FetchItem, Notify
    from mailer.mailbox.api import Folder, Mailbox

    from .session import ImapSession

MOST_FOLDERS: Final = 5000  # that are known for a session
MOST_LINES: Final = 2000  # that are told at once
ALL: Final = 100  # folders that have changed, above which all are looked at
METADATA: Final = frozenset({"MAILBOXMETADATACHANGE", "SERVERMETADATACHANGE"})

TOO_MUCH: Final = Answer("NO", f"there are more than {MOST_FOLDERS} folders, that is too much to watch", "NOTIFICATIONOVERFLOW")
OVERFLOW: Final = b"OK [NOTIFICATIONOVERFLOW] too much has happened at once, nothing is told from now on"


async def notify(session: ImapSession, command: Notify) -> Answer:
    """NOTIFY SET and NOTIFY NONE."""
    if unknown(command):
        return Answer("NO", "there is no such event", BAD_EVENT)
    if command.groups:
        await session.catch_up(expunges=True, look=True)  # RFC 5465 §3.1: as NOOP does
    watch = Notifying(session, command.groups)
    if watch.others and not await watch.begin():
        return TOO_MUCH
    if command.status:
        await session.say_all(first_status(watch.others, watch.known, watch.terms))
    session.notifying = watch
    return Answer("OK", "you will hear of it" if command.groups else "you will hear of nothing")


class Notifying:
    """What one session wants to hear of: in the folder that is open, and of `others`."""

    __slots__ = ("_is_noting", "_own", "_put", "_rung", "_selected", "_session", "known", "others")

    def __init__(self, session: ImapSession, groups: Sequence[EventGroup]) -> None:
        self._session = session
        self._selected = next((group for group in groups if group.which in SELECTED), None)
        self.others = WatchedFolders(group for group in groups if group.which not in SELECTED and group.events)
        self._is_noting = not METADATA.isdisjoint(self.others.all_events)
        self.known = Survey({})
        self._rung: set[int] = set()
        self._own: set[tuple[str, str]] = set()
        self._put: dict[int, OwnPut] = {}

    # -- the folder that is open

    @property
    def tells_messages(self) -> bool:
        """Whether the client wants to hear of messages that come and go there."""
        return self._selected is not None and bool(self._selected.events)

    @property
    def tells_flags(self) -> bool:
        """Whether it wants to hear of flags."""
        return self._selected is not None and "FLAGCHANGE" in self._selected.events

    @property
    def is_immediate(self) -> bool:
        """Whether it is told at once of messages that went, and not only behind a command (RFC 5465 §6.1)."""
        return self._selected is not None and self._selected.which == "SELECTED"

    @property
    def _items(self) -> Sequence[FetchItem]:
        return self._selected.fetch if self._selected is not None else ()

    async def bring(self, uids: Sequence[int]) -> None:
        """Tell what the client wants to know of messages that came (RFC 5465 §5.2). Raises `OSError`, `Problem`."""
        own = self._put.pop(self._session.view.folder, None)
        new = [uid for uid in uids if own is None or uid not in own.uids]
        if new and self._items:
            await fetch(self._session, Fetch(NumberSet(tuple(pairs(new))), True, self._items))

    # -- all others

    async def begin(self) -> bool:
        """Know all folders; False where they are too many. Raises `Problem`."""
        self._rung.clear()
        self.known = await self._session.ask(self._survey, {SERVER})
        return len(self.known.folders) <= MOST_FOLDERS

    def hear(self, folder: int, modseq: int) -> None:
        """Somebody tells that a folder has changed."""
        known = self.known.folders.get(folder)
        if self.others and (known is None or not modseq or modseq > known.modseq):
            self._rung.add(folder)

    def did(self, what: str, name: str) -> None:
        """The client has done something itself, which it is not told."""
        if self.others:
            self._own.add((what, name))
            self._rung.add(SERVER)

    def put(self, folder: int, uids: Iterable[int], modseq: int) -> None:
        """The client has put messages into a folder."""
        self._put[folder] = OwnPut(frozenset(uids), modseq)

    @property
    def is_behind(self) -> bool:
        """Whether something has happened that the client may want to hear of."""
        return bool(self._rung)

    @property
    def terms(self) -> WatchTerms:
        """How it is told now."""
        view = self._session.machine.view
        return WatchTerms(
            self._session.machine.utf8, self._session.machine.condstore, view.folder if view is not None else 0, self._own, self._put
        )

    async def tell(self) -> None:
        """Say what has happened. Raises `OSError`, `Problem`."""
        while self._rung:
            rung, self._rung = self._rung, set()
            try:
                found = await self._session.ask(self._survey, rung)
            except BaseException:
                self._rung |= rung  # it is asked for again
                raise
            lines = news(self.others, self.known, found, self.terms)
            self.known = found
            self._own.clear()
            self._put.clear()
            if len(found.folders) > MOST_FOLDERS or len(lines) > MOST_LINES:
                self._give_up()
                return
            await self._session.say_all(lines)

    def _give_up(self) -> None:
        """Go on as after NOTIFY NONE (RFC 5465 §5.8)."""
        self.others, self._selected, self.known = WatchedFolders(()), None, Survey({})
        self._rung.clear()
        self._session.say(OVERFLOW)

    def _survey(self, mailbox: Mailbox, rung: set[int]) -> Survey:
        """In a thread: all folders as they are, or as they were but for those that have changed."""
        marks = {(folder, entry): modseq for folder, entry, modseq in mailbox.annotation_marks()} if self._is_noting else {}
        known = self.known.folders
        some = {number: mailbox.numbered(number) for number in rung} if SERVER not in rung and len(rung) <= ALL else {}
        now = {number: folder for number, folder in some.items() if folder is not None and _is_same(known.get(number), folder)}
        if not some or len(now) < len(some):
            return Survey({folder.id: folder for folder in mailbox.folders()}, frozenset(mailbox.wanted()), marks)
        return Survey({**known, **now}, self.known.wanted, marks)


def _is_same(old: Folder | None, new: Folder) -> bool:
    """Whether a folder is called and subscribed as it was."""
    return old is not None and (old.name, old.subscribed) == (new.name, new.subscribed)
