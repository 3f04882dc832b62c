"""A user: his address, what proves that he is he, as whom he may send; and the interfaces of where users are looked up and kept.

A user is named by his address. Of his password there is a record by which it is checked, and the keys of SCRAM-SHA-256 (RFC 5802 §3) beside
it: neither opens anything for whoever reads them here. All passwords of one user share the salt and the number of iterations, so that a
server which does not know yet which of them a client has can ask for it in one way, and compare what comes with each.

`Users` is what the doors ask: who exists. `UserBook` is where users can be changed, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mailer.mail.address_key import key_of
from mailer.mail.pattern import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PURPOSES: Final = ("submission", "imap", "pop3", "web")
"""What an app password may be for."""


class KeyPair(NamedTuple):
    """What a server keeps of a password for SCRAM: StoredKey and ServerKey of RFC 5802 §3."""

    stored_key: bytes
    server_key: bytes


class AppPassword(NamedTuple):
    """A password that was made for one program, called `name`: random, so that the SHA-256 of it, in hexadecimal digits, keeps it.

    It opens what is among `purposes`, and nothing else, until it `expires`, 0 for never. Times are in seconds since the epoch.
    """

    name: str
    digest: str
    purposes: frozenset[str]
    keys: KeyPair | None = None
    created: float = 0.0
    expires: float = 0.0

    def opens(self, purpose: str, now: float) -> bool:
        """Whether it is for this purpose, and still good at `now`."""
        return purpose in self.purposes and not (self.expires and self.expires <= now)


class User(NamedTuple):
    """The user with the mailbox `address`.

    `password` is the record of his password as `mailer.accounts.password` writes it, empty where he has none; `keys` are those of SCRAM for
    it, which go with `salt` and `iterations`, as those of his app passwords do. `sends_as` are patterns of addresses that he may send as
    besides his own. `quota` and `quota_messages` are how many octets and messages his mailbox may have, 0 for no limit. One who is
    `disabled` may neither log in nor send; mail for him is taken as before. `created` is in seconds since the epoch.
    """

    address: str
    password: str = ""
    keys: KeyPair | None = None
    salt: bytes = b""
    iterations: int = 0
    app_passwords: tuple[AppPassword, ...] = ()
    sends_as: tuple[str, ...] = ()
    quota: int = 0
    disabled: bool = False
    created: float = 0.0
    quota_messages: int = 0

    @property
    def key(self) -> str:
        """What he is looked up by (`mailer.mail.address_key`)."""
        return key_of(self.address)

    def is_named(self, address: str) -> bool:
        """Whether `address` is his own, or one that he may send as by `sends_as`."""
        key = key_of(address)
        return key == self.key or any(fits(key_of(pattern), key) for pattern in self.sends_as)


class Proved(NamedTuple):
    """A user who is the one that he says, and the name of the app password that he proved it with; empty for his own."""

    user: User
    app: str = ""

    @property
    def expires(self) -> float:
        """When that password does, in seconds since the epoch, 0 for never."""
        return next((each.expires for each in self.user.app_passwords if self.app and each.name == self.app), 0.0)


class Users(Protocol):
    """Where users are looked up, by address, however that is written.

    What fails raises `Problem`: bad-config for what is there and cannot be used, no-permission, io-error, try-again.
    """

    async def find(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """The users with these addresses, None for one that there is not. Few are told without a wait for anybody."""

    def find_now(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """As `find`, at once, in the thread of whoever asks, as far as it is known here."""

    def is_gone(self, address: str) -> bool:
        """Whether it is certain, in the thread of whoever asks, that there is no such user now. Raises `Problem`."""

    def stand_in(self) -> User | None:
        """A user who is as others here are, for whoever is not there to cost as much; None where all are as `mailer.operate` makes them."""

    async def close(self) -> None:
        """Let go of what is open."""


class UserBook(Users, Protocol):
    """Where users are kept."""

    async def listing(self, *, after: str = "", limit: int = 1000) -> Sequence[User]:
        """Users in the order of their keys, those behind the address `after`."""

    async def put(self, users: Sequence[User], *, new: bool = False) -> None:
        """Keep each in place of the one of his address; durable when this returns. With `new`, raises `Problem` (usage) if one is there."""

    async def change(self, address: str, act: Callable[[User], User]) -> User | None:
        """Keep what `act` makes of the user with that address; who changes him at the same time comes before or after. None where there is
        no such user, who is not made; what `act` raises is raised, and nothing is changed."""

    async def remove(self, addresses: Sequence[str]) -> Sequence[bool]:
        """Forget the users of these addresses; whether each was there."""
