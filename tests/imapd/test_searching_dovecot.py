"""Searches, sorts and threads by chance: our door says what Dovecot says of the same mail. Where it does not, the reason stands here.

- Dovecot has no ß as ss in a search and looks for letters without their marks; there are none of these here. (`tests.mailbox` has more of
  what is in texts.)
- A message without a Date is sent on no day for us, and on the first of 1970 for Dovecot: all have one where SENTBEFORE is asked.
- Dovecot takes two sizes of which one is to be true for the larger one: a query has one size at most.
- A key that is named twice makes Dovecot forget the order of numbers among those that are alike: no key is named twice.
- Dovecot numbers what it sorts by as it meets it, and where some messages are sorted first, those that are alike may get numbers that are
  not, for good: all are sorted once before.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Callable, Sequence
from email.header import Header
from email.utils import formatdate
from pathlib import Path

import pytest

from mailer.mail.flags import PLAIN, Flag
from mailer.mailbox.api import NewMail
from tests.peers import dovecot_imap

from .house import ImapHouse
from .talking import ImapTalk

pytestmark = pytest.mark.peer(dovecot_imap.PROGRAM)

MANY = 120
SINCE = 1_700_000_000
WORDS = ("alpha", "Beta", "GAMMA", "delta", "Ωmega", "ωΜΕΓΑ", "привет", "ПРИВЕТ", "東京", "zeta")
LEADERS = ("", "", "", "Re: ", "RE: ", "Fwd: ", "re: [list] ", "[list] ", "Re: Re: ", "Re[2]: ", "fw: ")
TRAILERS = ("", "", "", " (fwd)", " (Fwd) (fwd)")
NAMES = ("", "Anna", "anna B.", "Zoe", '"Miller, Max"', "Ωmega", "=?utf-8?q?=D0=9F=D1=80?=")
PEOPLE = ("anna", "Bob", "carol.x", "DAVE", "eve", "a")
NAMED = (b"ARRIVAL", b"CC", b"DATE", b"FROM", b"SIZE", b"SUBJECT", b"TO", b"DISPLAYFROM", b"DISPLAYTO")
DAYS = ("01-Nov-2023", "15-Nov-2023", "16-Nov-2023", "20-Nov-2023", "01-Jan-2024")


def encoded(text: str) -> str:
    """A text of a field."""
    return text if text.isascii() else Header(text, "utf-8").encode()


def address(chance: random.Random) -> str:
    """An address, with a name or without."""
    name, local, domain = encoded(chance.choice(NAMES)), chance.choice(PEOPLE), chance.choice(("x.example", "y.example"))
    return f"{name} <{local}@{domain}>" if name else f"{local}@{domain}"


def letter(chance: random.Random, number: int, *, dated: bool) -> bytes:
    """A message, which refers to any others."""
    lines = [f"From: {address(chance)}"]
    for name in ("To", "Cc"):
        if chance.random() < 0.7:
            people = [address(chance) for _ in range(chance.randint(1, 2))]
            lines.append(f"{name}: {', '.join(people)}")
    if chance.random() < 0.9:
        words = " ".join(chance.choices(WORDS[:6], k=chance.randint(0, 2)))
        lines.append(f"Subject: {chance.choice(LEADERS)}{encoded(words)}{chance.choice(TRAILERS) if words.isascii() else ''}")
    if dated or chance.random() < 0.9:
        lines.append(f"Date: {formatdate(SINCE + chance.randint(0, 40) * 40_000)}")
    if chance.random() < 0.9:
        lines.append(f"Message-ID: <{number if chance.random() < 0.8 else chance.randint(1, 20)}@x>")
    referred = " ".join(f"<{chance.randint(1, MANY)}@x>" for _ in range(chance.randint(0, 3)))
    if referred:
        lines.append(f"{chance.choice(('References', 'In-Reply-To'))}: {referred}")
    lines += [f"X-Tag: {chance.choice(WORDS[:4])}", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"]
    body = " ".join(chance.choices(WORDS, k=chance.randint(1, 20)))
    return "\r\n".join([*lines, "Content-Transfer-Encoding: 8bit", "", body, ""]).encode()


def numbers(chance: random.Random) -> bytes:
    """Some of the numbers."""
    ends = [chance.choice([str(chance.randint(1, MANY)), "*"]) for _ in range(2)]
    return chance.choice([":".join(ends), f"{chance.randint(1, MANY)},{':'.join(ends)}"]).encode()


def query(chance: random.Random) -> bytes:
    """Keys, of which one at most asks for a size."""
    while (found := key(chance)).count(b"LARGER") + found.count(b"SMALLER") > 1:
        pass
    return found


def key(chance: random.Random, depth: int = 0) -> bytes:
    """A key."""
    if depth < 3 and chance.random() < 0.4:
        one, other = key(chance, depth + 1), key(chance, depth + 1)
        return chance.choice((b"NOT " + one, b"OR " + one + b" " + other, b"(" + one + b" " + other + b")"))
    word = chance.choice(WORDS)
    word = word[: chance.randint(1, len(word))].encode()
    text = b"{%d+}\r\n%b" % (len(word), word)
    size, day = chance.randint(200, 700), chance.choice(DAYS).encode()
    flag = chance.choice((b"SEEN", b"ANSWERED", b"FLAGGED", b"DELETED", b"DRAFT"))
    return chance.choice((
        flag, b"UN" + flag, b"KEYWORD $Work", b"UNKEYWORD $work", b"LARGER %d" % size, b"SMALLER %d" % size, b"ALL",
        b"BEFORE " + day, b"ON " + day, b"SINCE " + day,
        b"SUBJECT " + text, b"FROM " + text, b"TO " + text, b"CC " + text, b"BCC " + text, b"BODY " + text, b"TEXT " + text,
        b"HEADER X-Tag " + text, b'HEADER Cc ""', b'HEADER References ""', numbers(chance), b"UID " + numbers(chance),
    ))  # fmt: skip


def searched(chance: random.Random) -> bytes:
    """A SEARCH; its options are asked for one by one, for their order is free."""
    if chance.random() < 0.1:
        return b"SEARCH %b %b " % (chance.choice((b"SENTBEFORE", b"SENTON", b"SENTSINCE")), chance.choice(DAYS).encode()) + query(chance)
    option = chance.choice((b"", b"", b"RETURN (MIN) ", b"RETURN (MAX) ", b"RETURN (COUNT) ", b"RETURN (ALL) ", b"RETURN () "))
    return b"SEARCH " + option + b"CHARSET UTF-8 " + query(chance)


def sorted_(chance: random.Random) -> bytes:
    """A SORT."""
    keys = [chance.choice((b"", b"REVERSE ")) + name for name in chance.sample(NAMED, k=chance.randint(1, 3))]
    return b"SORT (" + b" ".join(keys) + b") UTF-8 " + query(chance)


def threaded(chance: random.Random) -> bytes:
    """A THREAD."""
    return b"THREAD " + chance.choice((b"REFERENCES", b"ORDEREDSUBJECT")) + b" UTF-8 " + chance.choice((b"ALL", query(chance)))


STORED = (
    b"STORE 1:30 +FLAGS (\\Answered)",
    b"STORE 20:50 +FLAGS (\\Flagged $Work)",
    b"STORE 5,9,77 +FLAGS (\\Deleted)",
    b"STORE 40:* +FLAGS (\\Draft)",
)


async def compared(mail: Sequence[bytes], commands: Sequence[bytes]) -> list[tuple[bytes, str, str]]:
    """What is answered to each command that is answered differently: by us, and by Dovecot."""
    differing = []
    with tempfile.TemporaryDirectory(prefix="mailer-dovecot-") as place:
        home = Path(place)
        home.chmod(0o755)
        dovecot = dovecot_imap.DovecotImap(home, mail, seen=lambda number: number % 3 == 0)
        for number, path in enumerate(sorted((home / "Maildir/cur").iterdir())):
            os.utime(path, (SINCE + number * 9000, SINCE + number * 9000))
        async with ImapHouse() as house:
            with house.premises.ann() as box:
                box.put([
                    NewMail("INBOX", each, b"", PLAIN if number % 3 else Flag.SEEN, (), float(SINCE + number * 9000))
                    for number, each in enumerate(mail)
                ])  # fmt: skip
            talk = await house.selected()
            with dovecot:
                dovecot.ask(b"SELECT INBOX")
                for command in STORED:
                    await talk.ok(command)
                    dovecot.ask(command)
                for name in NAMED:
                    dovecot.ask(b"SORT (%b) UTF-8 ALL" % name)
                for command in commands:
                    theirs = answer([each.decode() for each in dovecot.ask(command)])
                    ours = answer(await said(talk, command))
                    if ours != theirs:
                        differing.append((command, ours, theirs))
    return differing


async def said(talk: ImapTalk, command: bytes) -> list[str]:
    """What we say, of literals that are not waited for."""
    tag = f"b{id(command)}"
    talk.writer.write(f"{tag} ".encode() + command + b"\r\n")
    *lines, last = await talk.end(tag)
    assert last.startswith("OK"), (command, last)
    return lines


def answer(lines: Sequence[str]) -> str:
    """The answer without its tag and blanks at its end; Dovecot says no ALL that is empty either."""
    (line,) = [each for each in lines if each.split(" ")[1] in {"SEARCH", "ESEARCH", "SORT", "THREAD"}]
    return line.partition(") ")[2] if line.startswith("* ESEARCH") else line.rstrip()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("made", [searched, sorted_, threaded])
def test_dovecot_says_the_same(made: Callable[[random.Random], bytes], seed: int) -> None:
    """To a hundred commands of each kind."""
    chance = random.Random(seed)
    mail = [letter(chance, number, dated=made is searched) for number in range(1, MANY + 1)]
    differing = asyncio.run(compared(mail, [made(chance) for _ in range(100)]))
    assert not differing, "\n".join(f"{command!r}\n  ours   {ours}\n  theirs {theirs}" for command, ours, theirs in differing[:5])
