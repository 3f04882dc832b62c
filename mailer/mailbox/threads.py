"""Which conversation a message belongs to, over all folders.

Message-IDs tell: its own, and those that it refers to (RFC 5322 §3.6.4). It is said once, when a message comes, and stays: clients keep it
(RFC 8474 §5.2). So a message that comes late and refers to two conversations belongs to the older, and does not make them one. That is
rare, for what a message refers to is noted as well: answers are together with a question that comes after them.

An answer that refers to nothing we know belongs to the newest message of `FRESH` seconds that has its subject, without what answering and
forwarding put before it (RFC 5256 §2.1); a message that is no answer begins its own, for a "Meeting" of one has nothing to do with that of
another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .hundreds import TEN, hundreds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .ledger import Ledger

FRESH: Final = 90 * 86400.0  # seconds
MOST: Final = 50  # Message-IDs of a message that are looked at: the first, and those that are nearest
LONGEST: Final = 500  # characters of a Message-ID that is one

KNOWN_ONE: Final = "SELECT thread FROM reference WHERE owner = ? AND message_id = ?"
KNOWN: Final = f"SELECT thread FROM reference WHERE owner = ? AND message_id IN ({TEN})"
NOTE: Final = "INSERT INTO reference (owner, message_id, thread) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
ALIKE: Final = """SELECT thread FROM mail WHERE owner = ? AND subject_base = ? AND received BETWEEN ? AND ?
    ORDER BY received DESC LIMIT 1"""


class Kinship(NamedTuple):
    """What a message says of its conversation. `answers`: its subject says that it is an answer."""

    message_id: str
    references: Sequence[str]
    subject_base: str
    answers: bool
    received: float


def thread_of(ledger: Ledger, mail: str, said: Kinship) -> str:
    """The ID of the conversation of the message with the ID `mail`, which is its own where it begins one."""
    ids = _ids(said)
    found = _known(ledger, ids)
    if not found and said.answers and said.subject_base:
        span = said.received - FRESH, said.received + FRESH
        found = {row[0] for row in ledger.rows.run(ALIKE, (ledger.owner, said.subject_base, *span))}
    thread = min(found, default=mail)
    ledger.rows.many(NOTE, [(ledger.owner, id, thread) for id in ids])
    return thread


def _known(ledger: Ledger, ids: Sequence[str]) -> set[str]:
    """The conversations that these Message-IDs belong to."""
    if len(ids) == 1:
        return {row[0] for row in ledger.rows.run(KNOWN_ONE, (ledger.owner, ids[0]))}
    return {row[0] for some in hundreds(ids, 10) for row in ledger.rows.run(KNOWN, (ledger.owner, *some))}


def _ids(said: Kinship) -> Sequence[str]:
    """The Message-IDs that count."""
    those = [id for id in dict.fromkeys((said.message_id, *said.references)) if id and len(id) <= LONGEST]
    return those if len(those) <= MOST else [*those[:2], *those[2 - MOST :]]
