"""Reports about mail that was given up: whether one is due, and what it says.

The engine asks `Reports.report_for` before it writes down that recipients failed, and puts what it gets
through the one door, `submit`, under the ID that comes with it. Who gets a report:

- The reverse-path of the message (RFC 5321 §6.1), and nobody if that is null. A report has a null reverse-path
  itself, so a report about a report cannot be, whatever else goes wrong.
- Also the sender of mail that says ``Auto-Submitted: auto-generated``. RFC 3834 §2 keeps responders from
  answering such mail; a delivery report is no answer, and cron's mail carries that field: without a report,
  nobody would learn that the nightly mail no longer arrives.
- For recipients that were refused or whose time is up. Not for those that an operator cancelled: whoever
  does that knows.

The ID of a report follows from the message, the kind and the recipients. When a crash makes the engine fail
the same recipients again, it makes the same ID, and the spool keeps one message of a name.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from mailer.dsn.report import report
from mailer.mail.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.dsn.report import Kind
    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Outcome
    from mailer.spool import Entry

REPORTED = ("fail", "expire")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as in every ID


def due_report(envelope: Envelope, outcomes: Iterable[Outcome]) -> Kind | None:
    """The kind of report that `outcomes` call for, or None. One refusal among expiries makes it ``failed``."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if not envelope.sender or not verdicts.intersection(REPORTED):
        return None
    return "failed" if "fail" in verdicts else "expired"


def report_id(id: str, kind: str, recipients: Iterable[int]) -> str:
    """The ID of the report of `kind` about `recipients` (numbers in the envelope) of the message `id`.

    It begins with the time of that message, so that the two sort together; the rest is a digest.
    """
    facts = f"{id} {kind} {' '.join(map(str, sorted(set(recipients))))}"
    number = int.from_bytes(sha256(facts.encode()).digest()[:10], "big")  # 80 bits are 16 symbols
    return id[:10] + "".join(_ALPHABET[(number >> 5 * at) & 31] for at in range(15, -1, -1))


class Report(NamedTuple):
    """A report to be put: its `id`, and the `message` for the sender of the original, from the null reverse-path."""

    id: str
    message: bytes


class Reports:
    """Writes the reports of this host: `hostname` as it is known to others, `postmaster` their author.

    With `full`, a report returns the whole message where it may, else its header. `enabled` is the
    operator's word: without it there are none.
    """

    def __init__(self, hostname: str, postmaster: str, *, full: bool = False, enabled: bool = True) -> None:
        self.hostname = hostname
        self.postmaster = postmaster
        self.full = full
        self.enabled = enabled

    def report_for(self, entry: Entry, outcomes: Sequence[Outcome], content: bytes) -> Report | None:
        """The report that `outcomes` of `entry` call for, or None. `content` is the message as it is in the spool."""
        kind = due_report(entry.envelope, outcomes)
        if kind is None or not self.enabled:
            return None
        told = sorted((outcome for outcome in outcomes if outcome.verdict in REPORTED), key=lambda outcome: outcome.to)
        id = report_id(entry.id, kind, [outcome.to for outcome in told])
        return Report(id, self._write(entry.envelope, told, kind, content, id))

    def _write(self, envelope: Envelope, outcomes: Sequence[Outcome], kind: Kind, content: bytes, id: str) -> bytes:
        return report(
            envelope=envelope,
            outcomes=outcomes,
            kind=kind,
            header=Message.split(content).header,
            content=content if self.full else b"",
            reporting_host=self.hostname,
            postmaster=self.postmaster,
            at=max(outcome.at for outcome in outcomes),
            message_id=f"<{id.lower()}@{self.hostname}>",
        )
