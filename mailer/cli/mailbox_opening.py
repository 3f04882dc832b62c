"""What all files of ``mailer mailbox`` need: the mailboxes of the configuration, and one of them."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config import Config
    from mailer.mailbox.api import Mailbox
    from mailer.mailbox.mailboxes import Mailboxes

    from .options import Given


@contextmanager
def opened(given: Given) -> Iterator[Mailboxes]:
    """The mailboxes of the configuration."""
    from mailer.mailbox.configured import mailboxes_of

    mailboxes = mailboxes_of(config_of(given))
    try:
        yield mailboxes
    finally:
        mailboxes.close()


@contextmanager
def mailbox_of(given: Given, address: str, *, make: bool = False) -> Iterator[Mailbox]:
    """The mailbox of an address, which is made with `make` where there is none."""
    with opened(given) as mailboxes, mailboxes.of(address, make=make) as mailbox:
        yield mailbox


@contextmanager
def mailbox_for(given: Given, address: str, *, new: bool) -> Iterator[Mailbox]:
    """The mailbox of an address; a `new` one may be made for a user, who has none before his first mail."""
    from mailer.operate import mailbox_rules as operate

    make = new and asyncio.run(operate.lives_here(config_of(given), address))
    with mailbox_of(given, address, make=make) as mailbox:
        yield mailbox


def config_of(given: Given) -> Config:
    """The configuration that was asked for, or is found."""
    from mailer.config import load

    return load(given.text("--config"), given.text("--spool"))


def addresses(given: Given) -> Sequence[str]:
    """The addresses of all mailboxes, for a shell to offer."""
    from mailer.operate import mailboxes as operate

    with opened(given) as mailboxes:
        return [line.owner.address for line in operate.listing(mailboxes, {})]
