"""The door of greylisting: a client is put off once that has a bad sign.

A list has it, it has no name, or the sender's domain does not say that it sends for it.

Whoever has none of these is not put off, nor is a user of ours, nor whoever calls by a unix socket. Where the list
of those who were put off cannot be used, nobody is: it is a hurdle and no proof of anything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.auth import spf
from mailer.events import Alarm
from mailer.mail.problem import Problem
from mailer.net.records import answered
from mailer.smtp.reply import Reply

from .greylist.api import GreylistTerms, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config.sections.filtering import FilteringSection
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.mail.arrival import Arrival
    from mailer.net.records import RecordLookup

    from .blocklist import ListAnswer
    from .greylist.api import Greylist

PATIENCE = 5.0  # seconds for the DNS
BAD = frozenset({"none", "fail", "softfail"})
"""Words of SPF for a client that nobody vouches for."""


class GreyDoor:
    """Puts off by `greylist`, for as long as `marks` say."""

    def __init__(
        self, greylist: Greylist, marks: FilteringSection, resolver: RecordLookup, tell: Callable[[Event], None], clock: Clock
    ) -> None:
        self._greylist = greylist
        self._terms = GreylistTerms(marks.greylist_wait, marks.greylist_retry, marks.greylist_keep)
        self._resolver = resolver
        self._tell = tell
        self._clock = clock

    async def put_off(self, arrival: Arrival, sender: str, recipient: str, lists: Sequence[ListAnswer]) -> Reply | None:
        """What a client hears that has to come again; None for one that need not."""
        word = await self._spf(arrival, sender)
        if not self._sign(arrival, word, lists):
            return None
        domain = sender.rpartition("@")[2] if word == "pass" else ""
        try:
            [wait] = await self._greylist.met([key_of(arrival.ip, domain, sender, recipient)], self._clock.now(), self._terms)
        except Problem as problem:
            self._tell(Alarm(self._clock.now(), "filter", f"nobody is put off: {problem}", "greylist"))
            return None
        return Reply.own(451, "4.7.1", f"we do not know you yet, come again in {max(round(wait / 60), 1)} min") if wait else None

    async def sign(self, arrival: Arrival, sender: str, lists: Sequence[ListAnswer]) -> str:
        """What would have a client put off that nobody knows; empty where nothing would."""
        return self._sign(arrival, await self._spf(arrival, sender), lists)

    def _sign(self, arrival: Arrival, word: str, lists: Sequence[ListAnswer]) -> str:
        if not arrival.ip or arrival.user:
            return ""
        if any(each.step.score > 0 for each in lists):
            return "a list has it"
        if word in BAD:
            return f"SPF says {word}"
        return "" if arrival.name else "it has no name"

    async def sweep(self) -> None:
        """Forget what is over."""
        try:
            await self._greylist.expire(self._clock.now(), self._terms)
        except Problem as problem:
            self._tell(Alarm(self._clock.now(), "filter", f"nobody is put off: {problem}", "greylist"))

    async def _spf(self, arrival: Arrival, sender: str) -> str:
        """The word of RFC 7208 §2.6; empty where it was not known in time."""
        try:
            async with asyncio.timeout(PATIENCE):
                return (await answered(spf.evaluate(arrival.ip, sender, arrival.hello), self._resolver.records)).result
        except TimeoutError:
            return ""
