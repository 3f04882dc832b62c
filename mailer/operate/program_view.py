"""The mail of one program: what of `mailer.status.view` was handed in with its key, and nothing else.

What was handed in this moment is seen at once, also while no daemon runs: of what the status database does not know yet, the spool says
whose it is. So much of that is looked at, and no more.
"""

from __future__ import annotations

from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.spool import is_id
from mailer.spool.files import idempotency
from mailer.status.api import PAGE, PEOPLE, Page, every

from .user_view import MOST, UserView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.mail.principal import Principal
    from mailer.spool.files.store import SpoolDirectory
    from mailer.status.api import Filter
    from mailer.status.record import Record

FRESH = 1000  # messages that are not recorded yet, the newest, which are looked at for a list or a Message-ID
LOOKED_AT = 5000  # messages of its own, for one page; the next page goes on behind them


class ProgramView(UserView):
    """What the program `who` may see of `spool`. A context manager."""

    def __init__(self, spool: SpoolDirectory, who: Principal) -> None:
        super().__init__(spool, who)
        self._place = spool.place

    def owns(self, id: str) -> bool:
        """Whether message `id` is the program's."""
        if not is_id(id):
            return False
        known = self.view.submitter(id)
        if known is not None:
            return known == self.who
        try:
            record = self.view.message(id)
        except Problem:  # damaged: nobody knows whose it is
            return False
        return record is not None and record.submitter == self.who

    def find(self, name: str) -> list[Record]:
        """The program's messages that `name` means: an ID, a request id, or else a Message-ID; oldest first."""
        if not name:
            return []
        id = name.upper()
        if is_id(id):
            return list(self._records([id] if self.owns(id) else []))
        names = {name, f"<{name}>"}
        ids = {*self._requested(name), *self.view.named_of(self.who, name)[:FRESH], *islice(self.view.unrecorded(), FRESH)}
        mine = (record for record in self._records(sorted(ids)) if record.message_id in names or record.request_id == name)
        return [record for record in mine if self.owns(record.id)]

    def _requested(self, name: str) -> Iterator[str]:
        """The message that the request id stands for, while it is kept."""
        try:
            yield idempotency.read(idempotency.path_of(self._place, name, self.who))[0]
        except (OSError, Problem):
            return

    def page(self, wanted: Filter, cursor: str = "", limit: int = PAGE) -> Page[Record]:
        """The program's messages that `wanted` means, newest first. A page may have fewer than `limit` and go on all the same."""
        mine = wanted._replace(submitter=self.who)
        if not wanted.possible:
            return Page(())
        if wanted.to and "*" not in wanted.to:  # of which there is an index, and of one person's mail there is little
            return self.view.messages(mine, cursor, limit)
        found: list[Record] = []
        last, looked, people = "", 0, 0
        for id in merge(self._submitted(cursor), islice(self.view.unrecorded(cursor), FRESH), reverse=True):
            if id == last:
                continue
            last = id
            looked += 1
            record = next(self._records([id]), None)
            if record is not None and self.owns(id) and mine.matches(record._replace(submitter=self.who)):
                found.append(record)
                people += len(record.recipients)
            if len(found) >= limit or looked >= LOOKED_AT or people >= PEOPLE:
                return Page(found, id)
        return Page(found)

    def _ids(self) -> list[str]:
        fresh = (id for id in islice(self.view.unrecorded(), FRESH) if self.owns(id))
        return [*islice(dict.fromkeys(merge(self._submitted(""), fresh, reverse=True)), MOST)]

    def _submitted(self, cursor: str) -> Iterator[str]:
        return every(lambda after, most: self.view.submitted(self.who, after or cursor, most))
