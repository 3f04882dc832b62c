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
from mailer.mail.message import Message, normalise
from mailer.mail.trace import hops
from mailer.net.records import answered
from mailer.smtp.reply import Reply

from .residents import residents_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mailer.config import Config
    from mailer.filtering.api import Verdict
    from mailer.filtering.panel import FilterCase

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
    """What would become of `mail` by `config`. Raises `Problem` where it cannot be known who lives here."""
    async with _panel(config) as panel:
        arrival = await _arrival(panel, mail)
        case = panel.case(mail.ip)
        try:
            return await _Going(config, panel, case, arrival, mail).trial()
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


class _Refused(Exception):
    """It goes no further: what the client would hear."""

    def __init__(self, step: str, reply: Reply) -> None:
        super().__init__(step)
        self.step = step
        self.reply = reply


class _Going:
    """A message on its way through all steps, as far as it gets."""

    def __init__(self, config: Config, panel: FilterPanel, case: FilterCase, arrival: Arrival, mail: TrialMail) -> None:
        self._config = config
        self._panel = panel
        self._case = case
        self._arrival = arrival
        self._mail = mail
        self._steps = [_client(arrival)]

    async def trial(self) -> Trial:
        """What becomes of it."""
        try:
            await self._announced()
            self._look()
        except _Refused as refused:
            return await self._refused(refused)
        ruling = await self._case.judge(self._arrival, self._mail.sender, self._mail.recipients, self._mail.content)
        reply = str(ruling.reply) if ruling.reply else ""
        return Trial(ruling.verdict, reply, [*self._steps, *ruling.steps], ruling.score, ruling.fields.decode("utf-8", "replace"))

    async def _announced(self) -> None:
        """Sender and recipients, each as a door asks about them."""
        _refuse("sender", await self._case.sender(self._arrival, self._mail.sender))
        self._steps += await self._living()
        for recipient in self._mail.recipients:
            _refuse(f"recipient {recipient}", await self._case.recipient(self._arrival, self._mail.sender, recipient))
        self._steps += await self._greylisted()

    async def _living(self) -> list[FilterStep]:
        """Who the recipients are; where the configuration has no domain of ours, that is not asked."""
        if not self._config.domains:
            return []
        async with residents_of(self._config) as residents:
            found = [(each, await residents.resolve(each)) for each in self._mail.recipients]
        for recipient, residence in found:
            _refuse(f"recipient {recipient}", residence.reply)
        return [FilterStep(f"recipient {recipient}", residence.kind) for recipient, residence in found]

    async def _greylisted(self) -> list[FilterStep]:
        """Whether it would be put off once; that decides nothing here, for then it comes again."""
        if not self._config.filtering.greylist:
            return []
        door = GreyDoor(MemoryGreylist(), self._config.filtering, self._panel.resolver, lambda _: None, self._panel.clock)
        sign = await door.sign(self._arrival, self._mail.sender, await self._case.answers(self._arrival))
        return [FilterStep("greylist", "once" if sign else "pass", sign or "it has no bad sign")]

    def _look(self) -> None:
        """The header, as a door looks at it."""
        limits = self._config.receiving
        if why := useless_header(self._mail.content, limits.max_header_size):
            _refuse("header", Reply.own(550, "5.6.0", f"the header {why}"))
        if (found := hops(Message.head(normalise(self._mail.content)))) > limits.max_received:
            _refuse("header", Reply.own(554, "5.4.6", f"it has come by {found} hosts, and goes in circles"))

    async def _refused(self, refused: _Refused) -> Trial:
        verdict: Verdict = "refuse" if refused.reply.permanent else "tempfail"
        lists = [each.step for each in await self._case.answers(self._arrival)]
        steps = [*self._steps, *lists, FilterStep(refused.step, verdict, refused.reply.text)]
        return Trial(verdict, str(refused.reply), steps, sum(each.score for each in steps))


def _refuse(step: str, reply: Reply | None) -> None:
    if reply is not None:
        raise _Refused(step, reply)


def _client(arrival: Arrival) -> FilterStep:
    if not arrival.ip:
        return FilterStep("client", "noted", "it calls by a unix socket")
    named = f"it is {arrival.name}" if arrival.name else "its address has no name that leads back to it"
    return FilterStep("client", "noted", f"{named}, and says {arrival.hello or 'nothing'}")
