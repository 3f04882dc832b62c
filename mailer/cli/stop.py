"""``mailer stop``: the daemon ends, and what was under way is finished or put off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.operate.daemon import stop

from . import OK, show
from .options import Option, Subcommand
from .selectors import spool_of

if TYPE_CHECKING:
    from .options import Given

PATIENCE = 120  # seconds, unless --timeout says otherwise


def run(given: Given) -> int:
    """Ask for it, wait, and say so."""
    spool = spool_of(given)
    named = any(map(given.flag, ("--spool", "--config")))
    pid = stop(spool, float(given.number("--timeout", PATIENCE, least=1, most=86400)), named=named)
    if not given.flag("--quiet"):
        told = f"the daemon (pid {pid}) of {spool.place} has ended" if pid else f"no daemon runs on the spool {spool.place}"
        show.show([show.Line([told])])
    return OK


COMMAND = Subcommand(
    "stop",
    run,
    summary="let the daemon end, and wait until it has",
    about=(
        "Tells the daemon of the spool, as SIGTERM does, and waits for its end: it begins nothing new, and deliveries under way have "
        "delivery.stop_timeout to finish. Mail stays queued, and can be queued, until the next one starts. Where none runs there is "
        "nothing to do, which is said.\n\n"
        "For the owner of the spool and for root. A service that is stopped so is not started anew by systemd before somebody asks for "
        "it, or the machine starts."
    ),
    options=(Option("--timeout", metavar="SECONDS", help=f"how long to wait for the end; {PATIENCE} by default"),),
    examples=("mailer stop", "mailer stop --spool /var/spool/mailer"),
    epilog=(
        "exit codes: 0 it has ended, or none runs · 69 none runs on this spool, which was not named, but on another · "
        "75 it has not ended in time · 77 it is another user's"
    ),
)
