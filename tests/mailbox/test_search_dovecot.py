"""A search finds what Dovecot finds in the same mail, in plain text of many scripts; where it does not, the reason stands here.

Dovecot looks through HTML as it is written, and compares letters without their marks (``i;unicode-casemap`` decomposes them and has no ß as
ss); so there is no HTML here, and no ß. It sees the header of a part as a part of the body.
"""

from __future__ import annotations

import base64
import quopri
import random
import tempfile
import time
from email.header import Header
from pathlib import Path

import pytest

from mailer.mail.query import Contains, Either, Every, Not, Query, Within
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.owners.api import Owner
from tests.peers import dovecot_imap

pytestmark = pytest.mark.peer(dovecot_imap.PROGRAM)

WORDS = ("Zebra", "ZEBRA", "quux", "Ωmega", "ωΜΕΓΑ", "東京都", "京", "привет", "ПРИВЕТ", "%", "_", "\\", '"', "Ünder", "ünDER")
CHARSETS = ("utf-8", "utf-8", "utf-16", "utf-7")
MANY = 200


def letter(chance: random.Random) -> bytes:
    """A message of some words, in one of several encodings."""

    def some(most: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(chance.randint(1, most)))

    charset = chance.choice(CHARSETS)
    text = f"{some(6)}\r\n{some(6)}\r\n".encode(charset)
    encoding = chance.choice(("base64", "quoted-printable")) if charset == "utf-8" else "base64"  # RFC 2045 §6.7: of text with line ends
    body = base64.encodebytes(text) if encoding == "base64" else quopri.encodestring(text)
    head = f"Subject: {Header(some(3), 'utf-8').encode()}\r\nX-Tag: {Header(some(1), 'utf-8').encode()}\r\n"
    head += f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def asked(chance: random.Random, depth: int = 0) -> tuple[Query, bytes]:
    """A search, for us and for Dovecot."""
    if depth < 3 and chance.random() < 0.4:
        one, other = asked(chance, depth + 1), asked(chance, depth + 1)
        kind = chance.choice(("NOT", "OR", "AND"))
        if kind == "NOT":
            return Not(one[0]), b"NOT " + one[1]
        if kind == "OR":
            return Either((one[0], other[0])), b"OR " + one[1] + b" " + other[1]
        return Every((one[0], other[0])), b"(" + one[1] + b" " + other[1] + b")"
    if chance.random() < 0.2:
        size = chance.randint(300, 700)
        return Within("size", size + 1, None), b"LARGER %d" % size
    word = " ".join(chance.choice(WORDS) for _ in range(chance.randint(1, 2)))
    literal = b"{%d+}\r\n%b" % (len(word.encode()), word.encode())
    return chance.choice((
        (Contains("header", word, "subject"), b"SUBJECT " + literal),
        (Contains("header", word, "x-tag"), b"HEADER X-Tag " + literal),
        (Contains("body", word), b"BODY " + literal),
        (Contains("text", word), b"TEXT " + literal),
    ))  # fmt: skip


def test_dovecot_finds_the_same() -> None:
    """By subjects, other fields, bodies, all text and sizes, and by all that is put together of them."""
    chance = random.Random(5)
    letters = [letter(chance) for _ in range(MANY)]
    box = OwnMailbox(Owner("01J00000000000000000000000", 1, "anna@example.org", time.time()), MemoryEngine(), MemoryBodies())
    box.put([NewMail("INBOX", content) for content in letters])
    with tempfile.TemporaryDirectory(prefix="mailer-dovecot-") as home:
        Path(home).chmod(0o755)
        with dovecot_imap.DovecotImap(Path(home), letters) as dovecot:
            dovecot.ask(b"SELECT INBOX")
            for _ in range(300):
                query, command = asked(chance)
                theirs = [int(number) for number in dovecot.ask(b"SEARCH CHARSET UTF-8 " + command)[0].split()[2:]]
                assert [each.uid for each in box.search(query)] == theirs, command.decode()
    box.close()
