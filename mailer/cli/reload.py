"""``mailer reload``: the daemon reads its configuration again, and it is known whether it took it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.operate.daemon import reload

from . import OK, show
from .options import Option, Subcommand
from .selectors import spool_of

if TYPE_CHECKING:
    from .options import Given

PATIENCE = 60  # seconds, unless --timeout says otherwise: one that has only just been started reads first what is in the spool


def run(given: Given) -> int:
    """Ask for it, and say what came of it."""
    spool = spool_of(given)
    pid = reload(spool, float(given.number("--timeout", PATIENCE, least=1, most=86400)))
    if not given.flag("--quiet"):
        show.show([show.Line([f"the daemon (pid {pid}) of {spool.place} has taken the configuration"])])
    return OK


COMMAND = Subcommand(
    "reload",
    run,
    summary="let the daemon read its configuration again, and say whether it took it",
    about=(
        "Tells the daemon of the spool, as SIGHUP does, and waits for what it makes of its configuration. One with a mistake changes "
        "nothing: the mistake is said here and in the log, and the daemon goes on with the configuration that it has. `mailer config "
        "check` finds all mistakes before. Another spool is taken up by a restart only.\n\n"
        "For the owner of the spool and for root. `systemctl reload mailer` does the same for a service, and does not say what came of it."
    ),
    options=(Option("--timeout", metavar="SECONDS", help=f"how long to wait for the answer; {PATIENCE} by default"),),
    examples=("mailer reload", "mailer config check && mailer reload"),
    epilog=(
        "exit codes: 0 taken · 69 no daemon runs on this spool · 75 told, and no answer in time · 77 it is another user's · "
        "78 refused, and the old configuration stays"
    ),
)
