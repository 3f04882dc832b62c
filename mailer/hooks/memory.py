"""What is kept of endpoints, in memory: for tests, and for what ends with its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api import ABOUT, MOST_DEAD, HookStore
from .endpoint import EndpointState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .api import DeadEvent, HookWish


class MemoryHookStore(HookStore):
    """See `HookStore`. `most` octets of dead events are kept of each at least."""

    def __init__(self, most: int = MOST_DEAD) -> None:
        self._most = most
        self._states: dict[str, EndpointState] = {}
        self._dead: dict[str, list[DeadEvent]] = {}
        self._again: dict[str, list[DeadEvent]] = {}
        self._wishes: dict[tuple[str, str], HookWish] = {}

    async def note(self, name: str, state: EndpointState) -> None:
        """Keep it."""
        self._states[name] = state

    async def bury(self, name: str, dead: Sequence[DeadEvent]) -> None:
        """Keep them, and let the oldest go."""
        kept = self._dead.setdefault(name, [])
        kept += dead
        sizes = [len(each.event.as_line()) + len(each.why) for each in kept]
        while sum(sizes) > 2 * self._most:
            del kept[0], sizes[0]

    async def exhume(self, name: str, *, new: bool = True) -> Sequence[DeadEvent]:
        """Set them apart."""
        again = self._again.setdefault(name, [])
        if new:
            again += self._dead.pop(name, [])
        return [*again]

    async def settled(self, name: str) -> None:
        """Let them go."""
        self._again.pop(name, None)

    async def granted(self, name: str, wish: HookWish) -> None:
        """Forget it."""
        if self._wishes.get((name, ABOUT[wish.word])) == wish:
            del self._wishes[name, ABOUT[wish.word]]

    async def state(self, name: str) -> EndpointState:
        """What was noted."""
        return self._states.get(name, EndpointState())

    async def dead(self, name: str) -> Sequence[DeadEvent]:
        """The dead events, also those that are set apart."""
        return [*self._again.get(name, ()), *self._dead.get(name, ())]

    async def wish(self, name: str, wish: HookWish) -> None:
        """Note it."""
        self._wishes[name, ABOUT[wish.word]] = wish

    async def wishes(self, name: str) -> Sequence[HookWish]:
        """In no order that matters."""
        return [wish for (owner, _), wish in self._wishes.items() if owner == name]
