"""What is fetched, portion by portion: each is read from the mailbox and written in a worker thread, and sent before the next is begun.

A portion is as many messages as are told in some milliseconds, or whose octets fit into half a megabyte; so others have their turn, and the
memory that a FETCH takes has a bound, whatever it asks for. A message that is larger is left to `mailer.imapd.streaming`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mailer.imap.fetched import READING, FetchPlan, literal
from mailer.imap.flags import RECENT
from mailer.imap.sections import NOWHERE, SectionPlace, UnknownEncoding, cut, fields_of, place, wanted
from mailer.imap.sets import pairs
from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import BodyLost, Frozen, NoKey, StoredMail
from mailer.mime.packed import from_tree, header_end
from mailer.mime.transfer import without_encoding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.imap.command import FetchItem
    from mailer.imap.fetched import Row
    from mailer.imap.view import FolderView
    from mailer.mailbox.api import Flagged, FolderEntry, Mailbox

FLAGS: Final = 4000  # messages of which nothing is told but numbers and flags
LINES: Final = 1000  # messages of which no octet is read
HEADS: Final = 200  # messages of which the header is told that the mailbox keeps
BODIES: Final = 32  # messages that are read
ROOM: Final = 512 << 10  # octets of messages in a portion, and of one message that is read at once
SECTIONS: Final = 8  # of a message of that size, whose octets may all be asked for in each
OF_FLAGS: Final = frozenset({"flags", "keywords", "modseq"})
"""The columns that are short, whatever the messages are."""
LOST: Final = ("io-error", "no-permission")
"""What keeps one message from being read, and not the others."""


class Portion(NamedTuple):
    """What is to be sent, and the row of a message that comes behind it and is too large for any portion."""

    octets: bytes
    large: Row | None = None


class FetchTerms(NamedTuple):
    """What a session has agreed on, and whether its folder may be changed: RFC 7162 §3.2.4, RFC 9051 §6.3.3."""

    condstore: bool = False
    readonly: bool = False


class FetchedFolder:
    """One FETCH of these UIDs in the folder that `view` shows, by `plan`, and without kept headers where the mailbox has none.

    `lost` and `undecoded` are UIDs of messages that could not be answered, `trouble` is what kept the first of the lost from being read;
    `missing` is how many were not there any more. `flagged` are the changes of flags that nobody has taken note of yet.
    """

    def __init__(self, plan: FetchPlan, view: FolderView, uids: Sequence[tuple[int, int]], terms: FetchTerms) -> None:
        self.plan = plan
        self.view = view
        self.terms = terms
        self.left = [(view.number(first), view.number(last)) for first, last in reversed(uids)]
        self.missing = 0
        self.lost: list[int] = []
        self.undecoded: list[int] = []
        self.flagged: list[Flagged] = []
        self.trouble: Problem | None = None
        self.sees = plan.sees and not terms.readonly
        self._plans = (plan, FetchPlan(plan.items, kept=False) if plan.kept else plan)
        self._headers: list[tuple[str, bytes]] = []  # that were read, and are not kept
        self._is_lacking = False  # whether the header of the next message is not kept
        self._wanted = [wanted(item.fields) for item in plan.sections]

    def portion(self, box: Mailbox) -> Portion:
        """The next portion; there is one while there is something `left`. Raises `Problem`."""
        self.plan = self._plans[self._is_lacking]
        self._is_lacking = False
        columns: tuple[Any, ...] = self.plan.columns
        some = self._taken(self._many())
        uids = [(self.view.uid(first), self.view.uid(last)) for first, last in some]
        if not columns and not self.plan.by_uid:  # the view knows it, of what went and has its number still too (RFC 9051 §7.5.1)
            known = [(self.view.uid(number),) for first, last in some for number in range(first, last + 1)]
            return Portion(self.plan.lines(self.numbers(known), known))
        rows = box.fetched(self.view.folder, uids, columns)
        self.missing += sum(last - first + 1 for first, last in some) - len(rows)
        if self.view.recent and "flags" in columns:
            rows = [self._with_recent(row) for row in rows]
        if self.plan.kept:
            return self._with_headers(box, rows)
        if self.plan.sections:
            return self._with_texts(box, rows)
        return Portion(self.plan.lines(self.numbers(rows), rows))

    def _with_recent(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """The row, with what is recent for the session alone among its flags (RFC 3501 §2.3.2)."""
        return self.plan.changed(row, {"flags": self.plan.value(row, "flags") | RECENT}) if row[0] in self.view.recent else row

    def _many(self) -> int:
        """How many messages a portion has at most."""
        if self.plan.sections:
            return HEADS if self.plan.kept else BODIES
        return FLAGS if OF_FLAGS.issuperset(self.plan.columns) else LINES

    def _taken(self, many: int) -> list[tuple[int, int]]:
        """The next numbers, so many at most."""
        found: list[tuple[int, int]] = []
        while self.left and many > 0:
            first, last = self.left.pop()
            if last - first >= many:
                self.left.append((first + many, last))
                last = first + many - 1
            found.append((first, last))
            many -= last - first + 1
        return found

    def numbers(self, rows: Sequence[Row]) -> Iterable[int]:
        """The numbers of messages, which are all in the view; what stands between two of its messages came with them."""
        if not rows:
            return ()
        first, last = self.view.number(rows[0][0]), self.view.number(rows[-1][0])
        if last - first == len(rows) - 1:
            return range(first, last + 1)
        return [number for number, _ in self.view.numbered([row[0] for row in rows])]

    def _with_headers(self, box: Mailbox, rows: Sequence[Row]) -> Portion:
        kept = next((nth for nth, row in enumerate(rows) if self.plan.value(row, "header") is None), len(rows))
        self._is_lacking = kept < len(rows)
        self._leave(rows[kept:])
        told = self.seen(box, rows[:kept])
        plain = [row for row, _ in told]
        return Portion(self.plan.lines(self.numbers(plain), plain, [more for _, more in told]))

    def _leave(self, rows: Sequence[Row]) -> None:
        """Leave these for the next portion."""
        self.left += reversed(pairs(self.numbers(rows)))

    def _with_texts(self, box: Mailbox, rows: Sequence[Row]) -> Portion:
        read: list[Row] = []
        texts: list[list[list[bytes]]] = []
        room, large = ROOM, None
        for nth, row in enumerate(rows):
            size: int = self.plan.value(row, "size")
            if self.is_large(row) or size > room:
                large = row if self.is_large(row) else None
                self._leave(rows[nth + (large is not None) :])
                break
            room -= size
            text = self.texts(box, row)
            if text is not None:
                read.append(row)
                texts.append(text)
        self._keep(box)
        return Portion(self._written(self.seen(box, read), texts), large)

    def _keep(self, box: Mailbox) -> None:
        """Have the headers kept that were read because they were not; where that cannot be, they are read the next time too."""
        headers, self._headers = self._headers, []
        if headers:
            with suppress(Problem):
                box.keep_headers(headers)

    def is_large(self, row: Row) -> bool:
        """Whether a message is too large to be in a portion."""
        size: int = self.plan.value(row, "size")
        return size > ROOM or size * len(self.plan.sections) > ROOM * SECTIONS

    def _written(self, rows: Sequence[tuple[Row, bytes]], texts: Sequence[list[list[bytes]]]) -> bytes:
        made: list[bytes] = []
        plain = [row for row, _ in rows]
        for values, (_, more), text in zip(self.plan.values(self.numbers(plain), plain) if plain else (), rows, texts, strict=True):
            pieces = self.plan.pieces(values)
            for section in text:
                made.append(next(pieces))
                made += section
            made += (next(pieces), more, b")\r\n")
        return b"".join(made)

    def seen(self, box: Mailbox, rows: Sequence[Row]) -> list[tuple[Row, bytes]]:
        """The rows as they are when these messages were read, each with what is said of that where it is news."""
        unseen = [row[0] for row in rows if not self.plan.value(row, "flags") & Flag.SEEN] if self.sees else []
        changed = self._see(box, unseen) if unseen else {}
        if not changed:
            return [(row, b"") for row in rows]
        return [self._changed(row, changed[row[0]]) if row[0] in changed else (row, b"") for row in rows]

    def _see(self, box: Mailbox, uids: Sequence[int]) -> dict[int, FolderEntry]:
        """Have these seen; a mailbox that is being moved this moment stays as it is, and is read all the same."""
        try:
            done = box.flag(self.view.folder, [(uid, uid) for uid in uids], "add", Flag.SEEN)
        except Frozen:
            return {}
        self.flagged.append(done)
        return {entry.uid: entry for entry in done.entries}

    def _changed(self, row: Row, entry: FolderEntry) -> tuple[Row, bytes]:
        flags = int(entry.flags) | (RECENT if entry.uid in self.view.recent else 0)
        row = self.plan.changed(row, {"flags": flags, "keywords": " ".join(entry.keywords), "modseq": entry.modseq})
        return row, self.plan.seen(row, uid=self.terms.condstore, modseq=self.terms.condstore)

    # -- one message

    def texts(self, box: Mailbox, row: Row) -> list[list[bytes]] | None:
        """The sections of a message, each in pieces; None where it cannot be answered. Raises `Problem`."""
        mail = stored(self.plan, row)
        try:
            places = self.places(row)
            content = self._read(box, mail, places)
        except UnknownEncoding:
            self.undecoded.append(row[0])
            return None
        except Problem as problem:
            self.lose(row, problem)
            return None
        if self.plan.heads:
            self._headers.append((mail.id, content))
        return [self._section(nth, content, where) for nth, where in enumerate(places)]

    def lose(self, row: Row, problem: Problem) -> None:
        """Know that a message cannot be read, where others can. Raises the `problem` if that is not so."""
        if isinstance(problem, NoKey) or not (isinstance(problem, BodyLost) or problem.kind in LOST):
            raise problem
        self.lost.append(row[0])
        self.trouble = self.trouble or problem

    def places(self, row: Row) -> list[SectionPlace]:
        """Where its sections are. Raises `UnknownEncoding`."""
        size: int = self.plan.value(row, "size")
        tree: bytes = b"" if self.plan.wholes else self.plan.value(row, "tree")
        root = from_tree(tree) if self.plan.trees else None
        end = root.header_end if root else header_end(tree) if tree else 0
        return [place(item, size, end, root) for item in self.plan.sections]

    def _read(self, box: Mailbox, mail: StoredMail, places: Sequence[SectionPlace]) -> bytes:
        """As much from its beginning as the sections need."""
        needed = max(0, *(where.end for where in places))
        return box.read(mail, 0, needed) if self.plan.heads else box.read(mail)

    def _section(self, nth: int, content: bytes, where: SectionPlace) -> list[bytes]:
        item = self.plan.sections[nth]
        if where == NOWHERE:
            return [b"0" if item.name == "BINARY.SIZE" else b"NIL"]
        octets = content if where == (0, len(content), "") else content[where.start : where.end]
        return written(item, self.made(nth, octets, where))

    def made(self, nth: int, octets: bytes, where: SectionPlace) -> bytes:
        """What the octets at the place of a section become: fields, or a body without its encoding."""
        item = self.plan.sections[nth]
        if item.fields:
            return fields_of(octets, self._wanted[nth], without=item.text.endswith("NOT"))
        return without_encoding(octets, where.encoding)


def written(item: FetchItem, octets: bytes) -> list[bytes]:
    """A section as it is sent, with how long it is."""
    if item.name == "BINARY.SIZE":
        return [b"%d" % len(octets)]
    octets = cut(octets, item.partial)
    return [literal(len(octets), binary=item.name == "BINARY" and b"\0" in octets), octets]


def stored(plan: FetchPlan, row: Row) -> StoredMail:
    """What a message is read by."""
    return StoredMail(*(plan.value(row, column) for column in READING))
