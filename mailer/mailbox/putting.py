"""Messages that come into a mailbox: delivered, appended, imported.

A crash argument: the bodies are on the disk, under names of their own, before the transaction that has their rows begins. A crash before
its end leaves bodies that no row tells of, which a sweep removes; a row without its body never is. Where the transaction is refused its
bodies go at once; where nobody knows whether it was made (the answer of the engine was lost), they stay for the sweep to judge.

**Once.** What has (ID in the spool, recipient) is remembered by them in the transaction that puts it, so that whoever asks again, since he
never heard of it, is told where it is. Several messages of one call that have them alike are one message in several folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from . import folders, keywords, mails, twins
from .api import UNBOUNDED, NoFolder, OverQuota, PutMail, Quota, Usage
from .copying import ADD
from .ledger import account_of, by_name, weighed
from .threads import thread_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .api import Folder, NewMail
    from .engine.api import Rows
    from .ledger import Ledger
    from .mails import RowOfMail

DELIVERED: Final = "SELECT folder, uid, mail FROM delivered WHERE owner = ? AND spool_id = ? AND recipient = ? ORDER BY place"
DELIVER: Final = "INSERT INTO delivered (owner, spool_id, recipient, place, folder, uid, mail, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
UIDVALIDITY: Final = "SELECT uidvalidity FROM folder WHERE owner = ? AND id = ?"
SIZE: Final = "SELECT size FROM mail WHERE owner = ? AND id = ?"
PLACED: Final = "SELECT 1 FROM entry WHERE owner = ? AND mail = ? LIMIT 1"
KEEP_MAIL: Final = "DELETE FROM erase WHERE owner = ? AND mail = ? AND after > 0"


class Coming(NamedTuple):
    """A message that is to be put, and what was made of it."""

    new: NewMail
    ready: RowOfMail


class ReadyPut(NamedTuple):
    """Messages that can be put, `instead` of the one of this folder and UID, and the `contents` of each by its ID."""

    coming: Sequence[Coming]
    quota: Quota
    instead: tuple[int, int] | None
    contents: Mapping[str, bytes]


def refuse_early(rows: Rows, owner: int, news: Sequence[NewMail], quota: Quota) -> None:
    """Refuse what `put` would refuse, before anything is written. Raises `OverQuota`, `NoFolder`."""
    for name in {new.folder for new in news if not new.made}:
        if by_name(rows, owner, name) is None:
            raise NoFolder(f"there is no folder {name[:60]!r}")
    account = account_of(rows, owner)
    if account is None or quota == UNBOUNDED:
        return
    fresh = {_same(new): len(new.content) + len(new.prefix) for new in news if not (new.once and rows.run(DELIVERED, (owner, *new.once)))}
    refuse_over(account.usage, quota, fresh.values())


def refuse_over(usage: Usage, quota: Quota, sizes: Iterable[int]) -> None:
    """Refuse what is too much. Raises `OverQuota`."""
    added = list(sizes)
    if added and usage.over(quota, sum(added), len(added)):
        full = usage.over(Quota(quota.octets), sum(added))
        room = f"{quota.octets} octets" if full else f"{quota.messages} messages"
        raise OverQuota(f"the mailbox is full: it may have {room}; delete something, and empty the trash")


def put(ledger: Ledger, coming: Sequence[Coming], quota: Quota = UNBOUNDED) -> list[PutMail]:
    """Put all of them. Raises `OverQuota`, `NoFolder`, `Problem`."""
    before = {once: ledger.rows.run(DELIVERED, (ledger.owner, *once)) for once in {each.new.once for each in coming} if once}
    fresh = {each.ready.mail.id: each.ready for each in coming if not (each.new.once and before[each.new.once])}
    refuse_over(ledger.account.usage, quota, (ready.mail.size for ready in fresh.values()))
    for ready in fresh.values():
        mails.add(ledger, ready, thread_of(ledger, ready.mail.id, ready.said))
        ledger.count(ready.mail.size, 1)
    done = []
    numbers: dict[tuple[str, str], int] = {}
    placed: set[str] = set()
    for each in coming:
        once, number = each.new.once, 0
        if once:
            number = numbers[once] = numbers.get(once, -1) + 1
        if once and before[once]:
            done.append(_there(ledger, before[once][min(number, len(before[once]) - 1)]))
            continue
        id = each.ready.mail.id
        done.append(_placed(ledger, each, is_new=id not in placed and not each.ready.uidl))
        placed.add(id)
        if once:
            row = (ledger.owner, *once, number, done[-1].folder, done[-1].uid, done[-1].mail, ledger.now)
            ledger.rows.change(DELIVER, row)
    usage = ledger.account.usage
    return [each._replace(usage=usage) for each in done]


def delivered(rows: Rows, owner: int, onces: Sequence[tuple[str, str]]) -> list[str]:
    """The ID of the message that was put with each of these; empty where none was."""
    found = (rows.run(DELIVERED, (owner, *once)) for once in onces)
    return [str(each[0][2]) if each else "" for each in found]


def put_again(ledger: Ledger, mail: str, name: str, flags: int, words: Sequence[str]) -> PutMail | None:
    """Have a message that is here in one more folder; None where there is no such message. Raises `NoFolder`."""
    folder, size = ledger.folder(name), ledger.rows.run(SIZE, (ledger.owner, mail))
    if not size:
        return None
    if not ledger.rows.run(PLACED, (ledger.owner, mail)):
        ledger.count(size[0][0], 1)
        ledger.rows.change(KEEP_MAIL, (ledger.owner, mail))
    return _entered(ledger, folder, mail, size[0][0], flags, words)


def same(one: NewMail, other: NewMail) -> bool:
    """Whether two of a call are one message in two folders."""
    return one.once is not None and one.once == other.once and one.prefix == other.prefix and one.content == other.content


def _same(new: NewMail) -> object:
    return (new.once, new.prefix, new.content) if new.once else id(new)


def _placed(ledger: Ledger, each: Coming, *, is_new: bool) -> PutMail:
    """Have it in its folder; what `is_new` has a name that nothing else can have."""
    new, mail = each.new, each.ready.mail
    folder = folders.made(ledger, new.folder) if new.made else ledger.folder(new.folder)
    return _entered(ledger, folder, mail.id, mail.size, int(new.flags), new.keywords, new.uid, is_new=is_new)


def _entered(
    ledger: Ledger, folder: Folder, mail: str, size: int, flags: int, words: Sequence[str], wanted: int = 0, *, is_new: bool = False
) -> PutMail:
    """Make the entry of a message in a folder."""
    uid, folder = ledger.uid_in(folder, wanted)
    if not is_new:
        twins.mark(ledger, folder, [(uid, mail)])
    text = " ".join(keywords.spelled(ledger, folder.id, words)) if words else ""
    ledger.rows.change(ADD, (ledger.owner, folder.id, uid, mail, flags, text, ledger.modseq, ledger.now))
    folder = ledger.alter(weighed(folder, flags, size))
    return PutMail(folder.id, folder.uidvalidity, uid, mail, ledger.modseq, fresh=True, usage=ledger.account.usage)


def _there(ledger: Ledger, row: Sequence[object]) -> PutMail:
    """Where an attempt before has put it, whatever became of it since."""
    folder, uid, mail = int(str(row[0])), int(str(row[1])), str(row[2])
    found = ledger.rows.run(UIDVALIDITY, (ledger.owner, folder))
    return PutMail(folder, found[0][0] if found else 0, uid, mail, ledger.account.modseq, fresh=False, usage=ledger.account.usage)
