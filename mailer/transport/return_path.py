"""The sender that a message leaves with: that of its envelope, the author that a relay takes, or one with a return token.

Decided when the message leaves, and never stored: what was queued before a bounce address was configured gets a token, too, and what is
tried again gets the same one (`mailer.dsn.return_token`). The null sender stays null, for mail with it is about other mail, and nobody
may answer it (RFC 5321 §4.5.5). Where a relay takes one author only, that one is the sender: a token would be another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.dsn.return_token import WHOLE, mark
from mailer.rewriting import reverse_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.delivery_options import Request

    from .route import Route

Verp = Literal["message", "recipient", "off"]


class ReturnPaths(NamedTuple):
    """What gives mail its sender: tokens behind the bounce `address`, signed with `key`, for each message or for `each` recipient."""

    address: str = ""
    key: bytes = b""
    each: bool = False

    @property
    def marks(self) -> bool:
        """Whether there are tokens."""
        return bool(self.address and self.key)

    def of(self, sender: str, id: str, route: Route, recipients: Sequence[int]) -> str:
        """The sender by `route` of message `id`, whose envelope has `sender`, for `recipients` (numbers in the envelope)."""
        if not sender:
            return sender
        if route.author:
            return reverse_path(sender, route.author)
        if not (self.marks and route.verp):
            return sender
        position = recipients[0] + 1 if self.each and len(recipients) == 1 else WHOLE
        return mark(self.address, id, position, self.key)

    def named(self, asked: Request, id: str) -> Request:
        """`asked` with what a report repeats: the ID of the message as its ENVID, and each recipient as its ORCPT, wherever he forwards to.

        RFC 3461 §4.4, §5.2.1. What its sender has said himself stays.
        """
        return replace(asked, envid=asked.envid or id, named=True) if self.address else asked

    def most(self, most: int, route: Route) -> int:
        """How many recipients a transaction has at most, where `most` are taken: one, where each gets a token of his own."""
        return 1 if self.each and self.marks and route.verp and not route.author else most


PLAIN = ReturnPaths()
"""No tokens: mail leaves with the sender that it has."""
