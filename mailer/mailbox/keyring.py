"""The keys of each owner: a pair for bodies and a key for the index, wrapped by a master key in the row of the owner.

Who gets new keys keeps the ones before until nothing needs them: what is wrapped is a list, the newest first. New is written with the
first; what is there opens with any. So whoever is killed while a mailbox changes its keys leaves one that opens.

An owner is read anew for each question, for the keys of one that somebody holds may have changed. Changes are made with his epoch, so that
of two who would give him keys at once one takes those of the other.
"""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.problem import Problem

from .api import NoKey
from .engine.encrypted_file import sqlite_with_ciphers
from .keys import unwrap, wrap
from .sealing import AgeSealing, age, new_pair

if TYPE_CHECKING:
    from .keys import MasterKeys
    from .owners.api import Owner, Owners
    from .sealing import Sealing

PRIVATE, INDEX = "private key", "index key"


class OwnerKeys(NamedTuple):
    """The keys of an owner, the newest first: `public` of the first of `identities`, as age writes them, and the `index_keys`.

    `number` is that of the master key that wraps them.
    """

    number: int
    public: str
    identities: tuple[str, ...]
    index_keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Without a key, wherever it is printed."""
        return f"OwnerKeys({self.number}, {self.public!r}, …)"

    @property
    def changing(self) -> bool:
        """Whether something may still need older ones."""
        return len(self.identities) > 1 or len(self.index_keys) > 1


class Keyring:
    """The keys of all `owners`, wrapped by `masters`. With `encrypting` an owner who has none is given some, and what is new is encrypted;
    without, those who have some can read. It may be used by several threads."""

    def __init__(self, owners: Owners, masters: MasterKeys, *, encrypting: bool) -> None:
        self.owners = owners
        self.masters = masters
        self.encrypting = encrypting

    def sealing(self, owner: Owner) -> Sealing | None:
        """What seals and opens his bodies, None where nothing of his is or is to be encrypted. Raises `NoKey`, `Problem`."""
        keys = self.of(owner)
        if keys is None:
            return None
        return AgeSealing(keys.number if self.encrypting else 0, keys.public, keys.identities)

    def of(self, owner: Owner) -> OwnerKeys | None:
        """The keys of an owner, made if that is wished and he has none. Raises `NoKey`, `Problem`."""
        now = self.ready(owner)
        return self.unwrapped(now) if now.key_number else None

    def ready(self, owner: Owner) -> Owner:
        """The owner as he is kept, with keys if what is new is to be encrypted. Raises `NoKey`, `Problem`."""
        now = self._kept(owner)
        if now.key_number or not self.encrypting:
            return now
        public, private = new_pair()
        try:
            return self.put(now, OwnerKeys(self.masters.newest(), public, (private,), (token_bytes(32),)))
        except Problem as problem:
            now = self._kept(owner)
            if isinstance(problem, NoKey) or not now.key_number:
                raise
            return now

    def look(self) -> None:
        """See whether what is needed is there: the libraries, and each master key. Raises `NoKey`, `Problem`."""
        needed = self.needed()
        if self.encrypting or needed:
            age()
            sqlite_with_ciphers()
        for number in sorted(needed):  # first: who lost a key puts it back, and makes no other one
            self.masters.of(number)
        if self.encrypting:
            self.masters.newest()

    def needed(self) -> dict[int, int]:
        """The numbers of the master keys that owners need, and how many of them each; of those who are removed as well."""
        found: dict[int, int] = {}
        for removed in (False, True):
            after = ""
            while some := self.owners.listing(after=after, removed=removed):
                for owner in some:
                    if owner.key_number:
                        found[owner.key_number] = found.get(owner.key_number, 0) + 1
                after = some[-1].id
        return found

    def put(self, owner: Owner, keys: OwnerKeys) -> Owner:
        """Keep these keys as his. Raises `NoKey`, and `Problem` (try-again) where he was changed meanwhile."""
        master = self.masters.of(keys.number)
        private, index = "\n".join(keys.identities).encode("ascii"), b"".join(keys.index_keys)
        return self.owners.put(
            owner._replace(
                public_key=keys.public,
                wrapped_private=wrap(master, keys.number, owner.id, PRIVATE, private),
                wrapped_index_key=wrap(master, keys.number, owner.id, INDEX, index),
                key_number=keys.number,
            )
        )

    def unwrapped(self, owner: Owner) -> OwnerKeys:
        """The keys in his row. Raises `NoKey`."""
        master = self.masters.of(owner.key_number)
        private = unwrap(master, owner.key_number, owner.id, PRIVATE, owner.wrapped_private).decode("ascii")
        index = unwrap(master, owner.key_number, owner.id, INDEX, owner.wrapped_index_key)
        cut = range(0, len(index), 32)
        return OwnerKeys(owner.key_number, owner.public_key, tuple(private.split()), tuple(index[at : at + 32] for at in cut))

    def _kept(self, owner: Owner) -> Owner:
        [now] = self.owners.by_id([owner.id])
        if now is None:
            raise Problem(f"there is no owner {owner.id} ({owner.address}) any more; nothing was changed", "no-such")
        return now
