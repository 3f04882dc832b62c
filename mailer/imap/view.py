"""What one session was told of the folder that it has selected, and what it is to be told next: RFC 9051 §5.2, §7.4, §7.5.1.

The numbers of messages are those of the view, whatever has become of the folder. They move only when `FolderView.news` says so: a message
that went keeps its number until the session may hear of it, and one that came has none until then. So is every command by number about the
messages that the client means.

Whoever keeps mailboxes has the view `take` what has changed, and says what `news` returns at a time when it may be said. What a session has
changed itself, and was told or wanted in silence, it says to `told` before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answer import BadCommand
from .recent import RecentUids
from .response import exists
from .response import recent as told_recent
from .sets import ordered, written
from .uids import UidRuns

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.mail.flags import Uids

    from .command import NumberSet


class FolderView:
    """One folder as one session sees it. `modseq` is up to where its changes were taken; `saved` is what the last SEARCH with SAVE has
    found; `recent` are the messages that are recent for the session, if it is told of that (RFC 3501 §2.3.2)."""

    __slots__ = (
        "_came", "_changed", "_gone", "_known", "_said", "_uids", "folder", "modseq", "name", "readonly", "recent", "saved", "uidvalidity",
    )  # fmt: skip

    def __init__(self, folder: int, name: str, uidvalidity: int, uids: Iterable[int], modseq: int, readonly: bool = False) -> None:
        self.folder = folder
        self.name = name
        self.uidvalidity = uidvalidity
        self.modseq = modseq
        self.readonly = readonly
        self.saved: Uids = ()
        self.recent = RecentUids()
        self._said = 0  # how many the session was told to be recent
        self._uids = UidRuns(uids)
        self._came: list[int] = []  # UIDs that are not told yet, ascending
        self._gone: set[int] = set()  # that went, and are not told
        self._changed: dict[int, tuple[bytes, int]] = {}  # flags that are not told, and their MODSEQ
        self._known: dict[int, int] = {}  # the MODSEQ up to which the session knows the flags of a message, where that is above `modseq`

    def __len__(self) -> int:
        """How many messages there are, as the session knows it."""
        return len(self._uids)

    def uids(self) -> array[int]:
        """The UIDs of all messages that were told, ascending."""
        return self._uids.all()

    def number(self, uid: int) -> int:
        """The number of the message, 0 where it has none."""
        return self._uids.number(uid)

    def uid(self, number: int) -> int:
        """The UID of a message. Raises `BadCommand` where no message has the number."""
        if not 0 < number <= len(self._uids):
            raise BadCommand(f"there is no message {number}")
        return self._uids.uid(number)

    def pairs(self, numbers: NumberSet, *, uid: bool) -> list[tuple[int, int]]:
        """The messages of a set of numbers, or of UIDs, as pairs of UIDs that ascend and are apart.

        Both ends of a pair are messages of the view; between them may be UIDs that no message has any more, nor ever will. UIDs that are
        not here fall out. A number that no message has raises `BadCommand`; in an empty folder ``*`` is one (RFC 9051 §9, seq-number).
        """
        if numbers.saved:
            return self._within(self.saved)
        if uid:
            return self._within(ordered(numbers, self._uids.last()))
        count = len(self._uids)
        found = ordered(numbers, count)
        if found and (found[-1][1] > count or found[0][0] < 1):
            raise BadCommand(f"there is no message {found[-1][1] or '*'}, there are {count}")
        return [(self._uids.uid(first), self._uids.uid(last)) for first, last in found]

    def found(self, numbers: NumberSet, *, uid: bool) -> list[tuple[int, int]]:
        """The messages of a set that is looked for, as `pairs` has them; a number that no message has finds nothing, and ``6:*`` the last
        of five."""
        if numbers.saved or uid:
            return self.pairs(numbers, uid=uid)
        count = len(self._uids)
        there = [(max(first, 1), min(last, count)) for first, last in ordered(numbers, count)]
        return [(self._uids.uid(first), self._uids.uid(last)) for first, last in there if first <= last]

    def _within(self, ranges: Uids) -> list[tuple[int, int]]:
        """What is here of ranges of UIDs that ascend."""
        found: list[tuple[int, int]] = []
        for first, last in ((1, self._uids.last()),) if ranges is None else ranges:
            least, most = self._uids.before(first), self._uids.before(last + 1)
            if least < most:
                found.append((self._uids.uid(least + 1), self._uids.uid(most)))
        return found

    def numbered(self, uids: Iterable[int]) -> Iterator[tuple[int, int]]:
        """(number, UID) of those of `uids`, which ascend, that are here."""
        return self._uids.numbered(uids)

    def recent_count(self) -> int:
        """How many messages are recent, which the session is told with that."""
        uids = self._uids
        self._said = sum(uids.before(last + 1) - uids.before(first) for first, last in self.recent.runs())
        return self._said

    # -- what has changed

    @property
    def coming(self) -> int:
        """The highest UID of the messages that came and are not told, 0 for none."""
        return self._came[-1] if self._came else 0

    @property
    def waiting(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._came or self._gone or self._changed)

    def lost(self, present: Iterable[int]) -> list[int]:
        """The UIDs that are here, or have come, and are not `present`: what went, where only all that there is, is known."""
        there = {*present}
        return [uid for uid in (*self._uids.all(), *self._came) if uid not in there]

    def told(self, entries: Iterable[tuple[int, int]]) -> None:
        """The session knows the flags that these messages (UID, MODSEQ) had then: it has set them itself, or fetched them."""
        for uid, modseq in entries:
            if modseq > self.modseq:
                self._known[uid] = max(modseq, self._known.get(uid, 0))
            if uid in self._changed and self._changed[uid][1] <= modseq:
                del self._changed[uid]

    def take(self, changed: Iterable[tuple[int, bytes, int]], vanished: Iterable[int], modseq: int) -> None:
        """Keep what is new up to `modseq`: messages that came or changed, as (UID, flags with their parentheses, MODSEQ), and UIDs that
        went. What was taken before may be among it."""
        last = self._came[-1] if self._came else self._uids.last()
        came = []
        for uid, flags, since in changed:
            if uid > last:  # it is fetched by whoever wants to know its flags
                came.append(uid)
            elif since > self._known.get(uid, self.modseq) and self._uids.number(uid) and uid not in self._gone:
                self._changed[uid] = (flags, since)
        self._came += sorted({*came})
        self._lose(vanished)
        if modseq >= self.modseq:
            self.modseq = modseq
            self._known = {uid: since for uid, since in self._known.items() if since > modseq} if self._known else self._known

    def _lose(self, vanished: Iterable[int]) -> None:
        gone = {*vanished}
        if not gone:
            return
        self._gone.update(uid for _, uid in self._uids.numbered(gone))
        self._came = [uid for uid in self._came if uid not in gone]
        for uid in gone & self._changed.keys():
            del self._changed[uid]

    # -- what is told

    def news(
        self, *, expunges: bool, qresync: bool = False, condstore: bool = False, uids: bool = False, recent: bool = False
    ) -> list[bytes]:
        """The untagged lines, without ``* `` and CRLF, that say what is new; then it is told.

        Without `expunges` nothing is said of messages that went, and they keep their numbers. `qresync`: VANISHED is said for EXPUNGE
        (RFC 7162 §3.2.10); `condstore`: UIDs and MODSEQ with flags (RFC 7162 §3.2.4); `uids`: UIDs with flags; `recent`: how many are
        recent, where messages came and that has changed (RFC 3501 §7.3.2).
        """
        lines = self._leave(qresync) if expunges and self._gone else []
        if self._came:
            self._uids.extend(self._came)
            self._came = []
            lines.append(exists(len(self._uids)))
            before = self._said
            if recent and self.recent_count() != before:
                lines.append(told_recent(self._said))
        if self._changed:
            changed, self._changed = self._changed, {}
            with_uid, with_modseq = condstore or qresync or uids, condstore or qresync
            for number, uid in self._uids.numbered(sorted(changed)):
                flags, modseq = changed[uid]
                lines.append(
                    b"%d FETCH (%bFLAGS %b%b)"
                    % (number, b"UID %d " % uid if with_uid else b"", flags, b" MODSEQ (%d)" % modseq if with_modseq else b"")
                )
        return lines

    def _leave(self, qresync: bool) -> list[bytes]:
        """Messages that went lose their numbers; the last one first, so that the numbers of the others hold until their turn comes."""
        gone: Sequence[int] = sorted(self._gone)
        lines = [b"VANISHED " + written(gone)] if qresync else [b"%d EXPUNGE" % number for number, _ in self._uids.numbered(gone)][::-1]
        self._uids.remove(gone)
        self._gone = set()
        return lines
