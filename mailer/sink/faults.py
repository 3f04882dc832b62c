"""What a sink has been told to do (`Moods`: a value, checked when it is made), and what that makes of one question (`Temper`).

`Temper` counts and remembers; it is pure but for that: the time comes in, and what is to be done goes out as a `Fault`.

A *phase* is a moment of the session: greeting, ehlo, helo, starttls, auth, mail, rcpt, data (the command), body (after the
final dot), rset, noop, vrfy, help, quit. A reply is written as on the wire: ``"451 4.7.1 come back later"``; the enhanced
code and the text may be left out.

Where the connection can be dropped: at any phase, which means instead of an answer; at ``content``, when the first bytes of a
message arrive; at ``kept``, when the message has been kept and the client has not been told (it will send it again: the
window of RFC 5321 §6.1); at ``after-PHASE``, just behind the answer.

Magic recipients work without being told, as long as `magic` is on; what follows a ``+`` in the local part does not count.

    550@…  451@…  any code from 400 to 599: RCPT is answered with it
    data-451@…  body-550@…                  DATA, or the message, is answered with it
    greylist@…                              refused with 451 the first time that a sender tries, then taken
    slow@…  slow-2@…                        answered after five seconds, or as many as it says
    timeout@…                               never answered
    drop@…  drop-body@…  drop-kept@…        the connection is dropped at RCPT, after the dot, or after keeping the message
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mailer.config.kinds import check_numbers
from mailer.smtp.reply import Reply
from mailer.smtp.server_events import PHASES, Body, Data, Question, Rcpt

DROPS = (*PHASES, "content", "kept", *(f"after-{phase}" for phase in PHASES))
"""Where a connection can be dropped."""

_TEXTS = {
    421: "4.3.2 closing the connection",
    450: "4.2.1 the mailbox is busy",
    451: "4.3.0 try again later",
    452: "4.2.2 the mailbox is full",
    535: "5.7.8 authentication failed",
    550: "5.1.1 no such mailbox",
    552: "5.3.4 the message is too large",
    553: "5.1.3 no such address",
    554: "5.7.1 refused",
}
_REPLY = re.compile(r"([2-5]\d\d)(?: ([245]\.\d{1,3}\.\d{1,3}))?(?: +(.*))?")


@dataclass(frozen=True, slots=True)
class Moods:
    """How a sink behaves. Without any, it takes all mail. Raises `ValueError` for what cannot be meant."""

    replies: Mapping[str, str] = field(default_factory=dict)  # phase → reply
    delays: Mapping[str, float] = field(default_factory=dict)  # phase → seconds before it is answered
    drops: Collection[str] = ()  # see DROPS
    refuse: Mapping[str, str] = field(default_factory=dict)  # recipient, or "@domain" → reply
    greylist: float | None = None  # seconds that a (sender, recipient) waits after its first try; 0: the first try only
    every: int = 1  # replies, delays, drops and refusals happen every so many times only
    first: int = 0  # … and only so often; 0: always
    magic: bool = True  # magic recipients
    hide: Collection[str] = ()  # extensions not offered
    offer: Collection[str] = ()  # extensions offered besides, "KEYWORD parameters"
    max_recipients: int = 1000  # in one transaction; more get 452
    max_connections: int = 0  # at once; more get 421. 0: no limit
    max_size: int = 0  # octets of a message; 0: no limit

    def __post_init__(self) -> None:
        check_numbers(self)
        for phase in (*self.replies, *self.delays):
            _check(phase, PHASES)
        for place in self.drops:
            _check(place, DROPS)
        for text in (*self.replies.values(), *self.refuse.values()):
            reply(text)
        if self.every < 1 or self.first < 0 or any(seconds < 0 for seconds in self.delays.values()):
            raise ValueError("`every` is at least 1; `first` and delays are not negative")


def reply(text: str) -> Reply:
    """``550``, ``550 5.1.1`` or ``550 5.1.1 text`` as a reply. Raises `ValueError`."""
    found = _REPLY.fullmatch(text)
    if not found or not text.isprintable():
        raise ValueError(f"{text!r} is no reply; write it like `451 4.7.1 come back later`")
    code, enhanced, words = int(found[1]), found[2] or "", found[3] or ""
    if not enhanced and not words:
        enhanced, _, words = _TEXTS.get(code, f"{code // 100}.0.0 on order").partition(" ")
    if code < 400 and code >= 300:  # RFC 2034 §4: no enhanced codes on 3xx
        enhanced = ""
    return Reply.own(code, enhanced, words or "on order")


def _check(name: str, known: Collection[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise ValueError(f"there is no phase {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PHASES)}"))


NEVER = float("inf")


class Fault(NamedTuple):
    """How one question is answered. `reply` None is the usual answer; `delay` is in seconds."""

    reply: Reply | None = None
    delay: float = 0.0
    drop: str = ""  # "", or when the connection is dropped: before or after the answer, content, kept


USUAL = Fault()
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

    def act(self, question: Question, sender: str, recipients: tuple[str, ...] | list[str], now: float) -> Fault:
        """What happens to `question`, asked within a transaction of `sender` and `recipients` at `now` (seconds)."""
        phase = question.phase
        ordered = USUAL
        if phase in self._moody and self._due(phase):
            ordered = Fault(self._replies.get(phase), self.moods.delays.get(phase, 0.0), self._drops.get(phase, ""))
        if ordered.reply or ordered.drop:
            return ordered
        found = self._found(question, sender, recipients, now)
        return found._replace(delay=found.delay + ordered.delay) if ordered.delay else found

    def _found(self, question: Question, sender: str, recipients: tuple[str, ...] | list[str], now: float) -> Fault:
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

    def _recipient(self, address: str, sender: str, now: float) -> Fault:
        local, _, domain = address.lower().rpartition("@")
        refused = self._refuse.get(address.lower()) or self._refuse.get(f"@{domain}")
        if refused and self._due(address.lower()):
            return Fault(refused)
        if self.moods.magic and (magic := _MAGIC.fullmatch(local.partition("+")[0])):
            return self._magic(magic, address, sender)
        if self.moods.greylist is not None and self._grey(sender, address, self.moods.greylist, now):
            return Fault(_GREYLISTED)
        return USUAL

    def _grey(self, sender: str, address: str, seconds: float, now: float) -> bool:
        """Whether this pair has to wait still; its first try starts the clock."""
        pair = (sender.lower(), address.lower())
        if pair not in self._first_seen:
            self._first_seen[pair] = now
            return True
        return now < self._first_seen[pair] + seconds

    def _magic(self, magic: re.Match[str], address: str, sender: str) -> Fault:
        later, code, greylist, seconds, timeout, drop, place = magic.groups()
        if later or place:
            return USUAL  # at DATA, or after the dot
        if code:
            return Fault(reply(code))
        if greylist:
            return Fault(_GREYLISTED) if self._grey(sender, address, 0.0, 0.0) else USUAL
        if drop:
            return Fault(drop="before")
        return Fault(delay=NEVER if timeout else float(seconds or 5))

    def _magic_later(self, phase: str, recipients: tuple[str, ...] | list[str]) -> Fault:
        for address in recipients:
            magic = _MAGIC.fullmatch(address.rpartition("@")[0].partition("+")[0])
            if magic and magic[1] and magic[1].lower() == phase:
                return Fault(reply(magic[2]))
            if magic and magic[7] and phase == "body":
                return Fault(drop="kept" if magic[7].lower() == "kept" else "before")
        return USUAL


def _drop(place: str) -> tuple[str, str]:
    """The phase whose question decides about a drop at `place`, and when the connection goes."""
    if place == "content":
        return "data", place
    if place == "kept":
        return "body", place
    return (place.removeprefix("after-"), "after") if place.startswith("after-") else (place, "before")
