"""What a client fetches of many messages of a folder: those columns that it asks for, and none besides.

What is told of ten thousand messages in a moment must not read what is kept of them beside that: each row has the UID and what was asked,
in that order, as the database has it; None for a header that is not kept. Whoever asks takes as many UIDs at once as he has room for.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .api import LAST_UID
from .entries import FEW, among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.flags import Uids

    from .api import MailColumn
    from .engine.api import Rows

OF_ENTRY: Final = ("mail", "flags", "keywords", "modseq", "saved")
OF_MAIL: Final = (
    "size", "received", "thread", "envelope", "structure", "preview", "tree", "prefix", "key_number", "digest",
)  # fmt: skip
OF_HEAD: Final = ("header",)
_WHERE: Final = "WHERE e.owner = ? AND e.folder = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid"
_JOINS: Final = {
    "m": "JOIN mail m ON m.owner = e.owner AND m.id = e.mail",
    "h": "LEFT JOIN head h ON h.owner = e.owner AND h.mail = e.mail",
}
_TABLES: Final = {column: table for table, columns in (("e", OF_ENTRY), ("m", OF_MAIL), ("h", OF_HEAD)) for column in columns}


class ColumnsQuestion(NamedTuple):
    """The statement that asks for columns."""

    STATEMENT: str


@cache
def question(columns: tuple[MailColumn, ...]) -> ColumnsQuestion:
    """What asks for these columns, of entries alone where nothing else is wanted. Raises `ValueError` for what is no column."""
    if not set(columns) <= _TABLES.keys():
        raise ValueError(f"no columns of a message: {columns}")
    wanted = ", ".join(["e.uid", *(f"{_TABLES[column]}.{column}" for column in columns)])
    tables = {_TABLES[column] for column in columns}
    joins = " ".join(join for table, join in _JOINS.items() if table in tables)
    return ColumnsQuestion(f"SELECT {wanted} FROM entry e {joins} {_WHERE}")


def fetched(rows: Rows, owner: int, folder: int, uids: Uids, columns: tuple[MailColumn, ...]) -> Sequence[tuple[Any, ...]]:
    """The UID and these columns of each message of a folder that has one of these UIDs, in their order."""
    asked = question(columns)
    spans = ((1, LAST_UID),) if uids is None else uids
    if len(spans) == 1:
        return rows.run(asked.STATEMENT, (owner, folder, *spans[0]))
    if len(spans) > FEW:
        return [*among(rows.run(asked.STATEMENT, (owner, folder, spans[0][0], spans[-1][1])), spans)]
    return [row for span in spans for row in rows.run(asked.STATEMENT, (owner, folder, *span))]
