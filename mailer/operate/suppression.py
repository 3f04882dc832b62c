"""What is done with the suppression list, and asked of it: by commands, by the API, and by the page with which people unsubscribe."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address import AddressError, domain_of
from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem
from mailer.spool.files.store import SpoolDirectory
from mailer.suppression.address import domain_key_of, written
from mailer.suppression.api import ALL, REASONS, Reason, SuppressionEntry, SuppressionFilter, precedence, scope_of
from mailer.suppression.ledger import fits
from mailer.suppression.sqlite import SqliteSuppression
from mailer.suppression.table import SuppressionRow, as_json, read

from .status import Group

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mailer.config import Config
    from mailer.suppression.api import SuppressionChange, SuppressionDone, SuppressionList
    from mailer.suppression.unsubscribe import UnsubscribeToken

TOGETHER = 2000  # entries of one transaction: others write in between
TOLD = 20  # rows of a file that are told one by one
GROUPS: dict[str, Callable[[SuppressionEntry], str]] = {
    "reason": lambda entry: entry.reason.value,
    "class": lambda entry: entry.class_,
    "scope": lambda entry: entry.scope,
    "source": lambda entry: entry.source,
    "domain": lambda entry: domain_of(entry.address),
}
"""What entries are counted by."""


class Why(NamedTuple):
    """Why `address` is not mailed with mail of a stream: the entry that `holds`, None for none; all `entries` about it, and the `log`."""

    address: str
    holds: SuppressionEntry | None
    entries: Sequence[SuppressionEntry]
    log: Sequence[SuppressionChange]

    def as_json(self) -> dict[str, object]:
        """As ``mailer suppress why --json`` prints it."""
        return {
            "address": self.address,
            "suppressed": self.holds is not None,
            "entry": None if self.holds is None else as_json(self.holds),
            "entries": [as_json(each) for each in self.entries],
            "log": [change_as_json(each) for each in self.log],
        }


class Imported(NamedTuple):
    """What an import came to: entries `added`, those that were there `already` and last as long, what is `soft`, rows with problems."""

    added: int
    already: int
    soft: int
    wrong: Sequence[SuppressionRow]
    wrong_count: int
    change: int


def entries_of(config: Config, *, make: bool = False) -> SqliteSuppression:
    """The list that belongs to `config`; to `make` one, the spool is made where there is none.

    Raises `Problem` (no-permission) for a user who may not read the spool, and as that is made.
    """
    spool = SpoolDirectory(config.spool)
    if make and not os.path.isdir(spool.place):
        spool.prepare()
    spool.check_readable()
    return SqliteSuppression(spool.place)


def key(text: str) -> str:
    """The address, or ``@domain``, that a person means. Raises `Problem` (usage)."""
    try:
        return written(text)
    except AddressError as error:
        raise Problem(f"{error}; nothing was changed", "usage") from None


def scope(text: str) -> str:
    """The scope that a person means. Raises `Problem` (usage)."""
    try:
        return scope_of(text)
    except ValueError as error:
        raise Problem(f"{error}; nothing was changed", "usage") from None


def reason(text: str) -> Reason:
    """The reason that a person names. Raises `Problem` (usage)."""
    found = REASONS.get(text)
    if found is None:
        raise Problem(f"there is no reason {text[:40]!r}; there are {', '.join(REASONS)}", "usage")
    return found


async def unsubscribed(entries: SuppressionList, token: UnsubscribeToken, now: float) -> None:
    """Let an address leave a stream, as its link says. Durable when this returns; however often it is asked for, it is one entry."""
    entry = SuppressionEntry(
        key_of(token.address), scope_of(token.stream), Reason.UNSUBSCRIBE, source="page", evidence=token.message, at=now, by="recipient"
    )
    await entries.add([entry])


async def remove(
    entries: SuppressionList, addresses: Sequence[str], scope: str, *, by: str, at: float, note: str = "", try_only: bool = False
) -> SuppressionDone | Sequence[SuppressionEntry]:
    """Take all entries about `addresses` off the list, or those of one scope. Raises `Problem` (no-such) where there is none of one."""
    keys: list[tuple[str, str]] = []
    there: list[SuppressionEntry] = []
    for address in addresses:
        found = await _about(entries, SuppressionFilter(to=address, scope=scope))
        if not found:
            for_what = f" for {scope}" if scope else ""
            raise Problem(f"{address} is not on the suppression list{for_what}; nothing was changed", "no-such")
        there += found
        keys += [each.key for each in found]
    return there if try_only else await entries.remove(keys, by=by, at=at, note=note)


async def why(entries: SuppressionList, address: str, stream: str, now: float) -> Why:
    """Why `address` (a key) is not mailed, and all that is known of it."""
    about = [each for name in (address, domain_key_of(address)) if name for each in await _about(entries, SuppressionFilter(now, name))]
    found = {each.key: each for each in about}
    if stream:
        holds = next((found[each] for each in precedence(address, stream) if each in found), None)
    else:
        holds = next((found[each] for each in precedence(address, ALL) if each in found), next(iter(about), None))
    return Why(address, holds, about, await entries.log(address, limit=100))


async def _about(entries: SuppressionList, wanted: SuppressionFilter) -> Sequence[SuppressionEntry]:
    """The entries of the one address that is wanted, in which an asterisk is a letter as any other (RFC 5321 §4.1.2)."""
    return [each async for each in listed(entries, wanted, 0) if each.address == wanted.to]


async def listed(entries: SuppressionList, wanted: SuppressionFilter, limit: int) -> AsyncIterator[SuppressionEntry]:
    """The entries that are wanted, at most `limit`, 0 for all, in the order of their addresses."""
    after, left = ("", ""), limit or (1 << 62)
    while left > 0 and (page := await entries.listing(after=after, limit=min(left, 1000), wanted=wanted)):
        for each in page:
            yield each
        after, left = page[-1].key, left - len(page)


async def groups(entries: SuppressionList, wanted: SuppressionFilter, by: str, limit: int | None = None) -> list[Group]:
    """The entries that are wanted, counted by one of `GROUPS`; the most frequent first, no more than `limit`."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    async for each in listed(entries, wanted, 0):
        name = GROUPS[by](each) or "none"
        counts[name] += 1
        examples.setdefault(name, each.address)
    return [Group(by, name, count, examples[name]) for name, count in counts.most_common(limit)]


async def take_over(entries: SuppressionList, lines: Iterable[str], standard: SuppressionEntry, *, try_only: bool = False) -> Imported:
    """Add what a file has, in our form or another's. Raises `Problem` (bad-message) for what is no list; what came before stays."""
    added = already = soft = wrong_count = change = 0
    wrong: list[SuppressionRow] = []
    rows = read(lines, standard)
    while True:
        try:
            some = list(islice(rows, TOGETHER))
        except ValueError as error:
            so_far = f"; {added} entries before it were added" if added and not try_only else "; nothing was changed"
            raise Problem(f"this is no list of addresses: {error}{so_far}", "bad-message") from None
        if not some:
            return Imported(added, already, soft, wrong, wrong_count, change)
        bad = [row for row in some if row.problem]
        wrong, wrong_count = [*wrong, *bad][:TOLD], wrong_count + len(bad)
        soft += sum(row.soft for row in some)
        new = [row.entry for row in some if row.entry is not None]
        if try_only:
            added += len(new)
        elif new:
            done = await entries.add(new, change=change)
            change = change or done.change
            stand = sum(is_ == was for is_, was in zip(done.entries, new, strict=True))
            added, already = added + stand, already + len(new) - stand


async def changes_of(entries: SuppressionList, *, since: float, reason: str = "", class_: str = "", source: str = "") -> Sequence[int]:
    """The changes since then that added an entry with all of these, where they are given."""
    found: dict[int, None] = {}
    wanted = SuppressionFilter(reason=reason, class_=class_, source=source)
    for line in await entries.log(since=since, limit=1_000_000):
        if line.act == "add" and line.after is not None and fits(line.after, wanted):
            found[line.change] = None
    return [*found]


def change_as_json(change: SuppressionChange) -> dict[str, object]:
    """A line of the log as JSON."""
    from mailer.mail.dates import rfc3339

    return {
        "change": change.change,
        "at": rfc3339(change.at),
        "act": change.act,
        "address": change.address,
        "scope": change.scope,
        "by": change.by or None,
        "note": change.note or None,
        "reason": change.reason or None,
        "evidence": change.evidence or None,
        "before": None if change.before is None else as_json(change.before),
        "after": None if change.after is None else as_json(change.after),
    }
