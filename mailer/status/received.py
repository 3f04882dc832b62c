"""What came by the doors, taken and refused alike, as a value; what of it is looked for, and how it is said to programs.

What a stranger is told no for is his to make up, so there is an end to it: of one neighbourhood (`mailer.mail.ip_network`), for one
reason, in one hour, `EACH` refusals keep their sender, recipient and user, and those that say the same again count there; what is beyond is
one record more, which counts and names nobody. Of either kind no more than `MOST` records are kept, and no text is longer than `TEXT`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339
from mailer.mail.ip_network import overlap
from mailer.mail.pattern import fits

if TYPE_CHECKING:
    from collections.abc import Sequence

EACH = 50
MOST = 100_000
TEXT = 320  # characters: as many as the longest address has (RFC 5321 §4.5.3.1)
SPAN = 3600  # seconds
FoldKey = tuple[int, str, str, str, str, str, bool]
"""What refusals have in common that are one record: the hour, network, reason, sender, recipient, user, and whether it names nobody."""


class ReceivedRecord(NamedTuple):
    """A message that was taken, which has an `id`, or a refusal, which has none, and may stand for as many as `times` says.

    `at` is when it was, the last time of several, and `since` the first, in seconds since the epoch. Of `ip` to `user`, and of
    `proxy`, see `Arrival`, whose `name` is the client's by the DNS; `network` is the client's neighbourhood. `reason` is a word for a
    refusal, and `why` says more, of a message what speaks against it. `verdict` is accept, mark or hold, and refuse. `crowd`: of so many
    that sender and recipients are not known.
    """

    at: float
    since: float
    times: int
    door: str
    ip: str
    network: str
    name: str
    hello: str
    protocol: str
    tls: str
    user: str
    sender: str
    recipients: Sequence[str]
    reason: str
    verdict: str
    id: str = ""
    size: int = 0
    phase: str = ""
    reply: str = ""
    why: str = ""
    crowd: bool = False
    proxy: str = ""

    @property
    def taken(self) -> bool:
        """Whether it is a message that was taken."""
        return bool(self.id)

    @property
    def fold(self) -> FoldKey:
        """What refusals have in common that are one record."""
        recipient = self.recipients[0] if self.recipients else ""
        return int(self.since) // SPAN, self.network, self.reason, self.sender, recipient, self.user, self.crowd

    @property
    def in_crowd(self) -> ReceivedRecord:
        """The refusal as one of so many that it names nobody."""
        return self._replace(sender="", recipients=(), user="", crowd=True)

    def again(self, other: ReceivedRecord) -> ReceivedRecord:
        """The record with `other`, which says the same, counted; one that was counted changes nothing."""
        if other.at <= self.at:
            return self
        return other._replace(since=self.since, times=self.times + 1)

    def as_json(self) -> dict[str, object]:
        """One line of ``mailer received --json``."""
        return {
            "at": rfc3339(self.at),
            "event": "taken" if self.taken else "refused",
            "door": self.door,
            "ip": self.ip or None,
            "proxy": self.proxy or None,
            "name": self.name or None,
            "hello": self.hello or None,
            "protocol": self.protocol,
            "tls": self.tls or None,
            "user": self.user or None,
            "from": None if self.crowd or not self.has_sender else self.sender,
            "to": list(self.recipients),
            "id": self.id or None,
            "size": self.size if self.taken else None,
            "verdict": self.verdict,
            "reason": self.reason or None,
            "phase": self.phase or None,
            "reply": self.reply or None,
            "why": self.why or None,
            "times": self.times,
            "since": rfc3339(self.since),
        }

    @property
    def has_sender(self) -> bool:
        """Whether a reverse-path was named, which may be the null one."""
        return self.taken or bool(self.sender) or self.phase in ("mail", "rcpt", "data", "body")


class ReceivedFilter(NamedTuple):
    """What a record must be like; an empty member selects everything.

    `sender`, which may be ``<>``, and `to` are patterns of `mailer.mail.pattern`, and `reason` is one of the reason, the verdict or why.
    `ip` is an address or a network. `taken` is True for what was taken, False for what was refused. `since` is in seconds since the epoch.
    """

    sender: str = ""
    to: str = ""
    ip: str = ""
    reason: str = ""
    taken: bool | None = None
    since: float = 0.0

    @property
    def named(self) -> bool:
        """Whether it asks for somebody by his address; then what names nobody is left out."""
        return bool(self.sender or self.to)

    def means(self, record: ReceivedRecord) -> bool:
        """Whether `record` is meant."""
        if record.at < self.since or (self.taken is not None and record.taken is not self.taken):
            return False
        if self.ip and not overlap(self.ip, record.network if record.crowd else record.ip):
            return False
        if self.reason and not any(fits(self.reason, text) for text in (record.reason, record.verdict, record.why)):
            return False
        return self._from(record) and self._to(record)

    def _from(self, record: ReceivedRecord) -> bool:
        if not self.sender:
            return True
        path = "" if self.sender == "<>" else self.sender
        return not record.crowd and record.has_sender and fits(path, record.sender)

    def _to(self, record: ReceivedRecord) -> bool:
        return not self.to or any(fits(self.to, each) for each in record.recipients)
