"""Flags and keywords of messages, changed in one transaction; whoever wants it changes those alone that nobody has changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from . import keywords
from .api import Flagged, FolderEntry
from .entries import FLAGS, entries
from .flags import Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from .flags import Uids
    from .ledger import Ledger

    How: TypeAlias = Literal["add", "remove", "set"]
    State: TypeAlias = tuple[int, tuple[str, ...]]

KEEP: Final = "UPDATE entry SET flags = ?, keywords = ?, modseq = ? WHERE owner = ? AND folder = ? AND uid = ?"
SEEN: Final = int(Flag.SEEN)
DELETED: Final = int(Flag.DELETED)


def flag(
    ledger: Ledger, folder: int, uids: Uids, how: How, flags: Flag, words: Sequence[str], unchanged_since: int | None = None
) -> Flagged:
    """Change flags and keywords of messages of a folder; one that had them already is left as it is. Raises `NoFolder`, `Problem` (usage)
    for what is no keyword."""
    state = ledger.by_id(folder)
    found = entries(ledger.rows, ledger.owner, folder, uids)
    if unchanged_since is not None:  # RFC 7162 §3.1.3
        refused = [each.uid for each in found if each.modseq > unchanged_since]
        found = [each for each in found if each.modseq <= unchanged_since]
    else:
        refused = []
    after = _changer(how, int(flags), _spelled(ledger, folder, how, words))
    unseen = deleted = 0
    now, rows = [], []
    for each in found:
        was = int(each.flags)
        new, said = after((was, each.keywords))
        if new == was and said == each.keywords:
            now.append(each)
            continue
        unseen += bool(was & SEEN) - bool(new & SEEN)
        deleted += bool(new & DELETED) - bool(was & DELETED)
        rows.append((new, " ".join(said), ledger.modseq, ledger.owner, folder, each.uid))
        now.append(FolderEntry(folder, each.uid, each.mail, FLAGS[new], said, ledger.modseq, each.saved))
        if said != each.keywords:
            _judge(ledger, each, said)
    if rows:
        ledger.rows.many(KEEP, rows)
        state = ledger.alter(state._replace(unseen=state.unseen + unseen, deleted=state.deleted + deleted))
    return Flagged(state.modseq, now, refused)


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
