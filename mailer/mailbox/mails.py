"""The rows of messages: what is kept of each beside its body, made once when it comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mailer.mime.rendered import render
from mailer.pop3.content import lengthening

from . import collating, heads, texts
from .api import Mail
from .hundreds import HUNDRED, hundreds
from .threads import Kinship

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine.api import Rows
    from .ledger import Ledger

BY_IDS: Final = f"""SELECT id, size, prefix, received, sent, message_id, thread, subject, subject_base, sender, recipients, envelope,
    structure, tree, preview, attachments, list_id, key_number, digest FROM mail WHERE owner = ? AND id IN ({HUNDRED})"""
BY_ID: Final = """SELECT id, size, prefix, received, sent, message_id, thread, subject, subject_base, sender, recipients, envelope,
    structure, tree, preview, attachments, list_id, key_number, digest FROM mail WHERE owner = ? AND id = ?"""
ADD: Final = """INSERT INTO mail (owner, id, size, prefix, received, sent, message_id, thread, subject, subject_base, sender, recipients,
    envelope, structure, tree, preview, attachments, list_id, key_number, digest, day, uidl, modseq)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ADD_UNEVEN: Final = "INSERT INTO uneven (owner, mail, octets) VALUES (?, ?, ?)"

LONGEST_BASE: Final = 255  # characters of a subject that is compared; an index has room for no more


class RowOfMail(NamedTuple):
    """A message that is ready for its row: `mail` without its conversation, and what is said of that. `longer` are the octets that it
    has more where each line ends in CRLF."""

    mail: Mail
    said: Kinship
    day: int
    texts: texts.RowsOfText
    collated: collating.RowOfOrder
    header: bytes | None
    uidl: str
    longer: int


def ready(content: bytes, prefix: bytes, received: float, id: str, digest: bytes, key_number: int, uidl: str = "") -> RowOfMail:
    """What is to be kept of a message, read from it."""
    read = render(content, prefix)
    base = storable(read.subject_base)[:LONGEST_BASE]
    message_id, subject = storable(read.message_id), storable(read.subject)
    mail = Mail(
        id, len(prefix) + len(content), prefix, received, read.sent, message_id, "", subject, base, storable(read.sender),
        storable(read.recipients), read.envelope, read.structure, read.tree, storable(read.preview),
        tuple(map(storable, read.attachments)), storable(read.list_id), key_number, digest,
    )  # fmt: skip
    references = tuple(map(storable, read.references))
    kinship = Kinship(message_id, references, base, is_answer(subject, base), received)
    order = collating.made(read, received)
    header = heads.made(content, prefix, read.tree)
    return RowOfMail(mail, kinship, read.day, texts.made(read), order, header, storable(uidl), lengthening(content))


def add(ledger: Ledger, new: RowOfMail, thread: str) -> None:
    """Write the row of a message, and those by which it is found."""
    mail = new.mail
    row = [ledger.owner, *mail, new.day, new.uidl, ledger.modseq]
    row[7], row[16] = thread, json.dumps(mail.attachments) if mail.attachments else ""
    ledger.rows.change(ADD, row)
    texts.add(ledger.rows, ledger.owner, mail.id, mail.size, mail.received, new.texts)
    collating.add(ledger.rows, ledger.owner, mail.id, mail.size, mail.received, new.collated)
    if new.header is not None:
        ledger.rows.change(heads.ADD, (ledger.owner, mail.id, new.header))
    if new.longer:
        ledger.rows.change(ADD_UNEVEN, (ledger.owner, mail.id, new.longer))


def by_ids(rows: Rows, owner: int, ids: Sequence[str]) -> list[Mail | None]:
    """Messages by their IDs."""
    if len(ids) == 1:
        found = {row[0]: mail_of(row) for row in rows.run(BY_ID, (owner, ids[0]))}
    else:
        found = {row[0]: mail_of(row) for some in hundreds(ids) for row in rows.run(BY_IDS, (owner, *some))}
    return [found.get(id) for id in ids]


def mail_of(row: Sequence[Any]) -> Mail:
    """The message of a row."""
    made = Mail(*row)
    return made._replace(attachments=tuple(json.loads(row[15])) if row[15] else ())


def is_answer(subject: str, base: str) -> bool:
    """Whether a subject says that it answers: there is a colon before what it is about, RFC 5256 §2.1."""
    return bool(base) and ":" in subject.partition(base)[0]


def storable(text: str) -> str:
    """A text that every engine takes: a zero is none of its letters, nor is half of a pair."""
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
