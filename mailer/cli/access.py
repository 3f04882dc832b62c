"""``mailer access``: a process of IMAP and POP3, in the foreground."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailer.io.loop import run_loop

from . import OK, show
from .options import JSON, Option, Subcommand
from .run import HANGUP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .options import Given


def run(given: Given) -> int:
    """Serve until told to stop."""
    from mailer.access import AccessProcess
    from mailer.mail.neighbours import MOST_ACCESS

    number = given.number("--number", 1, 1, MOST_ACCESS)

    def listening(places: Sequence[str]) -> None:
        if given.flag("--json"):
            print(json.dumps({"event": "listening", "places": [*places]}), flush=True)
        elif not given.flag("--quiet"):
            show.show([show.Line([f"listening on {place}"]) for place in places])

    places = given.text("--config"), given.text("--spool")
    try:
        run_loop(AccessProcess(places, number, hangups=HANGUP.listen, listening=listening).run())
        return OK
    finally:
        HANGUP.ignore()


COMMAND = Subcommand(
    "access",
    run,
    summary="the process of IMAP and POP3: users read their mail",
    about=(
        "Serves IMAP and POP3 at the doors of the configuration, [[listen]] of the kinds imap and pop3, until SIGTERM or SIGINT; stays in "
        "the foreground and logs to standard error: each login, and what a client says that it is. The first lines of output say where it "
        "listens.\n\n"
        "`mailer run` starts it where such a door is configured, access.processes of them, and again when one ends; all have the same "
        "ports, and the system gives each caller to one. As a service of its own, mailer-access.service, the first may do less than the "
        "daemon and outlives it; with mailer-access.socket systemd opens the sockets, also at ports below 1024, and the doors whose "
        "addresses are the same take them over.\n\n"
        "What it reads and writes are the mailboxes of this machine, whether the daemon runs or not. A change of one, by whatever process, "
        "is told to clients that wait for it within a tenth of a second. Logins that fail are counted with those of all other processes; "
        "`mailer user sessions` shows who is logged in where, and ends sessions.\n\n"
        "SIGHUP (`mailer reload` passes it on) reads the configuration and the certificates again; sessions go on. A stop tells each "
        "client (BYE), and lets commands under way end within 10 seconds. What clients meet is in mailer-access(7)."
    ),
    options=(JSON, Option("--number", metavar="N", help="which of access.processes it is; 1 by default")),
    examples=("mailer access", "mailer access --config /etc/mailer/config.toml", "mailer access --number 2"),
    epilog=(
        "exit codes: 0 stopped · 69 it cannot listen there · 75 another one with this number serves the spool · 77 no permission · "
        "78 configuration, or no door"
    ),
)
