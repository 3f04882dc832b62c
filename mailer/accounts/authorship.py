"""As whom a user may write: his own address, with a tag or without, those that lead to him, and what else he was given.

Whether an address leads to him says `residents`, by the same rules by which mail for it would come to him: an alias, alone or among
others, and the catch-all of a domain. So nobody can write as a colleague, and everybody as whatever he is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .residents import Residents
    from .users.api import User


async def belongs(address: str, user: User, residents: Residents) -> bool:
    """Whether `address` is one of `user`. Raises `Problem` (unavailable) where that cannot be known now."""
    if not address or "*" in address:  # which is a pattern elsewhere
        return False
    if user.is_named(address):
        return True
    residence = await residents.resolve(address)
    if residence.kind == "trouble":
        raise Problem(f"whose address {address} is cannot be looked up now", "unavailable")
    if residence.kind == "elsewhere":
        return untagged(address) == user.key
    reached = [one.address for one in residence.recipients if one.outcome is None]
    if any(key_of(one) == user.key for one in reached):
        return True
    return await _is_tagged([one for one in reached if untagged(one) == user.key], residents)


async def _is_tagged(addresses: Sequence[str], residents: Residents) -> bool:
    """Whether one of them is nobody's own, but has a tag. Raises `Problem` (unavailable)."""
    try:
        return None in await residents.users.find(addresses)
    except Problem as problem:
        raise Problem(str(problem), "unavailable") from None


def untagged(address: str) -> str:
    """The key of an address without the ``+tag`` behind its name, RFC 5233."""
    local, _, domain = key_of(address).rpartition("@")
    name, plus, _ = local.partition("+")
    return f"{name if plus and name else local}@{domain}"
