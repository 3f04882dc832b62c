"""``mailer run``: the daemon, in the foreground; ``--once`` for one pass. What it needs is loaded when SIGHUP ends nobody any more."""

from __future__ import annotations

from signal import SIG_IGN, SIG_UNBLOCK, SIGHUP, pthread_sigmask, signal
from typing import TYPE_CHECKING

from . import OK
from .options import Option, Subcommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from .options import Given


class _Hangup:
    """SIGHUP as the daemon hears it, from the first line of the program to its last: it ends nobody.

    A death by SIGHUP is a clean end to systemd, which then starts nothing anew. So it is not left to the event loop, which is there
    later and leaves earlier. One that comes while nobody listens is noted for the next who does.
    """

    def __init__(self) -> None:
        self._listener: Callable[[], object] | None = None
        self._noted = False

    def watch(self) -> None:
        """From now on."""
        signal(SIGHUP, self._heard)
        pthread_sigmask(SIG_UNBLOCK, {SIGHUP})  # who starts this may have kept one back until now

    def listen(self, listener: Callable[[], object] | None) -> None:
        """Let `listener` be called for each, from a signal handler; None is no listener."""
        self._listener = listener
        if self._noted and listener is not None:
            self._noted = False
            listener()

    def ignore(self) -> None:
        """For what is left of the process: its end gives other handlers up."""
        signal(SIGHUP, SIG_IGN)

    def _heard(self, _number: int, _frame: object) -> None:
        if self._listener is None:
            self._noted = True
        else:
            self._listener()


HANGUP = _Hangup()


def run(given: Given) -> int:
    """Deliver until told to stop."""
    from mailer.service import Service

    try:
        Service((given.text("--config"), given.text("--spool")), once=given.flag("--once"), hangups=HANGUP.listen).run()
        return OK
    finally:
        HANGUP.ignore()


COMMAND = Subcommand(
    "run",
    run,
    summary="the daemon: deliver what is queued",
    about=(
        "Delivers what is in the spool, and what comes into it, until SIGTERM or SIGINT; stays in the foreground and logs "
        "to standard error (JSON lines, or readable ones on a terminal). One daemon runs on a spool.\n\n"
        "SIGHUP (`mailer reload`) reads the configuration again, also one that comes while the daemon starts; one with a mistake is "
        "reported and the old one stays. A stop (`mailer stop`) begins nothing "
        "new and gives deliveries under way delivery.stop_timeout to finish; the rest stays queued. It speaks systemd's "
        "notify protocol (Type=notify, or notify-reload from systemd 253 on).\n\n"
        "The service of a machine (packaging/systemd/mailer.service of the source) runs as a user of its own, and says in "
        "/run/mailer/spool which spool it serves, so that programs of other users can tell when they look at another.\n\n"
        "What is past its time (failed mail after bounce.retention, history after status.retention) goes every hour, and at the end of "
        "each pass with --once. Nothing is deleted before the clock has stood for a day; where passes are more than four days apart, "
        "nothing is.\n\n"
        "A pass with --once looks once into each [[report_source]], while mail goes out, and acts upon all reports that have come by its "
        "end; what these put into the spool, such as a report for the sender, may be left to the next pass. Doors are a daemon's."
    ),
    options=(Option("--once", help="make one pass over everything that is due, then exit"),),
    examples=("mailer run", "mailer run --once --spool /var/spool/mailer"),
    epilog=(
        "exit codes: 0 stopped · 69 metrics.listen is taken · 75 another daemon runs on it, or with --once: the disk is full · "
        "77 no permission · 78 configuration"
    ),
)
