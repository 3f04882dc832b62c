"""Filters as an operator asks about them: what would become of a message that comes from there, and how each filter does.

A trial goes the way that a door goes, with the same panel, and takes nothing: nobody is told of what it meets, and who would be put off
once is not noted.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.auth.iprev import confirmed_name
from mailer.filtering.api import FilterStep
from mailer.filtering.component import resolver_of
from mailer.filtering.grey import GreyDoor
from mailer.filtering.greylist.memory import MemoryGreylist
from mailer.filtering.panel import FilterPanel
from mailer.io.clock import SystemClock
from mailer.mail.arrival import Arrival
from mailer.mail.header_check import useless_header
from mailer.net.records import answered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mailer.config import Config
    from mailer.filtering.api import Ruling, Verdict
    from mailer.filtering.panel import FilterCase
    from mailer.smtp.reply import Reply

PATIENCE = 5.0  # seconds for the name of the client


class TrialMail(NamedTuple):
    """A message as somebody would bring it: from which address, by which name, for whom."""

    ip: str
    hello: str
    sender: str
    recipients: Sequence[str]
    content: bytes
    tls: str = ""


class Trial(NamedTuple):
    """What would become of it, what the client would hear, and every step with its reason. `fields` would be on top."""

    verdict: Verdict
    reply: str
    steps: Sequence[FilterStep]
    score: float = 0.0
    fields: str = ""

    def as_json(self) -> dict[str, Any]:
        """As ``mailer filter test --json`` has it."""
        steps = [{"step": each.step, "result": each.result, "reason": each.reason, "score": each.score} for each in self.steps]
        return {"verdict": self.verdict, "reply": self.reply or None, "score": round(self.score, 3), "fields": self.fields, "steps": steps}


class FilterState(NamedTuple):
    """How a filter does: `well` says how, or `trouble` what is wrong; then `otherwise` is what becomes of mail."""

    name: str
    kind: str
    place: str
    well: str
    trouble: str
    otherwise: str

    def as_json(self) -> dict[str, Any]:
        """As ``mailer filter list --json`` has it."""
        return {name: value or None for name, value in self._asdict().items()}


async def tried(config: Config, mail: TrialMail) -> Trial:
    """What would become of `mail` by `config`."""
    async with _panel(config) as panel:
        arrival = await _arrival(panel, mail)
        case = panel.case(mail.ip)
        try:
            return await _gone_through(config, panel, case, arrival, mail)
        finally:
            await case.ended()


async def states(config: Config) -> list[FilterState]:
    """How each filter does, asked now."""
    async with _panel(config) as panel:
        found = await panel.pinged()
    return [
        FilterState(section.name, section.kind, section.address or section.command[0], well, trouble, section.otherwise)
        for section, well, trouble in found
    ]


@asynccontextmanager
async def _panel(config: Config) -> AsyncIterator[FilterPanel]:
    """A panel of its own, by which nobody is put off."""
    marks = config.filtering.but(greylist=False, greet_delay=0.0)
    panel = FilterPanel(config.but(filtering=marks), resolver_of(config), lambda _: None, SystemClock(), MemoryGreylist())
    try:
        yield panel
    finally:
        await panel.close()


async def _arrival(panel: FilterPanel, mail: TrialMail) -> Arrival:
    name = ""
    if mail.ip:
        try:
            async with asyncio.timeout(PATIENCE):
                name = await answered(confirmed_name(mail.ip), panel.resolver.records)
        except TimeoutError:
            pass
    return Arrival("mx", mail.ip, mail.hello, "ESMTPS" if mail.tls else "ESMTP", mail.tls, name, "", panel.clock.now())


async def _gone_through(config: Config, panel: FilterPanel, case: FilterCase, arrival: Arrival, mail: TrialMail) -> Trial:
    steps = [_client(arrival)]
    if reply := await case.sender(arrival, mail.sender):
        return _refused("sender", reply, [*steps, *await _listed(case, arrival)])
    for recipient in mail.recipients:
        if reply := await case.recipient(arrival, mail.sender, recipient):
            return _refused(f"recipient {recipient}", reply, [*steps, *await _listed(case, arrival)])
    steps += await _greylisted(config, panel, case, arrival, mail)
    if why := useless_header(mail.content):
        text = f"550 5.6.0 the header {why}"
        return Trial("refuse", text, [*steps, *await _listed(case, arrival), FilterStep("header", "refuse", f"the header {why}")])
    ruling = await case.judge(arrival, mail.sender, mail.recipients, mail.content)
    return _ruled(ruling, steps)


async def _listed(case: FilterCase, arrival: Arrival) -> list[FilterStep]:
    return [each.step for each in await case.answers(arrival)]


def _client(arrival: Arrival) -> FilterStep:
    if not arrival.ip:
        return FilterStep("client", "noted", "it calls by a unix socket")
    named = f"it is {arrival.name}" if arrival.name else "its address has no name that leads back to it"
    return FilterStep("client", "noted", f"{named}, and says {arrival.hello or 'nothing'}")


async def _greylisted(config: Config, panel: FilterPanel, case: FilterCase, arrival: Arrival, mail: TrialMail) -> list[FilterStep]:
    """Whether it would be put off once; that decides nothing here, for then it comes again."""
    if not config.filtering.greylist:
        return []
    door = GreyDoor(MemoryGreylist(), config.filtering, panel.resolver, lambda _: None, panel.clock)
    sign = await door.sign(arrival, mail.sender, await case.answers(arrival))
    return [FilterStep("greylist", "once" if sign else "pass", sign or "it has no bad sign")]


def _refused(step: str, reply: Reply, steps: Sequence[FilterStep]) -> Trial:
    verdict: Verdict = "refuse" if reply.permanent else "tempfail"
    return Trial(verdict, str(reply), [*steps, FilterStep(step, verdict, reply.text)], sum(each.score for each in steps))


def _ruled(ruling: Ruling, steps: Sequence[FilterStep]) -> Trial:
    reply = str(ruling.reply) if ruling.reply else ""
    return Trial(ruling.verdict, reply, [*steps, *ruling.steps], ruling.score, ruling.fields.decode("utf-8", "replace"))
