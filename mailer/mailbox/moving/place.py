"""A place where mailboxes can be, as a move sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.mailbox.bodies.api import Bodies
    from mailer.mailbox.engine.api import Engine
    from mailer.mailbox.owners.api import Owner


class MailboxStore(NamedTuple):
    """Where mailboxes can be: its name, as owners have it, what opens the rows of one there, what has the messages, and whether there may
    be rows of an owner, which is known without opening them."""

    name: str
    open: Callable[[Owner], Engine]
    bodies: Bodies
    has: Callable[[Owner], bool] = lambda _: True
