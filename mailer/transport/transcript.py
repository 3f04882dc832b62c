"""What was said in a session and how long each step took, kept so that it costs next to nothing where all goes well.

A `Prologue` belongs to the session: everything up to the first MAIL, noted once, with what is secret left out when it is noted.
A `Transcript` belongs to one transaction: references to the commands and replies that exist anyway, and one look at the
clock for each packet that came (not at the event loop's, which counts milliseconds in uvloop). Text is made of it only when
somebody asks: of the steps when the attempt is written down, of the dialog when the attempt failed.

What is never in it: a line of AUTH, a challenge, and the content of a message. A reply that repeats the secret has lost it before
(`mailer.smtp.reply`). What a hostile peer sends is bounded: see the constants.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailer.smtp.client import PHASE
from mailer.smtp.command import Command
from mailer.smtp.reply import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.mail.outcome import Hop
    from mailer.smtp.client import Answered
    from mailer.smtp.reply import Reply

    Packet = tuple[float, list[Answered]]  # what came together, and when by time.monotonic

MAX_LINES = 12  # of a reply
MAX_TEXT = 400  # characters of a line
MAX_ENTRIES = 60  # of a dialog; what is more is left out of its middle

_SECRET = frozenset({"AUTH", "RESPONSE"})
_ENDS = frozenset({"CONTENT", "BDAT LAST"})

Entry = tuple[float | None, str, str]
"""Milliseconds since the beginning, who (``us``, ``host``, or ``note`` for what we noticed), and what."""


class Prologue:
    """A session up to its first MAIL: `connect` seconds to reach the host, then from `began` (time.monotonic) what was said."""

    __slots__ = ("_steps", "began", "connect", "hop", "resumed", "said", "stands")

    def __init__(self, hop: Hop, began: float, connect: float, *, stands: bool = True) -> None:
        """`stands`: whether there is a connection at all."""
        self.hop = hop
        self.began = began
        self.connect = connect
        self.stands = stands
        self.resumed = False  # whether its TLS went on from an earlier session
        self.said: list[tuple[float, Command, Reply]] = []
        self._steps = ""

    def add(self, at: float, command: Command, reply: Reply) -> None:
        """Note a step; what is said in AUTH is left out."""
        if command.verb in _SECRET:
            command = Command(command.verb, _without_secret(command.line))
            reply = reply._replace(lines=(HIDDEN,)) if 300 <= reply.code < 400 else reply
        self.said.append((at, command, reply))

    def steps(self) -> str:
        """A JSON object without its end: milliseconds by phase. Made once for all messages of the session."""
        if not self._steps:
            self._steps = "{" + _members(self.spent())
        return self._steps

    def spent(self) -> dict[str, float]:
        """Seconds by phase."""
        spent = {"connect": self.connect} if self.stands else {}
        before = self.began
        for at, command, _ in self.said:
            _spend(spent, PHASE.get(command.verb, "starttls"), at - before)
            before = at
        return spent

    @property
    def until(self) -> float:
        """When its last step was done (time.monotonic)."""
        return self.said[-1][0] if self.said else self.began

    def entries(self) -> Iterator[Entry]:
        """What was said, from the connection on."""
        hop = self.hop
        where = f"{hop.host} [{hop.ip}] port {hop.port}"
        if self.stands:
            yield self.connect * 1e3, "note", f"connected to {where}"
        else:
            yield None, "note", f"calling {where}"
        for at, command, reply in self.said:
            passed = (self.connect + at - self.began) * 1e3
            if command.verb == "HANDSHAKE":
                yield passed, "note", reply.text
                continue
            if command.line:
                yield None, "us", _text(command.line)
            yield from _reply(passed, reply)


class Transcript:
    """One transaction, or a session that did not get as far: how it went.

    `reused`: the session served other messages before, so its first steps were not spent on this one. `earlier` is the
    host or the try before this one, which came to nothing. `resolved` is when (time.monotonic) the names of its route were looked up,
    and how many seconds that took. `mixed`: the message has attachments.
    """

    __slots__ = (
        "_made",
        "announced",
        "began",
        "earlier",
        "ended",
        "heard",
        "mixed",
        "prologue",
        "resolved",
        "reused",
        "size",
        "unanswered",
    )

    def __init__(
        self,
        prologue: Prologue,
        began: float,
        *,
        reused: bool = False,
        heard: list[Packet] | None = None,
        size: int = 0,
        mixed: bool = False,
    ) -> None:
        """`heard` begins with the packet that ended the transaction before, where that brought answers to this one."""
        self.prologue = prologue
        self.began = began
        self.reused = reused
        self.announced = bool(heard)
        self.heard: list[Packet] = [] if heard is None else heard
        self.size = size
        self.mixed = mixed
        self.ended: tuple[float, str, str] | None = None
        self.unanswered: tuple[Command, ...] = ()
        self.earlier: Transcript | None = None
        self.resolved: tuple[float, float] | None = None
        self._made: str | None = None

    def end(self, at: float, phase: str, words: str, unanswered: Sequence[Command] = ()) -> None:
        """Note that the session broke at `at` (time.monotonic), in `phase`; `words` say how, and `unanswered` is what had no reply."""
        self.ended = at, phase, words
        self.unanswered = tuple(unanswered)

    def after(self, earlier: Transcript) -> None:
        """Put before this the dialog with another host, `earlier`, unless either says already what the other did."""
        mine = self.chain()
        if not {*map(id, mine)} & {*map(id, earlier.chain())}:
            mine[-1].earlier = earlier

    def chain(self) -> list[Transcript]:
        """The transcript, and those that come before it, the nearest first."""
        found: list[Transcript] = [self]
        while (link := found[-1].earlier) is not None:
            found.append(link)
        return found

    def steps(self) -> str:
        """A JSON object: milliseconds by phase. Replies that came together count as the first of them."""
        if self._made is None:
            heard = self.heard
            if len(heard) == 2 and heard[1][1] and heard[1][1][0].command.verb == "CONTENT":  # as nearly always
                began, middle = self.began, heard[0][0]
                middle = max(middle, began)
                self._made = f'{self.prologue.steps()},"mail":{(middle - began) * 1e3:.1f},"body":{(heard[1][0] - middle) * 1e3:.1f}}}'
            else:
                self._made = "{" + _members(self._spent()) + "}"
        return self._made

    def _spent(self) -> dict[str, float]:
        spent = self.prologue.spent()
        before = self.began
        for at, answered in self.packets():
            if answered:
                _spend(spent, PHASE.get(answered[0].command.verb, "body"), at - before)
                before = max(at, before)
        if self.ended is not None:
            _spend(spent, self.ended[1], self.ended[0] - before)
        return spent

    def packets(self) -> Iterator[Packet]:
        """The packets, without the answers to the message before, and to the one behind."""
        skip = self.announced
        for at, answered in self.heard:
            begin, end = 0, len(answered)
            for nth, (command, _) in enumerate(answered):
                if command.verb in _ENDS:
                    if skip:
                        skip, begin = False, nth + 1
                    else:
                        end = nth + 1
            yield at, answered[begin:end]

    def dialog(self) -> str:
        """What was said, as JSON: a list of `Entry`, the hosts that were tried before first."""
        entries: list[Entry] = []
        for link in reversed(self.chain()):
            entries += _bounded(list(link.entries()))
        return json.dumps([[None if ms is None else round(ms, 1), who, text] for ms, who, text in entries], ensure_ascii=False)

    def entries(self) -> Iterator[Entry]:
        """What was said with this host."""
        start = self.began
        if self.reused:
            hop = self.prologue.hop
            age = self.began - self.prologue.began
            yield None, "note", f"connected to {hop.host} [{hop.ip}] port {hop.port} since {age:.1f} s, for other messages"
        else:
            start = self.prologue.began - self.prologue.connect
            yield from self.prologue.entries()
        open_end = True  # whether the content of the message was not shown yet
        for at, answered in self.packets():
            for command, reply in answered:
                if command.verb in ("PARTIAL", *_ENDS):
                    if open_end:
                        yield None, "us", self._content(command)
                    open_end = False
                else:
                    yield None, "us", _line(command)
                yield from _reply((at - start) * 1e3, reply)
        for command in self.unanswered:
            if command.line and (open_end or command.verb not in _ENDS):  # the greeting and a handshake are waited for without a word
                yield None, "us", self._content(command) if command.verb in _ENDS else _line(command)
            if command.verb in _ENDS:
                break  # what was said behind it belongs to the next message
        if self.ended is not None:
            yield (self.ended[0] - start) * 1e3, "note", self.ended[2][:MAX_TEXT]

    def _content(self, command: Command) -> str:
        if command.verb == "BDAT LAST":
            return _line(command) + " (the message)"
        return "." if command.line == b".\r\n" else f"(the message, {self.size} octets, and the dot)"


def _spend(spent: dict[str, float], phase: str, seconds: float) -> None:
    spent[phase] = spent.get(phase, 0.0) + max(seconds, 0.0)


def _members(spent: dict[str, float]) -> str:
    return ",".join([f'"{phase}":{seconds * 1e3:.1f}' for phase, seconds in spent.items()])


def _without_secret(line: bytes) -> bytes:
    """``AUTH PLAIN ***``: which mechanism is no secret, what comes behind it is. RFC 4954 §4"""
    words = line.split()
    if not words or words[0] != b"AUTH":
        return HIDDEN.encode()
    return b" ".join([*words[:2], *([HIDDEN.encode()] if len(words) > 2 else [])])


def _line(command: Command) -> str:
    """A command as it was said, without what of the message came with it."""
    return _text(command.line.partition(b"\r\n")[0])


def _text(line: bytes) -> str:
    return line[: MAX_TEXT * 4].decode("utf-8", "replace").rstrip("\r\n")[:MAX_TEXT]


def _reply(passed: float, reply: Reply) -> Iterator[Entry]:
    """The lines of a reply as they were on the wire."""
    shown = reply.lines[:MAX_LINES]
    for nth, line in enumerate(shown):
        more = nth < len(reply.lines) - 1
        words = " ".join(part for part in (reply.enhanced, line) if part)
        yield passed, "host", f"{reply.code}{'-' if more else ' '}{words}"[:MAX_TEXT].rstrip()
    if len(reply.lines) > MAX_LINES:
        yield passed, "note", f"{len(reply.lines) - MAX_LINES} more lines"


def _bounded(entries: list[Entry]) -> Iterable[Entry]:
    if len(entries) <= MAX_ENTRIES:
        return entries
    half = MAX_ENTRIES // 2
    return [*entries[:half], (None, "note", f"{len(entries) - 2 * half} more lines"), *entries[-half:]]
