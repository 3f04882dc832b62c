"""Backups of mailboxes, and mailboxes made of them, as an operator asks for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.mailbox.backups.restoring import Restoring
from mailer.mailbox.backups.sealed import sealed_terms
from mailer.mailbox.backups.writing import KEPT, Backups
from mailer.mailbox.masters import keyring_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.mailbox.backups.restoring import Comparison, Restored
    from mailer.mailbox.backups.writing import BackedUp
    from mailer.mailbox.mailboxes import Mailboxes
    from mailer.mailbox.owners.api import Owner


STATES: Final = KEPT
"""How many states of each mailbox are kept, if nobody says how many."""


def backups_of(config: Config, mailboxes: Mailboxes, root: str, *, kept: int = STATES, make: bool = False) -> Backups:
    """The backups in the directory `root`, which is made with `make`. Raises `Problem` where there is none."""
    if not os.path.isdir(root):
        if not make:
            raise Problem(f"there is no directory {root}; `mailer mailbox backup {root}` makes a backup", "no-such")
        if not os.path.isdir(os.path.dirname(os.path.abspath(root))):
            raise Problem(f"there is no directory in which {root} could be made; is the disk of the backups mounted?", "cannot-create")
    return Backups(root, mailboxes, sealed_terms(keyring_of(config, mailboxes.owners), kept))


def chosen(mailboxes: Mailboxes, addresses: Sequence[str]) -> Iterator[Owner]:
    """The owners of these addresses, or all. Raises `Problem` (no-such)."""
    for address, owner in zip(addresses, mailboxes.owners.find(addresses), strict=True):
        if owner is None:
            raise Problem(f"there is no mailbox of {address}", "no-such")
        yield owner
    after = ""
    while not addresses and (some := mailboxes.owners.listing(after=after)):
        yield from some
        after = some[-1].id


def restoring(backups: Backups, address: str, told: Callable[[int, int], None], state: str = "") -> Restoring:
    """A restore of the mailbox that had `address`. Raises `Problem` (no-such)."""
    return Restoring(backups, address, told, state)


def backup_json(owner: Owner, done: BackedUp) -> dict[str, object]:
    """What came of a backup, as commands print it with ``--json``."""
    return {"address": owner.address, **done._asdict(), "lost": [*done.lost]}


def restored_json(done: Restored) -> dict[str, object]:
    """What came of a restore, as commands print it with ``--json``."""
    return {
        "address": done.owner.address,
        "id": done.owner.id,
        "state": done.state.id,
        "made_at": rfc3339(done.state.at),
        "messages": done.messages,
        "added": done.added,
        "flaws": [{"what": flaw.what, "mail": flaw.mail, "folder": flaw.folder} for flaw in done.flaws],
    }


def compared_json(found: Comparison) -> dict[str, object]:
    """How a backup and a mailbox differ, as commands print it with ``--json``."""
    return {
        "state": found.state.id,
        "made_at": rfc3339(found.state.at),
        "both": found.both,
        "backup_only": [*found.backup_only],
        "mailbox_only": [*found.mailbox_only],
    }
