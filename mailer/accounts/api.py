"""A key of the HTTP API: what it may do, until when, and how its holder proves that he has it; and the interface of where keys are kept.

``mlr_`` + 8 symbols + 32 symbols of Crockford's base 32: the first eight name the key and are no secret, the others are its secret. So
a key is looked up by what is public, and only then compared, in a time that does not depend on where the two differ. Whoever presents a
key that does not exist, or one that has expired, costs the same.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mailer.mail.principal import Principal
from mailer.spool import ALPHABET

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX: Final = "mlr_"
ID: Final = 8  # symbols
SECRET: Final = 32  # symbols, 160 bits
SCOPES: Final = ("send", "status", "manage", "events", "suppress", "operator")
"""What a key may be for: to hand mail in, ask what became of it, cancel and replay it, read its events, say who is not to be mailed.

``operator`` makes its page and its events those of everybody's mail.
"""

LONGEST_NAME: Final = 64
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_NOBODY: Final = "0" * 64


class ApiKey(NamedTuple):
    """A key `name`, whose public part is `id`, and the SHA-256 of its secret in hexadecimal digits.

    `previous` is that of the secret before, which holds until `previous_until`. `senders` are patterns of the addresses that it may send
    as, `networks` those that it may come from, none for all; `stream` is the name of the kind of mail that it sends. `rate` is (number,
    seconds), None for no limit. Times are in seconds since the epoch, 0.0 for never.
    """

    name: str
    id: str
    digest: str
    scopes: frozenset[str]
    senders: tuple[str, ...] = ("*",)
    networks: tuple[str, ...] = ()
    stream: str = ""
    rate: tuple[int, float] | None = None
    created: float = 0.0
    expires: float = 0.0
    disabled: bool = False
    previous: str = ""
    previous_until: float = 0.0

    @property
    def principal(self) -> Principal:
        """The principal whose mail it is that is handed in with it."""
        return Principal(f"key:{self.name}")

    def holds(self, now: float) -> bool:
        """Whether it opens anything at `now`."""
        return not self.disabled and not (self.expires and self.expires <= now)

    def is_from(self, address: str) -> bool:
        """Whether whoever is at the IP `address` may use it; an empty one, of a unix socket, is in no network."""
        if not self.networks:
            return True
        if not address:
            return False
        found = ip_address(address)
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in ip_network(network) for network in self.networks)


class ApiKeys(Protocol):
    """Where keys are kept.

    What fails raises `Problem`: bad-config for what is there and cannot be used, no-permission, io-error, try-again.
    """

    async def all(self) -> Sequence[ApiKey]:
        """All keys, by name."""

    async def find(self, ids: Sequence[str]) -> Sequence[ApiKey | None]:
        """The keys with these public parts, None for one that there is not."""

    async def put(self, keys: Sequence[ApiKey], *, new: bool = False) -> None:
        """Keep each in place of the one of its name; durable when this returns. With `new`, raises `Problem` (usage) if one is there."""

    async def remove(self, names: Sequence[str]) -> Sequence[bool]:
        """Forget the keys of these names; whether each was there."""


def is_name(text: str) -> bool:
    """Whether a key can be called so: 1 to 64 letters, digits, dots, hyphens and underscores of ASCII, the first no dot or hyphen."""
    return 0 < len(text) <= LONGEST_NAME and text[0] not in ".-" and _NAME.issuperset(text)


def new_id() -> str:
    """The public part of a key to be."""
    return _random(ID)


def new_secret(id: str) -> tuple[str, str]:
    """A key with the public part `id`, as its holder is shown it, and the digest that is kept."""
    secret = _random(SECRET)
    return f"{PREFIX}{id}{secret}", digest_of(secret)


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def divided(presented: str) -> tuple[str, str]:
    """The public part of what somebody presents as a key, and its secret; two empty texts for what cannot be a key.

    Letters are read as Crockford's base 32 has them, in either case.
    """
    rest = presented.removeprefix(PREFIX)
    if len(presented) != len(PREFIX) + ID + SECRET or len(rest) == len(presented) or not rest.isascii():
        return "", ""
    rest = rest.upper()
    return rest[:ID], rest[ID:]


def proves(key: ApiKey | None, secret: str, now: float) -> bool:
    """Whether `secret` is that of `key`, which holds at `now`; as long in the making whatever is wrong with them."""
    given = digest_of(secret)
    current = compare_digest(given, key.digest if key else _NOBODY)
    before = compare_digest(given, (key and key.previous) or _NOBODY)
    return key is not None and key.holds(now) and (current or (before and now < key.previous_until))


def _random(symbols: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(symbols))
