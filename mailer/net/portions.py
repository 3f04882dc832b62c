"""Portions: what is about very many recipients, or about a large message, keeps nobody else from his turn of the loop.

A message may have ten thousand recipients, each with a reply of its own, and as many megabytes as the operator allows. What is done for
each recipient is done in portions (`portions`), one in a turn of the loop. What takes the content as a whole is done in
a thread (`mailer.net.aside`, from `LARGE` bytes on), which gives up the interpreter for it. Ordinary mail pays a comparison for that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

T = TypeVar("T")

MANY = 200  # outcomes; what is done for each of them takes some 50 microseconds
REFUSED = 20  # refusals; each is looked for among hundreds of phrases, which takes up to a millisecond


async def portions(items: Sequence[T], most: int = MANY) -> AsyncIterator[Sequence[T]]:
    """`items`, so many at a time. Of all that are done in portions, one portion is done in one turn of the loop."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    for at in range(0, len(items), most):
        async with turn:
            yield items[at : at + most]
            await asyncio.sleep(0)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
