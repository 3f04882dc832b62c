"""What an operator does with messages that wait, and with destinations: hold, release, retry, cancel, replay, pause, resume.

Each operation is one act of the spool, which takes the message's lease; so all of this is safe while the daemon runs. The daemon is
told of each, and acts on it at once. A message that is being delivered this moment is left alone and reported.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339
from mailer.mail.history import DONE, PENDING, SCHEDULED
from mailer.mail.message import Message
from mailer.mail.problem import Problem
from mailer.spool.api import Busy, CorruptMessage, How, NoSuchMessage, at_once, no_room
from mailer.spool.suspensions import Suspension
from mailer.status.record import of_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.mail.history import Word
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Act, ActedOn, Entry, Reserve, Spool
    from mailer.status.api import Filter, MailView, QueueActs
    from mailer.status.record import Record

WAITING: tuple[Word, ...] = (*PENDING, SCHEDULED)
GIVEN_UP: tuple[Word, ...] = ("failed", "expired", "cancelled")
IN_SPOOL = (*WAITING, *GIVEN_UP)
"""The states that a message in the spool can have."""

TOGETHER = 500  # messages in one act
PAUSES = (0.1, 0.3, 1.0)  # seconds before what the daemon has in hand is asked for again
LONGEST_REASON = 500  # characters of why a destination is paused


class Operation(NamedTuple):
    """An operation on messages: on those in `states`; on those in `idle` there is nothing to do.

    Those in `asked` are touched only where they are named, or that state is: no selection of others means them.
    """

    verb: Act
    done: str
    states: tuple[Word, ...]
    idle: tuple[Word, ...]
    otherwise: str = ""
    asked: tuple[Word, ...] = ()
    how: How = How()

    def selected(self, wanted: Filter) -> Filter:
        """`wanted`, of the messages that the operation is for. Raises `ValueError` where none can be."""
        states = wanted.states.intersection((*self.states, *self.asked)) if wanted.states else frozenset(self.states)
        if not states:
            raise ValueError(f"{self.verb} is for messages that are {' or '.join((*self.states, *self.asked))}")
        return wanted._replace(states=states)

    def refusal(self, record: Record) -> Problem:
        """The problem that it cannot be done with the message of `record`, which is in another state."""
        problem = "is done with" if record.status in DONE else f"cannot be {self.done}: {self.otherwise}"
        return Problem(f"message {record.id} {problem} (it is {record.word})", "bad-message")

    def gone(self, id: str) -> Problem:
        """The problem that the message `id` is not there any more."""
        return Problem(f"message {id} has left the spool this moment; `mailer status {id}` says what became of it", "try-again")


class Replay(Operation):
    """The operation that puts messages once more, as new ones: what is done returns the new ID."""

    __slots__ = ()

    def refusal(self, record: Record) -> Problem:
        """The problem that the message of `record` cannot be replayed."""
        kept = "it was not given up" if record.status != "sent" else "what was delivered is not kept"
        return Problem(f"message {record.id} cannot be replayed (it is {record.status}): {kept}", "bad-message")

    def gone(self, id: str) -> Problem:
        """The problem that the retention of the message `id` is over."""
        return Problem(f"message {id} is not kept any more (bounce.retention)", "no-such")


class Performed(NamedTuple):
    """The result of an operation on one message: it was `done` (or would be), there was nothing to do, or a `problem`.

    `record` is the message as it was; None where a name is unknown. `made` is the ID of the new message of a replay.
    """

    operation: Operation
    id: str
    record: Record | None
    done: bool = False
    problem: Problem | None = None
    made: str = ""

    @property
    def nothing_to_do(self) -> bool:
        """Whether the message is already as the operation would leave it."""
        return self.problem is None and self.record is not None and self.record.word in self.operation.idle

    def as_json(self) -> dict[str, object]:
        """A line of ``mailer queue hold --json`` and its like."""
        replayed = {"as": self.made or None} if isinstance(self.operation, Replay) else {}
        return {
            "id": self.id,
            "action": self.operation.verb,
            "done": self.done,
            "was": self.record.word if self.record and not self.problem else None,
            **replayed,
            "error": str(self.problem) if self.problem else None,
        }


HOLD = Operation("hold", "held", ("queued", "sending", "deferred", SCHEDULED), ("held",))
RELEASE = Operation("release", "released", ("held",), (), "it is not held")


def releasing(*, boxed: bool, yes: bool) -> Operation:
    """The operation that releases messages, where a sandbox holds (`boxed`), or somebody said `yes` to what was submitted in one."""
    return RELEASE._replace(how=How(boxed="box" if boxed else "live" if yes else "stay"))


RETRY = Operation(
    "retry",
    "due now",
    ("deferred",),
    ("queued", "sending", "sent"),  # who wants it tried has what he wants
    "release it with `mailer queue release`",
    (SCHEDULED,),  # its sender has said when
)


def cancelling(why: str = "cancelled by an operator") -> Operation:
    """The operation that cancels messages; `why` is the reason that their recipients have on record."""
    return Operation("cancel", "cancelled", WAITING, ("cancelled",), how=How(why))


CANCEL = cancelling()


def replaying(spool: Spool, keep: Reserve, recipients: Sequence[str] = (), *, again: bool = False) -> Replay:
    """The operation that puts messages of `spool` once more as new ones, for those who have not got them or for `recipients`.

    Those that were replayed before only `again`. Raises `Problem` (try-again) where that would not leave `keep` free.
    """
    if lack := at_once(spool.room(keep)):
        raise no_room(spool, lack)
    return Replay("replay", "replayed", GIVEN_UP, (), how=How(recipients=recipients, again=again))


def targets(view: MailView, names: Iterable[str], operation: Operation) -> tuple[list[Record], list[Performed]]:
    """The messages that `names` mean and the operation is for, each once; and what is to be said of the others."""
    found: dict[str, Record] = {}
    others = []
    for name in names:
        records = view.find(name)
        if not records:
            others.append(Performed(operation, name, None, problem=Problem(f"no message {name!r} is known here", "no-such")))
        for record in records:
            if record.word in (*operation.states, *operation.asked):
                found[record.id] = record
            else:
                idle = record.word in operation.idle
                others.append(Performed(operation, record.id, record, problem=None if idle else operation.refusal(record)))
    return list(found.values()), others


def perform(
    spool: QueueActs, records: Sequence[Record], operation: Operation, *, named: bool = True, dry_run: bool = False
) -> Iterator[Performed]:
    """Do `operation` to the messages of `records`, unless it is a `dry_run`, and tell the daemon; many share the waits for the disk.

    Raises `Problem` where the disk has trouble. What was selected, not `named`, and has simply left meanwhile is left out; what the daemon
    has in hand is asked for again a moment later, for of many there always are some.
    """
    busy: list[Record] = []
    for performed in _portions(spool, records, operation, named=named, dry_run=dry_run):
        if isinstance(performed.problem, Busy) and not named and performed.record is not None:
            busy.append(performed.record)
        else:
            yield performed
    for pause in PAUSES if busy else ():
        time.sleep(pause)
        again, busy = busy, []
        for performed in _portions(spool, again, operation, named=named, dry_run=dry_run):
            if isinstance(performed.problem, Busy) and performed.record is not None and pause is not PAUSES[-1]:
                busy.append(performed.record)
            else:
                yield performed
        if not busy:
            return


def _portions(spool: QueueActs, records: Sequence[Record], operation: Operation, *, named: bool, dry_run: bool) -> Iterator[Performed]:
    for at in range(0, len(records), TOGETHER):
        portion = records[at : at + TOGETHER]
        ids = [record.id for record in portion]
        done = at_once(spool.act(operation.verb, ids, time.time(), operation.how, dry=dry_run)).messages
        for record, acted in zip(portion, done, strict=True):
            if performed := _performed(record, acted, operation, named=named, dry_run=dry_run):
                yield performed


def _performed(record: Record, done: ActedOn, operation: Operation, *, named: bool, dry_run: bool) -> Performed | None:
    refused = done.problem
    if isinstance(refused, NoSuchMessage):
        if not named and not isinstance(operation, Replay):
            return None
        refused = operation.gone(record.id)
    elif isinstance(refused, CorruptMessage):
        refused = Problem(f"the file of message {record.id} is damaged: {refused}", "bad-message")
    return Performed(operation, record.id, record, done=not (dry_run or refused), problem=refused, made=done.made)


# One message as it lies there


class SpooledMessage(NamedTuple):
    """A message of the spool: its envelope and outcomes, and its bytes."""

    entry: Entry
    content: bytes

    def header(self) -> list[tuple[str, str]]:
        """The fields of the header, each on one line, as text."""
        return header(self.content)

    def body(self) -> str:
        """What follows the header, as text."""
        return Message.split(self.content).rest.removeprefix(b"\r\n").decode("utf-8", "replace")

    def as_json(self, *, body: bool = False) -> dict[str, object]:
        """As ``mailer queue show --json`` has it; with its `body` where that is asked for."""
        envelope = self.entry.envelope
        document = of_entry(self.entry).as_json()
        document["submitter"] = dict(envelope.submitter)
        document["options"] = dict(envelope.options)
        document["outcomes"] = [self._outcome(outcome) for outcome in self.entry.history.outcomes]
        document["header"] = [list(field) for field in self.header()]
        if body:
            document["body"] = self.body()
        return document

    def _outcome(self, outcome: Outcome) -> dict[str, object]:
        record = outcome.to_record()
        if outcome.due:
            record["due"] = rfc3339(outcome.due)
        names = {"enhanced_code": outcome.enhanced or None, "reply": outcome.text or None}  # the file says enhanced and text
        return {"at": rfc3339(outcome.at), "address": self.entry.envelope.recipients[outcome.to].address, **record, **names}


def header(content: bytes) -> list[tuple[str, str]]:
    """The fields of a message's header, each on one line, as text."""
    fields = []
    for _, field in Message.split(content).fields():
        name, _, value = field.decode("utf-8", "replace").partition(":")
        fields.append((name.strip(), value.strip()))
    return fields


def stored(view: MailView, name: str) -> SpooledMessage:
    """The one message that `name` means. Raises `Problem`: no-such without any, usage with several, bad-message if it is damaged."""
    found = view.find(name)
    if not found:
        raise Problem(f"no message {name!r} is known here", "no-such")
    if len(found) > 1:
        raise Problem(f"{name!r} is the name of {len(found)} messages: {' '.join(record.id for record in found)}", "usage")
    id = found[0].id
    try:
        entry = at_once(view.spool.read(id))
        return SpooledMessage(entry, at_once(view.spool.content(entry)))
    except NoSuchMessage:
        raise Problem(f"message {id} has left the spool; `mailer status {id}` says what became of it", "no-such") from None
    except CorruptMessage as error:
        raise Problem(f"the file of message {id} is damaged: {error}", "bad-message") from None


# Destinations


class Paused(NamedTuple):
    """A pause that was said or ended, and whether a daemon `heard`."""

    pause: Suspension
    heard: bool

    def as_json(self) -> dict[str, object]:
        """As ``mailer queue pause --json`` has it."""
        return {**shown(self.pause), "heard": self.heard}


def shown(pause: Suspension) -> dict[str, object]:
    """A pause as ``--json`` has it: ``reason`` as everywhere, and ``why``, as its file says it."""
    return {**pause.as_json(), "reason": pause.why or None}


def pause(spool: Spool, target: str, until: float, why: str, now: float) -> Paused:
    """Let mail for `target` wait until `until` (infinity: until it is resumed). Raises `Problem`, and `ValueError` for a bad reason."""
    if not why.isprintable() or len(why) > LONGEST_REASON:
        raise ValueError(f"takes one line of text, of at most {LONGEST_REASON} characters")
    suspension = Suspension(target, until, why, now)
    return Paused(suspension, at_once(spool.suspend(suspension)))


def resume(spool: Spool, target: str, now: float) -> Paused:
    """Let mail for `target` go on. Raises `Problem` (no-such) if it was not paused, or there is no spool."""
    return Paused(Suspension(target, now, "", now), at_once(spool.resume(target, now)))


def paused(spool: Spool, now: float) -> list[Suspension]:
    """The pauses that hold at `now` (seconds since the epoch). Raises `Problem` (no-such) if there is no spool."""
    return [each for each in at_once(spool.suspensions()) if each.holds(now)]
