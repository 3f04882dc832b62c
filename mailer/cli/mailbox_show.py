"""``mailer mailbox show``: the messages of a folder, those that words or a text are found in, or one as it is."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.mail.text import human_size

from . import OK, show
from .mailbox_opening import addresses, mailbox_of
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mailbox.api import Mailbox
    from mailer.operate.mailboxes import MessageLine

    from .options import Given


def showing(given: Given) -> int:
    """Show the messages of a folder, what is found, or one message as it is."""
    from mailer.operate import mailboxes as operate

    address, folder, uid = _asked(given)
    with mailbox_of(given, address) as mailbox:
        if uid:
            sys.stdout.buffer.write(operate.message(mailbox, folder, uid))
            return OK
        found = _lines(given, mailbox, folder)
    if given.flag("--json"):
        for line in found:
            show.json_line(line.as_json())
    elif not found and _looks(given):
        show.note("nothing was found")
    elif not given.flag("--quiet"):
        _table(given, found)
    return OK


def _asked(given: Given) -> tuple[str, str, int]:
    """Whose mail, in which folder if that is said, and which message of it, 0 for its list. Raises `Problem` (usage)."""
    if not 1 <= len(given.operands) <= 3:
        raise usage("it needs an ADDRESS, and takes a FOLDER and a UID", given.command.name)
    address, folder, uid = (*given.operands, *("", "", "0")[len(given.operands) :])
    if not (uid.isascii() and uid.isdigit() and len(uid) < 11):
        raise usage(f"a UID is a number, and {uid!r} is none", given.command.name)
    if (len(given.operands) == 3) + bool(given.text("--search")) + bool(given.text("--text")) > 1:
        raise usage("a UID, --search and --text are three ways to name messages; take one", given.command.name)
    return address, folder, int(uid)


def _looks(given: Given) -> bool:
    return bool(given.text("--search") or given.text("--text"))


def _lines(given: Given, mailbox: Mailbox, folder: str) -> Sequence[MessageLine]:
    """What is found in a folder or in all, or what came to one last."""
    from mailer.mailbox.api import INBOX
    from mailer.operate import mailboxes as operate

    most = given.number("--limit", operate.NEWEST, 1)
    if words := given.text("--search"):
        return operate.with_words(mailbox, folder, words, most)
    if text := given.text("--text"):
        return operate.with_text(mailbox, folder, text, most)
    return operate.newest(mailbox, folder or INBOX, most)


def _table(given: Given, found: Sequence[MessageLine]) -> None:
    """What is found says where it is; a list of one folder need not."""
    where = _looks(given)
    columns = [*([show.Column("FOLDER")] if where else []), show.Column("UID", right=True), show.Column("RECEIVED")]
    columns += [show.Column("FROM", cut=True), show.Column("SUBJECT", cut=True), show.Column("SIZE", right=True), show.Column("FLAGS")]
    now = time.time()
    show.show([show.Table(columns, [[*([line.folder] if where else []), *_row(line, now)] for line in found])])


def _row(line: MessageLine, now: float) -> Sequence[show.Value]:
    flags = " ".join(line.flags) or "-"
    mail = line.mail
    return [str(line.entry.uid), show.moment(mail.received, now), mail.sender or "-", mail.subject or "-", human_size(mail.size), flags]


COMMANDS = {
    "show": Subcommand(
        "mailbox show",
        showing,
        summary="the messages of a folder, those with certain words, or one as it is",
        about="Lists the messages that came last, of INBOX if no FOLDER is named; or those that are found, of all folders. With a UID the "
        "message itself is written, octet for octet, as a mail program gets it. It marks nothing as read.\n\n"
        "What words find has all of them, or words that begin so, the best first. A text is found wherever it stands, also within a word: "
        "in the header, the body, and the names of files. Neither has regard to case.",
        operands="ADDRESS [FOLDER [UID]]",
        words=addresses,
        options=(
            Option("--search", metavar="WORDS", help="messages with these words, the best first"),
            Option("--text", metavar="TEXT", help="messages with this text anywhere, the newest first"),
            Option("--limit", metavar="N", help="how many messages; 50 by default"),
            JSON,
        ),
        examples=(
            "mailer mailbox show ann@example.com",
            "mailer mailbox show ann@example.com --search 'invoice march'",
            "mailer mailbox show ann@example.com Archive/2026 17 > message.eml",
        ),
        epilog="exit codes: 0 · 64 usage · 67 there is no such mailbox, folder or message · 74 something is lost or damaged · 75 try again",
    )
}
