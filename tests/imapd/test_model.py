"""Sessions against a model: whatever two of them do to one folder, each ends up knowing what is there.

A client keeps what it is told, by number, as a program of IMAP does. It is never told of a message that went while it names messages by
number, so that what it says is about the messages that it means; and a change that was to be made only where nobody else had changed
anything is made there and nowhere else (RFC 7162 §3.1.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.command import Fetch
from mailer.imapd.handlers import HANDLERS
from mailer.mailbox.api import FolderEntry
from tests.mailbox.premises import number_of, put

from .house import ImapHouse, in_house
from .talking import ImapTalk

FLAGS = (r"\Seen", r"\Flagged", r"\Deleted")
FETCH = re.compile(r"\* (\d+) FETCH \((?:UID (\d+) ?)?(?:FLAGS \(([^)]*)\))?(?: ?UID (\d+))?(?: ?MODSEQ \((\d+)\))?\)")


class Mirror:
    """What a client knows: of each message, by its number, the UID (0), the flags (None), and their MODSEQ, where it was not told them."""

    def __init__(self, talk: ImapTalk) -> None:
        self.talk = talk
        self.known: list[tuple[int, frozenset[str] | None, int]] = []
        self.last = ""

    async def do(self, command: str, assume: Callable[[frozenset[int]], None] = lambda _: None) -> list[str]:
        """Say something, and take note of what is told; what is not told, since it is clear, is for `assume`, which is given what was
        named as modified."""
        *lines, self.last = await self.talk.do(command)
        assume(modified(self.last))
        for line in lines:
            self.hear(line)
        return lines

    def hear(self, line: str) -> None:
        """Take note of a line."""
        if found := re.fullmatch(r"\* (\d+) EXPUNGE", line):
            del self.known[int(found[1]) - 1]
        elif found := re.fullmatch(r"\* (\d+) EXISTS", line):
            assert int(found[1]) >= len(self.known)
            self.known += [(0, None, 0)] * (int(found[1]) - len(self.known))
        elif found := FETCH.fullmatch(line):
            uid, flags, modseq = self.known[int(found[1]) - 1]
            said = int(found[2] or found[4] or uid)
            assert uid in (0, said), "a number is that of another message"
            self.known[int(found[1]) - 1] = (
                said,
                flags if found[3] is None else frozenset(found[3].split()) - {r"\Recent"},
                int(found[5] or modseq),
            )

    async def look(self) -> None:
        """Hear what is new, and ask about what has come."""
        await self.do("NOOP")
        if any(not uid or flags is None for uid, flags, _ in self.known):  # what has come has no flags that were told
            await self.do("FETCH 1:* (UID FLAGS MODSEQ)")


def modified(line: str) -> frozenset[int]:
    """What the end of a command names as modified."""
    found = re.search(r"\[MODIFIED ([\d:,]+)\]", line)
    spans = [[int(end) for end in each.split(":")] for each in found[1].split(",")] if found else []
    return frozenset(number for span in spans for number in range(span[0], span[-1] + 1))


def changed(flags: frozenset[str], how: str, flag: str) -> frozenset[str]:
    """Flags, once STORE was done."""
    return {"+": flags | {flag}, "-": flags - {flag}}.get(how[0], frozenset({flag}))


def truth(house: ImapHouse) -> list[FolderEntry]:
    """What there is."""
    with house.premises.ann() as box:
        return [*box.entries(number_of(box, "INBOX"))]


def flags_of(entry: FolderEntry) -> frozenset[str]:
    """The flags of an entry, as a client says them."""
    return frozenset(f"\\{flag.name.capitalize()}" for flag in entry.flags if flag.name)


STEPS = st.lists(
    st.tuples(
        st.sampled_from((0, 1)),
        st.sampled_from(("store", "uid store", "unchanged", "uid unchanged", "append", "expunge", "noop", "move")),
        st.integers(1, 9),
        st.integers(1, 9),
        st.sampled_from(FLAGS),
        st.sampled_from(("+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT", "-FLAGS.SILENT")),
    ),
    max_size=25,
)


async def step(house: ImapHouse, client: Mirror, what: str, one: int, other: int, flag: str, how: str) -> None:
    """Do one thing, and see that it did what it should."""
    first, last = sorted((one, other))
    count = len(client.known)
    numbers = f"{first}:{last}"
    if what == "append":
        await client.do("APPEND INBOX {3+}\r\nnew")
    elif what == "noop":
        await client.do("NOOP")
    elif what == "expunge":
        await client.do("EXPUNGE")
    elif what == "move":
        await client.do(f"UID MOVE {first} Trash")
    elif what.startswith("uid") or last <= count:
        by_uid = what.startswith("uid")
        before = {each.uid: each for each in truth(house)}
        limit = max((modseq for _, _, modseq in client.known), default=1)
        since = f" (UNCHANGEDSINCE {limit})" if what.endswith("unchanged") else ""
        known = [uid for uid, _, _ in client.known]
        meant = [uid for uid in known if first <= uid <= last] if by_uid else known[first - 1 : last]

        def assume(modified: frozenset[int]) -> None:
            for at, (uid, flags, modseq) in enumerate(client.known):
                if "SILENT" in how and flags is not None and uid in meant and (uid if by_uid else at + 1) not in modified:
                    client.known[at] = uid, changed(flags, how, flag), modseq

        lines = await client.do(f"{'UID ' * by_uid}STORE {numbers}{since} {how} ({flag})", assume)
        assert by_uid or not [line for line in lines if line.endswith("EXPUNGE")]
        after = {each.uid: each for each in truth(house)}
        for uid, entry in after.items():
            is_changed = flags_of(entry) != flags_of(before[uid])
            if 0 not in known:
                may = uid in meant and not (since and before[uid].modseq > limit)
                assert flags_of(entry) == (changed(flags_of(before[uid]), how, flag) if may else flags_of(before[uid]))
            assert not is_changed or not since or before[uid].modseq <= limit
        if since and not by_uid and 0 not in known and {*meant} <= after.keys():
            stale = [number for number in range(first, last + 1) if before[known[number - 1]].modseq > limit]
            assert ("[MODIFIED " in client.last) == bool(stale)


@pytest.mark.skipif(Fetch not in HANDLERS, reason="nobody answers FETCH")
@given(STEPS)
def test_each_session_ends_up_knowing_what_is_there(steps: list[tuple[int, str, int, int, str, str]]) -> None:
    """And knows of each message what it is."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=4)
        clients = []
        for more in ((), ("ENABLE CONDSTORE",)):
            client = Mirror(await house.client())
            for said in more:
                await client.do(said)
            await client.do("SELECT INBOX")
            await client.look()
            clients.append(client)
        for who, *what in steps:
            await step(house, clients[who], *what)
        for client in clients:
            await client.look()
            assert [(uid, flags) for uid, flags, _ in client.known] == [(each.uid, flags_of(each)) for each in truth(house)]

    in_house(test)
