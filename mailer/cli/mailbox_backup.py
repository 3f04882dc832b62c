"""``mailer mailbox backup`` and ``restore``: mailboxes as they were at one moment, elsewhere and back."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from mailer.mail.text import human_size

from . import IO_ERROR, OK, show
from .mailbox_opening import config_of, opened
from .options import JSON, Option, Subcommand, usage
from .progress import ProgressBar

if TYPE_CHECKING:
    from mailer.mailbox.backups.restoring import Comparison, Restored, Restoring

    from .options import Given


def backup(given: Given) -> int:
    """Back up mailboxes to a directory."""
    from mailer.mail.problem import Problem
    from mailer.operate import mailbox_backups as operate
    from mailer.operate.mailbox_keys import refuse_unexported

    if not given.operands:
        raise usage("it needs a DIR", given.command.name)
    root, *addresses = given.operands
    kept = given.number("--keep", operate.STATES, 1, 10_000)
    code, progress = OK, ProgressBar(quiet=given.flag("--quiet"))
    with opened(given) as mailboxes:
        config = config_of(given)
        backups = operate.backups_of(config, mailboxes, root, kept=kept, make=True)
        owners = [*operate.chosen(mailboxes, addresses)]
        refuse_unexported(config, owners)
        for owner in owners:
            try:
                done = backups.write(owner, partial(progress.tell, owner.address))
            except Problem as problem:
                if addresses:
                    raise
                progress.note(f"{owner.address}: {problem}")
                code = IO_ERROR
                continue
            finally:
                progress.end()
            if given.flag("--json"):
                show.json_line(operate.backup_json(owner, done))
            elif not given.flag("--quiet"):
                show.say(f"{owner.address}: {done.messages} messages, {done.copied} of them new ({human_size(done.octets)})")
            for id in done.lost:
                show.note(f"{owner.address}: the message {id} is lost here, and is not in this state; older states may have it")
                code = IO_ERROR
    return code


def restore(given: Given) -> int:
    """Make a mailbox of a backup."""
    from mailer.operate import mailbox_backups as operate

    if len(given.operands) != 2:
        raise usage("it needs a DIR and an ADDRESS", given.command.name)
    root, address = given.operands
    beside = given.text("--as")
    if given.flag("--compare") and beside:
        raise usage("--compare restores nothing, and so nothing --as another", given.command.name)
    progress = ProgressBar(quiet=given.flag("--quiet"))
    with opened(given) as mailboxes:
        backups = operate.backups_of(config_of(given), mailboxes, root)
        one = operate.restoring(backups, address, lambda at, of: progress.tell(address, at, of), given.text("--state") or "")
        if given.flag("--compare"):
            return _compared(given, one.compare())
        try:
            return _restored(given, _done(one, beside))
        finally:
            progress.end()


def _done(one: Restoring, beside: str | None) -> Restored:
    return one.beside(beside) if beside else one.instead()


def _restored(given: Given, done: Restored) -> int:
    from mailer.operate import mailbox_backups as operate

    if given.flag("--json"):
        show.json_line(operate.restored_json(done))
    elif not given.flag("--quiet"):
        added = f", and {done.added} that came since" if done.added else ""
        show.say(f"{done.owner.address} has {done.messages} messages as of {show.local(done.state.at)}{added}")
    for flaw in done.flaws:
        show.note(f"{done.owner.address}: {flaw.what} {flaw.mail}")
    return IO_ERROR if done.flaws else OK


def _compared(given: Given, found: Comparison) -> int:
    from mailer.operate import mailbox_backups as operate

    if given.flag("--json"):
        show.json_line(operate.compared_json(found))
        return OK
    if not given.flag("--quiet"):
        rows: list[tuple[str, show.Piece]] = [
            ("made", show.exact(found.state.at, time.time())),
            ("in both", str(found.both)),
            ("in the backup alone", str(len(found.backup_only))),
            ("in the mailbox alone", str(len(found.mailbox_only))),
        ]
        show.show([show.Fields(rows)])
    return OK


COMMANDS = {
    "backup": Subcommand(
        "mailbox backup",
        backup,
        summary="back up mailboxes to a directory, while they are used",
        about="Writes to DIR what the mailboxes are this moment: of all, or of those that are named. Messages that are there already are "
        "not copied again. A state is there when all its messages are: whatever ends a backup in the middle leaves those before it whole. "
        "What is encrypted here is encrypted there; the master key is not part of it.",
        operands="DIR [ADDRESS...]",
        options=(Option("--keep", metavar="N", help="keep so many states of each mailbox; 7 by default"), JSON),
        examples=("mailer mailbox backup /mnt/backup/mail", "mailer mailbox backup /mnt/backup/mail ann@example.com"),
        epilog="exit codes: 0 · 64 usage · 67 there is no such mailbox · 73 DIR cannot be made · 74 something is lost · 75 try again",
    ),
    "restore": Subcommand(
        "mailbox restore",
        restore,
        summary="make a mailbox of a backup",
        about="Makes a mailbox of the last state, or of the one that is named, beside the one that is there; reads each message of it; "
        "adds what came since the state was made; and lets the address lead to it. The mailbox before is kept for a while, as those of "
        "removed users are (mailboxes.removed_kept). Where a message of the backup is not whole, nothing changes.\n\n"
        "Mail programs fetch everything anew after that: what they remember is of another time.",
        operands="DIR ADDRESS",
        options=(
            Option("--as", metavar="NEW", help="make it the mailbox of another address, which has none"),
            Option("--state", metavar="ID", help="take this state instead of the last one"),
            Option("--compare", help="restore nothing, and say how the backup and the mailbox differ"),
            JSON,
        ),
        examples=(
            "mailer mailbox restore /mnt/backup/mail ann@example.com --compare",
            "mailer mailbox restore /mnt/backup/mail ann@example.com --as ann-before@example.com",
            "mailer mailbox restore /mnt/backup/mail ann@example.com",
        ),
        epilog="exit codes: 0 · 64 usage · 67 there is no such backup or mailbox · 74 the backup is not whole · 75 try again",
    ),
}
