"""SEARCH, SORT and THREAD: what is in the open folder is looked for, and said in the form that was asked for. RFC 9051 §6.4.4, RFC 5256.

What takes time (a text in all of a folder takes seconds) is done in a thread, the answer is written there too, and each search has an end
(`PATIENCE`). Numbers are those of the view: what came meanwhile, and was not told, is not found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from math import floor, nextafter
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from mailer.imap.answer import Answer
from mailer.imap.command import AgeKey, NumberKey, RecentKey
from mailer.imap.found import esearch_line, search_line, thread_line
from mailer.imap.sets import pairs
from mailer.imap.sorting import ordered, unlike
from mailer.imap.threading import ThreadColumns, by_references, ordered_subject
from mailer.mail.query import Among, Either, Every, Not, Within
from mailer.mailbox.api import CollatedFolder, SearchTooLong
from mailer.mailbox.collating import ids_of
from mailer.mailbox.search import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from mailer.imap.command import Key, Search, Sort, Thread
    from mailer.imap.threading import Forest
    from mailer.imap.view import FolderView
    from mailer.mail.flags import Uids
    from mailer.mail.query import Query
    from mailer.mailbox.api import Mailbox, SortColumn

    from .session import ImapSession

PATIENCE: Final = 60.0  # seconds of a search
TOO_LONG: Final = Answer("NO", "the search took too long; look for less at once, or in fewer messages", "LIMIT")  # RFC 5530 §3
COLUMNS: Final[Mapping[str, SortColumn]] = {
    "ARRIVAL": "received",
    "CC": "copied",
    "DATE": "sent",
    "DISPLAYFROM": "shown_sender",
    "DISPLAYTO": "shown_recipient",
    "FROM": "sender",
    "SIZE": "size",
    "SUBJECT": "subject",
    "TO": "recipient",
}
"""What each key of SORT is kept as."""
FEW: Final = 8  # one of so many messages of a folder, or less, are looked up one by one
THREADED: Final[tuple[SortColumn, ...]] = ("sent", "subject", "answers", "ids")
ALGORITHMS: Final[Mapping[str, Callable[[ThreadColumns], Forest]]] = {
    "ORDEREDSUBJECT": ordered_subject,
    "REFERENCES": by_references,
}


class SearchAnswer(NamedTuple):
    """The line that says what was found, if one does, and what ``$`` stands for from now on, if it changes."""

    line: bytes | None
    saved: Uids = None


class _Asked(NamedTuple):
    """A search as a thread does it: in the folder of `view`, with no numbers or ages in its `query`; `esearch` asks for the new answer."""

    view: FolderView
    query: Query
    search: Search
    tag: bytes
    esearch: bool


async def search(session: ImapSession, command: Search) -> Answer:
    """SEARCH and UID SEARCH."""
    return await _saved(session, command, searched)


async def sort(session: ImapSession, command: Sort) -> Answer:
    """SORT and UID SORT, RFC 5256 §3."""
    keys = unlike(command.keys)
    return await _saved(session, command.search, lambda mailbox, asked: in_order(mailbox, asked, keys))


async def _saved(session: ImapSession, command: Search, look: Callable[[Mailbox, _Asked], SearchAnswer]) -> Answer:
    """Search, and save what was found where that is wanted; where it fails nothing is saved (RFC 5182 §2.1)."""
    is_saved = "SAVE" in (command.returns or ())
    view = session.view
    asked = _asked(session, command)
    if is_saved:
        view.saved = ()
    try:
        found = await session.ask(look, asked)
    except SearchTooLong:
        return TOO_LONG
    if is_saved:
        view.saved = found.saved
    return await _said(session, found.line)


async def thread(session: ImapSession, command: Thread) -> Answer:
    """THREAD and UID THREAD, RFC 5256 §3."""
    try:
        line = await session.ask(threaded, _asked(session, command.search), command.algorithm)
    except SearchTooLong:
        return TOO_LONG
    return await _said(session, line)


async def _said(session: ImapSession, line: bytes | None) -> Answer:
    if line is not None:
        session.say(line)
        await session.flow()
    return Answer("OK", "that is all that was found")


def _asked(session: ImapSession, search: Search) -> _Asked:
    query = known(search.query, session.view, session.terms.now())
    return _Asked(session.view, query, search, session.machine.tag.encode("ascii"), session.machine.rev2)


def known(query: Key, view: FolderView, now: float) -> Query:
    """A query with UIDs in place of numbers and of what is recent, and times in place of ages, RFC 5032 §3."""
    made: dict[int, Query] = {}
    for each in reversed([*nodes(cast("Query", query))]):
        if isinstance(each, NumberKey):
            made[id(each)] = Among(view.found(each.numbers, uid=each.uid))
        elif isinstance(each, RecentKey):
            made[id(each)] = Among(view.recent.runs())
        elif isinstance(each, AgeKey):
            then = floor(now) - each.seconds  # RFC 5032 §2: to the second, as INTERNALDATE is told
            made[id(each)] = Within("received", then) if each.younger else Within("received", None, nextafter(then + 1, then))
        elif isinstance(each, Not):
            made[id(each)] = Not(made[id(each.query)])
        elif isinstance(each, Every | Either):
            made[id(each)] = type(each)([made[id(one)] for one in each.queries])
        else:
            made[id(each)] = each
    return made[id(query)]


# -- in a thread


def searched(mailbox: Mailbox, asked: _Asked) -> SearchAnswer:
    """Do a SEARCH. Raises `SearchTooLong`, `Problem`."""
    uids = _told(mailbox, asked)
    returns = asked.search.returns
    numbers = _numbers(asked, uids)
    if returns is None and not asked.esearch:
        return SearchAnswer(search_line(numbers, _modseq(mailbox, asked, uids)))
    wanted = (returns or {"ALL"}) - {"SAVE"}
    few = [*dict.fromkeys([*(uids[:1] if "MIN" in wanted else ()), *(uids[-1:] if "MAX" in wanted else ())])]
    named: Sequence[int] = few if wanted and wanted <= {"MIN", "MAX"} else uids  # RFC 4731 §3.2, RFC 5182 §2.4
    if not wanted:
        return SearchAnswer(None, pairs(named))
    line = esearch_line(asked.tag, numbers, wanted, _modseq(mailbox, asked, named), uid=asked.search.uid)
    return SearchAnswer(line, pairs(named))


def in_order(mailbox: Mailbox, asked: _Asked, keys: Sequence[tuple[str, bool]]) -> SearchAnswer:
    """Do a SORT. Raises `SearchTooLong`, `Problem`."""
    folder = _collated(mailbox, asked, tuple(COLUMNS[name] for name, _ in keys))
    uids = folder.uids
    order = folder.made.get(tuple(keys))
    if order is None:
        columns = [(column, is_reversed) for column, (_, is_reversed) in zip(folder.columns, keys, strict=True)]
        order = folder.made[tuple(keys)] = array("I", ordered(len(uids), columns))
    numbers = _numbers(asked, uids)
    found = [numbers[place] for place in order]
    returns = asked.search.returns
    if returns is None:
        return SearchAnswer(search_line(found, _modseq(mailbox, asked, uids), b"SORT"))
    wanted = returns - {"SAVE"}
    few = {uids[place] for which, place in (("MIN", 0), ("MAX", -1)) if which in wanted for place in order[place : place + 1 or None]}
    named = sorted(few) if wanted and wanted <= {"MIN", "MAX"} else uids
    if not wanted:
        return SearchAnswer(None, pairs(named))
    return SearchAnswer(esearch_line(asked.tag, found, wanted, _modseq(mailbox, asked, named), uid=asked.search.uid), pairs(named))


def threaded(mailbox: Mailbox, asked: _Asked, algorithm: str) -> bytes:
    """Do a THREAD. Raises `SearchTooLong`, `Problem`."""
    folder = _collated(mailbox, asked, THREADED)
    forest = folder.made.get(algorithm)
    if forest is None:
        forest = folder.made[algorithm] = ALGORITHMS[algorithm](ThreadColumns(*folder.columns))
    return thread_line(forest, _numbers(asked, folder.uids))


def _collated(mailbox: Mailbox, asked: _Asked, columns: tuple[SortColumn, ...]) -> CollatedFolder:
    """What the messages that are found are put in order by. Many are taken out of the whole folder, which is remembered."""
    view = asked.view
    uids = None if isinstance(asked.query, Every) and not asked.query.queries else _told(mailbox, asked)
    if uids is not None and len(uids) * FEW < len(view):
        rows = mailbox.collated(view.folder, pairs(uids), columns)
        return CollatedFolder(
            array("I", [row[0] for row in rows]), tuple(_column(rows, place, name) for place, name in enumerate(columns, 1)), 0, {}
        )
    folder = mailbox.collated_folder(view.folder, columns)
    if uids is None:
        told = _until(view, folder.uids)
        return folder if told == len(folder.uids) else _taken(folder, range(told))
    wanted = set(uids)
    return _taken(folder, [place for place, uid in enumerate(folder.uids) if uid in wanted])


def _column(rows: Sequence[tuple[Any, ...]], place: int, name: str) -> list[Any]:
    return [ids_of(row[place]) for row in rows] if name == "ids" else [row[place] for row in rows]


def _taken(folder: CollatedFolder, places: Sequence[int]) -> CollatedFolder:
    """Some messages of a folder."""
    uids = array("I", [folder.uids[place] for place in places])
    return CollatedFolder(uids, tuple([column[place] for place in places] for column in folder.columns), 0, {})


def _told(mailbox: Mailbox, asked: _Asked) -> array[int]:
    """The UIDs that are found, of messages that were told."""
    uids = mailbox.found(asked.view.folder, asked.query, PATIENCE)
    return uids[: _until(asked.view, uids)]


def _until(view: FolderView, uids: array[int]) -> int:
    """How many of the UIDs were told: later ones are higher, RFC 9051 §2.3.1.1."""
    return bisect_right(uids, view.uid(len(view))) if len(view) else 0


def _numbers(asked: _Asked, uids: array[int]) -> Sequence[int]:
    """What messages are called in the answer."""
    return uids if asked.search.uid else [number for number, _ in asked.view.numbered(uids)]


def _modseq(mailbox: Mailbox, asked: _Asked, uids: Sequence[int]) -> int:
    """The highest MODSEQ of these messages, where a key of the search asks for one (RFC 7162 §3.1.5); else 0."""
    if not asked.search.modseq or not uids:
        return 0
    return max((each[1] for each in mailbox.fetched(asked.view.folder, pairs(uids), ("modseq",))), default=0)
