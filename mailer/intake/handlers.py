"""Handlers: one question of one user, and the answer to it. Plain functions, for a thread that may wait.

========================  ===============================================================================================
``put ID`` + spool file   the message is in the spool, durably: ``ok`` and the ID that it has
``bounce`` + report       a report is kept, durably (`mailer.reports`): ``ok`` and its ID; its first line says how it came
``find NAME``             the user's messages of that ID, Message-ID or request id, one JSON object a line
``list`` + filter         the user's messages, newest first; ``queue`` those of the spool, oldest first; ``bounces`` recipients in trouble
``summary``               how many there are of each kind
``read ID``               the user's message as it lies in the spool: ``ok STATE DUE`` and the file
``story ID``              what the status database knows of its attempts, one JSON object
``cancel ID``             give up what of the user's message has not left
========================  ===============================================================================================

A filter is a JSON object with members of `mailer.status.api.Filter` and ``limit``. Records travel as all of their members, so
that the other end shows them as if it had read them itself. One with many recipients takes several lines: those after the first
have more of its ``recipients`` and nothing else.

An answer is made in pieces, each when the one before it was taken: how much there is to say costs time, and no memory.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from mailer.mail.history import LATER, SCHEDULED, STATUSES
from mailer.mail.problem import Problem, from_os
from mailer.mail.text import one_line
from mailer.operate.queue import cancelling, perform
from mailer.operate.user_view import UserView
from mailer.reports.api import MAX_REPORT, Facts
from mailer.reports.files import take
from mailer.spool import is_id
from mailer.spool.api import CorruptMessage, NoSuchMessage, Reserve, at_once
from mailer.spool.files import doorbell
from mailer.spool.files.admit import Stranger, admit
from mailer.spool.files.handover import ANSWER_CODES
from mailer.status.api import Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from mailer.mail.principal import Principal
    from mailer.spool.files.admit import IntakeTerms
    from mailer.spool.files.store import SpoolDirectory

MOST = 1000  # messages in one answer
PIECE = 1 << 16  # bytes of an answer that are made together; a line may make it longer
PEOPLE = 25  # recipients in one line; each may have a reply of 4,000 characters
LONGEST_LINE = 4096  # bytes of the first line of a question; a Message-ID has fewer than a thousand
ATTEMPTS = 2000  # in one story, the last
PUT = b"put "
LEAVES = (PUT, b"boun")
"""How a question begins that leaves something with us, by the first four octets. The others only look, and one at a time is enough."""


class Handlers:
    """The answers for `spool`. `changed` is told the ID of each message that was put or cancelled. May be asked by many threads."""

    def __init__(self, spool: SpoolDirectory, terms: IntakeTerms, changed: Callable[[str], None]) -> None:
        self.spool = spool
        self.terms = terms
        self.changed = changed
        self.keep = Reserve(0, 0)
        self._verbs: dict[str, Callable[[Principal, str, bytes], Generator[bytes, None, None]]] = {
            "put": self._put,
            "bounce": self._bounce,
            "find": self._find,
            "list": partial(self._list, UserView.messages),
            "queue": partial(self._list, UserView.queue),
            "bounces": partial(self._list, UserView.undelivered),
            "summary": self._summary,
            "read": self._read,
            "story": self._story,
            "cancel": self._cancel,
        }

    def answer(self, who: Principal, question: bytes) -> Generator[bytes, None, None]:
        """The answer to `who`, whatever is asked, in pieces: ``ok …`` or ``no CODE why``.

        What fails when a part of it has been said raises `Problem`: then there is no answer.
        """
        begun = False
        try:
            for piece in gathered(self._lines(who, question)):
                begun = True
                yield piece
        except (Problem, CorruptMessage, OSError) as error:
            refused = self._problem(error)
            if begun:
                raise refused from None
            yield refusal(refused)

    def _lines(self, who: Principal, question: bytes) -> Generator[bytes, None, None]:
        head, _, data = question.partition(b"\n")
        verb, _, rest = head[:LONGEST_LINE].decode("utf-8", "replace").partition(" ")
        act = self._verbs.get(verb)
        if act is None or len(head) > LONGEST_LINE:
            raise Problem("this daemon does not know that question", "usage")
        return act(who, rest, data)

    def _problem(self, error: Exception) -> Problem:
        if isinstance(error, CorruptMessage):
            return Problem(f"the message is refused: {error}", "bad-message")
        if isinstance(error, OSError):
            return from_os("cannot do that", error.filename or self.spool.place, error)
        assert isinstance(error, Problem)
        return error

    def _put(self, who: Principal, id: str, data: bytes) -> Generator[bytes, None, None]:
        if not is_id(id):
            raise Problem("a message is put under an ID", "usage")
        done = admit(self.spool, data, id, Stranger(who, time.time()), self.terms)
        self.changed(done)
        yield b"ok " + done.encode()

    def _bounce(self, who: Principal, _: str, data: bytes) -> Generator[bytes, None, None]:
        how, __, content = data.partition(b"\n")
        try:
            facts = Facts.read(how)
        except ValueError:
            raise Problem("the question does not say how the report came", "usage") from None
        if len(content) > MAX_REPORT:
            raise Problem(f"the report has {len(content)} octets, and may have {MAX_REPORT}", "bad-message")
        came = replace(facts, source="stdin", peer=str(who), at=time.time())  # whatever he says of himself
        id = take(self.spool.place, content, came, self.keep)
        doorbell.ring(self.spool.place, doorbell.REPORTS)
        yield b"ok " + id.encode()

    def _find(self, who: Principal, name: str, _: bytes) -> Generator[bytes, None, None]:
        with UserView(self.spool, who) as mail:
            yield from _told(map(_members, mail.find(name)))

    def _list(self, find: Callable[[UserView, Filter], Iterator[Any]], who: Principal, _: str, data: bytes) -> Generator[bytes, None, None]:
        wanted, limit = asked(data)
        with UserView(self.spool, who) as mail:
            yield from _told(_members(item) for item in islice(find(mail, wanted), limit))

    def _summary(self, who: Principal, _: str, __: bytes) -> Generator[bytes, None, None]:
        with UserView(self.spool, who) as mail:
            summary = mail.summary()
        document = _members(summary)
        document["daemon"] = [summary.daemon.running, summary.daemon.pid, []]
        yield from _told([document])

    def _read(self, who: Principal, id: str, _: bytes) -> Generator[bytes, None, None]:
        with UserView(self.spool, who) as mail:
            mail.message(id)
            spool = mail.view.spool
        entry = at_once(spool.read(id))
        yield f"ok {entry.state} {entry.due}\n".encode()
        for at in range(0, entry.total, PIECE):
            yield at_once(spool.raw(id, at, min(at + PIECE, entry.total)))

    def _story(self, who: Principal, id: str, _: bytes) -> Generator[bytes, None, None]:
        with UserView(self.spool, who) as mail:
            story = mail.view.story(mail.message(id), ATTEMPTS)
        yield from _told([{"missing": story.missing}])
        yield from _line_each("attempt", map(_members, story.attempts))
        yield from _line_each("dialog", story.dialogs.items())
        yield from _line_each("heard", map(_members, story.heard))
        for report in story.reports:
            yield from _record(_members(report))

    def _cancel(self, who: Principal, id: str, _: bytes) -> Generator[bytes, None, None]:
        with UserView(self.spool, who) as mail:
            record = mail.message(id)
        done = next(perform(mail.view.spool, [record], cancelling(f"cancelled by its sender, {who.words}"), named=False), None)
        if done is None:
            raise NoSuchMessage(id)
        if done.problem is not None:
            raise done.problem
        self.changed(id)
        yield b"ok " + id.encode()


def asked(data: bytes) -> tuple[Filter, int]:
    """The filter that a question names, and how many messages are wanted. Raises `Problem` (usage)."""
    try:
        document: dict[str, Any] = json.loads(data or b"{}")
        texts = {name: document.pop(name, "") for name in ("to", "sender", "domain", "subject", "submitter", "stream")}
        times = {name: document.pop(name, 0.0) for name in ("since", "before")}
        sizes = {name: document.pop(name, 0) for name in ("least", "most")}
        states = frozenset(document.pop("states", ()))
        limit = document.pop("limit", MOST)
        if document or not all(isinstance(text, str) for text in texts.values()) or not states <= {*STATUSES, *LATER, SCHEDULED}:
            raise ValueError
        if type(limit) is not int or not all(type(at) in (int, float) and 0 <= at < 1e11 for at in times.values()):
            raise ValueError
        if not all(type(size) is int and 0 <= size < 1 << 60 for size in sizes.values()):
            raise ValueError
        return Filter(**texts, **times, **sizes, states=states), min(max(limit, 0), MOST)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Problem("the filter of the question is none", "usage") from None


def refusal(problem: Problem) -> bytes:
    """The answer that says no, for the reason `problem`."""
    return f"no {ANSWER_CODES[problem.kind]} {one_line(str(problem))}".encode("utf-8", "replace")


def gathered(lines: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """The octets of `lines` in pieces that are worth sending."""
    piece = bytearray()
    try:
        for line in lines:
            piece += line
            if len(piece) >= PIECE:
                yield bytes(piece)
                piece.clear()
    finally:
        lines.close()
    if piece:
        yield bytes(piece)


def _members(value: Any) -> dict[str, Any]:
    """The members of a record or the like, by name, and of all that is in it."""
    return {name: _plain(member) for name, member in value._asdict().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return _members(value) if hasattr(value, "_fields") else [*map(_plain, value)]
    return value


def _told(documents: Iterable[dict[str, Any]]) -> Generator[bytes, None, None]:
    """``ok``, and a line for each document."""
    yield b"ok\n"
    for document in documents:
        yield from _record(document)


def _record(document: dict[str, Any]) -> Generator[bytes, None, None]:
    """A document on one line, or on several if it has more recipients than go into one."""
    people = document.get("recipients", [])
    if len(people) > PEOPLE:
        document = {**document, "recipients": people[:PEOPLE]}
    yield _line(document)
    for at in range(PEOPLE, len(people), PEOPLE):
        yield _line({"recipients": people[at : at + PEOPLE]})


def _line_each(name: str, values: Iterable[object]) -> Generator[bytes, None, None]:
    return (_line({name: value}) for value in values)


def _line(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
