"""Folders that are made, renamed, deleted and subscribed by chance are listed as by Dovecot. Where we do otherwise, the reason stands here.

- Dovecot lists a name above a folder as one that cannot be opened, where nobody made it; here it is a folder. So those above are made
  first, on both sides.
- Dovecot lets a folder go that has others in it, and keeps its name; here it stays (RFC 9051 §6.3.5 has both). That is not tried.
- A folder that is subscribed is so under its new name too; Dovecot wants to be told, and is (RFC 9051 §6.3.6).
- Of names of no folder Dovecot does not say whether there are folders in them, and we do: it is not compared.
- What LSUB says of a name besides is compared where the pattern is % alone, and there is \\Noselect.
- CHILDINFO: Dovecot repeats it for a name all of whose subscribed folders are listed themselves, which RFC 9051 §6.3.9.6 would rather not.
- The inbox is renamed by nobody: Dovecot refuses it in a Maildir of this layout.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import tempfile
from pathlib import Path

import pytest

from tests.peers import dovecot_imap
from tests.peers.dovecot_imap import DovecotImap

from .house import ImapHouse
from .talking import ImapTalk

pytestmark = pytest.mark.peer(dovecot_imap.PROGRAM)

STEPS = 60
LEVELS = ("a", "b", "cc", "B", "d e")
PATTERNS = ("*", "%", "a*", "a/%", "%/%", "*b", "%c*", "*/*", "INBOX", "%*%*%", "b/%/a", "d e*")
ANSWER = re.compile(rb'(?:LIST|LSUB) \((.*?)\) "/" ("(?:[^"]*)"|\S+)(.*)')


def name(chance: random.Random) -> str:
    """Three levels at most."""
    return "/".join(chance.choices(LEVELS, k=chance.choice((1, 1, 2, 2, 3))))


def read(lines: list[bytes]) -> dict[str, set[str]]:
    """What is said of each name, without what is no matter: \\HasChildren of what is no folder, what folders are for and marked with."""
    found = {}
    for line in lines:
        match = ANSWER.fullmatch(line.removeprefix(b"* "))
        assert match, line
        attributes = {each.lower() for each in match[1].decode().split()}
        attributes -= {"\\unmarked", "\\marked"}
        if "\\nonexistent" in attributes:
            attributes -= {"\\haschildren", "\\hasnochildren", "\\noselect"}
        if b"CHILDINFO" in match[3]:
            attributes.add("childinfo")
        found[match[2].decode().strip('"')] = attributes
    return found


class Both:
    """Our door and Dovecot, which are told the same."""

    def __init__(self, ours: ImapTalk, dovecot: DovecotImap) -> None:
        self.ours = ours
        self.dovecot = dovecot

    async def do(self, command: str) -> tuple[str, str]:
        """How each ends a command."""
        return (await self.ours.do(command))[-1].split(maxsplit=1)[0], self.theirs(command)

    def theirs(self, command: str) -> str:
        try:
            self.dovecot.ask(command.encode())
        except AssertionError as error:
            return bytes(error.args[0]).split(b" ")[1].decode()
        return "OK"

    async def listed(self, command: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """What each answers."""
        ours = [line.encode() for line in await self.ours.ok(command)]
        return read(ours), read(self.dovecot.ask(command.encode()))

    async def subscribed(self) -> set[str]:
        return set((await self.listed('LIST (SUBSCRIBED) "" *'))[0])

    async def step(self, chance: random.Random) -> None:
        """One command by chance, and what has to be done first for both to do the same."""
        there = [each for each in (await self.listed('LIST "" *'))[0] if each != "INBOX"]
        what = chance.choice(("CREATE", "CREATE", "CREATE", "DELETE", "RENAME", "RENAME", "SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE"))
        one = chance.choice(there) if there and chance.random() < 0.7 and what != "CREATE" else name(chance)
        if what == "SUBSCRIBE" and one not in there:
            return
        if what == "DELETE" and any(each.startswith(f"{one}/") for each in there):
            return
        if what == "RENAME":
            other = name(chance)
            if not other.startswith(f"{one}/"):
                await self.above(other, there)
            moved = [each for each in await self.subscribed() & {*there} if each == one or each.startswith(f"{one}/")]
            said = await self.do(f'RENAME "{one}" "{other}"')
            if said[0] == "OK":
                for each in moved:
                    self.theirs(f'SUBSCRIBE "{other}{each[len(one) :]}"')
        else:
            if what == "CREATE":
                await self.above(one, there)
            said = await self.do(f'{what} "{one}"')
        assert said[0] == said[1], (what, one, said)

    async def above(self, one: str, there: list[str]) -> None:
        """Make the folders that a name is in."""
        levels = one.split("/")
        for depth in range(1, len(levels)):
            parent = "/".join(levels[:depth])
            if parent not in there:
                assert await self.do(f'CREATE "{parent}"') == ("OK", "OK")

    async def compare(self) -> None:
        """All patterns, and all that can be chosen."""
        for pattern in PATTERNS:
            for command in (
                f'LIST "" "{pattern}"',
                f'LIST (SUBSCRIBED) "" "{pattern}" RETURN (CHILDREN)',
                f'LIST "" "{pattern}" RETURN (SUBSCRIBED CHILDREN)',
            ):
                ours, theirs = await self.listed(command)
                assert ours == theirs, command
            ours, theirs = await self.listed(f'LSUB "" "{pattern}"')
            assert ours.keys() == theirs.keys(), pattern
            if pattern == "%":
                assert {each for each, said in ours.items() if "\\noselect" in said} == {
                    each for each, said in theirs.items() if "\\noselect" in said
                }
            ours, theirs = await self.listed(f'LIST (SUBSCRIBED RECURSIVEMATCH) "" "{pattern}" RETURN (CHILDREN)')
            assert {each: said - {"childinfo"} for each, said in ours.items()} == {
                each: said - {"childinfo"} for each, said in theirs.items() if "\\subscribed" in said or each in ours
            }, pattern
            assert {each for each, said in ours.items() if "childinfo" in said} <= {
                each for each, said in theirs.items() if "childinfo" in said
            }
        ours, theirs = await self.listed('LIST "a/" ("%" "b*" "") RETURN (CHILDREN)')
        assert ours == theirs


async def run(home: Path, seed: int) -> None:
    """A house, and Dovecot in `home`."""
    chance = random.Random(seed)
    dovecot = DovecotImap(home, ())
    with (home / "dovecot.conf").open("a") as file:
        file.write(f"mail_location = maildir:{home}/Maildir:LAYOUT=fs\nnamespace inbox {{\n  inbox = yes\n  separator = /\n}}\n")
    with dovecot:
        async with ImapHouse() as house:
            both = Both(await house.client(), dovecot)
            for each in ("Archive", "Drafts", "Junk", "Sent", "Trash"):
                await both.ours.ok(f"DELETE {each}")
                await both.ours.ok(f"UNSUBSCRIBE {each}")
            both.theirs("SUBSCRIBE INBOX")
            for number in range(STEPS):
                await both.step(chance)
                if number % 6 == 0:
                    await both.compare()


@pytest.mark.parametrize("seed", range(4))
def test_folders_are_as_dovecot_has_them(seed: int) -> None:
    """Whatever was done to them; and what cannot be done is refused by both."""
    with tempfile.TemporaryDirectory(prefix="mailer-dovecot-") as place:
        os.chmod(place, 0o711)  # where tests run as root, Dovecot runs as another
        asyncio.run(run(Path(place, "home"), seed))
