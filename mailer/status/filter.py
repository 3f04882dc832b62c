"""Which messages are meant: what ``--to --from --domain --state --since --older`` select.

One `Filter` decides for both halves of the truth: the reader binds its members to prepared statements, and
`matches` judges a message of the spool. Both ask `mailer.mail.pattern` what an address or a domain with ``*`` means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailer.mail.address import domain_of
from mailer.mail.pattern import fits
from mailer.spool.files.layout import first_id

from .sqlite.schema import LATER

if TYPE_CHECKING:
    from .record import RecipientRecord, Record


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of messages; an empty member selects everything.

    `sender` ``<>`` is the null reverse-path. `states` are what people call the state of the message, or statuses of any of its
    recipients for those that only a recipient has. `since` and `before` bound the moment when it was queued, in seconds since the epoch.
    """

    to: str = ""
    sender: str = ""
    domain: str = ""
    states: frozenset[str] = frozenset()
    since: float = 0.0
    before: float = 0.0

    @property
    def possible(self) -> bool:
        """Whether anything can match: no address has a control character, half a surrogate pair, or a thousand letters."""
        return all(text.isprintable() and len(text) <= 1000 for text in (self.to, self.sender, self.domain))

    def matches(self, record: Record) -> bool:
        """Whether this message is meant."""
        if record.id < first_id(self.since) or (self.before and record.id >= first_id(self.before)):
            return False
        if (
            self.states
            and record.word not in self.states
            and self.states.isdisjoint(r.status for r in record.recipients if r.status in LATER)
        ):
            return False
        return self._from(record) and any(map(self._to, record.recipients)) and any(map(self._in_domain, record.recipients))

    def means(self, record: Record, recipient: RecipientRecord) -> bool:
        """Whether this recipient of the message is meant, whatever the state and time."""
        return self._from(record) and self._to(recipient) and self._in_domain(recipient)

    def _from(self, record: Record) -> bool:
        return not self.sender or fits(self._sender, record.sender)

    def _to(self, recipient: RecipientRecord) -> bool:
        return not self.to or fits(self.to, recipient.address)

    def _in_domain(self, recipient: RecipientRecord) -> bool:
        return not self.domain or fits(self.domain, recipient.address.rpartition("@")[2])

    @property
    def _sender(self) -> str:
        return "" if self.sender == "<>" else self.sender

    def bound(self) -> dict[str, object]:
        """The members as the reader's statements name them. NULL selects everything."""
        return {
            "to_fits": self.to or None,
            "from_fits": self._sender if self.sender else None,
            "domain_fits": self.domain or None,
            "to_is": self.to,
            "to_domain": domain_of(self.to),
            "from_is": self._sender,
            "domain_is": self.domain.lower(),
            "since_id": first_id(self.since),
            "before_id": first_id(self.before) if self.before else "~",
        }


EVERYTHING = Filter()
