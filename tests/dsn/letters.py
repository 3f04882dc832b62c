"""Reports that are letters alone, as mail systems of many kinds and languages write them; and mail that only looks like one.

They are in ``letters_of/``, written for these tests in the manner of each: what is held is that none of them needs a rule of its own.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from mailer.mail.mime import encoded

HERE = Path(__file__).parent / "letters_of"
ENCLOSED = """\
Received: from out.example.org (out.example.org [192.0.2.1]) by mx.example.net; Mon, 30 Nov 2026 10:00:00 +0000
Message-ID: <one@out.example.org>
From: Anna <anna@example.org>
To: {to}
Subject: Hello
Date: Mon, 30 Nov 2026 10:00:00 +0000
"""


class Letter(NamedTuple):
    """A letter of one kind of mail system, and what is true of it: `status` is how the code begins, `name` the class."""

    family: str
    author: str
    subject: str
    text: str
    status: str
    name: str
    to: tuple[str, ...] = ("user@example.net",)
    kind: str = "bounce"
    charset: str = "utf-8"
    extra: str = ""
    enclosed: bool = True
    html: bool = False


class Other(NamedTuple):
    """Mail that is no report of a failure, and its kind."""

    what: str
    kind: str
    author: str
    subject: str
    text: str
    extra: str = ""


def written(letter: Letter) -> bytes:
    """The letter as a message, of several parts where the message that came back is enclosed."""
    head = (
        f"Return-Path: <>\nFrom: {_encoded(letter.author)}\nTo: <anna@example.org>\nSubject: {encoded(letter.subject)}\n"
        f"Date: Mon, 30 Nov 2026 11:00:00 +0100\n{letter.extra}MIME-Version: 1.0\n"
    )
    kind = f"Content-Type: text/{'html' if letter.html else 'plain'}; charset={letter.charset}\nContent-Transfer-Encoding: 8bit\n\n"
    text = letter.text.encode(letter.charset)
    if not letter.enclosed:
        return (head + kind).encode() + text
    returned = ENCLOSED.format(to=letter.to[0]).encode()
    divided = f'Content-Type: multipart/mixed; boundary="b"\n\n--b\n{kind}'.encode()
    return head.encode() + divided + text + b"\n--b\nContent-Type: message/rfc822\n\n" + returned + b"\nHello!\n\n--b--\n"


def _encoded(author: str) -> str:
    """An author with the characters of his name as fields have them, RFC 2047."""
    name, bracket, rest = author.partition(" <")
    return encoded(name) + bracket + rest


def other(mail: Other) -> bytes:
    """The mail as a message."""
    date = "Mon, 30 Nov 2026 11:00:00 +0100"
    return f"From: {mail.author}\nTo: anna@example.org\nSubject: {mail.subject}\n{mail.extra}Date: {date}\n\n{mail.text}".encode()


def _tables(name: str) -> list[dict[str, str]]:
    tables: list[dict[str, str]] = tomllib.loads((HERE / f"{name}.toml").read_text("utf-8"))["letter"]
    return tables


LETTERS = [
    Letter(**table | ({"to": tuple(table["to"])} if "to" in table else {}))  # type: ignore[arg-type]
    for name in ("systems", "more_systems", "languages", "held_out")
    for table in _tables(name)
]
OTHERS = [Other(**table) for name in ("others", "held_out_others") for table in _tables(name)]
