"""Moving a mailbox to another place, and removing what that has left behind, for whoever asks: the command line, one day the web.

What a move is, and what is left of one that was killed, `mailer.mailbox.moving` says. Everything here waits for the disk.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from mailer.config.sections.mailboxes import HOME
from mailer.mail.problem import Problem
from mailer.mailbox.fencing import thawed
from mailer.mailbox.moving.move import Move, purge
from mailer.mailbox.stores import MailboxStores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config import Config
    from mailer.mailbox.moving.move import Moved, MoveWatched
    from mailer.mailbox.owners.api import Owner


def move(config: Config, address: str, to: str, watched: MoveWatched | None = None, clock: Callable[[], float] = time.time) -> Moved:
    """Move the mailbox of `address` to the place `to`.

    Raises `Problem`: no-such where there is no mailbox, usage where it is there already, bad-config for a place that is none, try-again
    where it stays where it was.
    """
    with closing(MailboxStores(config)) as stores:
        owner = _owner(stores, address)
        return Move(stores.owners, stores.named(owner.store), stores.named(store_named(to)), clock, watched).run(owner)


def moved_json(address: str, moved: Moved) -> dict[str, object]:
    """A move as commands print it with ``--json``."""
    return {
        "address": address,
        "from": place_named(moved.source),
        "to": place_named(moved.owner.store),
        "rows": moved.rows,
        "messages": moved.bodies,
        "frozen": round(moved.frozen, 3),
    }


def forget_left(config: Config, address: str, place: str) -> None:
    """Remove what moves have left of a mailbox in `place`. Raises `Problem`: usage where the mailbox is there, else as `move`."""
    with closing(MailboxStores(config)) as stores:
        owner = thawed(stores.owners, _owner(stores, address), time.time())
        left = stores.named(store_named(place))
        purge(stores.owners, owner, left, time.time(), bodies_too=left.bodies is not stores.bodies_of(owner))


def places(config: Config) -> Sequence[str]:
    """The names of the places. Raises `Problem` (bad-config) where there is none."""
    with closing(MailboxStores(config)) as stores:
        return [place_named(name) for name in stores.by_name]


def place_named(store: str) -> str:
    """What people call the place of a store; that of ``[mailboxes]`` has no name among stores."""
    return store or HOME


def store_named(place: str) -> str:
    """The store that people call so."""
    return "" if place == HOME else place


def _owner(stores: MailboxStores, address: str) -> Owner:
    (owner,) = stores.owners.find([address])
    if owner is None:
        raise Problem(f"there is no mailbox of {address}; `mailer mailbox list` shows who has one", "no-such")
    return owner
