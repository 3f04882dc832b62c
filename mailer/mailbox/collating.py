"""What messages are sorted and threaded by (RFC 5256), kept in narrow rows, so that ten thousand are put in order in a moment.

The row of a message is made when it comes, and can be made anew from it: who deletes the rows loses time. Texts are as they are compared.
`ids` are eight octets of a digest for each Message-ID, its own first (zeros for none) and then those that it refers to, the oldest first:
what is asked of them is which are the same.
"""

from __future__ import annotations

import re
from array import array
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mailer.imap.collation import casemap
from mailer.mime.words import shown

from .api import LAST_UID
from .entries import FEW, among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.flags import Uids
    from mailer.mime.addresses import Addressee
    from mailer.mime.rendered import Rendered

    from .api import SortColumn
    from .engine.api import Rows

QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)  # RFC 5322 §3.2.4
PAIR: Final = re.compile(r"\\(.)", re.DOTALL)

SORTED: Final = (
    "sent", "received", "size", "subject", "sender", "recipient", "copied", "shown_sender", "shown_recipient", "answers", "ids",
)  # fmt: skip
ADD: Final = """INSERT INTO collated
    (owner, mail, received, size, sent, subject, sender, recipient, copied, shown_sender, shown_recipient, answers, ids)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner, mail) DO NOTHING"""
LACKING: Final = """SELECT e.mail FROM entry e WHERE e.owner = ? AND e.folder = ? AND e.uid > 0
    AND NOT EXISTS (SELECT 1 FROM collated c WHERE c.owner = e.owner AND c.mail = e.mail)
    AND EXISTS (SELECT 1 FROM mail m WHERE m.owner = e.owner AND m.id = e.mail) LIMIT ?"""

LONGEST: Final = 255  # characters of an address or a name that is compared


class RowOfOrder(NamedTuple):
    """What is kept of a message to put it in order."""

    sent: float
    subject: str
    sender: str
    recipient: str
    copied: str
    shown_sender: str
    shown_recipient: str
    answers: int
    ids: bytes


def made(read: Rendered, received: float) -> RowOfOrder:
    """What is kept of a message that was read. It was sent when it came, where it does not say when (RFC 5256 §2.2)."""
    sender, recipient, copied = read.first
    return RowOfOrder(
        read.sent or received, _compared(read.subject_base), _local(sender), _local(recipient), _local(copied), _shown(sender),
        _shown(recipient), int(read.answers), b"".join([_id(read.message_id), *map(_id, read.ancestors)]),
    )  # fmt: skip


def add(rows: Rows, owner: int, mail: str, size: int, received: float, row: RowOfOrder) -> None:
    """Write what a message is put in order by."""
    rows.change(ADD, (owner, mail, received, size, *row))


def lacking(rows: Rows, owner: int, folder: int, most: int) -> list[str]:
    """Messages of a folder that have no row, `most` of them."""
    return [row[0] for row in rows.run(LACKING, (owner, folder, most))]


class OrderQuestion(NamedTuple):
    """The statement that asks for columns."""

    STATEMENT: str


@cache
def question(columns: tuple[SortColumn, ...]) -> OrderQuestion:
    """What asks for these columns; all of them are empty for a message that has no row. Raises `ValueError` for others."""
    if not set(columns) <= {*SORTED}:
        raise ValueError(f"no columns that messages are sorted by: {columns}")
    wanted = ", ".join(["e.uid", *(f"c.{column}" for column in columns)])
    return OrderQuestion(
        f"SELECT {wanted} FROM entry e LEFT JOIN collated c ON c.owner = e.owner AND c.mail = e.mail "
        "WHERE e.owner = ? AND e.folder = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid"
    )


def collated(rows: Rows, owner: int, folder: int, uids: Uids, columns: tuple[SortColumn, ...]) -> Sequence[tuple[Any, ...]]:
    """The UID and these columns of each message of a folder that has one of these UIDs, in their order."""
    asked = question(columns)
    spans = ((1, LAST_UID),) if uids is None else uids
    if len(spans) > FEW:
        return [*among(rows.run(asked.STATEMENT, (owner, folder, spans[0][0], spans[-1][1])), spans)]
    return [row for span in spans for row in rows.run(asked.STATEMENT, (owner, folder, *span))]


def ids_of(ids: bytes) -> array[int]:
    """The numbers that stand for Message-IDs: its own, 0 for none, and those that the message refers to."""
    return array("Q", ids)


def _id(message_id: str) -> bytes:
    return blake2b(_unquoted(message_id).encode("utf-8", "surrogatepass"), digest_size=8).digest() if message_id else bytes(8)


def _unquoted(message_id: str) -> str:
    """A Message-ID without the quoting that it can do without (RFC 5256 §3, REFERENCES)."""
    local, at, domain = message_id.rpartition("@")
    return f"{QUOTED.sub(_meant, local)}{at}{domain}" if '"' in local else message_id


def _meant(quoted: re.Match[str]) -> str:
    return PAIR.sub(r"\1", quoted[1])


def _local(address: Addressee | None) -> str:
    return _compared(address.local or "") if address else ""


def _shown(address: Addressee | None) -> str:
    """RFC 5957 §3: the name, or the address where there is none."""
    if address is None:
        return ""
    plain = f"{address.local}@{address.host}" if address.host is not None else address.local or ""
    return _compared(" ".join(shown(address.name).split()) or plain)


def _compared(text: str) -> str:
    text = text if text.isascii() else text.encode("utf-8", "replace").decode()
    return casemap(text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:LONGEST])
