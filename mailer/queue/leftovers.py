"""Leftovers: messages that every recipient has, and whose files the disk would not let go.

They must not be delivered again, whoever starts next. So that is written into the file: a record that all have it, after which
whoever finds the file only removes it. Then the removal is tried again until it works. Neither needs the descriptor or the lock,
which are given back at once: a directory that lets nothing go must not use up the descriptors of those that come after.

Used by the recorder, in its thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.spool.api import CorruptMessage, NoSuchMessage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.spool.api import Entry
    from mailer.spool.files.store import Claim, SpoolDirectory


class Leftovers:
    """What `spool` should not have any more, by ID."""

    def __init__(self, spool: SpoolDirectory) -> None:
        self.spool = spool
        self._entries: dict[str, Entry] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def keep(self, stuck: Iterable[tuple[Claim, OSError]]) -> list[tuple[str, Exception]]:
        """Write down of each that it is delivered, and give it back; the ID of each and what is told of it."""
        problems: list[tuple[str, Exception]] = []
        for claim, error in stuck:
            with claim:
                self._entries[claim.entry.id] = claim.entry
                why = f"message {claim.entry.id} is delivered but cannot be removed: {error.strerror or error}"
                try:
                    self._record(claim, claim.entry)
                    problems.append((claim.entry.id, OSError(f"{why}; that it is delivered is written down")))
                except OSError as worse:
                    problems.append((claim.entry.id, OSError(f"{why}; nor can that be written down: {worse.strerror or worse}")))
        return problems

    def clear(self) -> list[str]:
        """Try again to remove them; the IDs of those that are gone."""
        gone = [id for id, entry in self._entries.items() if self._is_gone(id, entry)]
        for id in gone:
            del self._entries[id]
        return gone

    def _is_gone(self, id: str, entry: Entry) -> bool:
        try:
            with self.spool.claim(id, entry.state) as claim:
                if not claim.entry.history.done:
                    self._record(claim, entry)
                self.spool.drop(claim)
        except NoSuchMessage:
            return True
        except (Problem, CorruptMessage, OSError):
            return False
        return True

    def _record(self, claim: Claim, entry: Entry) -> None:
        self.spool.record(claim, [outcome for _, outcome in sorted(entry.history.last.items())])
