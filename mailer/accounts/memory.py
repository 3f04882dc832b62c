"""Keys in memory: for tests, and for whoever needs them no longer than his process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .api import ApiKey


class MemoryApiKeys:
    """Keys that are gone with the process: an `ApiKeys`."""

    def __init__(self, keys: Sequence[ApiKey] = ()) -> None:
        self._keys = {key.name: key for key in keys}

    async def all(self) -> Sequence[ApiKey]:
        """All keys, by name."""
        return [self._keys[name] for name in sorted(self._keys)]

    async def find(self, ids: Sequence[str]) -> Sequence[ApiKey | None]:
        """The keys with these public parts."""
        known = {key.id: key for key in self._keys.values()}
        return [known.get(id) for id in ids]

    async def put(self, keys: Sequence[ApiKey], *, new: bool = False) -> None:
        """Keep each in place of the one of its name."""
        self._keys = merged(self._keys, keys, new=new)

    async def remove(self, names: Sequence[str]) -> Sequence[bool]:
        """Forget the keys of these names."""
        return [self._keys.pop(name, None) is not None for name in names]


def merged(known: dict[str, ApiKey], keys: Sequence[ApiKey], *, new: bool) -> dict[str, ApiKey]:
    """`known` with `keys`. Raises `Problem` (usage) if one is there and it is to be `new`."""
    there = [key.name for key in keys if key.name in known]
    if new and there:
        raise Problem(f"there is a key {there[0]!r} already; `mailer api key rotate {there[0]}` gives it another secret", "usage")
    return {**known, **{key.name: key for key in keys}}
