"""What is known of messages that were sent: of those in the spool by their files, of those that have left it by the record of their status.

One or the other has each message, for its status is written before its file goes. How long it is known says status.retention.
Blocking: asked in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.spool import is_id
from mailer.spool.api import CorruptMessage, NoSuchMessage

from .matching import SentMessage, SentRecipient

if TYPE_CHECKING:
    from mailer.spool.api import Entry
    from mailer.spool.files.store import SpoolDirectory
    from mailer.status.api import StatusReader
    from mailer.status.record import Record

KEY = "key:"


class SpoolWorld:
    """The messages of `spool`, and those that `kept` knows. `unrecorded` are those found in the spool alone, by ID."""

    def __init__(self, spool: SpoolDirectory, kept: StatusReader) -> None:
        self._spool = spool
        self._kept = kept
        self.unrecorded: dict[str, Entry] = {}

    def sent(self, id: str) -> SentMessage | None:
        """Message `id`; None where nothing is known of it."""
        if not is_id(id):
            return None
        if (record := self._kept.record(id)) is not None and record.recipients:
            return self._of_record(record)
        try:
            entry = self._spool.read(id)
        except (NoSuchMessage, CorruptMessage, OSError):
            return None
        self.unrecorded[id] = entry
        return of_entry(entry)

    def named(self, message_id: str) -> SentMessage | None:
        """The message with this Message-ID; None where there is none, or several: then it is not said which."""
        found = [id for id in self._kept.named(message_id)[:2] if (record := self._kept.record(id)) and _same(record, message_id)]
        return self.sent(found[0]) if len(found) == 1 else None

    def _of_record(self, record: Record) -> SentMessage:
        who = self._kept.submitter(record.id) or ""
        people = [SentRecipient(at, each.address, each.status) for at, each in enumerate(record.recipients)]
        key = who.removeprefix(KEY) if who.startswith(KEY) else ""
        return SentMessage(record.id, record.message_id, record.request_id, record.sender, people, key, record.stream)


def _same(record: Record, message_id: str) -> bool:
    """Whether it is the Message-ID, and not the name of a request, that it was found by."""
    return record.message_id.strip("<>") == message_id


def of_entry(entry: Entry) -> SentMessage:
    """A message of the spool."""
    envelope = entry.envelope
    principal = envelope.principal or ""
    people = [SentRecipient(at, each.address, "") for at, each in enumerate(envelope.recipients)]
    key = principal.removeprefix(KEY) if principal.startswith(KEY) else ""
    return SentMessage(entry.id, envelope.message_id, envelope.request_id, envelope.sender, people, key, envelope.stream)
