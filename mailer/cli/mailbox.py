"""``mailer mailbox``: the mail that is kept here. This file has what shows it; its others have a file each, and a line below."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.mail.text import human_size

from . import (
    IO_ERROR,
    OK,
    mailbox_backup,
    mailbox_dovecot,
    mailbox_files,
    mailbox_key,
    mailbox_move,
    mailbox_rules,
    mailbox_script,
    mailbox_show,
    show,
)
from .mailbox_opening import addresses, config_of, mailbox_of, opened
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config
    from mailer.mailbox.api import Folder, Quota
    from mailer.operate.mailboxes import MailboxLine

    from .options import Given


def listing(given: Given) -> int:
    """Show the mailboxes, or the folders of one."""
    from mailer.operate import mailboxes as operate

    if len(given.operands) > 1:
        raise usage("it takes one ADDRESS, or none", given.command.name)
    if given.operands:
        with mailbox_of(given, given.operands[0]) as mailbox:
            return _folders(given, mailbox.folders())
    with opened(given) as mailboxes:
        found = [*operate.listing(mailboxes, _quotas(config_of(given)), removed=given.flag("--removed"))]
    if given.flag("--json"):
        for line in found:
            show.json_line(line.as_json())
    elif not found:
        show.note('there are no mailboxes; a user has one from his first mail on, where a [[domain]] has via = "local"')
    elif not given.flag("--quiet"):
        columns = [show.Column(name, right=name in ("MAILS", "SIZE")) for name in ("ADDRESS", "STATE", "MAILS", "SIZE", "QUOTA", "SINCE")]
        show.show([show.Table(columns, [_mailbox_row(line, time.time()) for line in found])])
    for line in found:
        if line.trouble:
            show.note(f"{line.owner.address}: {line.trouble}")
    return IO_ERROR if any(line.trouble for line in found) else OK


def _mailbox_row(line: MailboxLine, now: float) -> Sequence[show.Value]:
    state = show.Cell(line.owner.state, "good" if line.owner.state == "open" else "wait")
    return [
        line.owner.address,
        show.Cell("unreadable", "bad") if line.usage is None else state,
        str(line.usage.messages) if line.usage else "-",
        human_size(line.usage.octets) if line.usage else "-",
        human_size(line.quota.octets) if line.quota.octets else "-",
        show.moment(line.owner.created, now),
    ]


def _folders(given: Given, folders: Sequence[Folder]) -> int:
    from mailer.operate.mailboxes import folder_json

    if given.flag("--json"):
        for folder in folders:
            show.json_line(folder_json(folder))
    elif not given.flag("--quiet"):
        columns = [show.Column(name, right=name in ("MAILS", "UNSEEN", "SIZE")) for name in ("FOLDER", "ROLE", "MAILS", "UNSEEN", "SIZE")]
        rows = [[each.name, each.role or "-", str(each.messages), str(each.unseen), human_size(each.octets)] for each in folders]
        show.show([show.Table(columns, rows)])
    return OK


def verify(given: Given) -> int:
    """Look whether mailboxes are whole."""
    from mailer.operate import mailboxes as operate

    bad = 0
    with opened(given) as mailboxes:
        for address in given.operands or [line.owner.address for line in operate.listing(mailboxes, {})]:
            with mailboxes.of(address) as mailbox:
                faults = operate.verified(mailbox, bodies=not given.flag("--quick"), repair=given.flag("--repair"))
            bad += sum(not fault.mended for fault in faults)
            for fault in faults:
                if given.flag("--json"):
                    show.json_line({"address": address, **fault._asdict()})
                else:
                    where = ", ".join(part for part in (fault.folder, fault.mail) if part)
                    show.say(f"{address}: {fault.what}{f' ({where})' if where else ''}{', and is mended' if fault.mended else ''}")
            if not faults and not given.flag("--json") and not given.flag("--quiet"):
                show.say(f"{address}: all is as it has to be")
    return IO_ERROR if bad else OK


def _quotas(config: Config) -> dict[str, Quota]:
    """The quotas of all users, where they are ours; none where they cannot be asked."""
    from mailer.mailbox.api import Quota
    from mailer.operate import users as operate

    async def asked() -> dict[str, Quota]:
        users = operate.users_of(config)
        try:
            return {user.address: Quota(user.quota, user.quota_messages) async for user in operate.everybody(users)}
        finally:
            await users.close()

    try:
        return asyncio.run(asked())
    except Problem:
        return {}


ABOUT = (
    "A mailbox belongs to the user of its address, and is kept where mailboxes.path says: a file for each message, which never changes, "
    "and a database of what can change: folders, flags, UIDs. See mailer-mailboxes(7)."
)
CODES = "exit codes: 0 · 64 usage · 67 there is no such mailbox, folder or message · 74 something is lost or damaged · 75 try again"

COMMANDS = {
    "list": Subcommand(
        "mailbox list",
        listing,
        summary="the mailboxes, or the folders of one",
        about=ABOUT,
        operands="[ADDRESS]",
        words=addresses,
        options=(Option("--removed", help="those of users who were removed, which are kept for a while"), JSON),
        examples=("mailer mailbox list", "mailer mailbox list ann@example.com"),
        epilog=CODES,
    ),
    **mailbox_show.COMMANDS,
    "verify": Subcommand(
        "mailbox verify",
        verify,
        summary="look whether mailboxes are whole",
        about="Counts again what is counted, and reads each message to see that it is what was put there. Prints a line for whatever is "
        "not as it has to be.",
        operands="[ADDRESS...]",
        words=addresses,
        options=(
            Option("--quick", help="leave the messages unread"),
            Option("--repair", help="mend what can be mended"),
            JSON,
        ),
        examples=("mailer mailbox verify", "mailer mailbox verify ann@example.com --repair"),
        epilog=CODES,
    ),
    **mailbox_files.COMMANDS,
    **mailbox_move.COMMANDS,
    **mailbox_backup.COMMANDS,
    **mailbox_dovecot.COMMANDS,
    **mailbox_key.COMMANDS,
    **mailbox_script.COMMANDS,
    **mailbox_rules.COMMANDS,
}
"""Each subcommand; those of other files are put together here."""
