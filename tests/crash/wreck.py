"""What is on disk after a crash, read as a restarted program reads it."""

from __future__ import annotations

import os
from pathlib import Path

from mailer.mail.history import History
from mailer.spool.files.store import SpoolDirectory

from . import victim

STATES = ("queued", "deferred", "held", "failed")


def messages(root: Path, body: bytes = victim.BODY) -> dict[str, str]:
    """ID → state of everything in the spool, each proven to be whole (it ends in `body`) and in one directory only."""
    spool = SpoolDirectory(str(root))
    found: dict[str, str] = {}
    for state in STATES:
        for id in spool.ids(state):
            assert id not in found, f"{id} is in {found[id]} and in {state}"
            found[id] = state
            assert spool.read(id, state).envelope.sender == "me@example.com"
            assert spool.content(id).endswith(body)
    assert os.listdir(root / "corrupt") == []
    return found


def history(root: Path) -> History:
    """What the records of the one message say."""
    (id,) = messages(root)
    return SpoolDirectory(str(root)).read(id).history


def prepared(root: Path, state: str = "") -> Path:
    """A spool at `root`; with `state`, one that holds the message there: ``drop`` included."""
    SpoolDirectory(str(root)).prepare()
    if state == "drop":
        root.joinpath("drop").mkdir()
    if state:
        path = root / state / victim.ID
        path.write_bytes(victim.spool_file(victim.envelope(victim.ID)))
        path.chmod(0o600)
    return root
