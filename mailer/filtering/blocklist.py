"""DNS lists of addresses, asked for each client: what each of them adds to the sum, and whether it is believed.

All lists are asked at once, when a client calls, and nobody waits for them before their answers matter. What does not answer within
its time is ignored, and so is a list that is broken: one that answers what no list does, or is wrong about its own test entries, which it
is asked for every `AGAIN` seconds (RFC 5782 §5). A broken list is an alarm; mail goes on without it.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from mailer.auth import blocklist as rule
from mailer.events import Alarm, Mended

from .api import FilterStep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.auth.records import DnsRecords
    from mailer.config.sections.filtering import FilterSection
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.net.records import RecordLookup

AGAIN = 4 * 3600.0  # seconds
SOON = 60.0  # the same while the list is not believed, or nobody could say


class ListAnswer(NamedTuple):
    """What a list says of a client, and what that adds. `listed` is why, for the client, where it speaks against him."""

    step: FilterStep
    listed: str = ""


class AddressList:
    """One list, as `section` has it."""

    def __init__(self, section: FilterSection, dns: RecordLookup, tell: Callable[[Event], None], clock: Clock) -> None:
        self.section = section
        self.trouble = "its test entries were not looked up yet"
        """Why it is not believed; empty while it is."""
        self._dns = dns
        self._tell = tell
        self._clock = clock
        self._due = 0.0
        self._testing: asyncio.Task[None] | None = None

    async def ask(self, ip: str) -> ListAnswer:
        """What it says of the client at `ip`. Raises nothing."""
        try:
            async with asyncio.timeout(self.section.timeout):
                if not await self.believed():
                    return self._said("ignored", self.trouble)
                answer = await self._dns.records(rule.entry(ip, self.section.address), "A")
                why = await self._dns.records(rule.entry(ip, self.section.address), "TXT") if answer.records else None
        except TimeoutError:
            return self._said("ignored", f"no answer within {self.section.timeout:g} s")
        if answer.trouble:
            return self._said("ignored", answer.trouble)
        if broken := rule.unusable(answer.records[: rule.MOST]):
            self._broken(broken)
            return self._said("ignored", broken)
        return self._listed(ip, answer, why.records[0] if why and why.records else "")

    def _listed(self, ip: str, answer: DnsRecords, why: str) -> ListAnswer:
        score = rule.score(answer.records[: rule.MOST], self.section.score, self.section.scores)
        if not answer.records:
            return self._said("not listed")
        text = f"{', '.join(answer.records[:4])}{f': {why[:200]}' if why else ''}"
        said = self._said("listed", text, score)
        return said._replace(listed=f"{ip} is listed by {self.section.address}") if score > 0 else said

    def _said(self, result: str, reason: str = "", score: float = 0.0) -> ListAnswer:
        return ListAnswer(FilterStep(f"blocklist {self.section.name}", result, reason, score))

    async def ping(self) -> str:
        """Whether it is right about its test entries. Raises `OSError` where it is not, or does not answer in time."""
        async with asyncio.timeout(self.section.timeout):
            if not await self.believed():
                raise OSError(self.trouble)
        return "it is right about its test entries"

    async def believed(self) -> bool:
        """Whether it is believed; it is tested where that is due. For the test of one that is, nobody waits."""
        if self._testing is None and monotonic() >= self._due:
            self._testing = asyncio.create_task(self._test())
        if self.trouble and self._testing is not None:
            await asyncio.shield(self._testing)
        return not self.trouble

    async def _test(self) -> None:
        names = [rule.entry(each, self.section.address) for each in (rule.LISTED, rule.NOT_LISTED)]
        listed, other = await asyncio.gather(*(self._dns.records(name, "A") for name in names))
        self._testing = None
        self._due = monotonic() + SOON
        if listed.trouble or other.trouble:
            self.trouble = self.trouble and f"its test entries cannot be looked up: {listed.trouble or other.trouble}"
        elif broken := rule.untrue(listed.records[: rule.MOST], other.records[: rule.MOST]):
            self._broken(broken)
        else:
            self.trouble = ""
            self._due = monotonic() + AGAIN
            self._tell(Mended(self._clock.now(), "filter", self.section.name, "it is right about its test entries"))

    def _broken(self, why: str) -> None:
        self.trouble = why
        self._due = monotonic() + SOON
        text = f"the list {self.section.address} is broken, and is not counted: {why}"
        remedy = "ask through a resolver of your own, register with the list, or take its [[filter]] away"
        self._tell(Alarm(self._clock.now(), "filter", text, self.section.name, remedy))

    def close(self) -> None:
        """Test it no more."""
        if self._testing is not None:
            self._testing.cancel()


async def asked(lists: Sequence[AddressList], ip: str) -> list[ListAnswer]:
    """What all of `lists` say of the client at `ip`."""
    return [*await asyncio.gather(*(each.ask(ip) for each in lists))]
