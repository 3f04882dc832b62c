"""Messages for scripts, and our interpreter asked of them."""

from __future__ import annotations

from mailer import sieve
from mailer.filing.mail import parts_of
from mailer.mail.message import header_end
from mailer.mime.words import shown
from mailer.sieve import Action, MailFacts, SieveError

from .pigeonhole import Story, told

NOW = 1_796_126_400.0  # Tue, 1 Dec 2026 12:00:00 UTC


def letter(*fields: str, body: str = "hello\r\n") -> bytes:
    """A message of these fields."""
    return "".join(f"{field}\r\n" for field in fields).encode("utf-8", "surrogateescape") + b"\r\n" + body.encode()


LETTER = letter(
    "Return-Path: <ann@b.example>",
    "Received: from x by y; Tue, 02 Dec 2025 01:00:00 -0500",
    "From: Ann Example <Ann@B.example>",
    'To: Me <me+shop@a.example>, "q r"@p.example, list@l.example',
    "Cc: =?utf-8?q?Ren=C3=A9?= <rene@z.example>",
    "Subject: Your *order* no. 42 is ready",
    "Date: Tue, 01 Dec 2026 12:00:00 +0200",
    "X-Spam-Score: 7.5",
    "X-Many: one",
    "X-Many: two",
    "X-Many: three",
    "X-Folded: a",
    "  b",
    "\tc",
    "X-Words: =?utf-8?q?caf=C3=A9?= =?utf-8?q?_noir?= ok",
    "X-Empty:",
    "List-Id: The List <the.list.example>",
)


def facts(mail: bytes, sender: str = "ann@b.example", recipient: str = "me+det@a.example") -> MailFacts:
    """What a script may know of `mail`."""
    end = header_end(mail)
    body = mail[end + 2 :].decode("utf-8", "replace")
    return MailFacts(mail[:end], len(mail), sender, recipient, shown, NOW, lambda: parts_of(mail), lambda: body)


def run(script: str, mail: bytes = LETTER, sender: str = "ann@b.example", recipient: str = "me+det@a.example") -> tuple[Action, ...]:
    """What our interpreter makes of it."""
    return tuple(sieve.run(sieve.parse(script), facts(mail, sender, recipient)))


def story(script: str, mail: bytes = LETTER, sender: str = "ann@b.example", recipient: str = "me+det@a.example") -> Story:
    """The same, with errors, in the form of `tests.sieve.pigeonhole`."""
    try:
        parsed = sieve.parse(script)
    except SieveError as error:
        return [("wrong", error.line)]
    try:
        return told(sieve.run(parsed, facts(mail, sender, recipient)))
    except SieveError:
        return [("failed",)]
