"""The mailbox of one owner, over an engine that has its rows and what keeps its bodies. One logic for all engines.

Each question and each change is a function of another file of this room, called in one transaction here; what changed is told when it is
durable. A mailbox whose rows are not there although its bodies are has lost them: it is not begun anew, for clients would throw away what
they have, but says so.
"""

from __future__ import annotations

import time
from contextlib import suppress
from hashlib import sha256
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from mailer.mail.flags import PLAIN
from mailer.mail.problem import Problem
from mailer.mime.rendered import render
from mailer.spool import new_id

from . import (
    checking,
    claiming,
    collating,
    copying,
    discarded,
    entries,
    expunging,
    fetched,
    flagging,
    folders,
    heads,
    ledger,
    maildrop,
    mails,
    noting,
    opening,
    putting,
    ranking,
    search,
    settings,
    subscriptions,
    sweeping,
    texts,
)
from .api import UNBOUNDED, BodyLost, Frozen, NoFolder, PutMail
from .fencing import FencedEngine
from .ledger import Ledger, StaleOwner
from .orders import FolderOrders
from .reading import OwnBodies
from .scripts import Scripts

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterable, Sequence

    from mailer.mail.flags import Flag, Uids
    from mailer.mail.query import Query

    from .api import (
        Annotation,
        BoxFlaw,
        CollatedFolder,
        Copied,
        Flagged,
        Folder,
        FolderChanges,
        FolderEntry,
        Mail,
        MailColumn,
        NewMail,
        OpenedFolder,
        Quota,
        Role,
        SortColumn,
        StoredMail,
        Told,
        Usage,
    )
    from .bodies.api import Bodies
    from .engine.api import Engine, Rows
    from .owners.api import Owner
    from .sealing import Sealing

T = TypeVar("T")
Verdict = Literal["spam", "ham"]

KEPT: Final = 7 * 86400.0  # seconds that a deleted message is kept
PROVING = False  # whether a mailbox is checked when it closes, as it is under test
PORTION: Final = 100  # messages whose texts are made anew in one transaction
LOST: Final = "put back a backup, or rebuild it from the messages: mailer doctor --repair"


class MailboxTerms(NamedTuple):
    """What a mailbox needs of others: the time, who hears of changes, who hears of junk and of what is none (the ID of the owner, that of
    the message, the verdict), what seals bodies, how long deleted messages are kept, and the owner with an ID as he is now."""

    clock: Callable[[], float] = time.time
    tell: Told | None = None
    judged: Callable[[str, str, Verdict], None] | None = None
    opener: Callable[[Owner], Sealing | None] | None = None
    kept: float = KEPT
    again: Callable[[str], Owner | None] | None = None


class KeysChanged(Problem):
    """The owner got other keys after a body was sealed, which nobody could open when those before are gone: it is sealed again."""

    def __init__(self, address: str) -> None:
        super().__init__(f"the mailbox of {address} was given new keys this moment; try again", "try-again")


class OwnMailbox:
    """A `Mailbox`: that of `owner`, whose rows are in `engine` and whose messages in `bodies`. Raises `Problem` where it has lost its rows.

    With `anew`, the rows are begun anew if they are not there, whatever there is of messages. It may be used by several threads.
    """

    def __init__(self, owner: Owner, engine: Engine, bodies: Bodies, terms: MailboxTerms | None = None, *, anew: bool = False) -> None:
        self.owner = owner
        self.engine = engine
        self.terms = terms or MailboxTerms()
        self.bodies = OwnBodies(owner.id, bodies, self._sealing)
        self.scripts = Scripts(engine, self._change_rows)
        self._orders = FolderOrders()
        self._sealed_by: tuple[int, Sealing | None] | None = None
        self._lock = Lock()
        self._open(anew=anew)

    # Folders

    def folders(self) -> Sequence[Folder]:
        """All folders, in the order of their names."""
        return self.engine.read(lambda rows: folders.listing(rows, self.engine.owner))

    def folder(self, name: str) -> Folder | None:
        """The folder of that name."""
        return self.engine.read(lambda rows: ledger.by_name(rows, self.engine.owner, name))

    def with_role(self, role: Role) -> Folder | None:
        """The folder that is for this."""
        return self.engine.read(lambda rows: folders.with_role(rows, self.engine.owner, role))

    def create(self, name: str, *, role: Role = "", subscribed: bool = True) -> Folder:
        """Make a folder, and its parents. Raises `Problem`."""
        return self.change(lambda act: folders.create(act, name, role, subscribed=subscribed))

    def rename(self, name: str, to: str) -> Folder:
        """Give it and what is below it another name. Raises `NoFolder`, `Problem`."""
        return self.change(lambda act: folders.rename(act, name, to))

    def delete(self, name: str) -> None:
        """Delete a folder with its messages. Raises `NoFolder`, `Problem`."""
        self.change(lambda act: folders.delete(act, name, act.now + self.terms.kept))

    def subscribe(self, name: str, subscribed: bool) -> None:
        """Say whether clients show it. Raises `Problem`."""
        self.change(lambda act: folders.subscribe(act, name, subscribed=subscribed))

    def wanted(self) -> Sequence[str]:
        """The names that are subscribed, and that no folder has."""
        return self.engine.read(lambda rows: subscriptions.wanted(rows, self.engine.owner))

    def numbered(self, folder: int) -> Folder | None:
        """The folder with that number, if it is still there."""
        with suppress(NoFolder):
            return self.engine.read(lambda rows: ledger.by_id(rows, self.engine.owner, folder))
        return None

    def deleted_octets(self, folder: int) -> int:
        """The octets that an expunge of a folder would free."""
        return self.engine.read(lambda rows: expunging.freed(rows, self.engine.owner, folder))

    def annotations(self, folder: int | None = None) -> Sequence[Annotation]:
        """What is noted at a folder, or anywhere."""
        return self.engine.read(lambda rows: noting.listing(rows, self.engine.owner, folder))

    def annotation_marks(self) -> Sequence[tuple[int, str, int]]:
        """Folder, entry and MODSEQ of all that is noted anywhere."""
        return self.engine.read(lambda rows: noting.marks(rows, self.engine.owner))

    def annotate(self, folder: int, values: Sequence[tuple[str, bytes | None]]) -> None:
        """Note entries at a folder. Raises `NoFolder`, `TooMany`, `Problem`."""
        self.change(lambda act: noting.annotate(act, folder, values))

    def number(self, name: str, uidvalidity: int, uidnext: int = 1) -> Folder:
        """Have the numbers of another store in a folder that never had a message. Raises `NoFolder`, `Problem`."""
        return self.change(lambda act: folders.number(act, name, uidvalidity, uidnext))

    def renumber(self) -> None:
        """Give all folders a new UIDVALIDITY, after a restore."""
        self.change(folders.renumber)

    # Messages

    def put(self, news: Sequence[NewMail], quota: Quota = UNBOUNDED, *, instead: tuple[int, int] | None = None) -> Sequence[PutMail]:
        """Put all of them, or none, in place of a message if asked. Raises `OverQuota`, `Frozen`, `NoKey`, `NoFolder`, `Problem`."""
        if not news:
            return ()
        try:
            return self._put(news, quota, instead)
        except KeysChanged:
            return self._put(news, quota, instead)

    def _put(self, news: Sequence[NewMail], quota: Quota, instead: tuple[int, int] | None) -> Sequence[PutMail]:
        ready = self.ready(news, quota, instead)
        self.bodies.put(ready.contents.items())
        return self.enter(ready)

    def ready(self, news: Sequence[NewMail], quota: Quota = UNBOUNDED, instead: tuple[int, int] | None = None) -> putting.ReadyPut:
        """What is to be kept of messages, of which nothing is written. Raises `OverQuota`, `NoFolder`, `Problem`."""
        if instead is None and (quota != UNBOUNDED or not all(new.made for new in news)):
            self.engine.read(lambda rows: putting.refuse_early(rows, self.engine.owner, news, quota))
        coming = self._coming(news)
        return putting.ReadyPut(coming, quota, instead, {each.ready.mail.id: each.new.content for each in coming})

    def enter(self, ready: putting.ReadyPut) -> Sequence[PutMail]:
        """Write the rows of messages whose bodies are on the disk, or remove those. Raises what `put` raises, and `KeysChanged`."""
        acted = False

        def act(book: Ledger) -> list[PutMail]:
            nonlocal acted
            acted = False
            if self.bodies.key_number != ready.coming[0].ready.mail.key_number:
                raise KeysChanged(self.owner.address)
            if ready.instead is not None:
                expunging.replaced(book, *ready.instead, book.now + self.terms.kept)
            done = putting.put(book, ready.coming, ready.quota)
            acted = True
            return done

        try:
            done = self.change(act)
        except BaseException:
            if not acted:  # else nobody knows whether the rows are there, and the bodies stay
                self.bodies.remove([*ready.contents])
            raise
        if stale := ready.contents.keys() - {each.mail for each in done}:
            self.bodies.remove([*stale])
        return done

    def delivered(self, onces: Sequence[tuple[str, str]]) -> Sequence[str]:
        """The ID of the message that was put with each of these; empty where none was."""
        return self.engine.read(lambda rows: putting.delivered(rows, self.engine.owner, onces))

    def put_again(self, mail: str, folder: str, flags: Flag = PLAIN, keywords: Sequence[str] = ()) -> PutMail:
        """Have a message that is here in one more folder. Raises `NoFolder`, `Problem` (no-such) for one that is not here."""
        put = self.change(lambda act: putting.put_again(act, mail, folder, int(flags), keywords))
        if put is None:
            raise Problem(f"there is no message {mail} in the mailbox", "no-such")
        return put

    def opened(self, name: str, since: int | None = None) -> OpenedFolder:
        """What a client is told that opens the folder of that name. Raises `NoFolder`."""
        return self.engine.read(lambda rows: opening.opened(rows, self.engine.owner, name, since))

    def recent(self, folder: int) -> int:
        """How many messages of a folder were told as recent to nobody. Raises `NoFolder`."""
        return self.engine.read(lambda rows: claiming.recent(rows, self.engine.owner, folder))

    def claim(self, folder: int, until: int) -> int:
        """Tell messages below a UID as recent; the UID from which on nobody else has. Raises `NoFolder`, `Frozen`."""
        return self.change(lambda act: claiming.claim(act, folder, until))

    def entries(self, folder: int, uids: Uids = None) -> Sequence[FolderEntry]:
        """The entries of a folder with these UIDs, in their order."""
        return self.engine.read(lambda rows: entries.entries(rows, self.engine.owner, folder, uids))

    def uids(self, folder: int) -> array[int]:
        """All UIDs of a folder, ascending."""
        return self.engine.read(lambda rows: entries.uids_of(rows, self.engine.owner, folder))

    def uidls(self, folder: int) -> Sequence[tuple[int, str]]:
        """The names that POP3 has for the messages of a folder, by UID. Raises `NoFolder`."""
        return self.engine.read(lambda rows: maildrop.uidls(rows, self.engine.owner, folder))

    def maildrop(self, folder: int) -> Sequence[tuple[int, int, str]]:
        """What POP3 tells of the messages of a folder: UID, octets on the way, name. Raises `NoFolder`."""
        return self.engine.read(lambda rows: maildrop.maildrop(rows, self.engine.owner, folder))

    def places(self, mails: Sequence[str]) -> Sequence[FolderEntry]:
        """All entries of these messages."""
        return self.engine.read(lambda rows: entries.places(rows, self.engine.owner, mails))

    def mails(self, ids: Sequence[str]) -> Sequence[Mail | None]:
        """Messages by their IDs."""
        return self.engine.read(lambda rows: mails.by_ids(rows, self.engine.owner, ids))

    def fetched(self, folder: int, uids: Uids, columns: tuple[MailColumn, ...]) -> Sequence[tuple[Any, ...]]:
        """The UID and these columns of messages of a folder."""
        return self.engine.read(lambda rows: fetched.fetched(rows, self.engine.owner, folder, uids, columns))

    def keep_headers(self, headers: Sequence[tuple[str, bytes]]) -> None:
        """Keep the headers of messages, which were read from them. Raises `Frozen`."""
        self._change_rows(lambda rows: heads.add(rows, self.engine.owner, headers))

    def read(self, mail: Mail | StoredMail, start: int = 0, length: int | None = None) -> bytes:
        """Octets of a message as a reader gets it. Raises `BodyLost`, `NoKey`, `Problem`."""
        return self.bodies.read(mail, start, length)

    def flag(
        self,
        folder: int,
        uids: Uids,
        how: flagging.How,
        flags: Flag = PLAIN,
        keywords: Sequence[str] = (),
        *,
        unchanged_since: int | None = None,
    ) -> Flagged:
        """Change flags and keywords of messages of a folder. Raises `NoFolder`, `Problem`."""
        return self.change(lambda act: flagging.flag(act, folder, uids, how, flags, keywords, unchanged_since))

    def copy(self, folder: int, uids: Uids, to: str) -> Copied:
        """Have them in another folder as well. Raises `NoFolder`."""
        return self.change(lambda act: copying.copy(act, folder, uids, to))

    def move(self, folder: int, uids: Uids, to: str) -> Copied:
        """Have them in another folder instead. Raises `NoFolder`."""
        return self.change(lambda act: copying.move(act, folder, uids, to))

    def expunge(self, folder: int, uids: Uids = None, *, marked: bool = True) -> tuple[int, Sequence[int]]:
        """Take those out of a folder that are marked as deleted, or all of `uids`. Raises `NoFolder`."""
        return self.change(lambda act: expunging.expunge(act, folder, uids, act.now + self.terms.kept, marked=marked))

    def changes(self, folder: int, since: int) -> FolderChanges:
        """What is new in a folder since a MODSEQ. Raises `NoFolder`, `Problem` (try-again) where the mailbox was moved elsewhere: whoever
        asks this asks for days."""

        def ask(rows: Rows) -> tuple[FolderChanges, bool]:
            account = ledger.account_of(rows, self.engine.owner)
            is_fenced = account is not None and account.epoch > self.owner.epoch
            return entries.changes(rows, self.engine.owner, ledger.by_id(rows, self.engine.owner, folder), since), is_fenced

        found, is_fenced = self.engine.read(ask)
        if is_fenced:
            with suppress(Frozen):
                self._renew()
        return found

    def collated(self, folder: int, uids: Uids, columns: tuple[SortColumn, ...]) -> Sequence[tuple[Any, ...]]:
        """The UID of each message with one of these UIDs, and what it is put in order by. Raises `Problem`."""

        def ask(rows: Rows) -> Sequence[tuple[Any, ...]]:
            return collating.collated(rows, self.engine.owner, folder, uids, columns)

        found = self.engine.read(ask)
        if any(row[1] is None for row in found):
            self._make_collated(folder)
            found = [row for row in self.engine.read(ask) if row[1] is not None]
        return found

    def collated_folder(self, folder: int, columns: tuple[SortColumn, ...]) -> CollatedFolder:
        """What all messages of a folder are put in order by, as it is remembered. Raises `Problem`."""
        engine, orders = self.engine, self._orders
        found = engine.read(lambda rows: orders.read(rows, engine.owner, folder, columns))
        if found is None:
            self._make_collated(folder)
            found = engine.read(lambda rows: orders.read(rows, engine.owner, folder, columns, partly=True))
            assert found is not None
        return found

    def usage(self) -> Usage:
        """What the mailbox has. Raises `Problem` where it has lost its rows."""
        account = self.engine.read(lambda rows: ledger.account_of(rows, self.engine.owner))
        if account is None:
            raise self._lost()
        return account.usage

    # The whole

    def change(self, act: Callable[[Ledger], T]) -> T:
        """Do `act` in one transaction, and tell what changed. Raises `Frozen`, and what `act` raises."""
        self._refuse_frozen()
        try:
            done, book = self._changed(act)
        except StaleOwner:
            self._renew()
            done, book = self._changed(act)
        if self.terms.tell is not None:
            for folder in sorted(book.changed):
                self.terms.tell(self.owner.id, folder, book.modseq)
        if self.terms.judged is not None:
            for mail, verdict in book.verdicts:
                self.terms.judged(self.owner.id, mail, verdict)
        return done

    def setting(self, name: str) -> str:
        """A text that is kept with the mailbox."""
        return self.engine.read(lambda rows: settings.get(rows, self.engine.owner, name))

    def keep_setting(self, name: str, value: str) -> None:
        """Keep it. Raises `Frozen`."""
        self.change(lambda act: settings.keep(act.rows, act.owner, name, value))

    def search(self, query: Query, folder: int | None = None) -> Sequence[FolderEntry]:
        """The entries that `query` is true of. Raises `Problem`."""
        self._have_asked(query)
        return self.engine.read(lambda rows: search.search(rows, self.engine.owner, self.engine.dialect, query, folder))

    def found(self, folder: int, query: Query, patience: float = inf) -> array[int]:
        """The UIDs of a folder, ascending, that `query` is true of. Raises `SearchTooLong`, `Problem`."""
        self._have_asked(query)
        engine = self.engine
        return engine.read(lambda rows: search.found(rows, engine.owner, engine.dialect, query, folder, patience))

    def ranked(self, words: str, folder: int | None = None, most: int = 100) -> Sequence[FolderEntry]:
        """The entries whose messages have all `words` or their beginnings, best first, `most` at most. Raises `Problem`."""
        self._have_texts()
        return ranking.ranked(self.engine, words, folder, most)

    def _have_asked(self, query: Query) -> None:
        """Have what a query asks for. Raises `NoKey`, `Problem`."""
        text, heading = search.asks_rows_of_texts(query)
        if text or heading:
            self._have_texts(text=text)

    def _have_texts(self, *, text: bool = True) -> None:
        """Have what is searched, of all messages: what somebody has deleted is made anew. Raises `NoKey`, `Problem`."""
        while lacking := self.engine.read(lambda rows: texts.lacking(rows, self.engine.owner, PORTION, texts=text)):
            self._make_texts(mail for mail in self.mails(lacking) if mail is not None)

    def _make_texts(self, of: Iterable[Mail]) -> None:
        made = [(mail, texts.made(render(self._readable(mail), mail.prefix))) for mail in of]

        def act(rows: Rows) -> None:
            for mail, kept in made:
                texts.add(rows, self.engine.owner, mail.id, mail.size, mail.received, kept)

        self.engine.change(act)

    def _make_collated(self, folder: int) -> None:
        """Have what the messages of a folder are put in order by, of all: what is missing is made anew. Raises `NoKey`, `Problem`."""
        while lacking := self.engine.read(lambda rows: collating.lacking(rows, self.engine.owner, folder, PORTION)):
            mails = [mail for mail in self.mails(lacking) if mail is not None]
            made = [(mail, collating.made(render(self._readable(mail), mail.prefix), mail.received)) for mail in mails]

            def act(rows: Rows, made: Sequence[tuple[Mail, collating.RowOfOrder]] = made) -> None:
                for mail, row in made:
                    collating.add(rows, self.engine.owner, mail.id, mail.size, mail.received, row)

            self.engine.change(act)

    def _readable(self, mail: Mail) -> bytes:
        try:
            return self.bodies.whole(mail)
        except BodyLost:
            return b""  # nothing is found in it, and `check` says so

    def check(self, *, bodies: bool = False, repair: bool = False) -> Sequence[BoxFlaw]:
        """What is not as it has to be; mended with `repair`. Raises `Problem`."""
        return checking.check(checking.MailboxParts(self.engine, self.bodies, self.change), proved=bodies, repair=repair)

    def sweep(self, now: float) -> int:
        """Remove what was deleted long enough ago, and what was begun and never finished. Raises `Problem`."""
        owner = self.terms.again(self.owner.id) if self.terms.again else self.owner
        if owner is None or owner.store != self.owner.store or (owner.state == "frozen" and owner.until > now):
            return 0  # whoever moves it sees to that
        gone = self.engine.read(lambda rows: discarded.due(rows, self.engine.owner, now - self.terms.kept))
        for folder, uids in gone:
            self.expunge(folder, uids, marked=False)
        return sweeping.sweep(FencedEngine(self.engine, owner.epoch), self.bodies.kept, self.owner.id, now)

    def close(self) -> None:
        """Let go of what is open."""
        if PROVING and (flaws := self.engine.read(lambda rows: [*checking.contradictions(rows, self.engine.owner)])):
            raise AssertionError(flaws)
        self._orders.forget()
        self.engine.close()

    def _change_rows(self, act: Callable[[Rows], T]) -> T:
        """Do `act` with rows that are no folder's."""
        return self.change(lambda book: act(book.rows))

    def _changed(self, act: Callable[[Ledger], T]) -> tuple[T, Ledger]:
        owner = self.owner

        def acted(rows: Rows) -> tuple[T, Ledger]:
            book = Ledger(rows, self.engine.owner, owner.epoch, self.terms.clock())
            done = act(book)
            book.settle()
            return done, book

        return self.engine.change(acted)

    def _coming(self, news: Sequence[NewMail]) -> list[putting.Coming]:
        """Read what is kept of each message; two that are one message are read once."""
        now = self.terms.clock()
        coming: list[putting.Coming] = []
        for new in news:
            known = next((each.ready for each in coming if putting.same(each.new, new)), None) if new.once else None
            if known is None:
                digest, number = sha256(new.content).digest(), self.bodies.key_number
                known = mails.ready(new.content, new.prefix, new.received or now, new_id(now), digest, number, new.uidl)
            coming.append(putting.Coming(new, known))
        return coming

    def _open(self, *, anew: bool) -> None:
        """Have the rows, with the folders that a new mailbox has. Raises `Problem` where there were some, and are not."""
        if self._account() is not None:
            return
        filled = self.bodies.any()
        if filled and not anew:
            raise self._lost()
        owner, now = self.owner, self.terms.clock()
        first = int(now) if filled else max(int(owner.created), 1)  # above all that there were, as long as there was less than one a second

        def act(rows: Rows) -> None:
            if ledger.account_of(rows, self.engine.owner) is None:
                rows.change(ledger.OPEN, (self.engine.owner, owner.epoch, ledger.FIRST_MODSEQ, first, now))
                settings.keep(rows, self.engine.owner, settings.OWNER, owner.id)
                book = Ledger(rows, self.engine.owner, owner.epoch, now)
                folders.begin(book)
                book.settle()

        self.engine.change(act)

    def _account(self) -> ledger.Account | None:
        try:
            return self.engine.read(lambda rows: ledger.account_of(rows, self.engine.owner))
        except Problem as problem:
            if problem.kind == "no-such":
                return None
            raise

    def _lost(self) -> Problem:
        return Problem(f"the mailbox of {self.owner.address} has messages and nothing that says where they are; {LOST}", "io-error")

    def _refuse_frozen(self) -> None:
        owner, now = self.owner, self.terms.clock()
        if owner.state == "frozen" and owner.until > now:
            self._renew()

    def _renew(self) -> None:
        """Be the mailbox of the owner as he is now. Raises `Frozen`, `Problem`."""
        now = self.terms.clock()
        owner = self.terms.again(self.owner.id) if self.terms.again else self.owner
        if owner is None or owner.state == "removed" or owner.store != self.owner.store:
            raise Problem(f"the mailbox of {self.owner.address} is not here any more; try again", "try-again")
        if owner.state == "frozen" and owner.until > now:
            raise Frozen(f"the mailbox of {owner.address} is being moved, and can be written again in some seconds; try again")
        self.owner = owner

    def _sealing(self, anew: bool) -> Sealing | None:
        """What seals the bodies of the owner as he is now; `anew` where it may be another than a moment ago."""
        if self.terms.opener is None:
            return None
        with self._lock:
            if anew or self._sealed_by is None or self._sealed_by[0] != self.owner.epoch:
                self._sealed_by = (self.owner.epoch, self.terms.opener(self.owner))
            return self._sealed_by[1]
