"""Flags and keywords of messages, changed in one transaction; whoever wants it changes those alone that nobody has changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeVar

from mailer.mail.flags import Flag

from . import keywords
from .api import Flagged, FolderEntry
from .entries import FLAGS, entries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from mailer.mail.flags import Uids

    from .api import Folder
    from .ledger import Ledger

    How: TypeAlias = Literal["add", "remove", "set"]
    State: TypeAlias = tuple[int, tuple[str, ...]]
    Pair: TypeAlias = tuple[FolderEntry, FolderEntry]
    """An entry as it was and as it is; the same one twice where nothing has changed."""

T = TypeVar("T")

KEEP: Final = "UPDATE entry SET flags = ?, keywords = ?, modseq = ? WHERE owner = ? AND folder = ? AND uid BETWEEN ? AND ?"
ADD: Final = "UPDATE entry SET flags = flags | ?, modseq = ? WHERE owner = ? AND folder = ? AND uid BETWEEN ? AND ?"
REMOVE: Final = "UPDATE entry SET flags = flags & ?, modseq = ? WHERE owner = ? AND folder = ? AND uid BETWEEN ? AND ?"
ALL: Final = 31  # flags
SEEN: Final = int(Flag.SEEN)
DELETED: Final = int(Flag.DELETED)


def flag(
    ledger: Ledger, folder: int, uids: Uids, how: How, flags: Flag, words: Sequence[str], unchanged_since: int | None = None
) -> Flagged:
    """Change flags and keywords of messages of a folder; one that had them already is left as it is. Raises `NoFolder`, `Problem` (usage)
    for what is no keyword."""
    state = ledger.by_id(folder)
    before = state.modseq
    found = entries(ledger.rows, ledger.owner, folder, uids)
    after = _changer(how, int(flags), _spelled(ledger, folder, how, words))
    refused = [each.uid for each in found if unchanged_since is not None and each.modseq > unchanged_since]  # RFC 7162 §3.1.3
    left = {*refused}
    pairs = [(each, each if each.uid in left else _changed(each, after, ledger.modseq)) for each in found]
    if any(new is not old for old, new in pairs):
        _write(ledger, folder, how, 0 if words else int(flags), pairs, whole=uids is None or len(uids) == 1)
        for old, new in pairs if words or how == "set" else ():
            if new.keywords != old.keywords:
                _judge(ledger, old, new.keywords)
        state = ledger.alter(_counted(state, pairs))
    return Flagged(state.modseq, [new for old, new in pairs if old.uid not in left], refused, before)


def _changed(each: FolderEntry, after: Callable[[State], State], modseq: int) -> FolderEntry:
    """The entry as the change leaves it; the same where it changes nothing."""
    was = int(each.flags), each.keywords
    new = after(was)
    return each if new == was else FolderEntry(each.folder, each.uid, each.mail, FLAGS[new[0]], new[1], modseq, each.saved)


def _write(ledger: Ledger, folder: int, how: How, flags: int, pairs: Sequence[Pair], *, whole: bool) -> None:
    """Write what has changed: of all at once that stand together, where `flags` alone say it; else of those that are alike then."""
    where = ledger.modseq, ledger.owner, folder
    if flags and how == "add":
        ledger.rows.many(ADD, [(flags, *where, first, last) for _, first, last in _spans(pairs, lambda _: None, whole=whole)])
    elif flags and how == "remove":
        ledger.rows.many(REMOVE, [(ALL - flags, *where, first, last) for _, first, last in _spans(pairs, lambda _: None, whole=whole)])
    else:
        spans = _spans(pairs, lambda entry: (int(entry.flags), " ".join(entry.keywords)), whole=whole)
        ledger.rows.many(KEEP, [(*state, *where, first, last) for state, first, last in spans])


def _spans(pairs: Sequence[Pair], alike: Callable[[FolderEntry], T], *, whole: bool) -> list[tuple[T, int, int]]:
    """Those that have changed and stand together, the first and the last UID of each span, and what they have in common.

    Where `pairs` are not the `whole` of what is between the first and the last of them, each stands alone.
    """
    spans: list[tuple[T, int, int]] = []
    goes_on = False
    for old, new in pairs:
        if new is old:
            goes_on = False
            continue
        common = alike(new)
        if goes_on and spans[-1][0] == common:
            spans[-1] = (common, spans[-1][1], new.uid)
        else:
            spans.append((common, new.uid, new.uid))
        goes_on = whole
    return spans


def _counted(folder: Folder, pairs: Sequence[Pair]) -> Folder:
    """The folder, with what is unseen and what is marked as deleted then."""
    changed = [(int(old.flags), int(new.flags)) for old, new in pairs if new is not old]
    unseen = sum((old & SEEN) - (new & SEEN) for old, new in changed) // SEEN
    deleted = sum((new & DELETED) - (old & DELETED) for old, new in changed) // DELETED
    return folder._replace(unseen=folder.unseen + unseen, deleted=folder.deleted + deleted)


def _spelled(ledger: Ledger, folder: int, how: How, words: Sequence[str]) -> tuple[str, ...]:
    """The keywords as the folder spells them; one that nothing has cannot be taken off, and is not made known for that."""
    if how != "remove":
        return tuple(keywords.spelled(ledger, folder, words))
    there = keywords.known(ledger.rows, ledger.owner, folder) if words else {}
    return tuple(there[word.lower()] for word in words if word.lower() in there)


def _changer(how: How, flags: int, words: tuple[str, ...]) -> Callable[[State], State]:
    """What the change makes of flags and keywords."""
    if how == "set":
        return lambda _: (flags, words)
    if how == "add":
        return lambda was: (was[0] | flags, tuple(sorted({*was[1], *words})) if words else was[1])
    return lambda was: (was[0] & ~flags, tuple(word for word in was[1] if word not in words) if words else was[1])


def _judge(ledger: Ledger, before: FolderEntry, said: Sequence[str]) -> None:
    """Whoever marks a message as junk, or as none, has judged it."""
    new = {word.lower() for word in {*said} - {*before.keywords}}
    if keywords.JUNK in new:
        ledger.judge(before.mail, "spam")
    elif keywords.NOT_JUNK in new:
        ledger.judge(before.mail, "ham")
