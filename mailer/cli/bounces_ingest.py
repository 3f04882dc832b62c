"""``mailer bounces ingest``: take a report from standard input, as the end of a pipe that a mail server starts.

The exit code is what that server goes by: 0 says that the report is on disk and may be forgotten, 75 that it has to be brought again.
Whatever is wrong with this machine, its configuration included, is 75, for a server that is told anything else gives a report
up, and nobody hears of it.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from mailer.config.quick import submission
from mailer.io.signals import deaf, refusing
from mailer.mail.address import AddressError, parse
from mailer.mail.problem import Problem
from mailer.operate.reports import ingest
from mailer.reports.api import MAX_REPORT, Facts
from mailer.spool.api import Reserve

from . import OK
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from .options import Given

LASTING = ("usage", "bad-message")
"""What is no better when the report is brought again."""


def run(given: Given) -> int:
    """Take the report, and print its ID."""
    if given.flag("--source"):
        return look(given, given.text("--source") or "")
    facts = facts_of(given)
    with refusing("the report was read"):
        content = read_report()
    if not content:
        raise Problem("standard input is empty, and that is no report", "bad-message")
    if given.flag("--dry-run"):
        return _would(given, content, facts)
    try:
        settings = submission(given.text("--config"), given.text("--spool"))
        with deaf():
            id = ingest(settings.spool, content, facts, Reserve(settings.min_free_space, settings.min_free_inodes))
    except Problem as problem:
        if problem.kind in LASTING:
            raise
        raise Problem(str(problem), "try-again") from None
    if given.flag("--json"):
        from . import show

        show.json_line({"id": id})
    elif not given.flag("--quiet"):
        print(id)
    return OK


def look(given: Given, name: str) -> int:
    """Look into a mailbox once, and say what came of it."""
    import asyncio

    from mailer.config.file import load
    from mailer.operate.reports import collect

    found = asyncio.run(collect(load(given.text("--config"), given.text("--spool")), name, time.time))
    if given.flag("--json"):
        from . import show

        show.json_line({"source": name, "taken": found.taken, "left": found.left, "larger": found.larger})
    elif not given.flag("--quiet"):
        larger = f", {found.larger} larger than max_report" if found.larger else ""
        print(f"{found.taken} reports taken, {found.left} messages left alone{larger}")
    return OK


def _would(given: Given, content: bytes, facts: Facts) -> int:
    """Print what the report says, and which message of ours it names; nothing is taken."""
    from mailer.config.file import load
    from mailer.intake.view import view_of
    from mailer.operate.reports import understood

    from . import pages, show
    from .selectors import spool_of

    with view_of(spool_of(given, new=True)) as view:
        config = load(given.text("--config"), given.text("--spool"))
        read = understood(content, facts, config, lambda name: [record.id for record in view.find(name)])
    if given.flag("--json"):
        show.json_line(read.as_json())
    elif not given.flag("--quiet"):
        show.show([*pages.understood(read)])
    return OK


def facts_of(given: Given) -> Facts:
    """How the report comes: as the options say, else as the variables do that local(8) of Postfix and Exim set for a pipe."""
    environment, named = os.environ, given.text("--recipient") or ""
    if named:
        try:
            parse(named, "localhost")
        except AddressError as error:
            raise usage(f"--recipient: {error}; the report was not taken", "bounces ingest") from None
    recipient = named or environment.get("ORIGINAL_RECIPIENT") or environment.get("RECIPIENT") or ""
    sender = given.text("--sender") if given.flag("--sender") else environment.get("SENDER", "")
    return Facts("stdin", recipient, (sender or "").strip("<>"), f"unix:{os.getuid()}", at=time.time())


def read_report() -> bytes:
    """All of standard input. Raises `Problem`: bad-message for what is too large for a report, io-error."""
    if sys.stdin is None:
        raise Problem("cannot read the report: standard input is closed", "io-error")
    if sys.stdin.isatty():
        sys.stderr.write("mailer: reading the report from the terminal; end it with Ctrl-D\n")
    parts: list[bytes] = []
    size = 0
    while part := os.read(sys.stdin.fileno(), 1 << 20):
        parts.append(part)
        size += len(part)
        if size > MAX_REPORT:
            raise Problem(f"the report has more than {MAX_REPORT} octets, which no report has; it was not taken", "bad-message")
    return b"".join(parts)


COMMANDS = {
    "ingest": Subcommand(
        "bounces ingest",
        run,
        summary="take a report that came back, from standard input",
        about=(
            "Takes a bounce, a complaint or another report about mail of ours, and prints its ID. It exits with 0 only when the report is "
            "on disk, and with 75 when it has to be brought again; so it may stand at the end of a pipe, in aliases(5) of Postfix as in a "
            ".forward file. The daemon then works out whom it is about, and what follows; without a daemon it waits in the spool.\n\n"
            "Any user may run it: what a user may not write himself, the daemon takes from him. A report that comes again is known by its "
            "octets, and changes nothing a second time."
        ),
        options=(
            Option(
                "--recipient",
                metavar="ADDRESS",
                help="the address that the report came to; otherwise ORIGINAL_RECIPIENT or RECIPIENT say it",
            ),
            Option("--source", metavar="NAME", help="look once into this [[report_source]] instead of reading standard input"),
            Option("--dry-run", help="show how the report is read, and take nothing; without a daemon, too"),
            Option("--sender", "-f", metavar="ADDRESS", help="its envelope sender; otherwise SENDER says it"),
            JSON,
        ),
        examples=(
            "mailer bounces ingest < report.eml",
            "mailer bounces ingest --source bounces",
            "mailer bounces ingest --dry-run --json < report.eml",
            'bounces: "|/usr/bin/mailer bounces ingest"',
            "flags=q user=mailer argv=/usr/bin/mailer bounces ingest --recipient ${original_recipient} --sender ${sender}",
        ),
        epilog="exit codes: 0 the report is on disk · 64 the command line is wrong · 65 it is no message, or too large · "
        "75 it was not taken, bring it again",
    ),
}
