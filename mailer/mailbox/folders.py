"""The folders of a mailbox: made, renamed, deleted, subscribed. Every folder is in one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem

from . import copying, ledger, names, noting, subscriptions, twins
from .api import INBOX, LAST_UID, ROLES, Folder, HasFolders, Role, RoleTaken, TooMany

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine.api import Rows
    from .ledger import Ledger

MOST: Final = 20_000  # folders of a mailbox
HIGHEST: Final = 0xF000_0000  # UIDVALIDITY of another store: each new folder gets a higher one, of 32 bits

LOST: Final = """SELECT COALESCE(SUM(m.size), 0), COUNT(*) FROM mail m WHERE m.owner = ?
    AND m.id IN (SELECT mail FROM entry WHERE owner = ? AND folder = ?)
    AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.owner = m.owner AND e.mail = m.id AND e.folder <> ?)"""
ERASE: Final = """INSERT INTO erase (owner, mail, after) SELECT m.owner, m.id, ? FROM mail m WHERE m.owner = ?
    AND m.id IN (SELECT mail FROM entry WHERE owner = ? AND folder = ?)
    AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.owner = m.owner AND e.mail = m.id AND e.folder <> ?)
    ON CONFLICT DO NOTHING"""
CLEAR_ENTRIES: Final = "DELETE FROM entry WHERE owner = ? AND folder = ?"
CLEAR_KEYWORDS: Final = "DELETE FROM keyword WHERE owner = ? AND folder = ?"
CLEAR_EXPUNGED: Final = "DELETE FROM expunged WHERE owner = ? AND folder = ?"
DELETE: Final = "UPDATE folder SET gone = ?, modseq = ?, messages = 0, unseen = 0, deleted = 0, octets = 0 WHERE owner = ? AND id = ?"
RENAME: Final = "UPDATE folder SET name_key = ? WHERE owner = ? AND id = ?"
COUNT: Final = "SELECT COUNT(*) FROM folder WHERE owner = ? AND gone = 0"


def listing(rows: Rows, owner: int) -> Sequence[Folder]:
    """All folders, in the order of their names: the inbox and what is in it first."""
    found = map(ledger.folder_of, rows.run(ledger.FOLDERS, (owner,)))
    return sorted(found, key=lambda folder: (folder.name.partition("/")[0] != INBOX, folder.name.split("/")))


def with_role(rows: Rows, owner: int, role: Role) -> Folder | None:
    """The folder that is for this."""
    found = rows.run(ledger.BY_ROLE, (owner, role)) if role else ()
    return ledger.folder_of(found[0]) if found else None


def begin(ledger: Ledger) -> None:
    """Have the folders that a new mailbox has."""
    for role, name in ROLES.items():
        subscriptions.added(ledger, name, role, subscribed=True)


def create(ledger: Ledger, name: str, role: Role = "", *, subscribed: bool = True) -> Folder:
    """Make a folder, and its parents. Raises `RoleTaken`, `TooMany`, `Problem`: usage for what cannot be a name, bad-message where there is
    one."""
    name = names.checked(name)
    if (there := ledger.find(name)) is not None:
        raise Problem(f"there is a folder {there.name[:60]!r} already", "bad-message")
    if role and (there := with_role(ledger.rows, ledger.owner, role)) is not None:
        raise RoleTaken(f"the folder {there.name[:60]!r} is the one for {role} already")
    if ledger.account.next_folder > MOST and ledger.rows.run(COUNT, (ledger.owner,))[0][0] >= MOST:
        raise TooMany(f"a mailbox has {MOST} folders at most; delete one first")
    return subscriptions.added(ledger, _beneath(ledger, name, subscribed=subscribed), role, subscribed=subscribed)


def made(ledger: Ledger, name: str) -> Folder:
    """The folder of that name, which is made where it is not there. Raises `Problem` (usage) for what cannot be a name."""
    return ledger.find(name) or create(ledger, name)


def rename(ledger: Ledger, name: str, to: str) -> Folder:
    """Give a folder and what is below it another name; all keep their UIDs and UIDVALIDITY. Raises `NoFolder`, `Problem`.

    A folder that is subscribed stays so; and so does the name that it had (RFC 9051 §6.3.6).
    """
    folder, to = ledger.folder(name), names.checked(to)
    if folder.name == INBOX:
        return _emptied(ledger, folder, to)
    if names.key_of(to).startswith(f"{names.key_of(folder.name)}/"):
        raise Problem(f"a folder cannot be in itself: {to[:60]!r}", "usage")
    if (there := ledger.find(to)) is not None and there.id != folder.id:
        raise Problem(f"there is a folder {there.name[:60]!r} already", "bad-message")
    inside = [each for each in listing(ledger.rows, ledger.owner) if each.name.startswith(f"{folder.name}/")]
    to = _beneath(ledger, to, subscribed=folder.subscribed)
    new = [(each, names.moved(each.name, folder.name, to)) for each in (folder, *inside)]
    for each, called in new:
        if names.key_of(called) != names.key_of(each.name):
            subscriptions.kept(ledger, each)
        ledger.rows.change(RENAME, (f"\x01{each.id}", ledger.owner, each.id))  # which nothing is called, until all have their names
        ledger.forget(each)
    for each, called in new:
        ledger.alter(each._replace(name=called, subscribed=subscriptions.taken(ledger, called) or each.subscribed))
    return ledger.by_id(folder.id)


def delete(ledger: Ledger, name: str, after: float) -> None:
    """Delete a folder with its messages, whose files may go `after`; its name stays subscribed.

    Raises `NoFolder`, `HasFolders`, `Problem` (usage).
    """
    folder = ledger.folder(name)
    if folder.name == INBOX:
        raise Problem("the inbox cannot be deleted", "usage")
    if any(each.name.startswith(f"{folder.name}/") for each in listing(ledger.rows, ledger.owner)):
        raise HasFolders(f"there are folders in {folder.name[:60]!r}; delete those first")
    owner, rows = ledger.owner, ledger.rows
    ((octets, messages),) = rows.run(LOST, (owner, owner, folder.id, folder.id))
    ledger.count(-int(octets), -int(messages))
    rows.change(ERASE, (after, owner, owner, folder.id, folder.id))
    subscriptions.kept(ledger, folder)
    for STATEMENT in (CLEAR_ENTRIES, CLEAR_KEYWORDS, CLEAR_EXPUNGED, noting.CLEAR, twins.CLEAR):  # noqa: N806 - each is one
        rows.change(STATEMENT, (owner, folder.id))
    rows.change(DELETE, (ledger.now, ledger.modseq, owner, folder.id))
    ledger.forget(folder)


def subscribe(ledger: Ledger, name: str, *, subscribed: bool) -> None:
    """Say whether clients show a folder, now or when there is one of that name (RFC 9051 §6.3.7). Raises `Problem` (usage)."""
    folder = ledger.find(name)
    if folder is None:
        subscriptions.subscribe(ledger, name, subscribed=subscribed)
    elif folder.subscribed != subscribed:
        ledger.alter(folder._replace(subscribed=subscribed))


def number(ledger: Ledger, name: str, uidvalidity: int, uidnext: int) -> Folder:
    """Have the numbers of another store in a folder that never had a message; in one that has them already, its next UID may be higher.

    Raises `NoFolder`, `Problem` (usage).
    """
    folder = ledger.folder(name)
    if folder.uidnext != 1 and (folder.uidvalidity != uidvalidity or uidnext < folder.uidnext):
        raise Problem(f"the folder {folder.name[:60]!r} has had messages, and keeps its numbers", "usage")
    if not (0 < uidvalidity <= HIGHEST and 0 < uidnext <= LAST_UID):
        raise Problem(f"a UIDVALIDITY of {uidvalidity} and a next UID of {uidnext} leave no room for those that follow", "usage")
    account = ledger.account
    ledger.account = account._replace(next_uidvalidity=max(account.next_uidvalidity, uidvalidity + 1))
    return ledger.alter(folder._replace(uidvalidity=uidvalidity, uidnext=uidnext))


def renumber(ledger: Ledger) -> None:
    """Give all folders a UIDVALIDITY above all that there were: clients forget what they know, as they have to after a restore."""
    first = max(ledger.account.next_uidvalidity, int(ledger.now))
    all_of_them = listing(ledger.rows, ledger.owner)
    for at, folder in enumerate(all_of_them):
        ledger.alter(ledger.by_id(folder.id)._replace(uidvalidity=first + at))
    ledger.account = ledger.account._replace(next_uidvalidity=first + len(all_of_them))


def _beneath(ledger: Ledger, name: str, *, subscribed: bool) -> str:
    """The name, spelled as its parents are, which are made where they are not there."""
    for parent in names.parents(name):
        there = ledger.find(parent) or subscriptions.added(ledger, parent, "", subscribed=subscribed)
        name = there.name + name[len(parent) :]
    return name


def _emptied(ledger: Ledger, inbox: Folder, to: str) -> Folder:
    """The inbox stays, and its messages go to the new folder; what is below it stays too (RFC 9051 §6.3.6), and what is noted at it is
    noted at both (RFC 5464 §4.1)."""
    folder = create(ledger, to)
    copying.move(ledger, inbox.id, None, folder.name)
    noting.copy(ledger, inbox.id, folder.id)
    return ledger.by_id(folder.id)
