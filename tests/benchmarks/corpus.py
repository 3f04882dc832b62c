"""Letters of our own making, each with a label: what people and machines write that somebody wants, and what nobody wants.

Made of parts that are put together in all ways, so the corpus is large, the same each time, and nobody's private mail. How each letter
comes is a part of it: from a host that its domain names or from anywhere, with a name in the DNS or without, and whether a list has it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

SAMPLES = Path("/usr/share/doc/spamassassin/examples")  # where Debian's package has them
ONE_BY_ONE = Path(__file__).parent / "letters.toml"
WRITTEN = 1_796_119_200.0  # 2026-12-01 10:00 UTC
DATE = "Tue, 1 Dec 2026 10:00:00 +0000"


class LabelledLetter(NamedTuple):
    """A letter: whether it is `spam`, its kind, whose it is, how it comes, and the message."""

    spam: bool
    kind: str
    sender: str
    proved: bool
    named: bool
    listed: bool
    content: bytes


class _Way(NamedTuple):
    """How letters come."""

    proved: bool
    named: bool
    listed: bool


WANTED_WAYS = (_Way(True, True, False), _Way(True, True, False), _Way(False, True, False), _Way(True, False, False))
UNWANTED_WAYS = (_Way(False, False, True), _Way(False, False, True), _Way(False, True, True), _Way(True, True, False))
"""Much of what nobody wants comes from hosts that a list has; some comes from a host that is rented for a day, and proves all it says."""

PEOPLE = ("Anna Berg", "J. Okafor", "Marie Dubois", "Wei Zhang")
WANTED = {
    "letter": {
        "Lunch on Thursday?": "Hello,\n\nare you free on Thursday? The new place at the corner has a good soup.\n\nSee you,",
        "Re: the draft": "Thanks, I have read it. Two remarks: the second table lacks a unit, and I would leave chapter 4 as it is.",
        "Fotos vom Wochenende": "Hallo zusammen,\n\ndie Bilder sind im Album. Es war schön mit euch!",
    },
    "invoice": {
        "Invoice 2026-1182": "Dear customer,\n\nplease find invoice 2026-1182 over 84.20 EUR. Payable within 14 days.",
        "Your order has shipped": "Your parcel with 2 items is on its way and should arrive on Friday. Order number 77-1290.",
    },
    "list": {
        "[dev] Release 2.4 candidate": "All,\n\nthe second candidate is tagged. Known: the test on ARM is slow. Report until Monday.",
        "[choir] Rehearsal moved": "The rehearsal on Tuesday is at 19:30 in the small hall. Bring the blue scores.",
    },
    "machine": {
        "backup of db3: done": "finished 2026-11-30T02:14:09Z, 18 GB in 41 min, 0 errors",
        "cron: certificate renewal": "No certificate was due. Next look: tomorrow.",
    },
}
UNWANTED = {
    "advance fee": {
        "CONFIDENTIAL BUSINESS PROPOSAL": "Dear Friend,\n\nI am Barrister James, lawyer of the late engineer who left $18.5 MILLION\n"
        "USD in our bank with no next of kin. I seek your assistance to transfer this fund to your account. You will get 40% for your\n"
        "help. This is 100% risk free. Send your full name, bank account and phone number URGENTLY.",
        "YOU HAVE WON 850,000.00 GBP!!!": "CONGRATULATIONS!!! Your e-mail address has won the sum of 850,000.00 Great British Pounds in\n"
        "the international lottery. To claim your prize contact our fiduciary agent with your full names, address, age, occupation.",
    },
    "pills": {
        "V1AGRA and C1ALIS 80% off!!!": "Buy cheap VIAGRA online! No prescription needed! Lowest prices guaranteed!\n"
        "Click here: http://198.51.100.7/pills",
        "Lose 30 pounds in 10 days!": "Doctors hate this! Burn fat without diet. Order now, limited time offer, 100% satisfaction\n"
        "guaranteed, money back! http://cheap-slim.example/?id=7781",
    },
    "phishing": {
        "Your account will be SUSPENDED": "Dear valued customer,\n\nwe detected unusual activity. Verify your account within 24 hours\n"
        "or it will be suspended: http://198.51.100.9/login/paypal/verify.php",
        "Mailbox full: action required": "Your mailbox has exceeded its quota. Click here to upgrade and enter your password:\n"
        "http://webmail.example.net.evil.example/",
    },
    "money": {
        "Make $5000 a week from home": "Work from home! Earn extra cash, be your own boss, no experience needed! This is not spam.\n"
        "To be removed click here.",
        "Double your Bitcoin TODAY": "Send 0.1 BTC and get 0.2 BTC back within one hour. Act now! Guaranteed profit!\n"
        "The wallet is in my next letter.",
    },
}


def letters() -> Iterator[LabelledLetter]:
    """All of them, in an order that is the same each time."""
    for spam, kinds, ways in ((False, WANTED, WANTED_WAYS), (True, UNWANTED, UNWANTED_WAYS)):
        for kind, texts in kinds.items():
            for (subject, text), person, (at, way) in product(texts.items(), PEOPLE, enumerate(ways)):
                yield LabelledLetter(spam, kind, _sender(person, way), *way, _written(kind, subject, text, person, way, at))
    for each in tomllib.loads(ONE_BY_ONE.read_text())["letter"]:
        yield LabelledLetter(each["spam"], each["about"], each["reverse_path"], each["known"], each["known"], False, _composed(each))


def of_others(place: Path) -> Iterator[LabelledLetter]:
    """The messages of somebody else's collection, each a file below ``ham`` or ``spam``; how they came is not known."""
    for label in ("ham", "spam"):
        for path in sorted((place / label).rglob("*")):
            if path.is_file():
                yield _as_it_is(path, label == "spam", f"{label}/{path.name}")


def of_spamassassin(place: Path = SAMPLES) -> Iterator[LabelledLetter]:
    """The two samples that come with it, where they are installed."""
    for spam, name in ((False, "sample-nonspam.txt"), (True, "sample-spam.txt")):
        if (path := place / name).is_file():
            yield _as_it_is(path, spam, name)


def _as_it_is(path: Path, spam: bool, kind: str) -> LabelledLetter:
    content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return LabelledLetter(spam, kind, "", True, True, False, content)


def _composed(letter: Mapping[str, Any]) -> bytes:
    made = EmailMessage(policy=SMTP)
    head = {"From": letter["author"], "To": letter.get("to", "Bob <bob@example.com>"), "Subject": letter["subject"], "Date": DATE}
    named = {"Message-ID": f"<{sum(map(ord, letter['about']))}@{letter['author'].rpartition('@')[2].rstrip('>')}>"}
    for name, value in {**head, **named, **letter.get("fields", {})}.items():
        made[name] = value
    if "text" in letter:
        made.set_content(letter["text"])
        if "html" in letter:
            made.add_alternative(letter["html"], subtype="html")
    else:
        made.set_content(letter["html"], subtype="html", cte="base64")
    return made.as_bytes()


def _sender(person: str, way: _Way) -> str:
    return f"{person.rpartition(' ')[2].lower()}@{'good' if way.proved else 'other'}.example"


def _written(kind: str, subject: str, text: str, person: str, way: _Way, at: int) -> bytes:
    sender = _sender(person, way)
    domain = sender.partition("@")[2]
    number = sum(map(ord, f"{kind}{subject}{person}"))
    lines = (
        f"Received: from desk.{domain} ([10.0.0.7]) by mx.sender.example with ESMTP; {DATE}",
        f'From: "{person}" <{sender}>',
        "To: bob@example.com",
        f"Subject: {subject}",
        f"Date: {DATE}",
        f"Message-ID: <{number}.{at}@{domain}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        *text.split("\n"),
        "",
    )
    return "\r\n".join(lines).encode()
