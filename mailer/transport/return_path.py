"""The sender that a message leaves with: that of its envelope, the author that a relay takes, one with a return token, or a rewritten one.

Decided when the message leaves, and never stored: what was queued before a bounce address was configured gets a token, too, and what is
tried again gets the same one (`mailer.dsn.return_token`). The null sender stays null, for mail with it is about other mail, and nobody
may answer it (RFC 5321 §4.5.5). Where a relay takes one author only, that one is the sender: a token would be another.

Mail of strangers gets no token, for nothing of ours is to follow from what becomes of it. Where it arrives it has the sender that it came
with; where an address of ours passes it on to elsewhere, one of our domain that stands for him (`mailer.srs`), with the day on which it
came: the same at each attempt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.dsn.return_token import WHOLE, mark
from mailer.mail.address import domain_of
from mailer.mail.dates import parse_rfc3339
from mailer.rewriting import reverse_path
from mailer.srs import day_of, forward

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mailer.mail.delivery_options import Request
    from mailer.mail.envelope import Envelope

    from .route import Route

Verp = Literal["message", "recipient", "off"]


class SenderRewriting(NamedTuple):
    """How the senders of mail that is passed on are rewritten: signed with `secret`, at `domain`; empty: at that of the address which
    passes it on. `ours` are domains whose senders stay as they are, in small letters."""

    secret: bytes
    domain: str = ""
    ours: Collection[str] = ()

    def of(self, envelope: Envelope, behalf: str) -> str:
        """The sender that the message of `envelope` leaves with where `behalf`, an address of ours, passes it on."""
        if domain_of(envelope.sender) in self.ours:
            return envelope.sender
        return forward(envelope.sender, self.domain or domain_of(behalf), self.secret, _day(envelope))


class ReturnPaths(NamedTuple):
    """What gives mail its sender: tokens behind the bounce `address`, signed with `key`, for each message or for `each` recipient.

    `rewriting` is for mail of strangers that is passed on; None where that keeps its sender.
    """

    address: str = ""
    key: bytes = b""
    each: bool = False
    rewriting: SenderRewriting | None = None

    @property
    def marks(self) -> bool:
        """Whether there are tokens."""
        return bool(self.address and self.key)

    def of(self, envelope: Envelope, route: Route, recipients: Sequence[int]) -> str:
        """The sender by `route` of the message of `envelope`, for `recipients` (numbers in the envelope) who have the same."""
        sender = envelope.sender
        if not sender:
            return sender
        if route.author:
            return reverse_path(sender, route.author)
        if envelope.foreign:
            behalf = envelope.recipients[recipients[0]].behalf
            return self.rewriting.of(envelope, behalf) if self.rewriting is not None and behalf else sender
        if not (self.marks and route.verp):
            return sender
        position = recipients[0] + 1 if self.each and len(recipients) == 1 else WHOLE
        return mark(self.address, envelope.id, position, self.key)

    def named(self, asked: Request, envelope: Envelope) -> Request:
        """`asked` with what a report repeats: the ID of the message as its ENVID, and each recipient as its ORCPT, wherever he forwards to.

        RFC 3461 §4.4, §5.2.1. What its sender has said himself stays, and so does all of mail of strangers.
        """
        return replace(asked, envid=asked.envid or envelope.id, named=True) if self.address and not envelope.foreign else asked

    def most(self, most: int, envelope: Envelope, route: Route) -> int:
        """How many recipients a transaction has at most, where `most` are taken: one, where each gets a token of his own."""
        return 1 if self.each and self.marks and route.verp and not route.author and not envelope.foreign else most


def by_sender(envelope: Envelope, recipients: Sequence[int]) -> list[Sequence[int]]:
    """`recipients` (numbers in the envelope) divided by whose mail leaves with the same sender, for they may share a transaction."""
    people = envelope.recipients
    if not envelope.foreign or not any(people[to].behalf for to in recipients):
        return [recipients]
    found: dict[str, list[int]] = {}
    for to in recipients:
        found.setdefault(people[to].behalf, []).append(to)
    return [*found.values()]


def _day(envelope: Envelope) -> int:
    """The day on which it came; where the envelope, which another program may have written, says none, the first of all."""
    try:
        return day_of(parse_rfc3339(envelope.created))
    except ValueError:
        return 0


PLAIN = ReturnPaths()
"""No tokens: mail leaves with the sender that it has."""
