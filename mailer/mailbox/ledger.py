"""What a change of a mailbox is written by: the numbers that it takes, and the counts that it leaves.

A transaction has one MODSEQ (RFC 7162 §3.1), which all that it changes gets. Folders and the account are read once, altered here, and
written at the end, so that the counts of folders and of the whole mailbox are true in each transaction, by arithmetic.

Who writes has to have the epoch that the account has, or a later one, which the account has from then on: a mailbox that was given to
another machine is not written by the one that had it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem

from . import names
from .api import LAST_UID, Folder, NoFolder, Role, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from .engine.api import Rows

FIRST_MODSEQ: Final = 1  # that of a mailbox to which nothing has happened; RFC 7162 keeps 0 for "none"

ACCOUNT: Final = """SELECT epoch, modseq, next_uidvalidity, next_folder, octets, messages FROM account WHERE owner = ?"""
OPEN: Final = """INSERT INTO account (owner, epoch, modseq, next_uidvalidity, next_folder, octets, messages, searched)
    VALUES (?, ?, ?, ?, 1, 0, 0, ?)"""
KEEP_ACCOUNT: Final = """UPDATE account SET epoch = ?, modseq = ?, next_uidvalidity = ?, next_folder = ?, octets = ?, messages = ?
    WHERE owner = ?"""
FOLDERS: Final = """SELECT id, name, role, uidvalidity, uidnext, modseq, floor, subscribed, messages, unseen, deleted, octets, recent
    FROM folder WHERE owner = ? AND gone = 0"""
BY_KEY: Final = """SELECT id, name, role, uidvalidity, uidnext, modseq, floor, subscribed, messages, unseen, deleted, octets, recent
    FROM folder WHERE owner = ? AND name_key = ? AND gone = 0"""
BY_ID: Final = """SELECT id, name, role, uidvalidity, uidnext, modseq, floor, subscribed, messages, unseen, deleted, octets, recent
    FROM folder WHERE owner = ? AND id = ? AND gone = 0"""
BY_ROLE: Final = """SELECT id, name, role, uidvalidity, uidnext, modseq, floor, subscribed, messages, unseen, deleted, octets, recent
    FROM folder WHERE owner = ? AND role = ? AND gone = 0"""
ADD_FOLDER: Final = """INSERT INTO folder (owner, id, name, name_key, role, uidvalidity, uidnext, modseq, floor, subscribed,
    messages, unseen, deleted, octets, gone) VALUES (?, ?, ?, ?, ?, ?, 1, ?, 0, ?, 0, 0, 0, 0, 0)"""
KEEP_NAME: Final = "UPDATE folder SET name = ?, name_key = ? WHERE owner = ? AND id = ?"
KEEP_FOLDER: Final = """UPDATE folder SET role = ?, uidvalidity = ?, uidnext = ?, modseq = ?, floor = ?,
    subscribed = ?, messages = ?, unseen = ?, deleted = ?, octets = ?, recent = ? WHERE owner = ? AND id = ?"""
UNJUDGE: Final = "DELETE FROM judged WHERE owner = ? AND mail = ? AND verdict != ?"
JUDGE: Final = "INSERT INTO judged (owner, mail, verdict) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING mail"


class Account(NamedTuple):
    """The row of a mailbox."""

    epoch: int
    modseq: int
    next_uidvalidity: int
    next_folder: int
    octets: int
    messages: int

    @property
    def usage(self) -> Usage:
        """What the mailbox has."""
        return Usage(self.octets, self.messages)


class StaleOwner(Problem):
    """The mailbox has a later epoch than whoever writes."""

    def __init__(self) -> None:
        super().__init__("the mailbox was given to another process; try again", "try-again")


def account_of(rows: Rows, owner: int) -> Account | None:
    """The account of an owner; None for a mailbox that never was opened."""
    found = rows.run(ACCOUNT, (owner,))
    return Account(*found[0]) if found else None


def folder_of(row: Sequence[Any]) -> Folder:
    """The folder of a row."""
    id, name, role, uidvalidity, uidnext, modseq, floor, subscribed, *counts = row
    return Folder(id, name, role, uidvalidity, uidnext, modseq, floor, bool(subscribed), *counts)


def by_name(rows: Rows, owner: int, name: str) -> Folder | None:
    """The folder of that name."""
    found = rows.run(BY_KEY, (owner, names.key_of(name)))
    return folder_of(found[0]) if found else None


def by_id(rows: Rows, owner: int, id: int) -> Folder:
    """The folder with that number. Raises `NoFolder`."""
    found = rows.run(BY_ID, (owner, id))
    if not found:
        raise NoFolder("the folder is not there any more")
    return folder_of(found[0])


class Ledger:
    """A transaction `rows` on the mailbox of `owner`, who writes with `epoch`, at `now` (seconds since the epoch).

    `changed` are the folders that others are told of, `verdicts` what somebody has judged for the first time. Raises `StaleOwner`.
    """

    def __init__(self, rows: Rows, owner: int, epoch: int, now: float) -> None:
        self.rows = rows
        self.owner = owner
        self.now = now
        account = account_of(rows, owner)
        if account is None or account.epoch > epoch:
            raise StaleOwner
        self.account = account._replace(epoch=epoch)
        self.modseq = account.modseq + 1
        self.changed: set[int] = set()
        self.verdicts: list[tuple[str, Literal["spam", "ham"]]] = []
        self._folders: dict[int, Folder] = {}
        self._ids: dict[str, int] = {}
        self._renamed: set[int] = set()
        self._judged: dict[tuple[str, Literal["spam", "ham"]], None] = {}

    def folder(self, name: str) -> Folder:
        """The folder of that name, as it is now. Raises `NoFolder`."""
        found = self.find(name)
        if found is None:
            raise NoFolder(f"there is no folder {name[:60]!r}")
        return found

    def find(self, name: str) -> Folder | None:
        """The folder of that name, as it is now, if there is one."""
        if name in self._ids:
            return self._folders[self._ids[name]]
        found = by_name(self.rows, self.owner, name)
        if found is None:
            return None
        self._ids[name] = found.id
        return self._folders.setdefault(found.id, found)

    def by_id(self, id: int) -> Folder:
        """The folder with that number, as it is now. Raises `NoFolder`."""
        if id not in self._folders:
            self._folders[id] = by_id(self.rows, self.owner, id)
        return self._folders[id]

    def add(self, name: str, role: Role, *, subscribed: bool) -> Folder:
        """A new folder of a name that nothing has. Its UIDVALIDITY is above all that there were, RFC 9051 §2.3.1.1."""
        id, uidvalidity = self.account.next_folder, self.account.next_uidvalidity
        values = (self.owner, id, name, names.key_of(name), role, uidvalidity, self.modseq, int(subscribed))
        self.rows.change(ADD_FOLDER, values)
        self.account = self.account._replace(next_folder=id + 1, next_uidvalidity=uidvalidity + 1)
        return self.alter(self.by_id(id))

    def alter(self, folder: Folder) -> Folder:
        """Have a folder as it is here, changed by this transaction."""
        changed = folder._replace(modseq=self.modseq)
        self._folders[folder.id] = changed
        self.changed.add(folder.id)
        return changed

    def forget(self, folder: Folder) -> None:
        """Know nothing any more of a folder that was deleted, or has another name."""
        self._folders.pop(folder.id, None)
        self._ids.clear()
        self._renamed.add(folder.id)
        self.changed.add(folder.id)

    def uid_in(self, folder: Folder, wanted: int = 0) -> tuple[int, Folder]:
        """The next UID of a folder, or `wanted` if that is above; and the folder then. Raises `Problem` (usage) for a folder that is full.

        UIDs ascend strictly, and are never given again (RFC 9051 §2.3.1.1).
        """
        uid = max(folder.uidnext, wanted)
        if uid > LAST_UID:
            hint = "make a folder of another name, and move the messages there"
            raise Problem(f"the folder {folder.name[:60]!r} has no more UIDs; {hint}", "usage")
        return uid, folder._replace(uidnext=uid + 1)

    def count(self, octets: int, messages: int) -> None:
        """Add to what is in the mailbox, or take from it."""
        account = self.account
        self.account = account._replace(octets=account.octets + octets, messages=account.messages + messages)

    def judge(self, mail: str, verdict: Literal["spam", "ham"]) -> None:
        """Somebody has judged a message; it is told once, until somebody says the reverse."""
        self._judged[mail, verdict] = None

    def settle(self) -> None:
        """Write what was altered."""
        for mail, verdict in self._judged:
            if self.rows.run(JUDGE, (self.owner, mail, verdict)):
                self.rows.change(UNJUDGE, (self.owner, mail, verdict))
                self.verdicts.append((mail, verdict))
        if not self.changed:
            return
        for id in self.changed & self._folders.keys():
            folder = self._folders[id]
            _, name, *rest = folder
            rest[5] = int(folder.subscribed)
            self.rows.change(KEEP_FOLDER, (*rest, self.owner, id))
            if id in self._renamed:
                self.rows.change(KEEP_NAME, (name, names.key_of(name), self.owner, id))
        account = self.account
        values = (account.epoch, self.modseq, account.next_uidvalidity, account.next_folder, account.octets, account.messages, self.owner)
        self.rows.change(KEEP_ACCOUNT, values)


def weighed(folder: Folder, flags: int, octets: int, by: int = 1) -> Folder:
    """A folder with one message more, of these flags and octets; with `by` of -1, one less."""
    return folder._replace(
        messages=folder.messages + by,
        unseen=folder.unseen + (0 if flags & Flag.SEEN else by),
        deleted=folder.deleted + (by if flags & Flag.DELETED else 0),
        octets=folder.octets + by * octets,
    )
