"""The names of entries that are not called as their messages are, written when they come and kept as long as they are there.

An entry is called by what its message was called elsewhere, where POP3 can say that, else by the ID of the message. Where the folder has
the message already, or one of that name, the new entry is a twin, and its name is written here: the ID where only the name of elsewhere is
another's, else UIDVALIDITY and UID as they are at that moment. So a name is never that of another entry while both are there, or becomes
it when the other goes (RFC 1939 §7), whatever becomes of UIDVALIDITY in a restore.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .hundreds import HUNDRED, hundreds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .api import Folder
    from .engine.api import Rows
    from .ledger import Ledger

UIDLS: Final = f"SELECT id, uidl FROM mail WHERE owner = ? AND uidl <> '' AND id IN ({HUNDRED})"
TAKEN: Final = f"""SELECT mail FROM entry WHERE owner = ? AND folder = ? AND mail IN ({HUNDRED})
    UNION ALL SELECT m.uidl FROM mail m JOIN entry e ON e.owner = m.owner AND e.mail = m.id
        WHERE m.owner = ? AND e.folder = ? AND m.uidl <> '' AND m.uidl IN ({HUNDRED})
    UNION ALL SELECT name FROM twin WHERE owner = ? AND folder = ? AND name IN ({HUNDRED})"""
ADD: Final = "INSERT INTO twin (owner, folder, uid, name) VALUES (?, ?, ?, ?)"
NAMES: Final = "SELECT uid, name FROM twin WHERE owner = ? AND folder = ? AND uid > 0"
FORGET: Final = """DELETE FROM twin WHERE owner = ? AND folder = ? AND uid BETWEEN ? AND ?
    AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.owner = twin.owner AND e.folder = twin.folder AND e.uid = twin.uid)"""
CLEAR: Final = "DELETE FROM twin WHERE owner = ? AND folder = ?"

_NAME: Final = re.compile(r"[\x21-\x7e]{1,70}")


def plain(mail: str, uidl: str) -> str:
    """What an entry of a message is called that is no twin, RFC 1939 §7."""
    return uidl if _NAME.fullmatch(uidl) else mail


def numbered(uidvalidity: int, uid: int) -> str:
    """What an entry is called by its numbers."""
    return f"{uidvalidity:08x}{uid:08x}"


def mark(ledger: Ledger, folder: Folder, coming: Sequence[tuple[int, str]]) -> None:
    """Write the names of the twins among entries that come into a folder, each a UID and a message; before they are there."""
    given: set[str] = set()
    for start in range(0, len(coming), 100):
        some = coming[start : start + 100]
        ids = [mail for _, mail in some]
        uidls = {id: uidl for piece in hundreds(ids) for id, uidl in ledger.rows.run(UIDLS, (ledger.owner, *piece))}
        numbers = [numbered(folder.uidvalidity, uid) for uid, _ in some]
        given |= _taken(ledger.rows, ledger.owner, folder.id, [*ids, *uidls.values(), *numbers])
        for (uid, mail), number in zip(some, numbers, strict=True):
            usual = plain(mail, uidls.get(mail, ""))
            name = _free(usual, mail, number, given)
            given |= {usual, mail, name}
            if name != usual:
                ledger.rows.change(ADD, (ledger.owner, folder.id, uid, name))


def forget(ledger: Ledger, folder: int, uids: Sequence[int]) -> None:
    """Have no names of entries that went."""
    ledger.rows.change(FORGET, (ledger.owner, folder, min(uids), max(uids)))


def _taken(rows: Rows, owner: int, folder: int, names: Sequence[str]) -> set[str]:
    """Those of the names that somebody in the folder has, or had had if another had not had it before him."""
    where = (owner, folder)
    return {row[0] for some in hundreds(names) for row in rows.run(TAKEN, (*where, *some, *where, *some, *where, *some))}


def _free(usual: str, mail: str, number: str, given: set[str]) -> str:
    if mail in given:
        return number if number not in given else f"{number}.{mail}"
    return mail if usual in given else usual
