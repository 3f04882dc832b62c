"""What came by the doors, as somebody looks for it: what ``mailer received`` shows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from mailer.mail.ip_network import overlap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.status.api import MailView
    from mailer.status.received import ReceivedFilter, ReceivedRecord


def pattern(address: str) -> str:
    """What an address means that may lack a part: ``bob@`` is bob at any domain, ``@example.com`` and ``example.com`` anybody there."""
    if address in ("", "<>"):
        return address
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1]
    if address.endswith("@"):
        return f"{address}*"
    if "@" not in address and "*" not in address:
        return f"*@{address}"
    return f"*{address}" if address.startswith("@") else address


def is_network(text: str) -> bool:
    """Whether `text` is an address of IP or a network."""
    return overlap(text, text)


def listed(view: MailView, wanted: ReceivedFilter, limit: int | None = None) -> Iterator[ReceivedRecord]:
    """What is meant, newest first, the first `limit`. Raises `Problem` (no-permission)."""
    return islice(view.received(wanted), limit)


def unnamed(view: MailView, wanted: ReceivedFilter) -> int:
    """How many refusals may be meant besides, of which neither sender nor recipient is known. Raises `Problem` (no-permission)."""
    if not wanted.named or wanted.taken:
        return 0
    crowds = wanted._replace(sender="", to="", taken=False)
    return sum(each.times for each in view.received(crowds) if each.crowd)
