"""Moods at work: counts and remembers, and says what happens to one question.

Pure but for its memory: the time comes in, and what is to be done goes out as an `Act`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from mailer.smtp.reply import Reply
from mailer.smtp.server_events import Body, Data, Question, Rcpt

from .moods import Moods, reply

NEVER = float("inf")


class Act(NamedTuple):
    """What a mood makes of a question. `reply` None is the usual answer; `delay` is in seconds."""

    reply: Reply | None = None
    delay: float = 0.0
    drop: str = ""  # "", or when the connection is dropped: before or after the answer, content, kept


USUAL = Act()
_GREYLISTED = reply("451 4.7.1 greylisted, come back later")
_MAGIC = re.compile(r"(?:(data|body)-)?([45]\d\d)|(greylist)|slow(?:-(\d{1,4}))?|(timeout)|(drop)(?:-(body|kept))?", re.IGNORECASE)


class Temper:
    """The moods of one sink over its whole life, all connections together."""

    def __init__(self, moods: Moods) -> None:
        self.moods = moods
        self._replies = {phase: reply(text) for phase, text in moods.replies.items()}
        self._refuse = {who.lower(): reply(text) for who, text in moods.refuse.items()}
        self._times: Counter[str] = Counter()
        self._first_seen: dict[tuple[str, str], float] = {}
        self._drops = dict(_drop(place) for place in moods.drops)
        self._moody = {*moods.replies, *moods.delays, *self._drops}

    def act(self, question: Question, sender: str, recipients: tuple[str, ...] | list[str], now: float) -> Act:
        """What happens to `question`, asked within a transaction of `sender` and `recipients` at `now` (seconds)."""
        phase = question.phase
        ordered = USUAL
        if phase in self._moody and self._due(phase):
            ordered = Act(self._replies.get(phase), self.moods.delays.get(phase, 0.0), self._drops.get(phase, ""))
        if ordered.reply or ordered.drop:
            return ordered
        found = self._found(question, sender, recipients, now)
        return found._replace(delay=found.delay + ordered.delay) if ordered.delay else found

    def _found(self, question: Question, sender: str, recipients: tuple[str, ...] | list[str], now: float) -> Act:
        """What the recipients bring about."""
        if isinstance(question, Rcpt):
            return self._recipient(question.address, sender, now)
        if self.moods.magic and isinstance(question, (Data, Body)):
            return self._magic_later(question.phase, recipients)
        return USUAL

    def _due(self, what: str) -> bool:
        """Count one more time; whether it is one of those that the mood is for."""
        self._times[what] += 1
        times, first, every = self._times[what], self.moods.first, self.moods.every
        return times % every == 0 and (not first or times <= first * every)

    def _recipient(self, address: str, sender: str, now: float) -> Act:
        local, _, domain = address.lower().rpartition("@")
        refused = self._refuse.get(address.lower()) or self._refuse.get(f"@{domain}")
        if refused and self._due(address.lower()):
            return Act(refused)
        if self.moods.magic and (magic := _MAGIC.fullmatch(local.partition("+")[0])):
            return self._magic(magic, address, sender)
        if self.moods.greylist is not None and self._grey(sender, address, self.moods.greylist, now):
            return Act(_GREYLISTED)
        return USUAL

    def _grey(self, sender: str, address: str, seconds: float, now: float) -> bool:
        """Whether this pair has to wait still; its first try starts the clock."""
        pair = (sender.lower(), address.lower())
        if pair not in self._first_seen:
            self._first_seen[pair] = now
            return True
        return now < self._first_seen[pair] + seconds

    def _magic(self, magic: re.Match[str], address: str, sender: str) -> Act:
        later, code, greylist, seconds, timeout, drop, place = magic.groups()
        if later or place:
            return USUAL  # at DATA, or after the dot
        if code:
            return Act(reply(code))
        if greylist:
            return Act(_GREYLISTED) if self._grey(sender, address, 0.0, 0.0) else USUAL
        if drop:
            return Act(drop="before")
        return Act(delay=NEVER if timeout else float(seconds or 5))

    def _magic_later(self, phase: str, recipients: tuple[str, ...] | list[str]) -> Act:
        for address in recipients:
            magic = _MAGIC.fullmatch(address.rpartition("@")[0].partition("+")[0])
            if magic and magic[1] and magic[1].lower() == phase:
                return Act(reply(magic[2]))
            if magic and magic[7] and phase == "body":
                return Act(drop="kept" if magic[7].lower() == "kept" else "before")
        return USUAL


def _drop(place: str) -> tuple[str, str]:
    """The phase whose question decides about a drop at `place`, and when the connection goes."""
    if place == "content":
        return "data", place
    if place == "kept":
        return "body", place
    return (place.removeprefix("after-"), "after") if place.startswith("after-") else (place, "before")
