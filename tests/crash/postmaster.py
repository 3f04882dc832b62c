"""Something done to a mailbox between two marks, for `injected.py` to interrupt.

    python -B postmaster.py OPERATION ROOT

Prints ``ok`` once it is done, and then only; what fails is a line on stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.mail.problem import Problem
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.box import MailboxTerms, OwnMailbox
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from mailer.mailbox.owners.api import Owner
from tests.crash.injected import BEGIN, END

NOW, DAY = 1_800_000_000.0, 86400.0
ANN = Owner("01KAHC00000000000000000001", 1, "ann@example.com", NOW)
THERE, NEW = 5, 2
"""Messages that a prepared inbox has, and that are put at once."""


def content(number: int) -> bytes:
    """A message that is large enough for a write to be cut."""
    return b"Subject: number %d\r\nMessage-ID: <%d@x>\r\n\r\n" % (number, number) + b"A line of some words.\r\n" * 300


def opened(root: str, now: float = NOW) -> OwnMailbox:
    """The mailbox below `root`."""
    layout = Layout(root)
    layout.have(layout.home(ANN.id))
    return OwnMailbox(ANN, SqliteEngine(layout.index(ANN.id)), FileBodies(layout), MailboxTerms(lambda: now))


def prepare(root: str) -> None:
    """Have an inbox of `THERE` messages, one of which is marked as deleted, and one was a week ago."""
    box = opened(root)
    box.put([NewMail("INBOX", content(number)) for number in range(THERE + 1)])
    box.expunge(1, [(1, 1)], marked=False)
    box.close()


def put(box: OwnMailbox) -> object:
    """Two messages, each known by its ID in the spool."""
    return box.put([NewMail("INBOX", content(100 + number), once=(f"S{number}", ANN.address)) for number in range(NEW)])


OPERATIONS: dict[str, Callable[[OwnMailbox], object]] = {
    "put": put,
    "append": lambda box: box.put([NewMail("INBOX", content(100))]),
    "several": lambda box: box.put([NewMail("INBOX", content(100)), NewMail("Archive", content(101))]),
    "replace": lambda box: box.put([NewMail("Archive", content(100))], instead=(1, 3)),
    "move": lambda box: box.move(1, [(2, 4)], "Archive"),
    "expunge": lambda box: box.expunge(1, [(2, 4)], marked=False),
    "sweep": lambda box: box.sweep(NOW + 8 * DAY),
}


def main(operation: str, root: str) -> int:
    """Do it between the marks."""
    box = opened(root)
    os.access(BEGIN, os.F_OK)
    try:
        OPERATIONS[operation](box)
    except (Problem, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 75
    os.access(END, os.F_OK)
    os.write(1, b"ok\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
