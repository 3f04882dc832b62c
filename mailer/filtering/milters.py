"""All milters beside one session with a client, in the order of the configuration: each sees what came of those before it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.scan.milter_changes import MilterMail
from mailer.scan.opinion import Opinion
from mailer.smtp.reply import Reply

from .attended import AttendedFilter, FilterFailure, FilterFinding
from .milter import MilterSession
from .verdict import ABSENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mailer.mail.arrival import Arrival
    from mailer.scan.milter import MilterAnswer

    from .letter import FilterLetter


class _Seat:
    """One milter: the filter that all sessions share, its session beside ours, and what went wrong with it in this message."""

    def __init__(self, attended: AttendedFilter, host: str) -> None:
        self.attended = attended
        self.session = MilterSession(attended.section, host)
        self.failure: FilterFailure | None = None


class MilterRow:
    """The milters of one session; `seconds` is how long all of them together may take for one step."""

    def __init__(self, filters: Sequence[AttendedFilter], host: str, seconds: float) -> None:
        self._seats = [_Seat(each, host) for each in filters]
        self._seconds = seconds

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._seats)

    async def begin(self, arrival: Arrival, sender: str, id: str) -> Reply | None:
        """A message begins; what the client hears where one of them, or its absence, is against that."""
        for seat in self._seats:
            seat.failure = None
        return await self._told(lambda session: session.begin(arrival, sender, id))

    async def recipient(self, recipient: str) -> Reply | None:
        """Tell them that the message is for this one; what the client hears where one of them is against that."""
        return await self._told(lambda session: session.recipient(recipient))

    async def _told(self, tell: Callable[[MilterSession], Awaitable[MilterAnswer]]) -> Reply | None:
        """Tell those that have not failed, until one is against it."""
        until = asyncio.get_running_loop().time() + self._seconds
        for seat in self._seats:
            if seat.failure is not None:
                continue
            try:
                async with seat.attended.attended(until, whole=False):
                    answer = await tell(seat.session)
            except FilterFailure as failure:
                if reply := self._failed(seat, failure):
                    return reply
                continue
            if answer.reply:
                seat.attended.answered()
                return answer.reply
        return None

    async def judge(self, letter: FilterLetter, until: float) -> tuple[list[FilterFinding], MilterMail | None]:
        """What each finds, and the message as they want it; None where there are none."""
        if not self._seats:
            return [], None
        mail, findings = MilterMail.of(letter.fields, letter.content), []
        for seat in self._seats:
            finding, mail = await self._one(seat, letter, mail, until)
            findings.append(finding)
            if finding.opinion.act in ("refuse", "tempfail"):
                break
        return findings, mail

    async def _one(self, seat: _Seat, letter: FilterLetter, mail: MilterMail, until: float) -> tuple[FilterFinding, MilterMail]:
        name = seat.attended.name
        if seat.failure:
            return FilterFinding(name, failure=seat.failure), mail
        if why := seat.attended.too_large(len(letter)):
            return FilterFinding(name, Opinion(unscanned=why)), mail
        try:
            async with seat.attended.attended(until):
                answer, changed = await seat.session.judge(mail, letter.recipients)
        except FilterFailure as failure:
            seat.session.lose()
            return FilterFinding(name, failure=failure), mail
        return FilterFinding(name, _opinion(answer, changed.held if changed is not mail else "")), changed

    async def end(self) -> None:
        """The session is over."""
        for seat in self._seats:
            await seat.session.end()

    def _failed(self, seat: _Seat, failure: FilterFailure) -> Reply | None:
        """What the client hears for it; None where mail is taken without this milter."""
        seat.session.lose()
        seat.failure = failure
        return ABSENT if failure.waits else None


def _opinion(answer: MilterAnswer, held: str) -> Opinion:
    if answer.act in ("refuse", "tempfail"):
        return Opinion("refuse" if answer.act == "refuse" else "tempfail", reason=answer.why or str(answer.reply), reply=answer.reply)
    if answer.act == "hold" or held:
        return Opinion("hold", reason=held or answer.why)
    return Opinion(reason="it has nothing against it")
