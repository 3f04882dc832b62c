"""What has changed in a mailbox since a MODSEQ, brought to the other side.

Entries and what was expunged are found by their MODSEQ, folder by folder; messages by their entries and their
conversations. What is in small tables is compared whole. What is changed by other means (a message is encrypted anew, the rows of
one that was deleted go) is not seen here, but by `balance`, after which all is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mailbox.hundreds import HUNDRED, hundreds

from .tables import COLUMNS, TABLES, drop, put, same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mailbox.engine.api import Engine, Rows

    from .tables import Row

LARGE: Final = ("mail", "entry", "reference", "text", "heading", "collated", "head", "expunged")
"""Tables that grow with the mail; the others are compared whole."""

MODSEQ: Final = "SELECT modseq FROM account WHERE owner = ?"
FOLDERS: Final = "SELECT id, gone FROM folder WHERE owner = ? AND modseq > ?"
ENTRIES: Final = f"SELECT {', '.join(COLUMNS['entry'])} FROM entry WHERE owner = ? AND folder = ? AND modseq > ?"
EXPUNGED: Final = f"SELECT {', '.join(COLUMNS['expunged'])} FROM expunged WHERE owner = ? AND folder = ? AND modseq > ?"
THREADS: Final = f"SELECT DISTINCT thread FROM mail WHERE owner = ? AND id IN ({HUNDRED})"
MAILS: Final = f"SELECT {', '.join(COLUMNS['mail'])} FROM mail WHERE owner = ? AND thread IN ({HUNDRED}) AND modseq > ?"
TEXTS: Final = f"SELECT {', '.join(COLUMNS['text'])} FROM text WHERE owner = ? AND mail IN ({HUNDRED})"
HEADINGS: Final = f"SELECT {', '.join(COLUMNS['heading'])} FROM heading WHERE owner = ? AND mail IN ({HUNDRED})"
COLLATED: Final = f"SELECT {', '.join(COLUMNS['collated'])} FROM collated WHERE owner = ? AND mail IN ({HUNDRED})"
HEADS: Final = f"SELECT {', '.join(COLUMNS['head'])} FROM head WHERE owner = ? AND mail IN ({HUNDRED})"
REFERENCES: Final = f"SELECT {', '.join(COLUMNS['reference'])} FROM reference WHERE owner = ? AND thread IN ({HUNDRED})"
CLEAR_ENTRIES: Final = "DELETE FROM entry WHERE owner = ? AND folder = ?"
CLEAR_EXPUNGED: Final = "DELETE FROM expunged WHERE owner = ? AND folder = ?"
ID, THREAD = (COLUMNS["mail"].index(name) for name in ("id", "thread"))
OF_ENTRY: Final = COLUMNS["entry"].index("mail")


def modseq_of(engine: Engine) -> int:
    """The newest MODSEQ of a mailbox; 0 where there is none. Raises `Problem`."""
    found = engine.read(lambda rows: rows.run(MODSEQ, (engine.owner,)))
    return int(found[0][0]) if found else 0


def bring(source: Engine, target: Engine, since: int) -> tuple[int, int]:
    """Bring what is newer than `since`; how many rows that were, and the MODSEQ up to which it is there. Raises `Problem`."""
    newest = modseq_of(source)
    many = 0
    for folder, gone in source.read(lambda rows: rows.run(FOLDERS, (source.owner, since))):
        many += _folder(source, target, folder, since, gone=bool(gone))
    many += sum(same(source, target, name) for name in TABLES if name not in LARGE)
    return many, newest


def _folder(source: Engine, target: Engine, folder: int, since: int, *, gone: bool) -> int:
    values = (source.owner, folder, since)
    entries = source.read(lambda rows: rows.run(ENTRIES, values))
    expunged = source.read(lambda rows: rows.run(EXPUNGED, values))
    many = sum(_mails(source, target, some, since) for some in hundreds([row[OF_ENTRY] for row in entries]))

    def act(rows: Rows) -> None:
        if gone:
            rows.change(CLEAR_ENTRIES, (target.owner, folder))
            rows.change(CLEAR_EXPUNGED, (target.owner, folder))
        drop(rows, target.owner, "entry", [row[: TABLES["entry"].keys] for row in expunged])
        put(rows, target.owner, "expunged", expunged)
        put(rows, target.owner, "entry", entries)

    target.change(act)
    return many + len(entries) + len(expunged)


def _mails(source: Engine, target: Engine, ids: Sequence[str], since: int) -> int:
    """Bring those of a hundred messages that are new, and of their conversations what has changed with them."""

    def ask(rows: Rows) -> dict[str, list[Row]]:
        owner = source.owner
        threads = [row[0] for row in rows.run(THREADS, (owner, *ids))]
        mails = [row for some in hundreds(threads) for row in rows.run(MAILS, (owner, *some, since))]
        references = [row for some in hundreds([row[THREAD] for row in mails]) for row in rows.run(REFERENCES, (owner, *some))]
        brought = [*hundreds([row[ID] for row in mails])]
        texts = [row for some in brought for row in rows.run(TEXTS, (owner, *some))]
        headings = [row for some in brought for row in rows.run(HEADINGS, (owner, *some))]
        collated = [row for some in brought for row in rows.run(COLLATED, (owner, *some))]
        heads = [row for some in brought for row in rows.run(HEADS, (owner, *some))]
        return {"mail": mails, "reference": references, "text": texts, "heading": headings, "collated": collated, "head": heads}

    brought = source.read(ask)
    if not brought["mail"]:
        return 0
    return target.change(lambda rows: sum(put(rows, target.owner, name, fresh) for name, fresh in brought.items()))
