"""A mailbox of an IMAP server that reports come to.

One session is one look, in a thread of its own. What was not looked at yet is found by a search: behind the highest UID that was seen
(``keep``), else without the keyword `FLAG`, which what is no report is given; where the server lets nobody make keywords, such UIDs are
remembered. Sizes are asked for first. Messages are fetched without marking them as read.

When reports are on disk, they are moved (UID MOVE of RFC 6851, else a copy and then deletion) or deleted. Deleting is a flag and UID
EXPUNGE (RFC 4315); without that extension the flag has to do, for EXPUNGE would take what others have marked.

UIDs are of one UIDVALIDITY: with another one, or where they have shrunk, nothing that was remembered counts, and what is there is looked
at again, to the same IDs. A message that is gone between two commands is passed over.
"""

from __future__ import annotations

import asyncio
import imaplib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.imap.names import modified_utf7
from mailer.net.aside import aside

from .imap_session import SMALL, UID, ImapVisit, quoted
from .sources import A_LOOK, REMEMBERED, FetchedMessage, MailboxLooked, MailboxProbed, SourceTrouble, batches, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from .sources import MailboxServer, ReportTaker

FLAG = "$MailerSeen"
"""The keyword of what was looked at, and is no report."""

AT_ONCE = 200  # UIDs in one command: some servers take no longer lines
ABOUT = 1000  # octets that a server may say of one message
TWICE = 2  # times the size that a server tells: some count as they store

_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,15})\b")


class ImapSource:
    """The `folder` of the mailbox at `server`. What was taken is moved to the folder `move`, or deleted with `delete`, or else kept.

    A message may have `most` octets.
    """

    def __init__(self, server: MailboxServer, folder: str, *, move: str = "", delete: bool = False, most: int) -> None:
        self.server = server
        self.folder = folder
        self.move = move
        self.delete = delete
        self.most = most

    async def probe(self) -> MailboxProbed:
        """See `MailboxSource`. A server that hangs keeps a thread, which nobody waits for."""
        return await aside(self._probe)

    def _probe(self) -> MailboxProbed:
        session = ImapVisit(self.server)
        try:
            session.log_in()
            open_folder(session, self.folder, "EXAMINE")  # which marks nothing as seen
            probed = MailboxProbed(_first_number(session.told("EXISTS")), session.tls_version)
            session.leave()
        except (imaplib.IMAP4.error, OSError, ValueError) as error:
            raise SourceTrouble.of(self.server, error) from None
        finally:
            session.shutdown()
        return probed

    async def look(self, taker: ReportTaker) -> MailboxLooked:
        """See `MailboxSource`."""
        loop = asyncio.get_running_loop()

        def take(fetched: Sequence[FetchedMessage], tls: str) -> Future[set[str]]:
            return asyncio.run_coroutine_threadsafe(taker.take(fetched, self.server.host, tls), loop)

        look = ImapLook(self, await taker.bookmark(), take)
        try:
            looked = await asyncio.to_thread(look.run)
        except asyncio.CancelledError:
            look.stop()
            raise
        await taker.remember(look.mark)
        return looked


def open_folder(session: ImapVisit, folder: str, command: str) -> None:
    """Open the `folder` by SELECT, or by EXAMINE. Raises `SourceTrouble` where the server does not."""
    try:
        session.do(command, quoted(modified_utf7(folder)))
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        raise SourceTrouble(f"{session.server.host} opens no folder {folder!r} for us", ours=True) from None


class TakenBatch(NamedTuple):
    """Messages that were fetched, and are being taken."""

    uids: list[int]
    taking: Future[set[str]]


class ImapLook:
    """One look, in a thread."""

    def __init__(
        self, source: ImapSource, mark: Mapping[str, Any], take: Callable[[Sequence[FetchedMessage], str], Future[set[str]]]
    ) -> None:
        self.source = source
        self.take = take
        self.mark: dict[str, Any] = dict(mark)
        self._session: ImapVisit | None = None
        self._stopped = False
        self._keywords = False
        self._own: OSError | None = None  # trouble that is not the server's

    def stop(self) -> None:
        """Let the thread find no connection any more."""
        self._stopped = True
        if self._session is not None:
            self._session.shutdown()

    def run(self) -> MailboxLooked:
        """The whole look. Raises `SourceTrouble`, and what `take` and the secret raise."""
        self._session = session = ImapVisit(self.source.server)
        try:
            if self._stopped:  # while it was being made
                raise SourceTrouble("nobody wants it any more")
            session.log_in()
            self._select(session)
            looked = self._look(session)
            session.leave()
        except (imaplib.IMAP4.error, OSError, ValueError) as error:
            if error is self._own:
                raise
            raise SourceTrouble.of(self.source.server, error) from None
        else:
            return looked
        finally:
            session.shutdown()

    def _select(self, session: ImapVisit) -> None:
        open_folder(session, self.source.folder, "SELECT")
        session.state = "SELECTED"
        flags = b" ".join(_octets(session.told("PERMANENTFLAGS")))
        self._keywords = rb"\*" in flags or FLAG.encode() in flags
        validity, following = (_first_number(session.told(name)) for name in ("UIDVALIDITY", "UIDNEXT"))
        highest, left = self.mark.get("highest"), self.mark.get("left")
        known = highest if isinstance(highest, int) else 0
        if self.mark.get("uidvalidity") != validity or 0 < following <= known:
            known, left = 0, []
        uids = [uid for uid in left if isinstance(uid, int)] if isinstance(left, list) else []
        self.mark = {"uidvalidity": validity, "highest": known, "left": uids}

    @property
    def _keeps(self) -> bool:
        return not self.source.move and not self.source.delete

    def _look(self, session: ImapVisit) -> MailboxLooked:
        found = self._search(session)
        wanted = found[:A_LOOK]
        sizes = self._sizes(session, wanted)
        larger = [uid for uid in wanted if sizes.get(uid, 0) > self.source.most]
        total = MailboxLooked()
        before: TakenBatch | None = None
        for names in batches([(str(uid), sizes[uid]) for uid in wanted if 0 <= sizes.get(uid, -1) <= self.source.most]):
            uids = [int(name) for name in names]
            fetched = self._fetch(session, uids, sum(sizes[uid] for uid in uids))
            batch = TakenBatch([int(key) for key, _ in fetched], self.take(fetched, session.tls_version))
            if before is not None:  # the disk has had the time of a fetch
                total = self._settle(session, before, total)
            before = batch
        if before is not None:
            total = self._settle(session, before, total)
        self._leave(session, larger)
        if self._keeps and wanted:
            self.mark["highest"] = max(self.mark["highest"], wanted[-1])
        return total._replace(larger=len(larger), more=len(found) > len(wanted))

    def _settle(self, session: ImapVisit, batch: TakenBatch, total: MailboxLooked) -> MailboxLooked:
        """Wait until the reports of a batch are on disk, and let them go where they are to go. Raises `OSError` of our own disk, too."""
        try:
            kept = sorted(int(key) for key in batch.taking.result())
        except OSError as error:
            self._own = error
            raise
        if kept:
            self._done(session, kept)
        others = [uid for uid in batch.uids if uid not in kept]
        self._leave(session, others)
        return total._replace(taken=total.taken + len(kept), left=total.left + len(others))

    def _search(self, session: ImapVisit) -> list[int]:
        """The UIDs of what was not looked at yet, in order."""
        highest = self.mark["highest"] if self._keeps else 0
        criteria = [f"UID {highest + 1}:*"] if self._keeps else []
        criteria += ["UNDELETED"] + ([f"UNKEYWORD {FLAG}"] if self._keywords and not self._keeps else [])
        session.do("UID", "SEARCH", *criteria)
        words = [word for line in _octets(session.told("SEARCH")) for word in line.split()]
        found = {int(word) for word in words if word.isdigit() and len(word) < 11}
        self.mark["left"] = [uid for uid in self.mark["left"] if uid in found]
        return sorted(uid for uid in found.difference(self.mark["left"]) if uid > highest)  # n:* has the last one always

    def _sizes(self, session: ImapVisit, uids: list[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for part in _parts(uids):
            session.do("UID", "FETCH", _set(part), "(UID RFC822.SIZE)", most=SMALL + len(part) * ABOUT)
            for line in _octets(session.told("FETCH")):
                if (uid := UID.search(line[:ABOUT])) and (size := _SIZE.search(line[:ABOUT])):
                    found[int(uid[1])] = int(size[1])
        return found

    def _fetch(self, session: ImapVisit, uids: list[int], size: int) -> list[FetchedMessage]:
        """Those of the messages that are still there, and were asked for."""
        found = session.bodies(_set(uids), set(uids), most=SMALL + TWICE * size + len(uids) * ABOUT, about=ABOUT)
        return [FetchedMessage(str(uid), found[uid]) for uid in uids if uid in found]

    def _done(self, session: ImapVisit, uids: list[int]) -> None:
        """Let what was taken go where it is to go."""
        if self.source.move:
            moves = "MOVE" in session.capabilities
            self._into(session, "MOVE" if moves else "COPY", uids)
            if not moves:
                self._delete(session, uids)
        elif self.source.delete:
            self._delete(session, uids)

    def _into(self, session: ImapVisit, how: str, uids: list[int]) -> None:
        """Move or copy; a folder that is missing is made. Raises `SourceTrouble` where that cannot be."""
        folder = quoted(modified_utf7(self.source.move))
        try:
            session.do("UID", how, _set(uids), folder)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            try:
                session.do("CREATE", folder)
                session.do("UID", how, _set(uids), folder)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                text = f"{self.source.server.host} moves nothing to the folder {self.source.move!r}: {words_of(error)}"
                raise SourceTrouble(text, ours=True) from None

    def _delete(self, session: ImapVisit, uids: list[int]) -> None:
        session.do("UID", "STORE", _set(uids), "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in session.capabilities:
            session.do("UID", "EXPUNGE", _set(uids))

    def _leave(self, session: ImapVisit, uids: list[int]) -> None:
        """Remember that these were looked at."""
        if not uids or self._keeps:
            return
        if self._keywords:
            for part in _parts(uids):
                session.do("UID", "STORE", _set(part), "+FLAGS.SILENT", f"({FLAG})")
        else:
            self.mark["left"] = (self.mark["left"] + uids)[-REMEMBERED:]


def _octets(told: list[Any]) -> list[bytes]:
    return [each for each in told if isinstance(each, bytes)]


def _first_number(told: list[Any]) -> int:
    return next((int(word) for word in _octets(told) if word.isdigit() and len(word) < 11), 0)


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _parts(uids: list[int]) -> list[list[int]]:
    return [uids[at : at + AT_ONCE] for at in range(0, len(uids), AT_ONCE)]
