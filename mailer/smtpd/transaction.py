"""One transaction of a stranger: whom a message is for, as far as he was told, and what it goes to when aliases are followed.

Pure: `against` decides about one recipient by what is known of him, and `add` takes him.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.filtering.api import Amendment
from mailer.mail.address_key import key_of
from mailer.mail.envelope import Recipient
from mailer.mail.trace import reached
from mailer.smtp.reply import Reply
from mailer.submit.accept import Inbound

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mailer.accounts.residence import Residence
    from mailer.filtering.api import Ruling
    from mailer.mail.arrival import Arrival
    from mailer.mail.refusal_reason import RefusalReason

REASONS: dict[str, RefusalReason] = {"unknown": "unknown", "elsewhere": "relay", "trouble": "next-hop"}
"""The words for the record of what stands against a recipient, by the kind of his residence."""

MAILBOX_FULL = "4.2.2"  # RFC 3463 §3.3

ONE_REPORT = Reply.own(452, "4.5.3", "a report is for one recipient: bring it once for each")
NO_REPORTS = Reply.own(550, "5.7.1", "that address leads to several people, and reports are for one")
TOO_MANY = Reply.own(452, "4.5.3", "the message would get too many recipients, bring it once more for those who are left")


IN_CIRCLES = Reply.own(554, "5.4.6", "it has been at that address before: the message goes in circles")
CIRCLE = {"verdict": "fail", "code": IN_CIRCLES.code, "enhanced": IN_CIRCLES.enhanced, "text": IN_CIRCLES.text, "cause": "loop"}


class RecipientRefusal(NamedTuple):
    """What is said to a client about a recipient who is not taken, and the word for the record."""

    reply: Reply
    reason: RefusalReason


def _out_of_circles(people: Sequence[Recipient], content: bytes, here: Collection[str]) -> Sequence[Recipient]:
    """The recipients, of whom those do not get it whom it has reached before.

    That is a loop where an address of ours would pass it on once more, and in a mailbox of a domain that is `here`.
    """
    ours = [one.behalf or (one.address if one.domain in here else "") for one in people]
    before = reached(content, {address for address in ours if address})
    if not before:
        return people
    return [
        Recipient(one.address, one.type, CIRCLE, one.behalf) if address in before else one
        for one, address in zip(people, ours, strict=True)
    ]  # fmt: skip


class InboundTransaction:
    """A message that is being announced, from `sender`, with at most `most` recipients; `utf8` says that it may be beyond ASCII.

    `octets` is its size, as far as the client has said it.
    """

    def __init__(self, sender: str, most: int, octets: int = 0, *, utf8: bool = False) -> None:
        self.sender = sender
        self.octets = octets
        self.utf8 = utf8
        self.named: list[str] = []
        self.reports: list[str] = []  # addresses among them that reports about our mail come to
        self._most = most
        self._people: dict[tuple[str, str], Recipient] = {}

    def against(self, residence: Residence) -> RecipientRefusal | None:
        """What stands against one more recipient, of whom `residence` says who that is."""
        if residence.reply is not None:
            return RecipientRefusal(residence.reply, "full" if residence.reply.enhanced == MAILBOX_FULL else REASONS[residence.kind])
        if self.named and (self.reports or not self.sender):
            return RecipientRefusal(ONE_REPORT, "recipients")
        if not (found := self._reached(residence)):
            return RecipientRefusal(NO_REPORTS, "recipients")
        if len(self._people) + sum(key not in self._people for key in found) > self._most:
            return RecipientRefusal(TOO_MANY, "recipients")
        return None

    def add(self, address: str, residence: Residence) -> None:
        """Take `address`, against whom there is nothing."""
        for key, one in self._reached(residence).items():
            self._people.setdefault(key, one)
        self.named.append(address)

    def add_report(self, address: str) -> RecipientRefusal | None:
        """Take `address`, which reports about our mail come to; or why not."""
        if self.named:
            return RecipientRefusal(ONE_REPORT, "recipients")
        self.named.append(address)
        self.reports.append(address)
        return None

    def inbound(self, content: bytes, arrival: Arrival, ruling: Ruling, here: Collection[str] = ()) -> Inbound:
        """The message as it is to be taken, by what was ruled about it; `content` has the line ends of the spool.

        Mailboxes of the domains that are `here` are on this machine.
        """
        amendment = ruling.amendment or Amendment()
        if amendment.content is not None:
            content = amendment.content
        return Inbound(
            arrival,
            self.sender if amendment.sender is None else amendment.sender,
            _out_of_circles(self._amended(amendment), content, here),
            content,
            ruling.fields,
            named=self.named[0] if len(self.named) == 1 else "",
            held=ruling.verdict == "hold",
            why=ruling.against,
            proven=ruling.proven,
        )

    def _amended(self, amendment: Amendment) -> Sequence[Recipient]:
        """The recipients that filters want; whom they add elsewhere gets it on behalf of the first who was named."""
        gone = frozenset(map(key_of, amendment.removed))
        people = {key: one for key, one in self._people.items() if not gone & {key[0], key_of(one.behalf)}}
        for address in amendment.added:
            people.setdefault((key_of(address), ""), Recipient(address, behalf=self.named[0]))
        return [*people.values()]

    def _reached(self, residence: Residence) -> dict[tuple[str, str], Recipient]:
        """Those whom a message from this sender goes to.

        Nothing is passed on to whoever wrote it, unless there is nobody else; and a report is not for the members of a list elsewhere, who
        never wrote what it is about.
        """
        people = residence.recipients
        if residence.kind == "group" and not self.sender:
            people = [one for one in people if not one.behalf]
        elif residence.kind == "group":
            me = key_of(self.sender)
            people = [one for one in people if not one.behalf or key_of(one.address) != me] or people
        return {(key_of(one.address), one.behalf): one for one in people}
