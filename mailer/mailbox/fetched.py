"""What a client fetches of many messages of a folder: those columns that it asks for, and none besides.

What is told of ten thousand messages in a moment must not read what is kept of them beside that: each row has the UID and what was asked,
in that order, as the database has it. Whoever asks takes as many UIDs at once as he has room for.
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
_WHERE: Final = "WHERE e.owner = ? AND e.folder = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid"
_JOIN: Final = "JOIN mail m ON m.owner = e.owner AND m.id = e.mail"


class ColumnsQuestion(NamedTuple):
    """The statement that asks for columns."""

    STATEMENT: str


@cache
def question(columns: tuple[MailColumn, ...]) -> ColumnsQuestion:
    """What asks for these columns, of entries alone where nothing else is wanted. Raises `ValueError` for what is no column."""
    wanted = ", ".join(["e.uid", *(f"{'e' if column in OF_ENTRY else 'm'}.{column}" for column in columns)])
    if not set(columns) <= {*OF_ENTRY, *OF_MAIL}:
        raise ValueError(f"no columns of a message: {columns}")
    table = "entry e" if set(columns) <= set(OF_ENTRY) else f"entry e {_JOIN}"
    return ColumnsQuestion(f"SELECT {wanted} FROM {table} {_WHERE}")


def fetched(rows: Rows, owner: int, folder: int, uids: Uids, columns: tuple[MailColumn, ...]) -> Sequence[tuple[Any, ...]]:
    """The UID and these columns of each message of a folder that has one of these UIDs, in their order."""
    asked = question(columns)
    spans = ((1, LAST_UID),) if uids is None else uids
    if len(spans) == 1:
        return rows.run(asked.STATEMENT, (owner, folder, *spans[0]))
    if len(spans) > FEW:
        return [*among(rows.run(asked.STATEMENT, (owner, folder, spans[0][0], spans[-1][1])), spans)]
    return [row for span in spans for row in rows.run(asked.STATEMENT, (owner, folder, *span))]
