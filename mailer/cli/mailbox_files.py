"""``mailer mailbox import`` and ``export``: mail goes into a mailbox and out of it, in forms that other programs have."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mailer.mail.text import human_size

from . import BAD_MESSAGE, OK, show
from .mailbox_opening import config_of, mailbox_for, mailbox_of
from .options import JSON, Option, Subcommand, usage
from .progress import ProgressBar

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.mailbox.exports.api import ExportStep, NotWritten
    from mailer.mailbox.imports.api import PassedOver
    from mailer.mailbox.imports.taking import ImportStep
    from mailer.operate.mailboxes import ServerTerms

    from .options import Given

LONGEST = 4096  # octets of a password


def importing(given: Given) -> int:
    """Import mail that is kept elsewhere."""
    from mailer.operate import mailboxes as operate

    if len(given.operands) != 2:
        raise usage("it needs an ADDRESS and a SOURCE", given.command.name)
    address, place = given.operands
    terms = operate.ImportTerms(given.text("--folder") or "INBOX", given.texts("--only"), given.texts("--leave"), _server(given))
    source = operate.source_of(place, terms, config_of(given))
    progress = ProgressBar(quiet=given.flag("--quiet"))

    def told(step: ImportStep) -> None:
        progress.tell(step.folder, step.done, step.messages)

    def passing(what: PassedOver) -> None:
        progress.note(f"passed over: {what.where}: {what.why}")

    with mailbox_of(given, address, make=True) if given.flag("--make") else mailbox_for(given, address, new=True) as mailbox:
        try:
            done = operate.import_into(mailbox, source, told, passing)
        finally:
            progress.end()
    if given.flag("--json"):
        show.json_line({"address": address, **done._asdict()})
    elif not given.flag("--quiet"):
        there = f", {done.there} were there" if done.there else ""
        passed = f", {done.passed} were passed over" if done.passed else ""
        show.say(f"{_many(done.put, done.octets, done.folders)} came to {address}{there}{passed}")
    return BAD_MESSAGE if done.passed else OK


def _many(messages: int, octets: int, folders: int) -> str:
    size = human_size(octets)
    return f"{messages} message{'s' * (messages != 1)} ({size}) in {folders} folder{'s' * (folders != 1)}"


def _server(given: Given) -> ServerTerms | None:
    from mailer.operate.mailboxes import ServerTerms

    user = given.text("--user")
    if user is None:
        return None
    return ServerTerms(user, _password(given), "none" if given.flag("--no-tls") else "starttls")


def _password(given: Given) -> Callable[[], str]:
    from mailer.operate.mailboxes import password_file

    if path := given.path("--password-file"):
        return password_file(path)
    if sys.stdin is not None and sys.stdin.isatty():
        from .ask import secret

        typed = secret("Password")
    else:
        typed = sys.stdin.buffer.readline(LONGEST).decode("utf-8", "replace").rstrip("\r\n") if sys.stdin is not None else ""
    if not typed:
        raise usage("there is no password: name a file with --password-file, or give it on standard input", given.command.name)
    return lambda: typed


def exporting(given: Given) -> int:
    """Write a mailbox to files that other programs read."""
    from mailer.mailbox.exports.api import ExportTellers
    from mailer.operate import mailboxes as operate

    forms = [form for form in ("maildir", "mbox") if given.text(f"--{form}") is not None]
    if len(given.operands) != 1 or len(forms) != 1:
        raise usage("it needs an ADDRESS, and either --maildir DIR or --mbox DIR", given.command.name)
    address, path = given.operands[0], given.path(f"--{forms[0]}")
    progress = ProgressBar(quiet=given.flag("--quiet"))

    def told(step: ExportStep) -> None:
        progress.tell(step.folder, step.done, step.messages)

    def leaving(what: NotWritten) -> None:
        progress.note(f"not written: {what.where}: {what.why}")

    with mailbox_of(given, address) as mailbox:
        try:
            done = operate.export_to(mailbox, path, forms[0], ExportTellers(told, leaving))
        finally:
            progress.end()
    if given.flag("--json"):
        show.json_line({"address": address, "path": path, **done._asdict()})
    elif not given.flag("--quiet"):
        left = f"; {done.left} could not be written as they are" if done.left else ""
        show.say(f"{_many(done.messages, done.octets, done.folders)} are in {path}{left}")
    return BAD_MESSAGE if done.left else OK


COMMANDS = {
    "import": Subcommand(
        "mailbox import",
        importing,
        summary="take mail that is kept elsewhere into a mailbox",
        about="SOURCE is a directory (a Maildir, with its folders, as Dovecot, Courier, mbsync or mutt have it), a file (an "
        "mbox), or another server as imaps://HOST, or imap://HOST for STARTTLS. Messages keep their time, flags and "
        "keywords, and in a folder that was empty their UIDs, so that no mail program has to fetch them again.\n\n"
        "Whatever ends it, the same command goes on where it was; and what is there already is not taken twice. What cannot be taken is "
        "named, and all else is. Quotas hold nothing up.",
        operands="ADDRESS SOURCE",
        options=(
            Option("--make", help="make the mailbox of somebody who is no user"),
            Option("--folder", metavar="FOLDER", help="where the messages of an mbox go; INBOX by default"),
            Option("--user", metavar="NAME", help="who you are at the server"),
            Option(
                "--password-file", metavar="FILE", help="a file with the password there; else it is asked for, or read from standard input"
            ),
            Option("--only", metavar="FOLDER", help="take this folder of the server, and no other that is not named as well", repeat=True),
            Option("--leave", metavar="FOLDER", help="leave this folder of the server", repeat=True),
            Option("--no-tls", help="let the password travel in the clear: over loopback, or within a tunnel"),
            JSON,
        ),
        examples=(
            "mailer mailbox import ann@example.com /home/ann/Maildir",
            "mailer mailbox import ann@example.com old.mbox --folder Archive/2019",
            "mailer mailbox import ann@example.com imaps://imap.example.net --user ann --password-file ann.secret",
        ),
        epilog="exit codes: 0 · 64 usage · 65 some were passed over · 67 there is no such mailbox · 69 the server refuses · 75 try again",
    ),
    "export": Subcommand(
        "mailbox export",
        exporting,
        summary="write a mailbox to a Maildir or to mboxes",
        about="A Maildir++ is what Dovecot goes on with, down to UIDs, keywords and subscriptions, and what mutt and notmuch read; of "
        "mboxes there is one for each folder, in the dialect mboxrd. The directory must not be there yet; it is there when all is "
        "written. Nothing changes in the mailbox.",
        operands="ADDRESS",
        options=(
            Option("--maildir", metavar="DIR", help="write a Maildir++ to DIR"),
            Option("--mbox", metavar="DIR", help="write an mbox for each folder to DIR"),
            JSON,
        ),
        examples=(
            "mailer mailbox export ann@example.com --maildir /srv/ann/Maildir",
            "mailer mailbox export ann@example.com --mbox ann",
        ),
        epilog="exit codes: 0 · 64 usage · 65 some could not be written as they are · 67 there is no such mailbox · 73 DIR cannot be made",
    ),
}
