"""Which message of ours a report is about, and how sure that is: matching, by what only we could have said.

Anybody may write to a bounce address, and anything may stand in what he writes. So what a report may change depends on what it shows:

=========  ===================================================  ================================================================
`token`    a return token of ours (`mailer.dsn.return_token`)   everything: status, journal, suppression
`ours`     the Message-ID or the ENVID of a message of ours     status and journal; suppression only where an operator says so,
                                                                for these stand in archives and in answers
`none`     neither                                              nothing: it is listed
=========  ===================================================  ================================================================

Whatever it shows, it changes nothing about a recipient who is not in the envelope of that message: who has got one message must not have
a say about others. An address is found there as it is written, by the original one (ORCPT), or, where the report names none that is known,
as the only one that there was. Nothing is ever guessed by an address and a time.

Pure: what is known of messages is asked of a `World`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Trust = Literal["token", "ours", "none"]
"""How sure it is what message a report is about."""

TRUSTS: tuple[Trust, ...] = ("token", "ours", "none")


class Person(NamedTuple):
    """A recipient of a message that was sent: number `position` in its envelope, from 0."""

    position: int
    address: str
    status: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent, as far as it is still known: who wrote it, for whom, and who submitted it.

    `sender` is the reverse-path of its envelope, `key` the API key and `stream` the stream that it belongs to, each "" where there is none.
    """

    id: str
    message_id: str
    request_id: str
    sender: str
    people: Sequence[Person]
    key: str = ""
    stream: str = ""


class World(Protocol):
    """What is known of messages that were sent."""

    async def sent(self, id: str) -> Sent | None:
        """Message `id`; None where nothing is known of it, or not any more."""

    async def named(self, message_id: str) -> Sent | None:
        """The message with this Message-ID (without angle brackets), if there is exactly one."""
