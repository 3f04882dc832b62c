"""The wire: what the bell says, between machines that share a database of PostgreSQL, by its NOTIFY and LISTEN.

Whoever changes a mailbox calls behind it, on a connection of the others; what goes wrong then is nobody's trouble, since the change is
durable. Who listens has a connection of his own and a thread that waits at it. Where the connection was lost, what was called meanwhile is
lost as well: when it is there again, listeners hear that anything may have changed.
"""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem
from mailer.spool import is_id

from .bell import ANYTHING

if TYPE_CHECKING:
    from mailer.config.sections.mailboxes import MailboxSection

    from .api import Told
    from .engine.connections import Connections

CALL: Final = "SELECT pg_notify('mailer_bell', %s)"
LISTEN: Final = "LISTEN mailer_bell"
TURN: Final = 1.0  # seconds after which it is looked whether to go on
AGAIN: Final = 2.0  # seconds until a lost connection is made anew


def listener_of(section: MailboxSection, heard: Told) -> WireListener:
    """What listens at the database of this `section`, and tells `heard` in a thread of its own."""
    from .engine.connections import Connections

    return WireListener(Connections(section.database, {}, section.secret or ""), heard)


def call(connections: Connections, owner: str, folder: int, modseq: int) -> None:
    """Let all machines know that this folder of the owner with this ID has changed. Raises nothing."""
    with suppress(Problem), connections.lent() as db:
        db.execute(CALL, (f"{owner} {folder} {modseq}",))


class WireListener:
    """Hears what is called in the database of `connections`: `heard` is told in a thread of its own."""

    def __init__(self, connections: Connections, heard: Told) -> None:
        self._connections = connections
        self._heard = heard
        self._over = False
        self._thread = Thread(target=self._listen, name="wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more; waits for the thread, for `TURN` and a little."""
        self._over = True
        self._thread.join(TURN + AGAIN + 1)

    def _listen(self) -> None:
        was_lost = False
        while not self._over:
            try:
                self._hear(was_lost)
            except Problem:
                pass
            was_lost = True
            if not self._over:
                time.sleep(AGAIN)

    def _hear(self, was_lost: bool) -> None:
        """Hear until the connection is lost. Raises `Problem`."""
        with self._connections.alone() as db:
            db.execute(LISTEN)
            if was_lost:
                self._heard(*ANYTHING)
            while not self._over:
                for said in db.notifies(timeout=TURN):
                    owner, _, numbers = said.payload.partition(" ")
                    folder, _, modseq = numbers.partition(" ")
                    if is_id(owner) and folder.isdecimal() and modseq.isdecimal():
                        self._heard(owner, int(folder), int(modseq))
                    if self._over:
                        break
