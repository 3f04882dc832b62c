"""Whether a mailbox is as it has to be: its counts, its numbers, and that each message has its body; and mending what can be mended.

What is held: counts are the sums over what is there; a UID is below the next one; no MODSEQ is above that of the account; each entry has a
message, each message a body of its octets, and a place, or a time when it goes; each folder is in one that is there. What cannot be mended
is a body that is gone or is another: it is said each time.

Mending needs nothing but the bodies: what has no row is read anew and put into ``INBOX/Recovered``, each named.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem
from mailer.spool import put_at

from . import folders, ledger, mails, names, putting
from .api import INBOX, BodyLost, BoxFlaw, NewMail
from .hundreds import hundreds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .api import Folder, Mail
    from .engine.api import Engine, Rows
    from .ledger import Ledger
    from .reading import OwnBodies

RECOVERED: Final = f"{INBOX}/Recovered"
PORTION: Final = 50  # messages that are put back in one transaction

COUNTS: Final = """SELECT e.folder, COUNT(*), SUM(CASE WHEN e.flags % 2 = 0 THEN 1 ELSE 0 END),
    SUM(CASE WHEN (e.flags / 8) % 2 = 1 THEN 1 ELSE 0 END), COALESCE(SUM(m.size), 0), MAX(e.uid), MAX(e.modseq), COUNT(m.id)
    FROM entry e LEFT JOIN mail m ON m.owner = e.owner AND m.id = e.mail WHERE e.owner = ? GROUP BY e.folder"""
GONE: Final = "SELECT folder, MAX(uid), MAX(modseq) FROM expunged WHERE owner = ? GROUP BY folder"
USAGE: Final = """SELECT COALESCE(SUM(m.size), 0), COUNT(*) FROM mail m WHERE m.owner = ?
    AND EXISTS (SELECT 1 FROM entry e WHERE e.owner = m.owner AND e.mail = m.id)"""
NEWEST: Final = """SELECT MAX(modseq) FROM (SELECT modseq FROM entry WHERE owner = ? UNION ALL SELECT modseq FROM folder WHERE owner = ?
    UNION ALL SELECT modseq FROM expunged WHERE owner = ? UNION ALL SELECT modseq FROM mail WHERE owner = ?) AS numbers"""
NUMBERS: Final = "SELECT MAX(id), MAX(uidvalidity) FROM folder WHERE owner = ?"
PLACELESS: Final = """SELECT id FROM mail m WHERE m.owner = ?
    AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.owner = m.owner AND e.mail = m.id)
    AND NOT EXISTS (SELECT 1 FROM erase r WHERE r.owner = m.owner AND r.mail = m.id)"""
ROWLESS: Final = """SELECT e.folder, e.uid, e.mail FROM entry e WHERE e.owner = ?
    AND NOT EXISTS (SELECT 1 FROM mail m WHERE m.owner = e.owner AND m.id = e.mail)"""
FOLDERLESS: Final = """SELECT e.folder, e.uid, e.mail FROM entry e WHERE e.owner = ?
    AND NOT EXISTS (SELECT 1 FROM folder f WHERE f.owner = e.owner AND f.id = e.folder AND f.gone = 0)"""
SIZES: Final = "SELECT id, size, prefix, key_number FROM mail WHERE owner = ? AND id > ? ORDER BY id LIMIT 1000"
DROP: Final = "DELETE FROM entry WHERE owner = ? AND folder = ? AND uid = ?"
NAMED: Final = """SELECT t.folder, t.uid, t.name FROM twin t WHERE t.owner = ?
    AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.owner = t.owner AND e.folder = t.folder AND e.uid = t.uid)"""
UNNAME: Final = "DELETE FROM twin WHERE owner = ? AND folder = ? AND uid = ?"
WORDS: Final = "SELECT mail FROM erase WHERE owner = ? AND after = 0"


class MailboxParts(NamedTuple):
    """A mailbox that is looked at: its rows, its bodies, and how it is changed."""

    engine: Engine
    bodies: OwnBodies
    change: Callable[[Callable[[Ledger], object]], object]

    def mails(self, ids: Sequence[str]) -> Sequence[Mail | None]:
        """Messages by their IDs."""
        return self.engine.read(lambda rows: mails.by_ids(rows, self.engine.owner, ids))


def contradictions(rows: Rows, owner: int) -> Iterator[BoxFlaw]:
    """What the rows of an owner say that contradicts itself."""
    account = ledger.account_of(rows, owner)
    if account is None:
        yield BoxFlaw("the mailbox has no account")
        return
    counted = {row[0]: row[1:] for row in rows.run(COUNTS, (owner,))}
    gone = {row[0]: row[1:] for row in rows.run(GONE, (owner,))}
    there = {folder.id: folder for folder in folders.listing(rows, owner)}
    by_name = {folder.name for folder in there.values()}
    for folder in there.values():
        yield from _folder(folder, counted.get(folder.id, (0, 0, 0, 0, 0, 0, 0)), gone.get(folder.id, (0, 0)))
        if not by_name.issuperset(names.parents(folder.name)):
            yield BoxFlaw("the folder that it is in is not there", folder=folder.name)
    for folder in counted.keys() - there.keys():
        yield BoxFlaw(f"there are messages in a folder that is not there, number {folder}")
    octets, messages = rows.run(USAGE, (owner,))[0]
    if account.usage != (int(octets), messages):
        yield BoxFlaw(f"the mailbox has {messages} messages of {octets} octets, and counted {account.messages} of {account.octets}")
    if (newest := rows.run(NEWEST, (owner,) * 4)[0][0] or 0) > account.modseq:
        yield BoxFlaw(f"a change has the number {newest}, and the newest was counted as {account.modseq}")
    id, uidvalidity = rows.run(NUMBERS, (owner,))[0]
    if (id or 0) >= account.next_folder or (uidvalidity or 0) >= account.next_uidvalidity:
        yield BoxFlaw("the next folder would get the number of another one")
    for (mail,) in rows.run(PLACELESS, (owner,)):
        yield BoxFlaw("the message is in no folder, and was not deleted", mail)
    for id, uid, mail in rows.run(ROWLESS, (owner,)):
        yield BoxFlaw(f"the message with the UID {uid} is not known", mail, there[id].name if id in there else "")
    for id, uid, name in rows.run(NAMED, (owner,)):
        yield BoxFlaw(f"a name is kept for the UID {uid}, {name}, and that is not there", folder=there[id].name if id in there else "")


def check(box: MailboxParts, *, proved: bool = False, repair: bool = False) -> Sequence[BoxFlaw]:
    """What is not as it has to be in a mailbox, of each body as well with `proved`; mended with `repair`. Raises `Problem`."""
    flaws = box.engine.read(lambda rows: [*contradictions(rows, box.engine.owner)])
    if flaws and repair:
        box.change(recount)
        flaws = [flaw._replace(mended=True) for flaw in flaws]
    flaws += _bodies(box, proved=proved)
    if repair:
        flaws += _recovered(box)
    return flaws


def _folder(folder: Folder, counted: Sequence[int], gone: Sequence[int]) -> Iterator[BoxFlaw]:
    """What a folder has counted otherwise than it is."""
    *counts, uid, modseq, _ = counted
    said = (folder.messages, folder.unseen, folder.deleted, folder.octets)
    if said != tuple(map(int, counts)):
        yield BoxFlaw(f"it has (messages, unseen, deleted, octets) {tuple(map(int, counts))}, and counted {said}", folder=folder.name)
    if max(uid, gone[0]) >= folder.uidnext:
        yield BoxFlaw(f"it has a UID {max(uid, gone[0])}, and the next one would be {folder.uidnext}", folder=folder.name)
    if max(modseq, gone[1]) > folder.modseq:
        yield BoxFlaw(f"it has a change with the number {max(modseq, gone[1])} above its own, {folder.modseq}", folder=folder.name)


def recount(act: Ledger) -> None:
    """Have counts and numbers that are so; what is in no folder goes into one, and what has no message goes."""
    rows, owner = act.rows, act.owner
    for id, uid, _ in (*rows.run(ROWLESS, (owner,)), *rows.run(FOLDERLESS, (owner,))):
        rows.change(DROP, (owner, id, uid))
    for id, uid, _ in rows.run(NAMED, (owner,)):
        rows.change(UNNAME, (owner, id, uid))
    _number(act)
    placeless = [row[0] for row in rows.run(PLACELESS, (owner,))]
    if placeless:
        target = folders.made(act, RECOVERED)
        for mail in placeless:
            putting.put_again(act, mail, target.name, 0, ())
    counted = {row[0]: row[1:] for row in rows.run(COUNTS, (owner,))}
    gone = {row[0]: row[1:] for row in rows.run(GONE, (owner,))}
    there = folders.listing(rows, owner)
    for folder in there:
        for parent in names.parents(folder.name):
            if act.find(parent) is None:
                act.add(parent, "", subscribed=True)
    for folder in folders.listing(rows, owner):
        messages, unseen, deleted, octets, uid, _, _ = map(int, counted.get(folder.id, (0, 0, 0, 0, 0, 0, 0)))
        uidnext = max(act.by_id(folder.id).uidnext, uid + 1, gone.get(folder.id, (0, 0))[0] + 1)
        act.alter(act.by_id(folder.id)._replace(messages=messages, unseen=unseen, deleted=deleted, octets=octets, uidnext=uidnext))
    octets, messages = rows.run(USAGE, (owner,))[0]
    act.account = act.account._replace(octets=int(octets), messages=messages)


def _number(act: Ledger) -> None:
    """Have numbers for what is new that are above all."""
    newest = act.rows.run(NEWEST, (act.owner,) * 4)[0][0] or 0
    act.modseq = max(act.modseq, newest + 1)
    id, uidvalidity = act.rows.run(NUMBERS, (act.owner,))[0]
    account = act.account
    next_folder, next_uidvalidity = max(account.next_folder, (id or 0) + 1), max(account.next_uidvalidity, (uidvalidity or 0) + 1)
    act.account = account._replace(next_folder=next_folder, next_uidvalidity=next_uidvalidity)


def _bodies(box: MailboxParts, *, proved: bool) -> Iterator[BoxFlaw]:
    """Messages whose body is not there, or is not theirs."""
    kept, after = box.bodies.sizes(), ""
    while some := box.engine.read(lambda rows: rows.run(SIZES, (box.engine.owner, after))):  # noqa: B023 - called at once
        for id, size, prefix, key_number in some:
            if id not in kept:
                yield BoxFlaw("its body is gone", id)
            elif kept[id] < size - len(prefix) or (not key_number and kept[id] != size - len(prefix)):
                yield BoxFlaw(f"its body has {kept[id]} octets, and had {size - len(prefix)}", id)
            elif proved:
                yield from _proved(box, id)
        after = some[-1][0]


def _proved(box: MailboxParts, id: str) -> Iterator[BoxFlaw]:
    (mail,) = box.mails([id])
    if mail is not None:
        try:
            box.bodies.whole(mail)
        except BodyLost:
            yield BoxFlaw("its body is not what was put there", id)


def _recovered(box: MailboxParts) -> Iterator[BoxFlaw]:
    """Put what has no row into a folder of its own, each named."""
    words = box.engine.read(lambda rows: {row[0] for row in rows.run(WORDS, (box.engine.owner,))})
    stray = [id for id in box.bodies.sizes() if id not in words]
    known = {id for some in hundreds(stray) for id, mail in zip(some, box.mails(some), strict=True) if mail is not None}
    stray = sorted(id for id in stray if id not in known)
    for start in range(0, len(stray), PORTION):
        coming, flaws = [], []
        for id in stray[start : start + PORTION]:
            try:
                coming.append(_read(box, id))
                flaws.append(BoxFlaw("it was in no folder", id, RECOVERED, mended=True))
            except Problem as problem:
                flaws.append(BoxFlaw(f"it is in no folder, and cannot be read: {problem}", id))
        if coming:
            box.change(lambda act: putting.put(act, coming))  # noqa: B023 - called at once
        yield from flaws


def _read(box: MailboxParts, id: str) -> putting.Coming:
    """A message that is made anew from its body alone; its ID says when it came."""
    content, key_number = box.bodies.found(id)
    received = put_at(id)
    new = NewMail(RECOVERED, content, received=received, made=True)
    return putting.Coming(new, mails.ready(content, b"", received, id, sha256(content).digest(), key_number))
