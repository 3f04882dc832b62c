"""The milter protocol as a mail server speaks it: what may be said when, and what may be answered to what, are two tables.

`MilterMachine` makes the frames of a session and reads what the filter answers; whoever drives it sends, and waits where it `waits`. A
session on it is one with a client: the filter is told who has called once, and then of each message, step by step. Where both sides have
agreed that a step is not told, or gets no answer, that is obeyed.

What a filter wants changed comes before its last answer about a message, and counts only with that: a session that is lost in the middle of
a new body has changed nothing (`milter_changes`). A filter that would have a message thrown away has it held.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from mailer.smtp.reply import Reply

from .milter_changes import MOST_HEADER, MilterWish
from .milter_frame import MilterActs, MilterEar, MilterSteps, agreed, number_and_texts, offer, texts, texts_of, written
from .opinion import ScanError, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    from .milter_frame import MilterFrame

    MilterAct = Literal["continue", "accept", "refuse", "tempfail", "hold", "skip"]


class MilterState(Enum):
    """How far a session with a filter is."""

    NEW = "nothing was said"
    OPEN = "both have agreed"
    READY = "the filter knows who has called"
    MAIL = "a message has begun"
    RCPT = "it has a recipient"
    DATA = "its header comes"
    BODY = "its body comes"
    OVER = "the session is over"


S = MilterState
MESSAGE = frozenset({S.MAIL, S.RCPT, S.DATA, S.BODY})

WHEN: dict[str, tuple[frozenset[MilterState], MilterState | None]] = {
    "O": (frozenset({S.NEW}), S.OPEN),
    "C": (frozenset({S.OPEN}), S.READY),
    "H": (frozenset({S.READY}), None),
    "M": (frozenset({S.READY}), S.MAIL),
    "R": (frozenset({S.MAIL, S.RCPT}), S.RCPT),
    "T": (frozenset({S.RCPT}), S.DATA),
    "L": (frozenset({S.DATA}), None),
    "N": (frozenset({S.DATA}), S.BODY),
    "B": (frozenset({S.BODY}), None),
    "E": (frozenset({S.BODY}), S.READY),
    "A": (MESSAGE | {S.READY}, S.READY),
    "Q": (frozenset({*S}) - {S.OVER}, S.OVER),
}
"""When each may be said, by its letter, and what the state is then; None: as it was."""

_CALL = frozenset("acrty4f")
_STEP = _CALL | {"d"}
WISHES = frozenset("+-2behimq")
ANSWERS: dict[str, frozenset[str]] = {
    "O": frozenset("O"),
    "C": _CALL,
    "H": _CALL,
    "M": _STEP,
    "R": _STEP,
    "T": _STEP,
    "L": _STEP,
    "N": _STEP,
    "B": _STEP | {"s"},
    "E": _STEP | WISHES,
    "A": frozenset(),
    "Q": frozenset(),
}
"""What may be answered to each; ``p`` may come at any time, and says that an answer will."""

UNTOLD = {
    "C": MilterSteps.NO_CONNECT, "H": MilterSteps.NO_HELO, "M": MilterSteps.NO_MAIL, "R": MilterSteps.NO_RCPT, "T": MilterSteps.NO_DATA,
    "L": MilterSteps.NO_HEADERS, "N": MilterSteps.NO_EOH, "B": MilterSteps.NO_BODY,
}  # fmt: skip
MUTE = {
    "C": MilterSteps.MUTE_CONNECT, "H": MilterSteps.MUTE_HELO, "M": MilterSteps.MUTE_MAIL, "R": MilterSteps.MUTE_RCPT,
    "T": MilterSteps.MUTE_DATA, "L": MilterSteps.MUTE_HEADERS, "N": MilterSteps.MUTE_EOH, "B": MilterSteps.MUTE_BODY,
}  # fmt: skip
SINCE = {"T": 4}
"""Which version of the protocol each has come with."""

NEEDED = {
    "h": MilterActs.ADD_HEADERS, "i": MilterActs.ADD_HEADERS, "m": MilterActs.CHANGE_HEADERS, "b": MilterActs.CHANGE_BODY,
    "+": MilterActs.ADD_RECIPIENTS, "2": MilterActs.ADD_RECIPIENTS_WITH_PARAMETERS, "-": MilterActs.DELETE_RECIPIENTS,
    "e": MilterActs.CHANGE_SENDER, "q": MilterActs.QUARANTINE,
}  # fmt: skip
"""What must have been agreed upon for each wish."""

MOST_WISHES = 2000  # of one message, beside the pieces of its body
MOST_OTHERS = 2 * MOST_HEADER  # octets of all these
MOST_PIECES = 20_000  # of a new body; a library sends it in pieces of 64 KB
MOST_LINES = 32  # of a reply, as smfi_setmlreply takes them


class MilterAnswer(NamedTuple):
    """What the filter has answered to a step. `reply` is for the client, where it refuses or puts off; `why` is a word for the log."""

    act: MilterAct
    reply: Reply | None = None
    why: str = ""


CONTINUE = MilterAnswer("continue")


class MilterMachine:
    """One session with a filter. `room` is how many octets a new body may have."""

    def __init__(self, room: int) -> None:
        self.state = MilterState.NEW
        self.version = 0
        self.acts, self.steps = MilterActs(0), MilterSteps(0)
        self.wishes: list[MilterWish] = []
        """What the filter wants changed in the message that is over, if its last answer has come."""
        self.waits = False
        """Whether an answer is to come."""
        self._asked = ""
        self._ear = MilterEar()
        self._room = room
        self._body = self._pieces = self._others = 0

    @property
    def begun(self) -> bool:
        """Whether a message has begun that is not over."""
        return self.state in MESSAGE

    def start(self) -> bytes:
        """The first frame, which is always answered."""
        return self._say("O", offer())

    def told(self, letter: str) -> bool:
        """Whether the filter wants to be told of that step."""
        return not self.steps & UNTOLD.get(letter, MilterSteps(0)) and self.version >= SINCE.get(letter, 0)

    def say(self, letter: str, data: bytes = b"", macros: Mapping[str, str] | None = None) -> bytes:
        """What is sent for a step; nothing where the filter does not want to know. Raises `AssertionError` out of turn."""
        if not self.told(letter):
            self._turn(letter)
            return b""
        known = written("D", letter.encode() + _macros(macros)) if macros else b""
        return known + self._say(letter, written(letter, data))

    def _say(self, letter: str, frame: bytes) -> bytes:
        self._turn(letter)
        self._asked = letter
        self.waits = bool(ANSWERS[letter]) and not self.steps & MUTE.get(letter, MilterSteps(0))
        if letter in "ME":
            self.wishes, self._body, self._pieces, self._others = [], 0, 0, 0
        return frame

    def _turn(self, letter: str) -> None:
        states, then = WHEN[letter]
        assert self.state in states, f"{letter} is out of turn: {self.state.value}"
        assert not self.waits, f"{letter} is out of turn: there is no answer to {self._asked} yet"
        self.state = then or self.state

    def hear(self, data: bytes) -> Iterator[MilterAnswer | None]:
        """Take octets; gives an answer to what was said, and None for a sign that one is to come. Raises `ScanError`."""
        if not data:
            raise ScanError("the milter hung up")
        for frame in self._ear.hear(data):
            if not self.waits:
                raise ScanError(f"the milter says {frame.letter!r} unasked")
            yield self._heard(frame)

    def _heard(self, frame: MilterFrame) -> MilterAnswer | None:
        letter, data = frame
        if letter == "p":
            return None
        if letter not in ANSWERS[self._asked]:
            raise ScanError(f"the milter answers {letter!r} to {self._asked!r}")
        if letter in WISHES:
            self._wish(letter, data)
            return None
        self.waits = False
        if letter == "O":
            self.version, self.acts, self.steps = agreed(data)
            return CONTINUE
        return _answer(letter, data)

    def _wish(self, letter: str, data: bytes) -> None:
        if not self.acts & NEEDED[letter]:
            raise ScanError(f"the milter asks for {letter!r}, which was not agreed upon")
        if letter == "b":
            self._body += len(data)
            self._pieces += 1
        else:
            self._others += len(data)
        full = self._body > self._room or self._others > MOST_OTHERS
        if full or self._pieces > MOST_PIECES or len(self.wishes) - self._pieces > MOST_WISHES:
            raise ScanError("the milter wants more changed than there is room for")
        self.wishes.append(_wish(letter, data, leading=bool(self.steps & MilterSteps.LEADING_SPACE)))


def _macros(macros: Mapping[str, str] | None) -> bytes:
    """Names and values; a name of more than one letter stands in braces."""
    names = {name if len(name) == 1 else f"{{{name}}}": value for name, value in (macros or {}).items()}
    return b"".join(texts(name.encode(), value.encode("utf-8", "replace")) for name, value in names.items())


def _answer(letter: str, data: bytes) -> MilterAnswer:
    if letter == "y":
        reply = _reply(texts_of(data, 1)[0])
        return MilterAnswer("refuse" if reply.permanent else "tempfail", reply, reply.text)
    return ANSWERED[letter]


ANSWERED = {
    "c": CONTINUE,
    "a": MilterAnswer("accept"),
    "s": MilterAnswer("skip"),
    "d": MilterAnswer("hold", why="the milter would throw it away"),
    "r": MilterAnswer("refuse", Reply.own(550, "5.7.1", "the message was refused by a filter")),
    "t": MilterAnswer("tempfail", Reply.own(451, "4.7.1", "a filter puts it off, try again later")),
    "4": MilterAnswer("tempfail", Reply.own(421, "4.3.2", "a filter ends the session, try again later")),
    "f": MilterAnswer("tempfail", Reply.own(451, "4.3.0", "a filter cannot look at it, try again later")),
}


def _reply(text: bytes) -> Reply:
    """``550 5.7.1 No``, or several lines of one code. A filter writes %% for %, smfi_setreply(3). Raises `ScanError`."""
    lines = text.replace(b"%%", b"%").split(b"\r\n")
    code = lines[0][:3]
    if not (len(code) == 3 and code.isdigit() and code[:1] in b"45" and len(lines) <= MOST_LINES):
        raise ScanError(f"the milter has the reply {plain(text, 60)!r}")
    for line in lines[:-1]:
        if line[:4] != code + b"-":
            raise ScanError(f"the milter has a reply of several codes: {plain(text, 60)!r}")
    if lines[-1][:3] != code or lines[-1][3:4] not in (b" ", b""):
        raise ScanError(f"the milter has the reply {plain(text, 60)!r}")
    return _enhanced(int(code), [plain(line[4:], 400) for line in lines])


def _enhanced(code: int, lines: list[str]) -> Reply:
    """The enhanced code apart, which each line may begin with. One of another class than the code is left where it is. RFC 2034 §4"""
    first = lines[0].partition(" ")[0]
    parts = first.split(".")
    if len(parts) == 3 and parts[0] == str(code)[0] and all(part.isdigit() and len(part) <= 3 for part in parts[1:]):
        return Reply(code, first, tuple(line.removeprefix(first).strip() for line in lines))
    return Reply(code, f"{str(code)[0]}.7.1", tuple(lines))


def _wish(letter: str, data: bytes, *, leading: bool) -> MilterWish:
    if letter == "b":
        return MilterWish(letter, body=data)
    if letter in "im":
        at, (name, value) = _two(number_and_texts(data, 2))
        return MilterWish(letter, name, value, at, leading=leading)
    if letter == "h":
        name, value = texts_of(data, 2)[:2]
        return MilterWish(letter, name, value, leading=leading)
    return MilterWish(letter, value=texts_of(data, 1)[0])


def _two(found: tuple[int, list[bytes]]) -> tuple[int, tuple[bytes, bytes]]:
    at, (name, value, *_) = found
    return at, (name, value)
