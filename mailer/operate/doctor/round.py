"""Checks run side by side, each in a thread of its own or in the event loop, and each until its time is over."""

from __future__ import annotations

import asyncio
import traceback
from inspect import iscoroutinefunction
from threading import Lock
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from mailer.check.finding import FAIL, ORDER, Finding
from mailer.mail.problem import Problem
from mailer.net.aside import aside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

T = TypeVar("T")

LIMIT = 15.0  # seconds for one check; name servers that are silent take ten


class Once(Generic[T]):
    """What several checks want to know: the first of them, whichever that is, finds it out by `look`, and the others wait for that."""

    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._lock = Lock()
        self._found: list[T] = []

    def __call__(self) -> T:
        """What is found. Raises what `look` raises; then the next one looks again."""
        with self._lock:
            if not self._found:
                self._found.append(self._look())
            return self._found[0]


class Checkup(NamedTuple):
    """A check by its `name`, and what looks: a function that blocks, or one that is awaited."""

    name: str
    act: Callable[[], Iterable[Finding]] | Callable[[], Awaitable[Iterable[Finding]]]


async def all_of(looks: Sequence[Checkup], seconds: float = LIMIT) -> list[Finding]:
    """What all of them find, in their order. Raises nothing: what a check meets is a finding."""
    parts = await asyncio.gather(*(_one(each, seconds) for each in looks))
    return [finding for part in parts for finding in part]


async def _one(look: Checkup, seconds: float) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return [*await _act(look)]
    except TimeoutError:
        text = f"was not known after {seconds:g} s: what it looks at does not answer"
        return [Finding(look.name, "", FAIL, text, "look whether the disk, or the host that is asked, hangs (`dmesg`, `mount`)")]
    except (Problem, OSError) as error:
        where = getattr(error, "filename", "") or ""
        text = getattr(error, "strerror", "") or str(error)
        return [Finding(look.name, str(where), FAIL, f"cannot be looked at: {text}", "ask as root, or as the owner of the spool")]
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{at.filename.rpartition('mailer/')[2]}:{at.lineno}"
        text = f"the check broke: {type(error).__name__}: {error} ({place})"
        return [Finding(look.name, "", FAIL, text, "a bug of mailer: please report this line; what the check is about is not known")]


async def _act(look: Checkup) -> Iterable[Finding]:
    if iscoroutinefunction(look.act):
        found: Iterable[Finding] = await look.act()
        return found

    def listed() -> list[Finding]:
        made = look.act()
        assert not hasattr(made, "__await__")
        return [*made]

    return await aside(listed)


def sorted_by_worth(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first, and of one worth in their order."""
    return sorted(findings, key=lambda finding: -ORDER.index(finding.result))
