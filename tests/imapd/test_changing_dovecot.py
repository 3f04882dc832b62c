"""Messages that are changed, copied, moved, taken out and put by chance are afterwards as by Dovecot. Where we do otherwise,
the reason stands
here.

- \\Recent is never set (RFC 9051 appendix E).
- Dovecot's Maildir has keywords in the order in which it met them; their order says nothing.
- Dovecot says OK to STORE in a folder that was opened by EXAMINE, and does nothing; we say NO. It takes EXPUNGE with an argument.
- A UID that is not there is none (RFC 9051 §6.4.9); where none is left, Dovecot does not look whether there is the folder to which they
  should go. That is not tried.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailer.imap.lexer import Tokens
from tests.mailbox.premises import message, put
from tests.peers import dovecot_imap
from tests.peers.dovecot_imap import DovecotImap

from .house import ImapHouse, in_house
from .talking import ImapTalk

pytestmark = pytest.mark.peer(dovecot_imap.PROGRAM)

STEPS = 120
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "\\Draft", "$one", "two", "\\Deleted \\Seen", "\\Deleted $one", "")
LINE = re.compile(rb"\* (\d+) FETCH \((.*)\)")


def numbers(chance: random.Random, many: int) -> str:
    """A set of numbers; some of them are there."""
    most = max(many, 1)
    ends = [str(chance.randint(1, most)) for _ in range(2)]
    return chance.choice((ends[0], ":".join(ends), f"{ends[0]},{ends[1]}", "1:*", "*", f"{ends[0]}:*", str(most + chance.randint(0, 2))))


def spoken(chance: random.Random, many: int) -> str:
    """A command by chance; `many` are the messages of the folder."""
    uid = chance.choice(("", "UID "))
    some, flags = numbers(chance, many + 3 if uid else many), chance.choice(FLAGS)
    form = chance.choice((
        "{uid}STORE {some} {sign}FLAGS{silent} ({flags})", "{uid}STORE {some} {sign}FLAGS{silent} ({flags})", "{uid}COPY {some} INBOX",
        "{uid}COPY {some} Work", "{uid}MOVE {some} Work", "MOVE {some} Nowhere", "EXPUNGE", "UID EXPUNGE {some}", "NOOP", "CHECK",
        "APPEND INBOX ({flags}) {{5}}\r\nhello", "APPEND Nowhere {{5}}\r\nhello", "SELECT INBOX", "CLOSE", "UNSELECT",
        "{uid}FETCH {some} (FLAGS)",
        "{uid}STORE {some} FLAGS \\Foo", "{uid}FETCH {some}", "STORE", "SELECT Nowhere", "EXAMINE INBOX",
        "STATUS INBOX (MESSAGES)",
    ))  # fmt: skip
    return form.format(
        uid=uid, some=some, flags=flags, sign=chance.choice("+-") if chance.random() < 0.8 else "", silent=chance.choice(("", ".SILENT"))
    )


def read(lines: list[bytes]) -> list[tuple[int, bytes, frozenset[bytes]]]:
    """Number, UID and flags of each message."""
    found = []
    for line in lines:
        if (match := LINE.fullmatch(line)) is not None:
            uid, flags = re.search(rb"UID (\d+)", match[2]), re.search(rb"FLAGS \((.*?)\)", match[2])
            if uid and flags:
                found.append((int(match[1]), uid[1], frozenset(flags[1].split()) - {b"\\Recent"}))
    return sorted(found)


def gone(lines: list[bytes]) -> int:
    """How many messages are told to be gone."""
    return sum(line.endswith(b" EXPUNGE") for line in lines)


def vanished(lines: list[bytes]) -> set[int]:
    """The UIDs that are told to be gone."""
    sets = [Tokens([line.rpartition(b" ")[2]]).numbers().ranges for line in lines if line.startswith(b"* VANISHED ")]
    return {uid for ranges in sets for first, last in ranges for uid in range(first, last + 1)}


def mark(lines: list[bytes]) -> tuple[int, int]:
    """UIDVALIDITY and HIGHESTMODSEQ, as a folder that is opened tells them."""
    text = b"\n".join(lines)
    found = re.search(rb"UIDVALIDITY (\d+)", text), re.search(rb"HIGHESTMODSEQ (\d+)", text)
    assert found[0]
    assert found[1]
    return int(found[0][1]), int(found[1][1])


class BothSelected:
    """Our door and Dovecot, which are told the same."""

    def __init__(self, ours: ImapTalk, dovecot: DovecotImap) -> None:
        self.ours = ours
        self.dovecot = dovecot

    async def do(self, command: str) -> tuple[tuple[str, list[bytes]], tuple[str, list[bytes]]]:
        """How each ends a command, and what it says before."""
        *lines, last = await self.ours.do(command)
        return (last.split(maxsplit=1)[0], [line.encode() for line in lines]), self.theirs(command)

    def theirs(self, command: str) -> tuple[str, list[bytes]]:
        try:
            return "OK", self.dovecot.ask(command.replace("{5}", "{5+}").encode())
        except AssertionError as error:
            return bytes(error.args[0]).split(b" ")[1].decode(), []

    async def same(self, command: str) -> None:
        """They do the same."""
        ours, theirs = await self.do(command)
        assert ours[0] == theirs[0], (command, ours, theirs)
        if ours[0] == "OK":
            assert gone(ours[1]) == gone(theirs[1]), (command, ours, theirs)

    async def alike(self, said: list[str]) -> int:
        """The folder is the same by each; how many messages are in it."""
        ours, theirs = await self.do("UID FETCH 1:* (FLAGS)")
        assert read(ours[1]) == read(theirs[1]), said
        return len(read(ours[1]))


def beside_dovecot(test: Callable[[BothSelected], Awaitable[None]]) -> None:
    """Run `test` with six messages in the INBOX on both sides, and another folder."""

    async def begun(house: ImapHouse) -> None:
        with tempfile.TemporaryDirectory() as home:
            os.chmod(home, 0o755)
            with house.premises.ann() as box:
                box.create("Work")
                put(box, many=6)
            with DovecotImap(Path(home), [message(f"number {number}") for number in range(6)]) as dovecot:
                dovecot.ask(b"CREATE Work")
                await test(BothSelected(await house.client(), dovecot))

    in_house(begun)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_done_to_messages_is_done_by_dovecot_as_well(seed: int) -> None:
    """By number, by UID, with sets that are in part of nobody, and what is refused."""
    chance = random.Random(seed)

    async def test(both: BothSelected) -> None:
        said, many, selected = list[str](), 6, False
        for _ in range(STEPS):
            if not selected:
                await both.same("SELECT INBOX")
                selected = True
            said.append(command := spoken(chance, many))
            await both.same(command)
            if command in ("CLOSE", "UNSELECT", "SELECT Nowhere", "EXAMINE INBOX"):
                selected = False
            else:
                many = await both.alike(said)

    beside_dovecot(test)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_client_missed_is_told_by_dovecot_as_well(seed: int) -> None:
    """From any moment before: which messages went, which came or changed, and how they are flagged. RFC 7162 §3.2.5"""
    chance = random.Random(seed)

    async def test(both: BothSelected) -> None:
        await both.do("ENABLE QRESYNC")
        ours, theirs = await both.do("SELECT INBOX")
        marks, many = [(mark(ours[1]), mark(theirs[1]))], 6
        for _ in range(10):
            said = []
            for _ in range(chance.randint(1, 12)):
                command = spoken(chance, many)
                if not command.startswith(("CLOSE", "UNSELECT", "SELECT", "EXAMINE")):
                    said.append(command)
                    ours, theirs = await both.do(command)
                    assert vanished(ours[1]) == vanished(theirs[1]), (command, ours, theirs)
                    many = await both.alike(said)
            here, there = chance.choice(marks)
            told = [line.encode() for line in await both.ours.ok(f"SELECT INBOX (QRESYNC ({here[0]} {here[1]}))")]
            wanted = both.dovecot.ask(b"SELECT INBOX (QRESYNC (%d %d))" % there)
            assert (vanished(told), read(told)) == (vanished(wanted), read(wanted)), said
            marks.append((mark(told), mark(wanted)))

    beside_dovecot(test)
