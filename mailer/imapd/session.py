"""A session as those see it who do what a client asks: its machine, its mailbox, the folder that is open, and what may be said of it.

A handler is a coroutine that is given the session and a command, asks the mailbox, says what there is to say, and returns the line that
ends the command. It waits for nothing but `ask` and `flow`; what raises `ImapRefused`, a `Problem` or `BadCommand` there ends the command
alone.

What others did in the open folder is asked for where somebody has told of it, and where a client wants to know; what this session did
itself is not told to it twice. It refers to the MODSEQ of the view, which only moves on with all that happened up to there.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from mailer.imap import flags as rendering
from mailer.imap import response
from mailer.mailbox.api import MOST_KEYWORDS, NoFolder

from . import recent
from .troubles import FolderGone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from mailer.accounts.users.api import Proved, User
    from mailer.imap.answer import Answer
    from mailer.imap.server import ImapServer
    from mailer.imap.view import FolderView
    from mailer.mailbox.api import Flagged, FolderChanges, FolderEntry, Mailbox
    from mailer.net.stream import Stream
    from mailer.serving.boxes import BoxUse

    from .terms import ImapTerms

T = TypeVar("T")
Handler: TypeAlias = "Callable[[ImapSession, Any], Awaitable[Answer]]"
"""What does one kind of commands."""

TURN = 0.005  # seconds after which others have theirs
PORTION = 65536  # octets that are said before it is looked whether they are read
DEAF = "our answers are not read"
DELETED_BY_ANOTHER = "the folder that is open was deleted"
NUMBERED_ANEW = "the folder that is open has new numbers, open it again"


class WantedNews(Protocol):
    """What a client wants to hear of (`notifying`): in the folder that is open, and elsewhere."""

    @property
    def tells_messages(self) -> bool:
        """Whether it wants to hear of messages that come and go in the open folder."""

    @property
    def tells_flags(self) -> bool:
        """Whether it wants to hear of flags there."""

    @property
    def is_immediate(self) -> bool:
        """Whether it is told at once of messages that went there, and not only behind a command."""

    @property
    def is_behind(self) -> bool:
        """Whether something has happened elsewhere that it may want to hear of."""

    def hear(self, folder: int, modseq: int) -> None:
        """Somebody tells that a folder has changed."""

    def did(self, what: str, name: str) -> None:
        """The client has done something itself, which it is not told."""

    def put(self, folder: int, uids: Iterable[int], modseq: int) -> None:
        """The client has put messages into a folder, which it is not told."""

    async def bring(self, uids: Sequence[int]) -> None:
        """Tell what the client wants to know of messages that came into the open folder. Raises `OSError`, `Problem`."""

    async def tell(self) -> None:
        """Say what has happened elsewhere. Raises `OSError`, `Problem`."""


class ImapSession:
    """One session. Handlers may read the public attributes; `view` they set by `open_folder` and `leave_folder`."""

    __slots__ = (
        "_box",
        "_heard",
        "_is_unsure",
        "_proved",
        "_safe",
        "_said",
        "_since",
        "beside",
        "keywords",
        "late",
        "machine",
        "notifying",
        "observers",
        "stream",
        "terms",
        "within",
    )

    def __init__(self, stream: Stream, machine: ImapServer, terms: ImapTerms) -> None:
        self.stream = stream
        self.machine = machine
        self.terms = terms
        self.observers: list[Callable[[int, int], None]] = []
        """Who hears of changes of any folder of the mailbox, besides the session: (folder, MODSEQ), in the event loop."""
        self.notifying: WantedNews | None = None
        """What the client wants to hear of, if it has said so."""
        self.keywords: set[str] = set()
        """The keywords of the open folder that the client was told of."""
        self.beside = False
        """Whether something is said while the client is waited for elsewhere."""
        self.within = False
        """Whether an answer was begun that is not said to its end: nothing else can be said then."""
        self.late = ""
        """What the client is late with, if it is late."""
        self._proved: Proved | None = None
        self._box: BoxUse | None = None
        self._is_unsure = False  # whether there may be something that nobody told of
        self._heard = 0  # the MODSEQ of the open folder that somebody told of
        self._safe = 0  # the MODSEQ up to which the client was told all
        self._said = 0  # octets since it was looked whether they are read
        self._since = monotonic()

    # -- whose it is

    @property
    def user(self) -> User:
        """The user who has logged in."""
        assert self._proved is not None  # the machine wants that first
        return self._proved.user

    @property
    def box(self) -> BoxUse:
        """The mailbox of the user."""
        assert self._box is not None
        return self._box

    def belongs_to(self, proved: Proved, box: BoxUse) -> None:
        """Somebody has logged in, and has this mailbox."""
        self._proved, self._box = proved, box

    async def ask(self, function: Callable[..., T], *args: Any) -> T:
        """What `function` says, which is called with the mailbox in a thread. Raises `Problem`, which ends the command."""
        return await self.box.ask(function, *args)

    # -- what is said

    def say(self, line: bytes) -> None:
        """Say an untagged line, without what stands before and behind it."""
        self._said += len(line)
        self.machine.say(line)

    def say_raw(self, octets: bytes) -> None:
        """Say octets as they are: of a line that has literals."""
        self._said += len(octets)
        self.machine.say_raw(octets)

    async def say_all(self, lines: Iterable[bytes]) -> None:
        """Say untagged lines, as fast as they are read. Raises `OSError`."""
        for line in lines:
            self.say(line)
            if self._said >= PORTION:
                await self.flow()

    async def flow(self) -> None:
        """Hand over what was said, wait until it is read as far as it has to be, and let others have their turn. Raises `OSError`."""
        self._said = 0
        self.write()
        if self.stream.full and self.beside:
            await self.stream.room()
        elif self.stream.full:
            self.late = DEAF
            self.stream.allow(self.terms.pace.answers)
            await self.stream.flush()
        if monotonic() - self._since > TURN:
            await self.turn()
        if self.stream.gone:
            raise ConnectionAbortedError("the client has left")

    async def turn(self) -> None:
        """Let others have their turn."""
        await asyncio.sleep(0)
        self._since = monotonic()

    def write(self) -> None:
        """Hand over what was said. A client that has left is not answered, but what it said before counts."""
        said = self.machine.take()
        if said and not self.stream.gone:
            self.stream.write(said)

    # -- the folder that is open

    @property
    def view(self) -> FolderView:
        """The folder that is open, as the client was told of it."""
        assert self.machine.view is not None
        return self.machine.view

    def open_folder(self, view: FolderView, keywords: Iterable[str]) -> None:
        """A folder is open from now on, which has these keywords."""
        self.machine.view, self._heard, self._safe, self.keywords = view, 0, view.modseq, {*keywords}

    def leave_folder(self) -> None:
        """No folder is open any more."""
        self.machine.view, self._heard, self.keywords = None, 0, set()

    def hear(self, folder: int, modseq: int) -> None:
        """Somebody tells that a folder has changed; folder 0, that any may have."""
        view = self.machine.view
        if not folder:
            self._is_unsure = view is not None
        elif view is not None and view.folder == folder:
            self._heard = max(self._heard, modseq)
        if self.notifying is not None:
            self.notifying.hear(folder, modseq)
        for observer in self.observers:
            observer(folder, modseq)

    def hear_own(self, folder: int, uids: Iterable[int], modseq: int) -> None:
        """The client has put messages into a folder, which get these UIDs."""
        if self.notifying is not None:
            self.notifying.put(folder, uids, modseq)
        self.hear(folder, modseq)

    @property
    def is_behind(self) -> bool:
        """Whether something happened that the client wants to hear of: in the open folder, or what it has asked for by NOTIFY."""
        watch = self.notifying
        if watch is None:
            return self._is_view_behind
        return (watch.tells_messages and self._is_view_behind) or watch.is_behind

    @property
    def _is_view_behind(self) -> bool:
        """Whether something happened in the open folder that the view does not know."""
        view = self.machine.view
        return view is not None and (self._is_unsure or self._heard > view.modseq)

    async def catch_up(self, *, expunges: bool, look: bool = False, unasked: bool = False) -> None:
        """Say what happened in the open folder as far as it may be said now; with `look` it is asked for although nobody has told of it.

        What the client has not asked for by a command that changes messages itself is said as NOTIFY has it, if that was said, with what
        it wants to know of new messages. Raises `FolderGone`, `OSError`, `Problem`.
        """
        view, watch = self.machine.view, self.notifying
        if view is not None and (watch is None or watch.tells_messages or not unasked):
            last = view.uid(len(view)) if watch is not None and len(view) else 0
            lines = await self._caught_up(view, expunges=expunges, look=look)
            if watch is not None and unasked and not watch.tells_flags:
                lines = [line for line in lines if b" FETCH (" not in line]
            await self.say_all(lines)
            self._say_safe(view)
            if watch is not None:
                await watch.bring(uids_behind(view, last))
        if watch is not None:
            await watch.tell()

    async def _caught_up(self, view: FolderView, *, expunges: bool, look: bool) -> list[bytes]:
        """What is to be said. Raises `FolderGone`, `Problem`."""
        if not look and not self._is_view_behind:
            return self._news(view, expunges=expunges)
        self._is_unsure = False
        words, lines = await self._looked(view, expunges=expunges)
        self.tell_keywords(words)
        return lines

    def _say_safe(self, view: FolderView) -> None:
        """Where messages went and that is not told yet, say up to where the client knows all, for it has heard of later changes. RFC 7162
        §3.2"""
        if not view.waiting:
            self._safe = view.modseq
        elif self.machine.qresync:
            self.say(response.code("HIGHESTMODSEQ", self._safe, "what went since then is told later"))

    async def _looked(self, view: FolderView, *, expunges: bool) -> tuple[set[str], list[bytes]]:
        """The keywords that what happened since has, and what is to be said. Raises `FolderGone`, `Problem`."""

        def look(mailbox: Mailbox) -> tuple[set[str], list[bytes]]:
            """In a thread, for it may be all of a large folder; nobody else has the view meanwhile."""
            changes = mailbox.changes(view.folder, view.modseq)
            words = take(view, changes)
            if view.coming and not self.machine.rev2:
                recent.look(mailbox, view, changes.folder, view.coming)
            return words, self._news(view, expunges=expunges)

        try:
            return await self.ask(look)
        except NoFolder as problem:
            raise FolderGone(DELETED_BY_ANOTHER) from problem

    def _news(self, view: FolderView, *, expunges: bool) -> list[bytes]:
        machine = self.machine
        uids = machine.rev2 or machine.by_uid or self.notifying is not None
        return view.news(expunges=expunges, qresync=machine.qresync, condstore=machine.condstore, uids=uids, recent=not machine.rev2)

    def took(self, done: Flagged, *, told: bool) -> None:
        """The session has changed flags itself, and has `told` them. Where nobody else did anything meanwhile the view knows all; else that
        is asked for, and what is ours as well if it was not told, for somebody may have changed the same."""
        if told:
            self.view.told((each.uid, each.modseq) for each in done.entries)
        if done.before == self.view.modseq:
            self.view.take((), (), done.modseq)
        else:
            self._heard = max(self._heard, done.modseq)

    def tell_keywords(self, words: Iterable[str]) -> None:
        """Say which keywords there are, where one of these is among them that the client was not told of. RFC 9051 §7.3.5"""
        new = {*words} - self.keywords
        if new:
            self.keywords |= new
            self.say_flags()

    def say_flags(self) -> None:
        """Say the flags of the open folder, and which of them stay. RFC 9051 §7.3.5, §7.1"""
        words = sorted(self.keywords)
        self.say(response.folder_flags(words))
        self.say(response.permanent_flags(words, readonly=self.view.readonly, more=len(words) < MOST_KEYWORDS))


def take(view: FolderView, changes: FolderChanges) -> set[str]:
    """Let a view know what happened; the keywords that this has. Raises `FolderGone` where its UIDs mean nothing any more (RFC 9051
    §2.3.1.1)."""
    if changes.folder.uidvalidity != view.uidvalidity:
        raise FolderGone(NUMBERED_ANEW)
    vanished = view.lost(each.uid for each in changes.entries) if changes.whole else changes.vanished
    new = [each for each in changes.entries if each.modseq > view.modseq]
    view.take([(each.uid, rendered(view, each), each.modseq) for each in new], vanished, changes.folder.modseq)
    return keywords_of(new)


def uids_behind(view: FolderView, last: int) -> list[int]:
    """The UIDs above `last` that the client knows, ascending."""
    found = []
    for number in range(len(view), 0, -1):
        uid = view.uid(number)
        if uid <= last:
            break
        found.append(uid)
    return found[::-1]


def keywords_of(entries: Iterable[FolderEntry]) -> set[str]:
    """All keywords that these have."""
    return {word for each in entries for word in each.keywords}


def rendered(view: FolderView, entry: FolderEntry) -> bytes:
    """The flags of an entry, as FETCH tells them."""
    return rendering.rendered(int(entry.flags) | (rendering.RECENT if entry.uid in view.recent else 0), entry.keywords)


def fetched(view: FolderView, number: int, entry: FolderEntry, *, modseq: bool, flags: bool = True) -> bytes:
    """A FETCH of what can change of a message, with its UID."""
    items = b"UID %d" % entry.uid
    if flags:
        items += b" FLAGS " + rendered(view, entry)
    if modseq:
        items += b" MODSEQ (%d)" % entry.modseq
    return b"%d FETCH (%b)" % (number, items)
