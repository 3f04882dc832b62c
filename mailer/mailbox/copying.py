"""Messages that are had in one more folder, or in another instead: an entry each, with its flags, and no octet of a message is touched.

A move is one transaction, so that a message is in one of the two places whatever fails. What comes into the folder for junk was judged to
be spam by whoever moved it, and what goes out of it to anywhere but the trash, to be none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import keywords, twins
from .api import Copied
from .entries import heavy
from .expunging import take_out
from .ledger import weighed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.flags import Uids

    from .api import Folder
    from .entries import HeavyEntry
    from .ledger import Ledger

ADD: Final = "INSERT INTO entry (owner, folder, uid, mail, flags, keywords, modseq, saved) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def copy(ledger: Ledger, folder: int, uids: Uids, to: str) -> Copied:
    """Have messages in the folder `to` as well, with their flags. Raises `NoFolder`."""
    source, target = ledger.by_id(folder), ledger.folder(to)
    chosen = heavy(ledger.rows, ledger.owner, folder, uids)
    _judge(ledger, source, target, chosen)
    return _copied(ledger, target, chosen)


def move(ledger: Ledger, folder: int, uids: Uids, to: str) -> Copied:
    """Have messages in the folder `to` instead; in the same folder they get new UIDs (RFC 6851 §3.3). Raises `NoFolder`."""
    source, target = ledger.by_id(folder), ledger.folder(to)
    chosen = heavy(ledger.rows, ledger.owner, folder, uids)
    _judge(ledger, source, target, chosen)
    take_out(ledger, source, chosen)
    return _copied(ledger, ledger.by_id(target.id), chosen)


def _copied(ledger: Ledger, target: Folder, chosen: Sequence[HeavyEntry]) -> Copied:
    rows, pairs = [], []
    spelled = {text: " ".join(keywords.spelled(ledger, target.id, text.split(" "))) for text in {each.keywords for each in chosen} if text}
    for each in chosen:
        uid, target = ledger.uid_in(target)
        target = weighed(target, each.flags, each.size)
        text = spelled[each.keywords] if each.keywords else ""
        rows.append((ledger.owner, target.id, uid, each.mail, each.flags, text, ledger.modseq, ledger.now))
        pairs.append((each.uid, uid))
    twins.mark(ledger, target, [(uid, each.mail) for each, (_, uid) in zip(chosen, pairs, strict=True)])
    ledger.rows.many(ADD, rows)
    if rows:
        target = ledger.alter(target)
    return Copied(target.id, target.uidvalidity, target.modseq, pairs)


def _judge(ledger: Ledger, source: Folder, target: Folder, chosen: Sequence[HeavyEntry]) -> None:
    if source.role != "junk" and target.role == "junk":
        for each in chosen:
            ledger.judge(each.mail, "spam")
    elif source.role == "junk" and target.role not in ("junk", "trash"):
        for each in chosen:
            ledger.judge(each.mail, "ham")
