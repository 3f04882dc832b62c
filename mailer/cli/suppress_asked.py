"""What the commands about the suppression list are given: options, addresses, scopes; and how the list is asked."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar

from mailer.operate import suppression as operate
from mailer.suppression.api import REASONS, SuppressionFilter

from .options import Option, usage
from .selectors import since

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.config import Config
    from mailer.suppression.api import SuppressionList

    from .options import Given

T = TypeVar("T")
SCOPE = Option("--scope", metavar="STREAM", help="for mail of this stream; * is all mail")
REASON = Option("--reason", metavar="WHY", words=[*REASONS], help=f"one of {', '.join(REASONS)}")
NOTE = Option("--note", metavar="TEXT", help="a word for whoever wonders why")
DRY_RUN = Option("--dry-run", "-n", help="say what would be done, and do nothing")
CLASS = Option("--class", metavar="CLASS", help="those of refusals of this class, as unknown-user")
SOURCE = Option("--source", metavar="SOURCE", help="those that came from there: report, refusal, page, command, api, or a file")
SINCE = Option("--since", metavar="WHEN", help="only what was done since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z")


def ask(given: Given, act: Callable[[SuppressionList], Awaitable[T]], *, make: bool = False) -> T:
    """What `act` makes of the list, which is made first if it is to be. Raises `Problem`."""

    async def asked() -> T:
        entries = operate.entries_of(config_of(given), make=make)
        try:
            return await act(entries)
        finally:
            await entries.close()

    return asyncio.run(asked())


def config_of(given: Given) -> Config:
    """The configuration. Raises `Problem`."""
    from mailer.config import load

    return load(given.text("--config"), given.text("--spool"))


def addresses_of(given: Given, *, one: bool = False) -> list[str]:
    """The operands as keys of the list, each once. Raises `Problem` (usage)."""
    if not given.operands or (one and len(given.operands) > 1):
        raise usage("it takes one address, or @domain" if one else "it takes addresses, or @domain", given.command.name)
    return [*dict.fromkeys(map(operate.key, given.operands))]


def scope_of(given: Given, otherwise: str) -> str:
    """The scope that was given. Raises `Problem` (usage)."""
    text = given.text("--scope")
    return otherwise if text is None else operate.scope(text)


def wanted_of(given: Given, now: float) -> SuppressionFilter:
    """The entries that were asked for. Raises `Problem` (usage)."""
    if len(given.operands) > 1:
        raise usage("it takes one address, in which * stands for any text", given.command.name)
    to = given.operands[0] if given.operands else ""
    to = to if "*" in to or not to else operate.key(to)
    why = given.text("--reason") or ""
    return SuppressionFilter(
        None if given.flag("--all") else now, to, scope_of(given, ""), why and operate.reason(why).value, given.text("--class") or "",
        given.text("--source") or "", since(given, now),
    )  # fmt: skip


def who() -> str:
    """The user of this process, as the log of the list names whoever changes it."""
    return f"unix:{os.getuid()}"
