"""What POP3 tells of a folder: the octets that each message has on its way, and the name that it has for ever (RFC 1939 §7, §11).

A name is that of elsewhere, where the message was brought along with one that POP3 can say; else the ID of the message, which no other ever
has, wherever it is moved to, and whatever becomes of UIDs in a restore. Each has a name of its own in a folder: one that came when the
folder had the message already, or one of that name, has the name that was given to it then (`mailer.mailbox.twins`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import ledger, twins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine.api import Rows

MESSAGES: Final = """SELECT e.uid, e.mail, m.uidl, m.size FROM entry e JOIN mail m ON m.owner = e.owner AND m.id = e.mail
    WHERE e.owner = ? AND e.folder = ? ORDER BY e.uid"""
UNEVEN: Final = "SELECT mail, octets FROM uneven WHERE owner = ?"


def maildrop(rows: Rows, owner: int, folder: int) -> list[tuple[int, int, str]]:
    """The UID of each message of a folder, its octets on the way, and its name. Raises `NoFolder`."""
    uidvalidity = ledger.by_id(rows, owner, folder).uidvalidity
    longer: dict[str, int] = dict(rows.run(UNEVEN, (owner,)))
    names: dict[int, str] = dict(rows.run(twins.NAMES, (owner, folder)))
    seen: set[str] = set()
    found = []
    for uid, mail, uidl, size in rows.run(MESSAGES, (owner, folder)):
        name = names.get(uid) or twins.plain(mail, uidl)
        if name in seen:  # which no change leaves so; two of one name would be one message to a client
            name = twins.numbered(uidvalidity, uid)
        seen.add(name)
        found.append((uid, size + longer.get(mail, 0), name))
    return found


def uidls(rows: Rows, owner: int, folder: int) -> Sequence[tuple[int, str]]:
    """The names alone, by UID. Raises `NoFolder`."""
    return [(uid, name) for uid, _, name in maildrop(rows, owner, folder)]
