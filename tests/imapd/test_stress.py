"""Several clients say whatever comes to their mind in one folder, at the same time; what each was told is true, and in the end all know
the same.

A client keeps what it is told by number, and holds every line against it: EXISTS never falls, EXPUNGE names a message that is there and
does not come while numbers are said (RFC 9051 §7.5.1), the UIDs ascend, and a number is always that of one message until it is told
to be gone.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest

from tests.peers import dovecot_imap
from tests.peers.dovecot_imap import DovecotImap

from .house import ImapHouse, in_house
from .talking import ImapTalk

CLIENTS = 4
ROUNDS = 60
FLAGS = (r"\Seen", r"\Flagged", r"\Deleted", r"\Answered", "$one", "two")
BY_NUMBER = ("FETCH", "STORE", "SEARCH")
NEWS = re.compile(r"\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)\))?")


class Talking(Protocol):
    """Who says a command and hears all lines up to its end."""

    async def do(self, command: str | bytes) -> list[str]: ...


class Knowing:
    """A client, and what it knows: the UID of each message by its number, 0 for one that it was not told, and the flags by UID."""

    def __init__(self, talk: Talking, chance: random.Random) -> None:
        self.talk = talk
        self.chance = chance
        self.uids: list[int] = []
        self.flags: dict[int, frozenset[str]] = {}

    async def do(self, command: str | bytes) -> str:
        """Say a command, hold what is told against what is known, and return how it ended."""
        word = command.split(maxsplit=1)[0] if isinstance(command, str) else "APPEND"
        *lines, last = await self.talk.do(command)
        assert not last.startswith("BAD"), (command, last)
        for line in lines:
            found = NEWS.fullmatch(line)
            if found is not None:
                assert word not in BY_NUMBER or found[2] != "EXPUNGE", (command, line)
                self._hear(int(found[1]), found[2], found[3] or "")
        return last

    def _hear(self, number: int, what: str, said: str) -> None:
        if what == "EXISTS":
            assert number >= len(self.uids), "messages are gone without a word"
            self.uids += [0] * (number - len(self.uids))
            return
        assert 0 < number <= len(self.uids), f"there is no message {number}"
        if what == "EXPUNGE":
            self.flags.pop(self.uids.pop(number - 1), None)
            return
        if (uid := re.search(r"\bUID (\d+)", said)) is not None:
            known = self.uids[number - 1]
            assert known in (0, int(uid[1])), "a number is that of another message"
            self.uids[number - 1] = int(uid[1])
        if (flags := re.search(r"\bFLAGS \(([^)]*)\)", said)) is not None and self.uids[number - 1]:
            self.flags[self.uids[number - 1]] = frozenset(flags[1].split()) - {r"\Recent"}
        told = [each for each in self.uids if each]
        assert told == sorted(set(told)), "UIDs do not ascend"

    async def something(self) -> None:
        """Say a command by chance."""
        await self.do(self._said())

    def _said(self) -> str | bytes:
        chance, count = self.chance, len(self.uids)
        flags = " ".join(chance.sample(FLAGS, chance.randint(0, 2)))
        kind = chance.randrange(9) if count else 0
        if kind == 0:
            text = b"Subject: %d\r\n\r\nwords\r\n" % chance.randrange(100)
            return b"APPEND Work (%b) {%d}\r\n%b" % (flags.encode(), len(text), text)
        first, last = sorted(chance.randint(1, count) for _ in range(2))
        sign = chance.choice("+-")
        uid = chance.choice([each for each in self.uids if each] or [1])
        return (
            f"STORE {first}:{last} {sign}FLAGS ({flags})",
            f"UID STORE {uid}:* {sign}FLAGS ({flags})",
            f"FETCH {first}:{last} (UID)",
            "UID FETCH 1:* (FLAGS)",
            f"SEARCH {first}:{last} {chance.choice(('SEEN', 'UNSEEN', 'ALL', 'DELETED'))}",
            chance.choice(("EXPUNGE", f"UID EXPUNGE {uid}")),
            f"UID COPY {uid} Work",
            chance.choice(("NOOP", "CHECK")),
        )[kind - 1]

    async def open(self) -> None:
        """Open the folder."""
        assert (await self.do("SELECT Work")).startswith("OK")

    async def settle(self) -> tuple[list[int], dict[int, frozenset[str]]]:
        """All that there is, as it was told piece by piece; it is what an answer about all of it says."""
        await self.do("NOOP")
        await self.do("FETCH 1:* (UID)") if self.uids else None
        before = {uid: flags for uid, flags in self.flags.items() if uid in self.uids}
        await self.do("FETCH 1:* (UID FLAGS)") if self.uids else None
        assert {uid: self.flags[uid] for uid in before} == before, "flags have changed and were not told"
        return list(self.uids), {uid: self.flags[uid] for uid in self.uids}


async def stressed(clients: list[Knowing], rounds: int) -> None:
    """All talk at once; then nobody says anything, and all know the same."""
    await clients[0].do("CREATE Work")
    for each in clients:
        await each.open()

    async def babble(client: Knowing) -> None:
        for _ in range(rounds):
            await client.something()

    await asyncio.gather(*map(babble, clients))
    for each in clients:
        await each.do("NOOP")
    first, *others = [await each.settle() for each in clients]
    assert others == [first] * len(others)


@pytest.mark.parametrize("seed", range(3))
def test_what_clients_are_told_at_the_same_time_is_true(seed: int) -> None:
    """By four at once."""

    async def test(house: ImapHouse) -> None:
        clients = [Knowing(await house.client(), random.Random(f"{seed}.{nth}")) for nth in range(CLIENTS)]
        await stressed(clients, ROUNDS)

    in_house(test)


class Piped:
    """Dovecot at the other end of a pipe."""

    def __init__(self, talk: ImapTalk, leave: Callable[[], Awaitable[None]]) -> None:
        self.talk = talk
        self.leave = leave

    async def do(self, command: str | bytes) -> list[str]:
        """Say a command, and hear what is said of it."""
        return await self.talk.do(command)


async def piped(home: Path, dovecot: DovecotImap) -> Piped:
    """Another session of the same user."""
    program = await asyncio.create_subprocess_exec(
        dovecot_imap.PROGRAM,
        "-c",
        home / "dovecot.conf",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=dovecot.environment(),
        cwd=home,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    talk = ImapTalk(program.stdout, program.stdin)
    assert (await talk.hear()).startswith("* PREAUTH")

    async def leave() -> None:
        talk.leave()
        await program.wait()

    return Piped(talk, leave)


@pytest.mark.peer(dovecot_imap.PROGRAM)
def test_the_clients_are_content_with_dovecot() -> None:
    """So it is the server that is looked at, and no habit of ours."""

    async def run(home: Path) -> None:
        dovecot = DovecotImap(home, [])
        talks = [await piped(home, dovecot) for _ in range(CLIENTS)]
        try:
            await stressed([Knowing(talk, random.Random(f"0.{nth}")) for nth, talk in enumerate(talks)], ROUNDS)
        finally:
            for talk in talks:
                await talk.leave()

    with tempfile.TemporaryDirectory(prefix="mailer-dovecot-") as home:
        asyncio.run(run(Path(home)))
