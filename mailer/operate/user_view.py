"""The mail of one user: what of `mailer.status.view` is his, and nothing else.

The status database has who handed each message over; it is asked first, so that what one user asks costs as much as his own
mail does, however much there is of others'.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Self

from mailer.mail.history import PENDING, SCHEDULED, STATUSES, UNDELIVERED
from mailer.mail.problem import Problem
from mailer.spool import is_id
from mailer.spool.files.admit import tail_of
from mailer.status import sqlite
from mailer.status.api import EVERYTHING, Summary, Undelivered, every

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailer.mail.principal import Principal
    from mailer.spool.files.store import SpoolDirectory
    from mailer.status.api import Filter
    from mailer.status.record import Record

MOST = 10_000  # messages of one user that are looked at for one question, the newest


class UserView:
    """What `who` may see of `spool`. A context manager."""

    def __init__(self, spool: SpoolDirectory, who: Principal) -> None:
        self.view = sqlite.view(spool)
        self.who = who

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.view.close()

    def owns(self, id: str) -> bool:
        """Whether message `id` is the user's."""
        return is_id(id) and self.view.submitter(id) == self.who

    def message(self, id: str) -> Record:
        """The user's message `id`. Raises `Problem` (no-such) for every other name."""
        record = self.view.message(id) if self.owns(id) else None
        if record is None:
            raise Problem(f"no message {id!r} of yours is known here", "no-such")
        return record

    def find(self, name: str) -> list[Record]:
        """The user's messages that `name` means: an ID, or the one that he chose, else a Message-ID or a request id; oldest first."""
        if not name:
            return []
        id = name.upper()
        if is_id(id):
            tail = tail_of(id, self.who)
            ids = [id] if self.owns(id) else [other for other in self._ids() if other.endswith(tail)]
            return list(self._records(ids))
        names = {name, f"<{name}>"}
        records = self._records(self.view.named_of(self.who, name)[:MOST])
        return [record for record in records if record.message_id in names or record.request_id == name]

    def messages(self, wanted: Filter) -> Iterator[Record]:
        """The user's messages that `wanted` means, newest first."""
        if wanted.possible and wanted.submitter in ("", self.who):
            yield from filter(wanted._replace(submitter="").matches, self._all())

    def queue(self, wanted: Filter) -> Iterator[Record]:
        """The user's messages in the spool that `wanted` means, oldest first."""
        if wanted.possible and wanted.submitter in ("", self.who):
            waiting = [id for id in self._ids() if self.view.directory.find(id)]
            yield from filter(wanted._replace(submitter="").matches, self._records(reversed(waiting)))

    def undelivered(self, wanted: Filter) -> Iterator[Undelivered]:
        """The recipients of the user's mail that did not get it, the newest message first."""
        for record in self._all() if wanted.possible else ():
            for at, recipient in enumerate(record.recipients):
                if recipient.status in UNDELIVERED and recipient.updated_at >= wanted.since and wanted.means(record, recipient):
                    reported = self.view.reported_class(record.id, at) if recipient.status == "bounced" else ""
                    yield Undelivered(record.id, record.sender, record.subject, record.status, recipient, reported)

    def summary(self, failures: int = 5) -> Summary:
        """The user's mail at a glance, with so many failures at most."""
        counts: dict[str, int] = dict.fromkeys((*STATUSES, SCHEDULED), 0)
        oldest: dict[str, float] = {}
        due: dict[str, float] = {}
        for record in self._all():
            word, at = record.word, record.next_attempt_at
            counts[word] += 1
            if record.status in PENDING:
                oldest[word] = record.queued_at
            if at:
                due[word] = min(at, due.get(word, at))
        some = list(islice(self.undelivered(EVERYTHING), failures))
        return Summary(self.view.spool.place, self.view.daemon, counts, oldest, due.get("deferred"), due.get(SCHEDULED), 0, some)

    def _all(self) -> Iterator[Record]:
        return self._records(self._ids())

    def _ids(self) -> list[str]:
        return list(every(partial(self.view.submitted, self.who), MOST))

    def _records(self, ids: Iterable[str]) -> Iterator[Record]:
        for id in ids:
            try:
                record = self.view.message(id)
            except Problem:  # damaged; the daemon sets it aside
                continue
            if record is not None:
                yield record
