"""The rows of one table on both sides, made the same: read in the order of their keys, in portions, and what differs is written.

A side that has nothing is filled by that, one that has a part gets the rest, and what is there and should not be goes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from mailer.mailbox import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.mailbox.engine.api import Engine, Rows

PORTION: Final = 500  # rows of one transaction
WHOLE: Final = 1 << 20  # of folders, whose names may change their places with each other

Row: TypeAlias = tuple[Any, ...]
"""A row without the number of its owner, which is another on each side; the columns of its key are first."""


class MovedTable(NamedTuple):
    """The statements about a table, whose key has `keys` columns besides the owner: rows from the first on, behind a key, up to one,
    between two, all; a row that is put, and one that is dropped."""

    keys: int
    portion: int
    FIRST: str
    BEHIND: str
    UNTIL: str
    BETWEEN: str
    ALL: str
    PUT: str
    DROP: str


def _table(name: str) -> MovedTable:
    columns = COLUMNS[name]
    key = schema.PARTS[name][1][1:]
    rows = f"SELECT {', '.join(columns)} FROM {name} WHERE owner = ?"
    names, values = ", ".join(key), ", ".join("?" * len(key))
    behind, until = f"AND ({names}) > ({values})", f"AND ({names}) <= ({values})"
    portion = f"{f'ORDER BY {names}' if key else ''} LIMIT ?"
    return MovedTable(
        len(key),
        WHOLE if name == "folder" else PORTION,
        f"{rows} {portion}",
        f"{rows} {behind} {portion}",
        f"{rows} {until}",
        f"{rows} {behind} {until}",
        rows,
        f"INSERT INTO {name} (owner, {', '.join(columns)}) VALUES ({', '.join('?' * (len(columns) + 1))})",
        f"DELETE FROM {name} WHERE owner = ?{''.join(f' AND {column} = ?' for column in key)}",
    )


COLUMNS: Final = {
    name: (*key[1:], *(column for column in columns if column not in key)) for name, (columns, key) in schema.PARTS.items()
}  # fmt: skip
"""The columns of a `Row`."""
TABLES: Final = {name: _table(name) for name in schema.PARTS}


def same(source: Engine, target: Engine, name: str) -> int:
    """Have in `target` the rows that `source` has in a table; how many were written or removed there. Raises `Problem`."""
    table = TABLES[name]
    after: Row = ()
    changed, is_last = 0, False
    while not is_last:
        page = source.read(partial(_page, owner=source.owner, table=table, after=after))
        is_last = len(page) < table.portion
        last = () if is_last else tuple(page[-1][: table.keys])
        there = target.read(partial(_there, owner=target.owner, table=table, after=after, last=last))
        changed += _write(target, name, page, there)
        after = last
    return changed


def put(rows: Rows, owner: int, name: str, fresh: Iterable[Row]) -> int:
    """Have these rows of a table, in place of those of their keys."""
    table = TABLES[name]
    several = {tuple(row[: table.keys]): row for row in fresh}
    drop(rows, owner, name, several)
    rows.many(table.PUT, [(owner, *row) for row in several.values()])
    return len(several)


def drop(rows: Rows, owner: int, name: str, keys: Iterable[Row]) -> None:
    """Have no rows of these keys in a table."""
    rows.many(TABLES[name].DROP, [(owner, *key) for key in keys])


def _page(rows: Rows, owner: int, table: MovedTable, after: Row) -> Sequence[Row]:
    if after:
        return rows.run(table.BEHIND, (owner, *after, table.portion))
    return rows.run(table.FIRST, (owner, table.portion))


def _there(rows: Rows, owner: int, table: MovedTable, after: Row, last: Row) -> Sequence[Row]:
    """The rows whose keys are behind `after`, up to `last`, each where there is one."""
    bounds = (owner, *after, *last)
    if after and last:
        return rows.run(table.BETWEEN, bounds)
    if after:
        return rows.run(table.BEHIND, (*bounds, WHOLE))
    return rows.run(table.UNTIL if last else table.ALL, bounds)


def _write(target: Engine, name: str, wanted: Sequence[Row], there: Sequence[Row]) -> int:
    keys = TABLES[name].keys
    known = {tuple(row[:keys]): tuple(row) for row in there}
    fresh = [row for row in wanted if known.pop(tuple(row[:keys]), None) != tuple(row)]

    def act(rows: Rows) -> None:
        drop(rows, target.owner, name, known)
        put(rows, target.owner, name, fresh)

    if fresh or known:
        target.change(act)
    return len(fresh) + len(known)
