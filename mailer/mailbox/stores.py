"""The places where mailboxes can be, as the configuration has them: that of ``[mailboxes]``, without a name, and each of
``[[mailbox_store]]``.

A place has the rows of mailboxes in a file each, or in a database of PostgreSQL, and their messages below its path; one without a path has
the messages where the nameless one has them. Nothing is made, and nobody is asked, before a mailbox is wanted there.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from mailer.config.secret import keeper_of
from mailer.config.values import nowhere
from mailer.mail.problem import Problem
from mailer.spool.files.owner import as_owner_of

from . import settings
from .bodies.files import FileBodies
from .engine.sealed import SealedEngine
from .engine.sqlite import SqliteEngine
from .layout import Layout
from .masters import keyring_of
from .moving.place import MailboxStore
from .owners.sqlite import TERMS, SqliteOwners

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.config.sections.mailboxes import MailboxSection, MailboxStoreSection

    from .bodies.api import Bodies
    from .engine.api import Engine
    from .engine.connections import Connections
    from .owners.api import Owner, Owners


class MailboxStores:
    """The places of `config`, the owners of all mailboxes, and their keys. Raises `Problem` (bad-config) where there is none."""

    def __init__(self, config: Config) -> None:
        if not config.mailboxes_path:
            raise nowhere()
        self._spool = config.spool
        self._connections: list[Connections] = []
        layout = Layout(config.mailboxes_path)
        bodies = FileBodies(layout, partial(as_owner_of, layout.root))
        self.owners: Owners = OwnersBelow(layout, config.spool)
        self.shared: Connections | None = None  # the database that has the owners, for all machines
        if config.mailboxes.database:
            from .owners.postgres import PostgresOwners

            self.shared = connections = self._connected(config.mailboxes)
            self.owners = PostgresOwners(connections)
            stores = [MailboxStore("", partial(self._in_database, connections), bodies)]
        else:
            stores = [MailboxStore("", partial(self._in_file, layout), bodies, partial(_has_file, layout))]
        stores += [self._store(section, bodies) for section in config.mailbox_stores]
        self.keyring = keyring_of(config, self.owners)
        self.by_name = {store.name: store for store in stores}

    def named(self, name: str) -> MailboxStore:
        """The store of that name. Raises `Problem` (bad-config)."""
        if name not in self.by_name:
            known = ", ".join(each or "the one of [mailboxes]" for each in self.by_name)
            raise Problem(f"there is no [[mailbox_store]] {name!r} in the configuration; there are: {known}", "bad-config")
        return self.by_name[name]

    def open(self, owner: Owner) -> Engine:
        """The rows of an owner, where he is. Raises `Problem`."""
        return self.named(owner.store).open(owner)

    def bodies_of(self, owner: Owner) -> Bodies:
        """What has the messages of an owner, where he is. Raises `Problem`."""
        return self.named(owner.store).bodies

    def sweep(self, owner: Owner, before: float) -> None:
        """Remove what moves have left of a mailbox before this time. Raises `Problem`."""
        if len(self.by_name) == 1:
            return
        from .moving.move import left_since, purge

        for store in self.by_name.values():
            since = left_since(owner, store)
            if since is not None and since < before:
                purge(self.owners, owner, store, time.time(), bodies_too=store.bodies is not self.bodies_of(owner))
                owner = self.owners.by_id([owner.id])[0] or owner

    def call(self, owner: str, folder: int, modseq: int) -> None:
        """Let other machines know of a change, where there is a database that they share. Raises nothing."""
        if self.shared is not None:
            from . import wire

            wire.call(self.shared, owner, folder, modseq)

    def close(self) -> None:
        """Let go of what is open."""
        self.owners.close()
        for each in self._connections:
            each.close()

    def _store(self, section: MailboxStoreSection, bodies: Bodies) -> MailboxStore:
        layout = Layout(section.path)
        own = FileBodies(layout, partial(as_owner_of, layout.root)) if section.path else bodies
        if section.database:
            return MailboxStore(section.name, partial(self._in_other_database, self._connected(section)), own)
        return MailboxStore(section.name, partial(self._in_file, layout), own, partial(_has_file, layout))

    def _in_file(self, layout: Layout, owner: Owner) -> Engine:
        have_root(layout, self._spool)
        with as_owner_of(layout.root):
            layout.have(layout.home(owner.id))
        if self.keyring.encrypting or owner.key_number:
            return SealedEngine(layout.index(owner.id), owner, self.keyring)
        return SqliteEngine(layout.index(owner.id))

    @staticmethod
    def _in_database(connections: Connections, owner: Owner) -> Engine:
        from .engine.postgres import PostgresEngine

        return PostgresEngine(connections, owner.number)

    def _in_other_database(self, connections: Connections, owner: Owner) -> Engine:
        """His rows in a database that has not the owners, which may have those of another with his number: of another machine, or of
        whoever had it when the file of owners was another. Raises `Problem` (bad-config) then."""
        engine = self._in_database(connections, owner)
        whose = engine.read(lambda rows: settings.get(rows, engine.owner, settings.OWNER))
        if whose not in ("", owner.id):
            text = f"the database {connections.where} has the rows of another owner, {whose}, for the number of {owner.address}"
            raise Problem(
                f"{text}: machines that share it share the owners as well, by mailboxes.database; nothing was changed", "bad-config"
            )
        return engine

    def _connected(self, section: MailboxSection | MailboxStoreSection) -> Connections:
        from . import schema
        from .engine.connections import Connections
        from .engine.postgres import TURN
        from .owners import schema as owners

        tables = {"engine": (TURN,), "mailboxes": schema.POSTGRESQL, "owners": owners.POSTGRESQL}
        made = Connections(section.database, tables, section.secret or "")
        self._connections.append(made)
        return made


def _has_file(layout: Layout, owner: Owner) -> bool:
    return os.path.exists(layout.index(owner.id))


class OwnersBelow(SqliteOwners):
    """The owners of the mailboxes of `layout`, whose directory is made with the first of them: for whoever has the spool.

    Where there are mailboxes, and the file that says whose they are is gone, nobody gets an empty one in place of his.
    """

    def __init__(self, layout: Layout, spool: str) -> None:
        super().__init__(layout.owners, self._refuse_lost)
        self._layout = layout
        self._spool = spool

    def make(self, address: str, now: float, store: str = "") -> Owner:
        """The owner of `address`, made if there is none. Raises `Problem`."""
        have_root(self._layout, self._spool)
        return super().make(address, now, store)

    def _refuse_lost(self) -> None:
        if self._layout.is_inhabited():
            text = f"{TERMS.what} {self._layout.owners} is gone, and there are mailboxes below {self._layout.homes}"
            raise Problem(f"{text}: put back a copy of it, or move those aside and restore them from a backup", "io-error")


def have_root(layout: Layout, spool: str) -> None:
    """Have the directory of a layout, for whoever has the spool. Raises `Problem`."""
    if not os.path.isdir(layout.root):
        layout.have(layout.root)
        keeper_of(spool).give(layout.root)
