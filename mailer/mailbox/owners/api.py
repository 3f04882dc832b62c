"""An owner of a mailbox, and the interface of where owners are kept.

His ID is a ULID and names his rows and files; it never changes. His address may. `number` is what stands for him in rows that are shared
with others. Of an owner who is ``removed`` nobody finds the mailbox by an address any more; it is kept until a sweep, so that a mistake can
be undone. Whose mailbox is ``frozen`` may read and not write until `until`, after which it is open again, whatever became of whoever froze
it; of one who is open, `until` keeps moves from beginning (`mailer.mailbox.moving`). `epoch` is one more with each change of him, so that
of two who would change him at once one is told to look again (`mailer.mailbox.fencing` says what it is for beside that).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Owner(NamedTuple):
    """The owner of a mailbox. Times are in seconds since the epoch, 0 for never.

    `store` names where his mailbox is, empty for the only one. `public_key`, `wrapped_private` and `wrapped_index_key` are those of a
    mailbox that is encrypted, wrapped by the master key `key_number`; 0 where it is not.
    """

    id: str
    number: int
    address: str
    created: float
    state: Literal["open", "frozen", "removed"] = "open"
    until: float = 0.0
    store: str = ""
    epoch: int = 1
    public_key: str = ""
    wrapped_private: bytes = b""
    wrapped_index_key: bytes = b""
    key_number: int = 0


class Owners(Protocol):
    """Where owners are kept; addresses are compared by `key_of`. What fails raises `Problem`, as `mailer.mailbox.engine.api` has it."""

    def find(self, addresses: Sequence[str]) -> Sequence[Owner | None]:
        """The owners of the mailboxes of these addresses, None where nobody has one; nobody who is removed."""

    def by_id(self, ids: Sequence[str]) -> Sequence[Owner | None]:
        """The owners with these IDs, removed ones as well."""

    def make(self, address: str, now: float, store: str = "") -> Owner:
        """The owner of `address`, made if there is none: of two who make one at once both get the same. Raises `Problem` (usage) for what
        cannot be an address."""

    def put(self, owner: Owner) -> Owner:
        """Keep him in place of the one of his ID, if that one has the same epoch; as he is kept then, with the next epoch.

        His number and when he was created stay as they are. Raises `Problem`: try-again where the epoch is another, no-such where he is
        unknown, usage where another has his address.
        """

    def succeed(self, owner: Owner, removed: Owner | None) -> Owner:
        """Keep `owner` as `put` does, and with him, in one transaction, `removed`, who had his address. Raises `Problem`."""

    def listing(self, *, after: str = "", limit: int = 1000, removed: bool = False) -> Sequence[Owner]:
        """Owners in the order of their IDs, those behind the ID `after`; with `removed`, those who are."""

    def forget(self, id: str) -> None:
        """Forget one who is removed, for ever; his number is nobody's again. Raises `Problem` (usage) for one who is not removed."""

    def close(self) -> None:
        """Let go of what is open."""
