"""The passwords of crypt(3) by SHA-512 (``$6$``) and SHA-256 (``$5$``), which Python no longer has a module for.

The steps are those of the specification "Unix crypt using SHA-256 and SHA-512" (Ulrich Drepper, version 0.6 of 2016-08-31). They take
5000 rounds of a digest where a record does not say more.
"""

from __future__ import annotations

import hashlib
from typing import Final

_SYMBOLS: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS: Final = 5000
_FEWEST, _MOST = 1000, 1_000_000
_LONGEST_SALT: Final = 16


def sha_crypt(password: bytes, text: str, *, only_read: bool = False) -> str:
    """The record of `password` with the salt and the rounds of the record `text`; equal to it where the password is right.

    With `only_read` it is not made, but `text` as it is. Raises `ValueError` for a text that is no such record.
    """
    said = "$rounds=" in text
    empty, kind, *rest = text.split("$") if text.count("$") == 3 + said else ("", "")
    if empty or kind not in _ORDERS:
        raise ValueError("it is no record of crypt(3)")
    rounds = int(rest.pop(0).removeprefix("rounds=")) if said else _ROUNDS
    if not _FEWEST <= rounds <= _MOST:
        raise ValueError(f"its rounds are not between {_FEWEST} and {_MOST}")
    salt = rest[0][:_LONGEST_SALT]
    if only_read:
        return text
    digest = _digest("sha512" if kind == "6" else "sha256", password, salt.encode(), rounds)
    head = f"${kind}${f'rounds={rounds}$' if said else ''}{salt}$"
    return head + _written(digest, _ORDERS[kind])


def _digest(name: str, password: bytes, salt: bytes, rounds: int) -> bytes:
    def made(*parts: bytes) -> bytes:
        return hashlib.new(name, b"".join(parts)).digest()

    size, length = hashlib.new(name).digest_size, len(password)
    second = made(password, salt, password)
    parts = [password, salt, _stretched(second, length)]
    bits = length
    while bits:
        parts.append(second if bits & 1 else password)
        bits >>= 1
    found = made(*parts)
    name_of = _stretched(made(password * length), length)
    salt_of = _stretched(made(salt * (16 + found[0])), len(salt))
    assert len(found) == size
    for turn in range(rounds):
        odd = turn & 1
        found = made(
            name_of if odd else found,
            salt_of if turn % 3 else b"",
            name_of if turn % 7 else b"",
            found if odd else name_of,
        )
    return found


def _stretched(octets: bytes, length: int) -> bytes:
    return (octets * (length // len(octets) + 1))[:length]


def _written(digest: bytes, order: tuple[tuple[int, ...], ...]) -> str:
    """Three octets are four symbols, the lowest six bits first; the octets stand in an order of their own."""
    made = []
    for places in order:
        value = 0
        for place in places:
            value = value << 8 | digest[place]
        for _ in range(len(places) + 1):
            made.append(_SYMBOLS[value & 63])
            value >>= 6
    return "".join(made)


def _turning(size: int, step: int, last: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The order of the octets: three that are a third of them apart, which take turns in coming first."""
    found = []
    for at in range(size // 3):
        three = [at, at + size // 3, at + size // 3 * 2]
        turn = at * step % 3
        found.append((*three[turn:], *three[:turn]))
    return (*found, last)


_ORDERS: Final = {"6": _turning(63, 1, (63,)), "5": _turning(30, 2, (31, 30))}
