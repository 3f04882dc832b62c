"""A queue that is filled at once: the files that ``mailer send`` would write, without its syncs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from mailer.spool.files import doorbell
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import envelope, spool_file
from tests.journey.world import World


def fill(world: World, recipients: Iterable[str]) -> list[str]:
    """Queue a message for each of `recipients`, and tell a daemon that runs; returns their IDs."""
    spool = SpoolDirectory(str(world.spool))
    spool.prepare()
    now = time.time()
    letters = [envelope(recipient, at=now, sender="me@here.example") for recipient in recipients]
    for letter in letters:
        Path(spool.path("queued", letter.id)).write_bytes(spool_file(letter))
    doorbell.ring(spool.root, doorbell.EVERYTHING)
    return [letter.id for letter in letters]
