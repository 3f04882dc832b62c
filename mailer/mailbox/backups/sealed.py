"""States of mailboxes that are encrypted: opened with the keys that their owner had when they were made.

They are in the state, wrapped by the master key, and say themselves which. Whoever the owner is now, or whether he is there at all, is not
asked: a state outlives him.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mailbox.engine.sealed import SealedEngine
from mailer.mailbox.keyring import Keyring

from .writing import KEPT, BackupTerms, plainly

if TYPE_CHECKING:
    from mailer.mailbox.engine.api import Engine
    from mailer.mailbox.owners.api import Owner
    from mailer.mailbox.sealing import Sealing


class KeyringThen(Keyring):
    """The keys of owners as they are given, and not as they are kept by now."""

    def _kept(self, owner: Owner) -> Owner:
        return owner


def sealed_terms(keyring: Keyring, kept: int = KEPT) -> BackupTerms:
    """What backups need where some mailboxes are encrypted. A state is encrypted if its owner has keys."""
    then = KeyringThen(keyring.owners, keyring.masters, encrypting=True)

    def open_rows(path: str, owner: Owner) -> Engine:
        return SealedEngine(path, owner, then) if owner.key_number else plainly(path, owner)

    def sealing(owner: Owner) -> Sealing | None:
        return then.sealing(owner) if owner.key_number else None

    return BackupTerms(open_rows, sealing, kept)
