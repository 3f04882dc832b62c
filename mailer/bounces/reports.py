"""Reports about mail that was given up, or is late: whether one is due, and what it says.

The queue manager asks `OwnReports` before it writes down what became of recipients, and puts what it gets through the one door, `submit`,
under the ID that comes with it. Who gets a report:

- The reverse-path of the message (RFC 5321 §6.1), and no one if that is null. A report has a null reverse-path
  itself, so a report about a report cannot be, whatever else goes wrong. Of mail that strangers brought it has to be proven, too
  (`mailer.mail.envelope.Envelope.answerable`): who forges a sender must not make us write to that one.
- Also the sender of mail that says ``Auto-Submitted: auto-generated``. RFC 3834 §2 keeps responders from
  answering such mail; a delivery report is no answer, and cron's mail carries that field: only a report says that the nightly mail no
  longer arrives.
- For recipients that were refused or whose time is up, unless the sender asked not to be told of them (``NOTIFY``, RFC 3461
  §4.1). Not for those that an operator cancelled, who knows; nor for those who are not to be mailed, where the mail is of a stream.
- For recipients whose mail was taken by a host that knows no reports, where the sender asked for ``SUCCESS``.
- For recipients that are late, once a message: where the operator wants that, after `LATE` where the sender asked for it, and where
  mail waits for something of ours for longer than it may take otherwise.

One report is about all recipients that an attempt gave up, however many causes there are: it groups them.

The ID of a report follows from the message, the kind and the recipients. When the same recipients fail
again after a crash, the ID is the same, and the spool keeps one message of a name.

A `ReportQuota` counts the reports that one sender gets in an hour, and all senders together. A program that sends ten thousand messages to
addresses that are gone must not get ten thousand reports, nor must the one whose address it forged; nor must ten thousand forged ones
get one each. What is refused by it is in the log and in ``mailer bounces`` all the same. Memory is bounded, and nothing is remembered
across a restart: the worst that does is another hour's worth.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from mailer.dsn.report import report
from mailer.mail.delivery_options import NOTHING, Request
from mailer.mail.message import header_end
from mailer.mail.outcome import Cause
from mailer.spool import derived_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.dsn.fields import Kind
    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry


REPORTED = ("fail", "expire")
LATE = 4 * 3600.0  # seconds before a warning that the sender asked for and the operator said nothing about
HOUR = 3600.0  # seconds
EVERYBODY = "*"  # in place of a sender: all together


def due_report(envelope: Envelope, outcomes: Iterable[Outcome]) -> Kind | None:
    """The kind of report that `outcomes` call for, or None. One refusal among expiries makes it ``failed``."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if not envelope.answerable or not verdicts.intersection(REPORTED):
        return None
    return "failed" if "fail" in verdicts else "expired"


def report_id(id: str, kind: str, recipients: Iterable[int]) -> str:
    """The ID of the report of `kind` about `recipients` (numbers in the envelope) of the message `id`."""
    return derived_id(id, f"{id} {kind} {' '.join(map(str, sorted(set(recipients))))}")


def asked_of(envelope: Envelope) -> Request:
    """What the sender asked for; nothing where the file, which another program may have written, asks for what cannot be.

    Of a stranger who did not prove that he is the sender, what he says of reports does not count.
    """
    try:
        found = Request.read(envelope.options) if envelope.options else NOTHING
    except ValueError:
        return NOTHING
    return found.unreported() if envelope.options and envelope.foreign and not envelope.answerable else found


def wants(notify: str, what: str) -> bool:
    """Whether a recipient's ``NOTIFY`` allows a report of ``FAILURE`` or ``DELAY``: said, or nothing said. RFC 3461 §4.1"""
    return not notify or what in notify.split(",")


def _known(envelope: Envelope, outcome: Outcome) -> bool:
    """Whether nobody is to be told: who sends mail of a stream hears of who is not to be mailed by events, and not one by one."""
    return outcome.cause is Cause.SUPPRESSED and bool(envelope.stream)


class OwnReport(NamedTuple):
    """A report to be put: its `id`, and the `message` for the sender of the original, from the null reverse-path."""

    id: str
    message: bytes


class OwnReports:
    """The writer of the reports of this host: `hostname` as it is known to others, `postmaster` their author.

    With `full`, a report returns the whole message where it may, else its header; what the sender asked for goes before that
    (``RET``, RFC 3461 §4.3). `enabled` is the operator's word: without it there are none. `delay_warning` is the age in
    seconds at which a message is late, 0.0 if nobody is to be warned unasked; `max_per_hour` how many reports one sender gets,
    `max_per_hour_in_all` how many all of them.
    """

    def __init__(
        self,
        hostname: str,
        postmaster: str,
        *,
        full: bool = False,
        enabled: bool = True,
        delay_warning: float = 0.0,
        max_per_hour: int = 100,
        max_per_hour_in_all: int = 2000,
    ) -> None:
        self.hostname = hostname
        self.postmaster = postmaster
        self.full = full
        self.enabled = enabled
        self.delay_warning = delay_warning
        self.max_per_hour = max_per_hour
        self.max_per_hour_in_all = max_per_hour_in_all

    def report_for(self, entry: Entry, outcomes: Sequence[Outcome], content: bytes) -> OwnReport | None:
        """The report that `outcomes` of `entry` call for, or None. `content` is the message as it is in the spool."""
        if not self.due(entry.envelope, outcomes):
            return None
        told = self._told(entry.envelope, outcomes)
        kind = due_report(entry.envelope, told)
        assert kind is not None
        return self._write(entry, told, kind, content)

    def due(self, envelope: Envelope, outcomes: Sequence[Outcome]) -> bool:
        """Whether `outcomes` call for a report."""
        return self.enabled and due_report(envelope, outcomes) is not None and bool(self._told(envelope, outcomes))

    def _told(self, envelope: Envelope, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Those that the sender wants to be told of, in the order of the envelope."""
        asked = asked_of(envelope)
        failed = (outcome for outcome in outcomes if outcome.verdict in REPORTED and not _known(envelope, outcome))
        told = (outcome for outcome in failed if wants(asked.of(envelope.recipients[outcome.to].address).notify, "FAILURE"))
        return sorted(told, key=lambda outcome: outcome.to)

    def late(self, entry: Entry, age: float, expire: float) -> list[Outcome]:
        """The last outcomes of those recipients that wait, that are late after `age` seconds, and whose sender is to be warned.

        What waits for something of ours is never given up; so its sender hears of it when it would have been, after `expire` seconds.
        """
        if not entry.envelope.answerable or not self.enabled:
            return []
        asked, last = asked_of(entry.envelope), entry.history.last
        return [
            last[to]
            for to in entry.history.pending()
            if to in last and self._is_late(asked, entry.envelope.recipients[to].address, age, expire if last[to].scope == "us" else 0.0)
        ]

    def _is_late(self, asked: Request, address: str, age: float, longest: float) -> bool:
        notify = asked.of(address).notify
        if asked.by is not None and not asked.by_return and age >= asked.by:  # RFC 2852 §4.2: it goes on, and the sender is told
            return wants(notify, "DELAY")
        after = self.delay_warning or (LATE if notify else 0.0) or longest
        return bool(after) and age >= after and wants(notify, "DELAY")

    def confirmations(self, entry: Entry, owed: Iterable[tuple[int, Kind]], content: bytes) -> list[OwnReport]:
        """Reports of success that the sender asked for and no host after us will send. RFC 3461 §5.2.2, §5.2.3"""
        if not entry.envelope.answerable or not self.enabled:
            return []
        kinds: dict[Kind, list[Outcome]] = {}
        for to, kind in sorted(owed):
            if (last := entry.history.last.get(to)) is not None and last.verdict == "delivered":
                kinds.setdefault(kind, []).append(last)
        return [self._write(entry, outcomes, kind, content) for kind, outcomes in kinds.items()]

    def warning_for(self, entry: Entry, outcomes: Sequence[Outcome], content: bytes, until: float) -> OwnReport:
        """The warning about those who are `late`; they are tried `until` then (seconds since the epoch, 0.0 for ever)."""
        return self._write(entry, outcomes, "delayed", content, until)

    def warning_id(self, id: str) -> str:
        """The ID of the warning about message `id`: there is one, for all recipients that are late."""
        return report_id(id, "delayed", ())

    def _write(self, entry: Entry, outcomes: Sequence[Outcome], kind: Kind, content: bytes, until: float = 0.0) -> OwnReport:
        asked = asked_of(entry.envelope)
        id = self.warning_id(entry.id) if kind == "delayed" else report_id(entry.id, kind, [outcome.to for outcome in outcomes])
        full = kind in ("failed", "expired") and (asked.ret == "FULL" if asked.ret else self.full)
        message = report(
            envelope=entry.envelope,
            outcomes=outcomes,
            kind=kind,
            header=content[: header_end(content)],
            content=content if full else b"",
            reporting_host=self.hostname,
            postmaster=self.postmaster,
            at=max(outcome.at for outcome in outcomes),
            message_id=f"<{id.lower()}@{self.hostname}>",
            asked=asked,
            until=until,
        )
        return OwnReport(id, message)


class ReportQuota:
    """A quota of reports by sender, of at most `senders` at a time. Used from several threads."""

    def __init__(self, senders: int = 10_000) -> None:
        self.senders = senders
        self.refused = 0
        """How many reports were not written, in all."""
        self._hours: dict[str, tuple[float, int]] = {}
        self._lock = Lock()

    def take(self, sender: str, limit: int, now: float) -> int:
        """Ask for one report to `sender` at `now` (seconds): 0, or how many were refused within the sender's hour, with this one."""
        with self._lock:
            name = sender.lower()
            began, count = self._hours.pop(name, (now, 0))
            if not 0 <= now - began < HOUR:
                began, count = now, 0
            self._make_room(now)
            self._hours[name] = (began, count + 1)
            over = max(count + 1 - limit, 0)
            self.refused += over > 0
            return over

    def give_back(self, sender: str) -> None:
        """The report that was asked for last was not put, and will be asked for again."""
        with self._lock:
            began, count = self._hours.get(sender.lower(), (0.0, 0))
            if count:
                self._hours[sender.lower()] = (began, count - 1)

    def _make_room(self, now: float) -> None:
        """Forget the senders whose hour is over; if there are none, who has asked for nothing for the longest time."""
        if len(self._hours) < self.senders:
            return
        self._hours = {name: hour for name, hour in self._hours.items() if 0 <= now - hour[0] < HOUR}
        while len(self._hours) >= self.senders:
            del self._hours[next(iter(self._hours))]


def worth_telling(over: int) -> bool:
    """Whether the refused report number `over` is told: the first, the tenth, the hundredth, so that the log is no storm either."""
    return str(over).strip("0") == "1"
