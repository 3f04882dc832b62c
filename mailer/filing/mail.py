"""The facts about a letter that scripts may ask for, read when they are asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from mailer.mail.address_key import key_of, split_tag
from mailer.mail.message import Message, header_end
from mailer.mime import tree
from mailer.mime.charset import decoded
from mailer.mime.html import text_of_html
from mailer.mime.parameters import parameter
from mailer.mime.text import octets
from mailer.mime.words import shown
from mailer.sieve import MailFacts, SievePart

from .decide import USES, LetterFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.mailbox.api import Mailbox
    from mailer.transport.filing import MailboxLetter

RAW: Final = 1 << 20  # octets of a body that are looked at as it is
TEXT: Final = 1 << 18  # octets of the text of a part


def situation(mailbox: Mailbox, letter: MailboxLetter, is_ours: Callable[[str], bool], extra: Sequence[str] = ()) -> LetterFacts:
    """What is known of `letter`, which is for the owner of `mailbox`; `extra` are addresses of his besides."""
    content = letter.prefix + letter.content
    end = header_end(content)
    facts = MailFacts(
        content[:end],
        len(content),
        letter.envelope.sender,
        letter.recipient,
        shown,
        letter.at,
        lambda: parts_of(letter.content),
        lambda: content[end + 2 : end + 2 + RAW].decode("utf-8", "replace"),
        lambda name: mailbox.folder(name) is not None,
        lambda use: _has_role(mailbox, use),
        _zone,
        {"name": "mailer", "phase": "during", "location": "MS", "domain": key_of(letter.recipient).rpartition("@")[2]},
    )
    own = {mailbox.owner.address, letter.recipient, split_tag(key_of(letter.recipient))[0], *extra}
    return LetterFacts(facts, Message(content[:end], b""), letter.junk, sorted(own), is_ours)


def parts_of(content: bytes) -> Iterator[SievePart]:
    """The leaves of a message, decoded."""
    for part in tree.every(tree.parsed(content)):
        if not part.parts and part.message is None:
            found = decoded(octets(content, part, TEXT), parameter(part.params, "charset"))
            kind = f"{part.type}/{part.subtype}".lower()
            yield SievePart(kind, found, text_of_html(found) if kind == "text/html" else found)


def _has_role(mailbox: Mailbox, use: str) -> bool:
    """Whether there is a folder for a special use, or whether the folder that is named before a blank is for it."""
    folder, _, flag = use.rpartition(" ")
    found = mailbox.with_role(USES[flag.lower()]) if flag.lower() in USES else None
    return found is not None and (not folder or found.name == folder)


def _zone(seconds: float) -> int:
    return int(time.localtime(seconds).tm_gmtoff) // 60
