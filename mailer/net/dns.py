"""MX hosts and addresses: what the DNS has for a name, remembered for as long as it says.

Used by `mailer.routing.mx`, ``mailer route`` and ``mailer check``. Three ends are kept apart, because mail depends on it:

- the records;
- `NotFound`: the DNS says that there are none. Mail can be given up on that, so it is believed only when two look-ups
  agree, the second of which begins with another name server where there is one;
- `DnsTrouble`: nobody could say. Mail waits. `Offline` is the kind where this machine has no network at all.

Answers of all three kinds are remembered, and askers of the same name at the same time share one question. What is
remembered costs a look into a dictionary.
"""

from __future__ import annotations

import asyncio
import time
from heapq import nsmallest
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.auth.records import DnsRecords
from mailer.mail.domain import ascii_domain

from .happy_eyeballs import arranged, has_route
from .query import AT_ONCE, SYSTEM, Asker, DnsAnswer, DnsTrouble, Offline
from .records import as_records, askable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config.kinds import HostPort

__all__ = ["DnsTrouble", "NotFound", "Offline", "Resolver"]

SHORTEST = 1.0  # seconds that any answer is remembered: a TTL of 0 must not mean a question for each recipient
LONGEST = 86400.0  # seconds that records are believed, whatever their TTL
LONGEST_ABSENCE = 300.0  # seconds that an absence is believed: somebody may be mending it; RFC 2308 §5 allows 3 hours
MOST_HOSTS = 20  # of a domain, the best by preference, and by name among equals: an answer has room for 2,900
MOST_ADDRESSES = 20  # of a host and a family, the first; an answer has room for 4,000
MOST_TEXT = 1 << 24  # characters of records that are remembered: an answer has room for 64 kB, and strangers choose whose are asked for
TROUBLE = 5.0  # seconds before a question that nobody could answer is asked again; RFC 9520 §3.2: 1 s to 5 min


PLAIN = " as it is"  # behind a type: the records are remembered as the DNS has them, apart from what is made of them for routes


class NotFound(Exception):
    """The DNS says that `name` has no such records. `kind`: nxdomain, nodata, or null_mx (RFC 7505: it takes no mail)."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"{name}: {kind}")
        self.name = name
        self.kind = kind


class _Known(NamedTuple):
    """What is known until a time: records, or what is missing, or what the trouble is."""

    until: float
    records: Sequence[Any] = ()
    missing: str = ""
    trouble: DnsTrouble | None = None
    size: int = 0


class Resolver:
    """A resolver that asks `nameservers`, which are addresses, with a port where it is not 53, or at the system's if there are none.

    One server may take `timeout` seconds, and one look-up, with all its questions, `lifetime`; `cache_size` answers are remembered, and
    `at_once` questions are under way. `clock` counts seconds; `system` and `online` are `query.Asker`'s. `family` is which addresses
    are wanted, see `arranged`.
    """

    def __init__(
        self,
        nameservers: Sequence[HostPort] = (),
        timeout: float = 5.0,
        lifetime: float = 15.0,
        cache_size: int = 10_000,
        family: str = "any",
        *,
        at_once: int = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
        system: str = SYSTEM,
        online: Callable[[], bool] = has_route,
    ) -> None:
        self._asker = Asker(nameservers, timeout, lifetime, system, online, at_once)
        self._cache_size = cache_size
        self._family = family
        self._clock = clock
        self._known: dict[tuple[str, str], _Known] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[_Known]] = {}
        self._size = 0

    @property
    def search(self) -> Sequence[str]:
        """The search domains of resolv.conf(5), in order; none where the configuration names the name servers."""
        return self._asker.search()

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """The MX records of `domain`, best first: preference and host (lower case, no dot at the end). RFC 5321 §5.1

        Raises `NotFound` and `DnsTrouble`.
        """
        return await self._look_up("MX", domain)

    async def addresses(self, host: str) -> list[str]:
        """The A and AAAA records of `host` in turn, A first; within a family in the order given (RFC 5321 §5.1).

        Raises `NotFound` and `DnsTrouble`; a host that has only addresses of a family that is not wanted is trouble of ours.
        """
        found = arranged(await self._look_up("A", host), self._family)
        if not found:
            raise DnsTrouble(host, f"it has only addresses of the family that family = {self._family} excludes")
        return found

    async def records(self, name: str, type: str) -> DnsRecords:
        """The records of `type` for `name` as rules want them, or why there are none; nothing raises."""
        found = self.remembered(name, type)
        if found is not None:
            return found
        return _plainly(name, await self._shared((type + PLAIN, askable(name))))

    def remembered(self, name: str, type: str) -> DnsRecords | None:
        """What `records` would say, if that is known; None if it has to be asked for."""
        asked = askable(name)
        if not asked:
            return DnsRecords(name, missing="nxdomain")
        known = self._known.get((type + PLAIN, asked))
        return None if known is None or known.until <= self._clock() else _plainly(name, known)

    async def _look_up(self, type: str, name: str) -> list[Any]:
        try:
            key = (type, ascii_domain(name))
        except ValueError:  # it cannot be in the DNS
            raise NotFound(name, "nxdomain") from None
        known = self._known.get(key)
        if known is None or known.until <= self._clock():
            known = await self._shared(key)
        if known.trouble:
            raise known.trouble.__class__(name, known.trouble.reason)
        if known.missing:
            raise NotFound(name, known.missing)
        return [*known.records]

    async def _shared(self, key: tuple[str, str]) -> _Known:
        """Ask, or wait with those who ask already. A waiter who leaves does not take the answer from the others."""
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._learn(key))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _learn(self, key: tuple[str, str]) -> _Known:
        type, name = key
        try:
            found = await (self._ask_plain(name, type.removesuffix(PLAIN)) if type.endswith(PLAIN) else self._ask_surely(name, type))
            longest = LONGEST_ABSENCE if found.missing else LONGEST
            ttl = min(max(found.ttl, SHORTEST), longest)
            size = sum(map(len, found.records)) if type.endswith(PLAIN) else 0
            known = _Known(self._clock() + ttl, found.records, found.missing, None, size)
        except DnsTrouble as trouble:
            known = _Known(self._clock() + TROUBLE, trouble=trouble)
        self._remember(key, known)
        return known

    async def _ask_plain(self, name: str, type: str) -> DnsAnswer:
        """Once: what a rule finds lacking, a message is judged by, and no more."""
        found = await self._asker.ask(name, type)
        return DnsAnswer(as_records(name, found).records, found.missing, found.ttl)

    async def _ask_surely(self, name: str, type: str) -> DnsAnswer:
        ask = self._ask_mx if type == "MX" else self._ask_addresses
        until = self._asker.deadline()
        found = await ask(name, until, again=False)
        if found.missing == "nxdomain" or (found.missing == "nodata" and type == "A"):
            found = _agreed(found, await ask(name, until, again=True))
        return found

    def _remember(self, key: tuple[str, str], known: _Known) -> None:
        self._forget(key)
        while self._known and (len(self._known) >= self._cache_size or self._size + known.size > MOST_TEXT):
            self._forget(next(iter(self._known)))  # the one that was learned longest ago
        self._known[key] = known
        self._size += known.size

    def _forget(self, key: tuple[str, str]) -> None:
        gone = self._known.pop(key, None)
        self._size -= gone.size if gone else 0

    async def _ask_mx(self, domain: str, until: float, *, again: bool) -> DnsAnswer:
        found = await self._asker.ask(domain, "MX", again=again, until=until)
        real = [record for record in found.records if len(record.exchange.labels) > 1]
        if found.records and not real:  # RFC 7505 §3; beside other records it means nothing
            return DnsAnswer((), "null_mx", found.ttl)
        best = nsmallest(MOST_HOSTS, real, key=lambda record: (record.preference, record.exchange.labels))
        hosts = {(record.preference, record.exchange.to_text(omit_final_dot=True).lower()) for record in best}
        return DnsAnswer(sorted(hosts), found.missing, found.ttl)

    async def _ask_addresses(self, host: str, until: float, *, again: bool) -> DnsAnswer:
        """Both families at once. One that fails while the other answers is asked for again soon."""
        questions = (self._asker.ask(host, type, again=again, until=until) for type in ("A", "AAAA"))
        answers = await asyncio.gather(*questions, return_exceptions=True)
        found = [answer for answer in answers if isinstance(answer, DnsAnswer)]
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        families = [[record.address for record in answer.records[:MOST_ADDRESSES]] for answer in found]
        if errors and not any(families):
            raise errors[0]
        ttl = min([answer.ttl for answer in found if answer.records] or [answer.ttl for answer in found])
        if any(families):
            taking_turns = chain.from_iterable(zip_longest(*families))
            return DnsAnswer([address for address in taking_turns if address], "", TROUBLE if errors else ttl)
        return DnsAnswer((), "nxdomain" if all(answer.missing == "nxdomain" for answer in found) else "nodata", ttl)


def _plainly(name: str, known: _Known) -> DnsRecords:
    return DnsRecords(name, tuple(known.records), known.missing, known.trouble.reason if known.trouble else "")


def _agreed(first: DnsAnswer, second: DnsAnswer) -> DnsAnswer:
    """Both say that something is missing, or the second is right. NXDOMAIN takes two; nodata is the lesser claim."""
    if second.missing == "nxdomain" and first.missing != "nxdomain":
        return first
    return second
