"""Return tokens: a reverse-path that says, where a report comes back to it, which message it is about, and that we have said so.

A variable envelope return path (VERP, D. J. Bernstein 1997). The local part of the bounce address gets an extension::

    bounces+01jd3yq8w0c6m4q2x9v5k7tz1n-0-4hq0zt8w2c@example.com
            ID of the message          |  signature
                                       number of the recipient from 1, or 0: of the whole transaction

The signature is HMAC-SHA256 (RFC 2104) over the first two, cut to 50 bits: ten symbols that nobody guesses by writing to us, and that leave
the local part within its 64 octets (RFC 5321 §4.5.3.1.1). Case does not matter, for some hosts change it. Nothing in it depends on the
attempt, so that a host which greylists sees the same reverse-path each time.

Whoever has got a message knows its token, and can show it again. So it proves what message a report is about, and nothing about what the
report says: what it may change ends with the envelope of that message. While a key is replaced there are two: who signs takes the first,
who reads takes either. Pure; used by `mailer.transport.courier` and `mailer.bounces.matching`.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_NAME: Final = 20
"""Octets that the local part of a bounce address may have, so that there is room for a token."""

WHOLE: Final = 0
"""The position of a token that stands for all recipients of a transaction."""

KEY: Final = 32  # octets of a key that is made here
LARGEST: Final = 99_999  # the last position that there is room for

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as in every ID
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_SHIFTS = (40, 30, 20, 10, 0)  # of two symbols each, of 5 bits
_ID = 26


class Mark(NamedTuple):
    """What a token says: the `id` of a message, and the `position` of its recipient from 1, or `WHOLE`."""

    id: str
    position: int


def mark(address: str, id: str, position: int, key: bytes) -> str:
    """The reverse-path for recipient number `position` (from 1; `WHOLE` for all) of message `id`; `address` is the bounce address.

    A position that there is no room for is taken for the whole. Raises `ValueError` for an address without a domain.
    """
    name, at, domain = address.rpartition("@")
    if not (name and at and domain):
        raise ValueError(f"{address!r} is no address with a domain")
    if position > LARGEST:
        position = WHOLE
    return f"{name}+{id}-{position}-{_signature(id, position, key)}".lower() + f"@{domain}"


def find(address: str, at: str, keys: Sequence[bytes]) -> Mark | None:
    """The mark in `address`, if it is the bounce address `at` with a token that one of `keys` has signed.

    `address` may be any text: it is a stranger's, so its length is looked at first.
    """
    name, _, domain = address.rpartition("@")
    own, _, own_domain = at.rpartition("@")
    if len(name) > 64 or domain.lower() != own_domain.lower() or not name.lower().startswith(f"{own.lower()}+"):
        return None
    token = name[len(own) + 1 :].upper()
    if not token.isascii() or token.count("-") != 2:
        return None
    id, position, signature = token.split("-")
    if len(id) != _ID or id.strip(_ALPHABET) or not (position.isdecimal() and str(int(position)) == position):
        return None
    number = int(position)
    good = [hmac.compare_digest(signature, _signature(id, number, key)) for key in keys]
    return Mark(id, number) if any(good) else None


def is_marked(address: str, at: str) -> bool:
    """Whether `address` looks like the bounce address `at` with an extension, whoever made it."""
    name, _, domain = address.rpartition("@")
    own, _, own_domain = at.rpartition("@")
    return domain.lower() == own_domain.lower() and name.lower().startswith(f"{own.lower()}+")


def _signature(id: str, position: int, key: bytes) -> str:
    digest = hmac.digest(key, f"return-path {id} {position}".encode("ascii"), hashlib.sha256)
    number = int.from_bytes(digest[:7], "big") >> 6  # 50 bits
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
