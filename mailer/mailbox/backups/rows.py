"""All rows of a mailbox, of one moment, from one engine into another; what the other had of the owner goes in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mailbox import settings
from mailer.mailbox.moving.tables import TABLES

if TYPE_CHECKING:
    from mailer.mailbox.engine.api import Engine, Rows
    from mailer.mailbox.moving.tables import Row
    from mailer.mailbox.owners.api import Owner

CLEAR: Final = {name: f"DELETE FROM {name} WHERE owner = ?" for name in TABLES}
IDS: Final = "SELECT id FROM mail WHERE owner = ? ORDER BY id"
OPENED: Final = (
    "UPDATE account SET epoch = ?, next_uidvalidity = CASE WHEN next_uidvalidity < ? THEN ? ELSE next_uidvalidity END WHERE owner = ?"
)
DIGESTS: Final = "SELECT id, digest FROM mail WHERE owner = ? ORDER BY id"
KEYED: Final = "UPDATE mail SET key_number = ? WHERE owner = ?"


def copy_rows(source: Engine, target: Engine) -> None:
    """Have in `target` what `source` has, and nothing else of that owner. Raises `Problem`."""
    source.read(lambda rows: target.change(lambda into: _copy(rows, source.owner, into, target.owner)))


def restore_rows(source: Engine, target: Engine, owner: Owner, uidvalidity: int, key_number: int) -> None:
    """Have in `target`, a new mailbox of `owner`, what `source` has; new folders get at least that UIDVALIDITY. Raises `Problem`."""

    def act(rows: Rows, into: Rows) -> None:
        _copy(rows, source.owner, into, target.owner)
        into.change(OPENED, (owner.epoch, uidvalidity, uidvalidity, target.owner))
        settings.keep(into, target.owner, settings.OWNER, owner.id)
        into.change(KEYED, (key_number, target.owner))

    source.read(lambda rows: target.change(lambda into: act(rows, into)))


def ids(engine: Engine) -> list[str]:
    """The IDs of all messages. Raises `Problem`."""
    return engine.read(lambda rows: [str(row[0]) for row in rows.run(IDS, (engine.owner,))])


def digests(engine: Engine) -> list[tuple[str, bytes]]:
    """The IDs of all messages, each with the digest of its body. Raises `Problem`."""
    return engine.read(lambda rows: [(str(row[0]), bytes(row[1])) for row in rows.run(DIGESTS, (engine.owner,))])


def _copy(rows: Rows, owner: int, into: Rows, new: int) -> None:
    for name, table in TABLES.items():
        into.change(CLEAR[name], (new,))
        after: Row = ()
        while True:
            page = rows.run(table.BEHIND, (owner, *after, table.portion)) if after else rows.run(table.FIRST, (owner, table.portion))
            into.many(table.PUT, [(new, *row) for row in page])
            if len(page) < table.portion:
                break
            after = tuple(page[-1][: table.keys])
