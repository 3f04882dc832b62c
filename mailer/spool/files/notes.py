"""Notes: what a message's file remembers besides outcomes.

A note is a record like any other (see `file`), with an empty ``to``: it says nothing about a recipient, and a reader that does not
know it reads no outcome in it. Three there are::

    {"at":…,"to":[],"note":"warned"}                the sender was told that the message is late
    {"at":…,"to":[],"note":"replayed","as":"ID"}    it was put again, as ID
    {"at":…,"to":[],"note":"released"}              an operator has released it, though a record before this is damaged

They are read when somebody asks, which is seldom: never on the way of a message that is simply delivered.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from mailer.io import durable
from mailer.mail.dates import rfc3339

from . import message_file

if TYPE_CHECKING:
    from .store import Claim


def add(claim: Claim, note: str, at: float, **more: str) -> None:
    """Append a note to the file of `claim`; the caller syncs. Raises `OSError`."""
    record = {"at": rfc3339(at), "to": [], "note": note, **more}
    durable.write_all(claim.fd, b"\n" + message_file.seal(json.dumps(record, separators=(",", ":")).encode()))


def read(claim: Claim, note: str) -> list[dict[str, object]]:
    """All notes of that kind, oldest first. Raises `OSError`, `CorruptFile`."""
    data = os.pread(claim.fd, os.fstat(claim.fd).st_size, 0)
    _, _, end = message_file.parse(data, claim.entry.id)
    mark = f'"note":"{note}"'.encode()
    found = [_read(line) for line in data[end:].split(b"\n") if mark in line]
    return [record for record in found if record.get("note") == note]


def _read(line: bytes) -> dict[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # torn
        return {}
    return record if isinstance(record, dict) else {}
