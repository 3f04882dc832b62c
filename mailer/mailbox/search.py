"""Searches a mailbox: which entries a `Query` is true of, exactly.

Keys are asked in the order of their cost, each of those places alone of which those before it left it open; a tree of any depth is walked
without recursion. What the narrow tables have is asked of the database; for the rest the text of each message is looked through, once for
all keys that ask for it.
"""

from __future__ import annotations

from array import array
from math import inf
from typing import TYPE_CHECKING, Final

from mailer.mail.query import Contains, Either, Every, Has, Is, Not, Within

from . import entries
from .finding import EVERY_FOLDER, PLACE, KeySearch, asks_texts
from .hundreds import HUNDRED, hundreds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from mailer.mail.query import Leaf, Query

    from .api import FolderEntry
    from .engine.api import Rows

TEXT: Final = 100  # what it costs to look through texts, where a statement costs 1
BY_UIDS: Final = f"""SELECT uid, mail, flags, keywords, modseq, saved FROM entry
    WHERE owner = ? AND folder = ? AND uid IN ({HUNDRED}) ORDER BY uid"""


def search(rows: Rows, owner: int, dialect: str, query: Query, folder: int | None = None) -> list[FolderEntry]:
    """The entries that a query is true of, in the order of folders and UIDs. Raises `Problem`."""
    return _entries(rows, owner, _places(rows, owner, dialect, query, EVERY_FOLDER if folder is None else (folder, folder)))


def found(rows: Rows, owner: int, dialect: str, query: Query, folder: int, patience: float) -> array[int]:
    """The UIDs of a folder, ascending, that a query is true of. Raises `SearchTooLong`, `Problem`."""
    places = _places(rows, owner, dialect, query, (folder, folder), patience)
    begin = folder * PLACE
    return array("I", sorted([place - begin for place in places]))


def _places(rows: Rows, owner: int, dialect: str, query: Query, folders: tuple[int, int], patience: float = inf) -> AbstractSet[int]:
    costs = costs_of(query)
    keys = dict.fromkeys(each for each in nodes(query) if isinstance(each, Contains) and asks_texts(each))
    return _true(query, KeySearch(rows, owner, dialect, folders, [*keys], patience), costs)


def asks_rows_of_texts(query: Query) -> tuple[bool, bool]:
    """Whether a query is answered from the texts that are made of messages, and whether from what ``heading`` has of them."""
    leaves = [each for each in nodes(query) if isinstance(each, Contains | Within)]
    asked = [asks_texts(each) if isinstance(each, Contains) else None for each in leaves]
    is_headed = any(isinstance(each, Within) and each.what in HEADED for each in leaves)
    return True in asked, is_headed or False in asked


HEADED: Final = ("size", "received", "day", "received-day")


def nodes(query: Query) -> Iterator[Query]:
    """A query and all that are in it, each before those in it."""
    waiting = [query]
    while waiting:
        each = waiting.pop()
        yield each
        if isinstance(each, Not):
            waiting.append(each.query)
        elif isinstance(each, Every | Either):
            waiting.extend(each.queries)


def costs_of(query: Query) -> dict[int, int]:
    """What each query within costs, by its identity: as much as the dearest in it."""
    costs: dict[int, int] = {}
    for each in reversed([*nodes(query)]):
        if isinstance(each, Not):
            costs[id(each)] = costs[id(each.query)]
        elif isinstance(each, Every | Either):
            costs[id(each)] = max((costs[id(one)] for one in each.queries), default=0)
        else:
            costs[id(each)] = _cost(each)
    return costs


def _cost(leaf: Leaf) -> int:
    if isinstance(leaf, Contains):
        return TEXT if asks_texts(leaf) else 5
    return 0 if isinstance(leaf, Is) else 1 if isinstance(leaf, Has) else 2


class _Step:
    """A query that is being answered for the places `among`: what is found so far, and what of it is left to ask."""

    def __init__(self, query: Not | Every | Either, among: AbstractSet[int] | None, costs: dict[int, int]) -> None:
        self.query, self.among = query, among
        self.left: list[Query] = sorted(_inside(query), key=lambda each: costs[id(each)], reverse=True)
        self.found: AbstractSet[int] | None = frozenset() if isinstance(query, Either) else among

    def take(self, places: AbstractSet[int], finding: KeySearch) -> None:
        """Take what one of the queries in it is true of."""
        if isinstance(self.query, Every):
            self.found = places
            if not places:
                self.left.clear()
        elif isinstance(self.query, Not):
            self.found = (finding.all() if self.among is None else self.among) - places
        else:
            assert self.found is not None
            self.found = self.found | places

    def next(self, finding: KeySearch) -> tuple[Query, AbstractSet[int] | None] | None:
        """The next query to ask, and of which places; None when all is known."""
        if not self.left:
            return None
        if isinstance(self.query, Either) and self.found:
            return self.left.pop(), (finding.all() if self.among is None else self.among) - self.found
        return self.left.pop(), self.found if isinstance(self.query, Every) else self.among


def _inside(query: Not | Every | Either) -> list[Query]:
    """What is in a query: of its own kind in it what is in that, however deep, and each key once."""
    if isinstance(query, Not):
        return [_bare(query.query)]
    found: list[Query] = []
    keys: set[Query] = set()
    waiting = [*reversed(query.queries)]
    while waiting:
        each = _bare(waiting.pop())
        if isinstance(each, Every | Either) and type(each) is type(query):
            waiting.extend(reversed(each.queries))
        elif not isinstance(each, Has | Contains):
            found.append(each)
        elif each not in keys:
            keys.add(each)
            found.append(each)
    return found


def _bare(query: Query) -> Query:
    """A query without two negations around it, which are none."""
    while isinstance(query, Not) and isinstance(query.query, Not):
        query = query.query.query
    return query


def _true(query: Query, finding: KeySearch, costs: dict[int, int]) -> AbstractSet[int]:
    """The places that a query is true of."""
    steps = [_Step(Every((query,)), None, costs)]
    while True:
        asked = steps[-1].next(finding)
        if asked is None:
            step = steps.pop()
            places = finding.all() if step.found is None else step.found
            if not steps:
                return places
            steps[-1].take(places, finding)
            continue
        each, among = asked
        if isinstance(each, Not) and isinstance(each.query, Has) and each.query.flag is not None:
            steps[-1].take(finding.without(int(each.query.flag), among), finding)
        elif isinstance(each, Not | Every | Either):
            steps.append(_Step(each, among, costs))
        else:
            steps[-1].take(finding.found(each, among), finding)


def _entries(rows: Rows, owner: int, places: AbstractSet[int]) -> list[FolderEntry]:
    """The entries of places, folder by folder."""
    by_folder: dict[int, list[int]] = {}
    for place in sorted(places):
        by_folder.setdefault(place // PLACE, []).append(place % PLACE)
    return [each for folder, uids in by_folder.items() for each in _of_folder(rows, owner, folder, uids)]


def _of_folder(rows: Rows, owner: int, folder: int, uids: Sequence[int]) -> list[FolderEntry]:
    """The entries with ascending UIDs: far apart, each is looked up; close to each other, what is between is read over."""
    ranges = spans(uids)
    if len(ranges) <= entries.FEW or len(uids) * 4 > uids[-1] - uids[0]:
        return entries.entries(rows, owner, folder, ranges)
    return [entries.entry_of(folder, row) for some in hundreds(uids) for row in rows.run(BY_UIDS, (owner, folder, *some))]


def spans(uids: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending UIDs as pairs of first and last."""
    found: list[tuple[int, int]] = []
    for uid in uids:
        if found and found[-1][1] == uid - 1:
            found[-1] = (found[-1][0], uid)
        else:
            found.append((uid, uid))
    return found
