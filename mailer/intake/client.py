"""The user's end of the socket: what a user who may not read the spool asks of the daemon, as if he read it himself.

`RemoteView` is a `mailer.status.api.MailView`, as `mailer.status.view.View` is, with the user's own mail in it; `RemoteSpool` does what
a user may do to it.
"""

from __future__ import annotations

import json
import os
from functools import cached_property
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mailer.mail.dates import parse_rfc3339
from mailer.mail.history import History
from mailer.mail.outcome import CAUSES
from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.spool.api import Acted, ActedOn, Entry
from mailer.spool.files import layout, message_file, suspensions
from mailer.spool.files.handover import Unanswered, ask
from mailer.status.api import PAGE, DaemonState, Page, Summary, Undelivered
from mailer.status.record import RecipientRecord, Record
from mailer.status.story import Attempted, DialogLine, HeardReport, Story

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.mail.alarm import OpenAlarm
    from mailer.spool.api import Act, How, Reserve
    from mailer.spool.suspensions import Suspensions
    from mailer.status.api import DmarcSum, Filter, SumReport, TlsSum, Waiting
    from mailer.status.received import ReceivedFilter, ReceivedRecord
    from mailer.status.standing import Standing

T = TypeVar("T")


class RemoteView:
    """The mail of the user who asks: a `MailView`."""

    notes: tuple[str, ...] = ()

    def __init__(self, root: str) -> None:
        self.root = root
        self.spool = RemoteSpool(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def message(self, id: str) -> Record | None:
        """The record of message `id`; None if there is none that the user may see."""
        return next(iter(self.find(id)), None)

    def find(self, name: str) -> list[Record]:
        """The messages that `name` means, oldest first."""
        if not name or "\n" in name:
            return []
        return list(map(_record, self._records(f"find {name}")))

    @cached_property
    def daemon(self) -> DaemonState:
        """The state of the daemon: running, or it could not be asked."""
        return self.summary().daemon

    def story(self, record: Record, _most: int = -1) -> Story:
        """The whole story of the user's own message, as far as the daemon tells."""
        told = _Told(self._records(f"story {record.id}"))
        try:
            entry = self.spool.load(record.id)[0]
        except Problem:
            entry = None
        return Story(
            record,
            entry,
            unix(os.getuid()),
            told.attempts,
            told.dialogs,
            told.reports,
            told.missing,
            told.heard,
        )

    def messages(self, wanted: Filter, cursor: str = "", limit: int = PAGE) -> Page[Record]:
        """The messages that are meant, newest first, as far as one answer of the daemon goes."""
        return _page(map(_record, self._records("list", wanted)), cursor, limit)

    def queue(self, wanted: Filter, cursor: str = "", limit: int = PAGE) -> Page[Record]:
        """The user's messages that are in the spool, oldest first, as far as one answer of the daemon goes."""
        return _page(map(_record, self._records("queue", wanted)), cursor, limit)

    def undelivered(self, wanted: Filter, cursor: str = "", limit: int = PAGE) -> Page[Undelivered]:
        """The recipients that did not get their message, as far as one answer of the daemon goes."""
        return _page(map(_undelivered, self._ask("bounces", wanted)), cursor, limit)

    def backlog(self, _cursor: str = "", _limit: int = PAGE) -> Page[Waiting]:
        """Refuse to say what waits: that concerns all mail. Raises `Problem` (no-permission)."""
        raise _of_all()

    def destinations(self, _cursor: str = "", _limit: int = PAGE) -> Page[Standing]:
        """None: the state of destinations concerns all mail."""
        return Page(())

    def dmarc_sums(self, _day: int) -> Iterator[DmarcSum]:
        """Refuse to say what others report: that concerns all mail. Raises `Problem` (no-permission)."""
        raise _of_all()

    def tls_sums(self, _day: int) -> Iterator[TlsSum]:
        """Refuse to say what others report: that concerns all mail. Raises `Problem` (no-permission)."""
        raise _of_all()

    def aggregate_reports(self, _since: float) -> Iterator[SumReport]:
        """Refuse to say what others report: that concerns all mail. Raises `Problem` (no-permission)."""
        raise _of_all()

    def received(self, _wanted: ReceivedFilter) -> Iterator[ReceivedRecord]:
        """Refuse to say what came by the doors: that concerns all mail. Raises `Problem` (no-permission)."""
        raise _of_all()

    def alarms(self) -> Sequence[OpenAlarm]:
        """None: what is wrong with this machine's mail is told to those who may read all of it."""
        return ()

    def incoming(self, _since: float) -> Mapping[str, int]:
        """None: what comes to this machine is told to those who may read all of it."""
        return {}

    def summary(self, _failures: int = 5) -> Summary:
        """The user's mail at a glance."""
        (document,) = self._ask("summary")
        running, pid, _ = document.pop("daemon")
        failures = [_undelivered(item) for item in document.pop("failures")]
        return Summary(**document, daemon=DaemonState(running, pid, frozenset()), failures=failures)

    def _ask(self, line: str, wanted: Filter | None = None) -> Iterator[dict[str, Any]]:
        data = b"" if wanted is None else json.dumps(_bound(wanted)).encode()
        _, rest = question(self.root, line, data)
        return (json.loads(document) for document in BytesIO(rest))

    def _records(self, line: str, wanted: Filter | None = None) -> Iterator[dict[str, Any]]:
        """The documents of the answer, each with all of its recipients, which may have come on several lines."""
        whole: dict[str, Any] | None = None
        for document in self._ask(line, wanted):
            if whole is not None and document.keys() == {"recipients"}:
                whole["recipients"] += document["recipients"]
                continue
            if whole is not None:
                yield whole
            whole = document
        if whole is not None:
            yield whole


class _Told:
    """The answer to ``story``, put together."""

    def __init__(self, documents: Iterator[dict[str, Any]]) -> None:
        self.attempts: list[Attempted] = []
        self.dialogs: dict[int, list[DialogLine]] = {}
        self.heard: list[HeardReport] = []
        self.reports: list[Record] = []
        self.missing: list[str] = []
        for document in documents:
            if "attempt" in document:
                self.attempts.append(Attempted(**_known(document["attempt"])))
            elif "dialog" in document:
                key, lines = document["dialog"]
                self.dialogs[key] = [DialogLine(*line) for line in lines]
            elif "heard" in document:
                self.heard.append(HeardReport(**document["heard"]))
            elif "missing" in document:
                self.missing = document["missing"]
            else:
                self.reports.append(_record(document))


class RemoteSpool:
    """What a user may do to his own mail: read it, and cancel it."""

    def __init__(self, root: str) -> None:
        self.place = root

    async def read(self, id: str) -> Entry:
        """Message `id`. Raises `Problem`, `CorruptMessage`."""
        return self.load(id)[0]

    async def content(self, entry: Entry) -> bytes:
        """The message of `entry` as RFC 5322 bytes. Raises as `read` does."""
        return self.load(entry.id)[1]

    def load(self, id: str) -> tuple[Entry, bytes]:
        """Message `id` and its bytes. Raises as `read` does."""
        place, data = question(self.place, f"read {id}")
        state, _, due = place.partition(" ")
        envelope, start, end = message_file.parse(data, id)
        outcomes, notes, damaged = message_file.parse_records(data[end:])
        history = History(len(envelope.recipients), outcomes)
        arrived = parse_rfc3339(envelope.created)
        said = id, state, envelope, end - start, history, float(due), arrived, len(data), notes
        return Entry(*said, damaged=damaged), data[start:end]

    async def act(
        self, what: Act, ids: Sequence[str], _at: float, _how: How | None = None, _cursor: str = "", *, dry: bool = False
    ) -> Acted:
        """Give up what of these messages has not left. The rest is not for users: who runs the queue decides what waits."""
        return Acted([ActedOn(id, problem=self._refusal(what, id) if dry else self._cancel(what, id)) for id in ids])

    async def suspensions(self) -> Suspensions:
        """As their file says, where this user may read it."""
        return suspensions.read(self.place)

    async def room(self, keep: Reserve, size: int = 0) -> str:
        """As the disk says, which everybody may ask."""
        return layout.shortage(self.place, keep.space, keep.files, size)

    def _refusal(self, what: Act, id: str) -> Problem | None:
        if what == "cancel":
            return None
        return Problem(f"only the owner of the spool {self.place} may do that to message {id}; you may cancel your own", "no-permission")

    def _cancel(self, what: Act, id: str) -> Problem | None:
        if (refusal := self._refusal(what, id)) is None:
            try:
                question(self.place, f"cancel {id}")
            except Problem as problem:
                return problem
        return refusal


def _of_all() -> Problem:
    return Problem("you may not read the spool; ask its owner, or run this as that user", "no-permission")


def question(root: str, line: str, data: bytes = b"") -> tuple[str, bytes]:
    """The answer of the daemon to `line` and `data`: how it begins, and the rest.

    Raises `Problem`: what it says, or no-permission where none answers, since nobody else could tell.
    """
    try:
        return ask(root, line, data)
    except Unanswered:
        raise Problem(
            f"you may not read the spool {root}, and no daemon answers there to tell you of your own mail; ask its owner", "no-permission"
        ) from None


def _page(found: Iterator[T], cursor: str, limit: int) -> Page[T]:
    """A part of one answer; the cursor counts what was before. The daemon is asked for each part anew, as for each look."""
    begin = int(cursor or 0)
    items = [*islice(found, begin, begin + limit)]
    return Page(items, str(begin + limit) if next(found, None) is not None else "")


def _bound(wanted: Filter) -> dict[str, object]:
    return {
        "to": wanted.to,
        "sender": wanted.sender,
        "domain": wanted.domain,
        "states": sorted(wanted.states),
        "since": wanted.since,
        "before": wanted.before,
        **{name: value for name in ("subject", "submitter", "stream", "least", "most") if (value := getattr(wanted, name))},
    }


def _record(document: dict[str, Any]) -> Record:
    people = [RecipientRecord(**_known(recipient)) for recipient in document.pop("recipients")]
    return Record(**document, recipients=people)


def _undelivered(document: dict[str, Any]) -> Undelivered:
    return Undelivered(**document | {"recipient": RecipientRecord(**_known(document["recipient"]))})


def _known(document: dict[str, Any]) -> dict[str, Any]:
    """The same with its cause as one of ours; a daemon of another version may know others."""
    return document | {"cause": CAUSES.get(document.get("cause") or "")}
