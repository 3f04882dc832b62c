"""What NOTIFY tells of folders: from what was known of all of them, and what is, to lines. RFC 5465 §5, §6.

Nothing here asks or waits. What happens to messages of the folder that is
open is not told here, for that is told as messages are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.imap.hierarchy import KnownName, attributes_of
from mailer.imap.listed import list_line, status_line
from mailer.imap.metadata import metadata_changed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mailer.mailbox.api import Folder

    from .watched import WatchedFolders

SERVER: Final = 0
"""In place of a folder: the mailbox as a whole."""

Marks = dict[tuple[int, str], int]


class Survey(NamedTuple):
    """All folders by their numbers, names that are subscribed besides, and the MODSEQ of what is noted, by folder and entry."""

    folders: Mapping[int, Folder]
    wanted: frozenset[str] = frozenset()
    marks: Mapping[tuple[int, str], int] = {}


class OwnPut(NamedTuple):
    """What a client has put into a folder: the UIDs, and the MODSEQ of that."""

    uids: frozenset[int]
    modseq: int


class WatchTerms(NamedTuple):
    """How news are told: whether names are in UTF-8, whether the client knows of MODSEQ, the number of the folder that is open, and what
    the client has done itself: (what, name), and what it has put into which folder, which it is not told (RFC 5465 §5)."""

    utf8: bool = False
    condstore: bool = False
    selected: int = 0
    own: Collection[tuple[str, str]] = ()
    put: Mapping[int, OwnPut] = {}


def first_status(groups: WatchedFolders, known: Survey, terms: WatchTerms) -> Iterator[bytes]:
    """STATUS of each folder of which messages are told, as it is now (RFC 5465 §3.1)."""
    for folder in known.folders.values():
        events = groups.events_of(folder.name, subscribed=folder.subscribed)
        if "MESSAGENEW" in events and folder.id != terms.selected:
            items = {"MESSAGES": folder.messages, "UIDNEXT": folder.uidnext, "UIDVALIDITY": folder.uidvalidity}
            if "FLAGCHANGE" in events or terms.condstore:
                items["HIGHESTMODSEQ"] = folder.modseq
            yield status_line(folder.name, items, utf8=terms.utf8)


def news(groups: WatchedFolders, before: Survey, after: Survey, terms: WatchTerms) -> list[bytes]:
    """What is to be told of all that has changed; a folder that is made and subscribed at once, once."""
    lines = [*dict.fromkeys([*_names(groups, before, after, terms), *_subscriptions(groups, before, after, terms)])]
    for number, folder in after.folders.items():
        old = before.folders.get(number)
        if old is not folder and old != folder and number != terms.selected:
            lines += _messages(groups.events_of(folder.name, subscribed=folder.subscribed), old, folder, terms)
    lines += _notes(groups, before, after, terms)
    return lines


# -- names


def _names(groups: WatchedFolders, before: Survey, after: Survey, terms: WatchTerms) -> Iterator[bytes]:
    """MailboxName: what was made, deleted, renamed, with the folder that it is in (RFC 5465 §5.4)."""
    moved = {folder.name: after.folders[number].name for number, folder in before.folders.items() if number in after.folders}
    moved = {old: new for old, new in moved.items() if old != new}
    names = {folder.name: folder for folder in after.folders.values()}
    parents = {name.rpartition("/")[0] for name in names}
    told: set[str] = set()

    def line(name: str, old_name: str = "") -> Iterator[bytes]:
        folder = names.get(name)
        subscribed = folder.subscribed if folder else name in after.wanted
        wanted = groups.events_of(name, subscribed=subscribed)
        if old_name:
            wanted |= groups.events_of(old_name, subscribed=subscribed)
        if "MAILBOXNAME" in wanted and name not in told:
            told.add(name)
            known = KnownName(name, 0 if folder else -1, subscribed, folder.role if folder else "")
            yield list_line(name, attributes_of(known, has_children=name in parents, shows=True), utf8=terms.utf8, old_name=old_name)

    def with_parent(name: str) -> Iterator[bytes]:
        yield from line(name)
        if parent := name.rpartition("/")[0]:
            yield from line(parent)

    for number, folder in before.folders.items():
        if number not in after.folders and ("deleted", folder.name) not in terms.own and folder.name not in names:
            yield from with_parent(folder.name)
    for old, new in moved.items():
        if not _follows(old, new, moved) and ("renamed", old) not in terms.own:
            yield from line(new, old)
    for number, folder in after.folders.items():
        if number not in before.folders and ("created", folder.name) not in terms.own:
            yield from with_parent(folder.name)


def _follows(old: str, new: str, moved: Mapping[str, str]) -> bool:
    """Whether a folder has another name because one that it is in has (RFC 5465 §5.4: it is not told)."""
    parent, slash, last = old.rpartition("/")
    return bool(slash) and parent in moved and new == f"{moved[parent]}/{last}"


def _subscriptions(groups: WatchedFolders, before: Survey, after: Survey, terms: WatchTerms) -> Iterator[bytes]:
    """SubscriptionChange: names that are subscribed now, or are not any more (RFC 5465 §5.5)."""
    were, are = _subscribed(before), _subscribed(after)
    if were == are:
        return
    names = {folder.name: folder for folder in after.folders.values()}
    parents = {name.rpartition("/")[0] for name in names}
    for name in sorted(were ^ are):
        if "SUBSCRIPTIONCHANGE" in groups.events_of(name, subscribed=True) and ("subscribed", name) not in terms.own:
            folder = names.get(name)
            known = KnownName(name, 0 if folder else -1, name in are, folder.role if folder else "")
            yield list_line(name, attributes_of(known, has_children=name in parents, shows=True), utf8=terms.utf8)


def _subscribed(known: Survey) -> set[str]:
    return {folder.name for folder in known.folders.values() if folder.subscribed} | known.wanted


# -- messages, and what is noted


def _messages(events: frozenset[str], old: Folder | None, folder: Folder, terms: WatchTerms) -> Iterator[bytes]:
    """MessageNew, MessageExpunge and FlagChange of a folder that is not open: STATUS (RFC 5465 §5.1 to §5.3)."""
    if "MESSAGENEW" not in events or (old is None and not folder.messages):
        return
    if old is not None and "FLAGCHANGE" not in events and _is_own(old, folder, terms.put.get(folder.id)):
        return
    items: dict[str, int] = {}
    if old is None or (old.messages, old.uidnext) != (folder.messages, folder.uidnext):
        items = {"MESSAGES": folder.messages, "UIDNEXT": folder.uidnext}
    flags = old is not None and "FLAGCHANGE" in events
    if flags and old is not None and old.unseen != folder.unseen:
        items["UNSEEN"] = folder.unseen
    if terms.condstore and (items or (flags and old is not None and old.modseq != folder.modseq)):
        items |= {"UIDVALIDITY": folder.uidvalidity, "HIGHESTMODSEQ": folder.modseq}
    if old is None or old.uidvalidity != folder.uidvalidity:
        items["UIDVALIDITY"] = folder.uidvalidity
    if items:
        yield status_line(folder.name, items, utf8=terms.utf8)


def _is_own(old: Folder, folder: Folder, put: OwnPut | None) -> bool:
    """Whether nothing has happened to a folder but what the client has put there."""
    return put is not None and (old.uidnext, old.messages + len(put.uids), put.modseq, max(put.uids) + 1) == (
        min(put.uids),
        folder.messages,
        folder.modseq,
        folder.uidnext,
    )


def _notes(groups: WatchedFolders, before: Survey, after: Survey, terms: WatchTerms) -> Iterator[bytes]:
    """MailboxMetadataChange and ServerMetadataChange (RFC 5465 §5.6, §5.7)."""
    if before.marks == after.marks:
        return
    changed: dict[int, list[str]] = {}
    for number, entry in sorted({*before.marks} | {*after.marks}):
        if before.marks.get((number, entry)) != after.marks.get((number, entry)):
            changed.setdefault(number, []).append(entry)
    for number, entries in changed.items():
        folder = after.folders.get(number)
        name = folder.name if folder else ""
        if folder is None and number != SERVER:
            continue  # it is gone, with all that was noted there
        asked = groups.events_of(name, subscribed=folder.subscribed) if folder else groups.all_events
        others = [entry for entry in entries if (f"noted {entry.lower()}", name) not in terms.own]
        if others and ("MAILBOXMETADATACHANGE" if folder else "SERVERMETADATACHANGE") in asked:
            yield metadata_changed(name, others, utf8=terms.utf8)
