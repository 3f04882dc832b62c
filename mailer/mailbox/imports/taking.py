"""Puts what a source has into a mailbox: folder after folder, some messages in each transaction.

A crash argument: the key of a message is kept in the transaction that puts it. An import that died is begun anew by the same command; what
was put has its key here, and is passed by. A message without a key of its own, in a file, is known by its folder, its content, and which
of equals in the folder it is. Where the folder here had messages before (another way of import, a server that gives new UIDs), what is
there octet for octet and came by no other message of this source is not put once more.

What somebody deleted here stays deleted, whenever the import is repeated.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from mailer.mail.problem import Problem
from mailer.mailbox.api import IMPORTED, NewMail

from .api import PassedOver, SourceFolder
from .regular import passed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.mailbox.api import Folder, Mailbox

    from .api import ImportSource, SourceMessage

T = TypeVar("T")

BATCH: Final = 200
"""Messages of one transaction."""
BATCH_OCTETS: Final = 16 << 20
LISTED: Final = 1000
"""Messages that are looked for by their keys at once."""


class ImportStep(NamedTuple):
    """How far an import is: the folder, how many messages of it were looked at, about how many it has (-1 if nobody knows)."""

    folder: str
    done: int
    messages: int


class MailImported(NamedTuple):
    """What came of an import: messages that were put, their octets, and those that were there already."""

    put: int = 0
    octets: int = 0
    there: int = 0
    passed: int = 0
    folders: int = 0


class Taking:
    """One import of `source` into `mailbox`. `told` hears how far it is, `passing` what is passed over."""

    def __init__(
        self, source: ImportSource, mailbox: Mailbox, told: Callable[[ImportStep], None], passing: Callable[[PassedOver], None]
    ) -> None:
        self.source = source
        self.mailbox = mailbox
        self.total = MailImported()
        self._told = told
        self._passing = passing

    def run(self) -> MailImported:
        """The whole import. Raises `Problem` where it cannot go on; what was put stays."""
        for folder in self.source.folders():
            if isinstance(folder, PassedOver):
                self._pass(folder)
                continue
            try:
                here = self._here(folder)
            except Problem as problem:
                if problem.kind not in ("usage", "bad-message"):
                    raise
                self._pass(passed(folder.name, str(problem)))
                continue
            _Filling(self, folder, here).run()
            self.total = self.total._replace(folders=self.total.folders + 1)
        return self.total

    def _here(self, folder: SourceFolder) -> Folder:
        """The folder that it goes to: that of the same role or name, made if there is none. An empty one gets its UIDVALIDITY."""
        here = (self.mailbox.with_role(folder.role) if folder.role else None) or self.mailbox.folder(folder.name)
        if here is None:
            here = self.mailbox.create(folder.name, role=folder.role, subscribed=folder.subscribed)
        if folder.uidvalidity and here.uidnext == 1:
            here = self.mailbox.number(here.name, folder.uidvalidity)
        return here

    def _pass(self, what: PassedOver) -> None:
        self.total = self.total._replace(passed=self.total.passed + 1)
        self._passing(what)

    def count(self, *, put: int = 0, octets: int = 0, there: int = 0) -> None:
        """Add to what came of it."""
        total = self.total
        self.total = total._replace(put=total.put + put, octets=total.octets + octets, there=total.there + there)

    def step(self, folder: SourceFolder, done: int) -> None:
        """Tell how far it is."""
        self._told(ImportStep(folder.name, done, folder.messages))

    def pass_over(self, what: PassedOver) -> None:
        """Name what is not taken."""
        self._pass(what)


class _Filling:
    """One folder of an import."""

    def __init__(self, taking: Taking, folder: SourceFolder, here: Folder) -> None:
        self.taking = taking
        self.folder = folder
        self.here = here
        self.mailbox = taking.mailbox
        self.numbered = bool(folder.uidvalidity) and here.uidvalidity == folder.uidvalidity
        self._equals: Counter[bytes] = Counter()  # of this folder of the source, by what is in them
        self._free = self._contents() if here.messages or folder.shows_all else Counter()

    def _contents(self) -> Counter[bytes]:
        """What is in the folder here, or for one that shows all in any, and was not found at the source yet."""
        folders = self.mailbox.folders() if self.folder.shows_all else [self.here]
        ids = dict.fromkeys(entry.mail for folder in folders for entry in self.mailbox.entries(folder.id))
        found: Counter[bytes] = Counter()
        for some in _parts(iter(ids), LISTED):
            found.update(mail.digest for mail in self.mailbox.mails(some) if mail is not None)
        return found

    def run(self) -> None:
        """Put what is not here. Raises `Problem`."""
        done = 0
        self.taking.step(self.folder, done)
        for some in _parts(self._waiting(), LISTED):
            for batch in _batches(self._unknown(some)):
                self._put(batch)
            done += len(some)
            self.taking.step(self.folder, done)
        if self.numbered:  # UIDs that were used there, and whose messages are gone, are not given again
            now = self.mailbox.folder(self.here.name)
            if now is not None and now.uidnext < self.folder.uidnext:
                self.mailbox.number(self.here.name, self.folder.uidvalidity, self.folder.uidnext)

    def _waiting(self) -> Iterator[SourceMessage]:
        for each in self.taking.source.waiting(self.folder):
            if isinstance(each, PassedOver):
                self.taking.pass_over(each)
            else:
                yield each

    def _unknown(self, messages: Sequence[SourceMessage]) -> list[SourceMessage]:
        """Those that have no key, or one that is not known here."""
        keyed = [message for message in messages if message.key]
        known = dict(zip((message.key for message in keyed), self._known([message.key for message in keyed]), strict=True))
        return [message for message in messages if not known.get(message.key)]

    def _known(self, keys: Sequence[str]) -> Sequence[bool]:
        """Whether each is here; what is, has been found at the source."""
        if not keys:
            return ()
        mails = self.mailbox.delivered([(key, IMPORTED) for key in keys])
        there = [mail for mail in mails if mail]
        self.taking.count(there=len(there))
        if self._free:
            self._free.subtract(mail.digest for mail in self.mailbox.mails(there) if mail is not None)
        return [bool(mail) for mail in mails]

    def _put(self, messages: Sequence[SourceMessage]) -> None:
        """Read some, and put those that are not here. Raises `Problem`."""
        news: list[NewMail] = []
        for each in self.taking.source.read(self.folder, messages):
            if isinstance(each, PassedOver):
                self.taking.pass_over(each)
            else:
                news.append(self._new(*each))
        unkeyed = [new.once[0] for new in news if new.once and not new.once[0].startswith("imap-")]
        known = {key for key, there in zip(unkeyed, self._known(unkeyed), strict=True) if there}
        news = [new for new in news if new.once and new.once[0] not in known and not self._is_there(new.content)]
        if not news:
            return
        puts = self.mailbox.put(news)
        fresh = [new for new, put in zip(news, puts, strict=True) if put.fresh]
        self.taking.count(put=len(fresh), octets=sum(len(new.content) for new in fresh), there=len(news) - len(fresh))

    def _is_there(self, content: bytes) -> bool:
        """Whether a message of this content is in the folder, which nothing else of the source is."""
        digest = sha256(content).digest() if self._free else b""
        if self._free[digest] <= 0:
            return False
        if not self.folder.shows_all:
            self._free[digest] -= 1
        self.taking.count(there=1)
        return True

    def _new(self, message: SourceMessage, content: bytes) -> NewMail:
        key = message.key or self._key(content)
        return NewMail(
            self.here.name,
            content,
            flags=message.flags,
            keywords=message.keywords,
            received=message.received,
            once=(key, IMPORTED),
            uid=message.uid if self.numbered else 0,
            uidl=message.uidl,
        )

    def _key(self, content: bytes) -> str:
        """By its folder, what is in it, and which of equals it is."""
        digest = sha256(content).digest()
        self._equals[digest] += 1
        return "file-" + sha256(f"{self.folder.name}\0{self._equals[digest]}\0".encode() + digest).hexdigest()[:32]


def _parts(items: Iterator[T], most: int) -> Iterator[list[T]]:
    while part := [*islice(items, most)]:
        yield part


def _batches(messages: Sequence[SourceMessage]) -> Iterator[list[SourceMessage]]:
    """Those that are read and put together."""
    batch: list[SourceMessage] = []
    octets = 0
    for message in messages:
        if batch and (len(batch) == BATCH or octets + message.size > BATCH_OCTETS):
            yield batch
            batch, octets = [], 0
        batch.append(message)
        octets += message.size
    if batch:
        yield batch
