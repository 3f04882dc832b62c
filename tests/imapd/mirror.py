"""What a client knows of a folder by what it was told alone: an open folder as any client of IMAP keeps it, which believes its server.

It fails where it is told what cannot be: of a message that it has not, of fewer messages by EXISTS, or that one went while numbers hold.
"""

from __future__ import annotations

import re

from mailer.imap.lexer import Tokens

_NEWS = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH \((.*)\))", re.DOTALL)
_UID = re.compile(rb"(?:^| )UID (\d+)")
_FLAGS = re.compile(rb" ?FLAGS \((.*?)\)")
_MODSEQ = re.compile(rb" ?MODSEQ \((\d+)\)")
_ITEM = re.compile(rb"(\S+(?: ?\[[^\]]*\])?(?:<\d+>)?) (~?\{(\d+)\}\r\n|\S+)")

Told = dict[int, dict[bytes, object]]


class Mirror:
    """`uids` are those of the messages in their order, 0 where one is not told yet; `flags` and `modseqs` are what was told last."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A folder is opened."""
        self.uids: list[int] = []
        self.flags: dict[int, frozenset[bytes]] = {}
        self.modseqs: dict[int, int] = {}
        self.silent: set[int] = set()
        """Whose flags the client has changed without being told what they are then."""

    def middle(self) -> int:
        """The MODSEQ of a message in the middle, 1 where there is none."""
        return self.modseqs.get(self.uids[len(self.uids) // 2], 1) if self.uids else 1

    def hear(self, lines: list[bytes], *, holds: bool = False) -> Told:
        """Believe what is said; while a number `holds` no message may go. What was fetched, by numbers."""
        fetched: Told = {}
        for line in lines:
            if line.startswith(b"* VANISHED") and b"EARLIER" not in line:
                assert not holds, line
                self._vanished(line)
            elif (found := _NEWS.fullmatch(line)) is not None:
                number = int(found[1])
                if found[2] == b"EXISTS":
                    assert number >= len(self.uids), (line, self.uids)
                    self.uids += [0] * (number - len(self.uids))
                    continue
                assert 1 <= number <= len(self.uids), (line, self.uids)
                if found[2] == b"EXPUNGE":
                    assert not holds, line
                    del self.uids[number - 1]
                else:
                    fetched.setdefault(number, {}).update(self._fetched(number, found[3]))
        return fetched

    def _vanished(self, line: bytes) -> None:
        for first, last in Tokens([line.rpartition(b" ")[2]]).numbers().ranges:
            for uid in range(first, last + 1):
                self.uids.remove(uid if uid in self.uids else 0)  # each is one that was told, RFC 7162 §3.2.10.2

    def _fetched(self, number: int, said: bytes) -> dict[bytes, object]:
        items = dict[bytes, object]()
        if (uid := _UID.search(said)) is not None:
            assert self.uids[number - 1] in (0, int(uid[1])), (number, said, self.uids)
            self.uids[number - 1] = int(uid[1])
        known = self.uids[number - 1]
        if (flags := _FLAGS.search(said)) is not None:
            items[b"FLAGS"] = self.flags[known] = frozenset(flags[1].split()) - {b"\\Recent"}
            self.silent.discard(known)
        if (modseq := _MODSEQ.search(said)) is not None:
            self.modseqs[known] = int(modseq[1])
        rest = _MODSEQ.sub(b"", _FLAGS.sub(b"", said))
        at = 0
        while (item := _ITEM.search(rest, at)) is not None:
            at = item.end() + int(item[3] or 0)
            items[item[1]] = rest[item.end() : at] if item[3] else item[2]
        return items
