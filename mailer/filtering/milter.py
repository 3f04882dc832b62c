"""A session with a milter beside one with a client: it is told of each step as that is made, and asked for its word at the end.

The milter is called when the first message begins, and not before: most who call and bring nothing cost it nothing. What it says of the
client or of his name is said then. A session that is lost is begun anew with the next message.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from struct import pack
from typing import TYPE_CHECKING

from mailer.scan.milter import CONTINUE, MilterAnswer, MilterMachine
from mailer.scan.milter_frame import PIECE, MilterSteps, texts
from mailer.scan.opinion import ScanError

from .line import FilterLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.config.sections.filtering import FilterSection
    from mailer.mail.arrival import Arrival
    from mailer.scan.milter_changes import MilterMail

ROOM = 100_000_000  # octets of a new body
DAEMON = "mailer"


class MilterSession:
    """One session with the milter of `section`; `host` is what we are called. Whatever goes wrong raises `OSError` or `ScanError`."""

    def __init__(self, section: FilterSection, host: str) -> None:
        self._section = section
        self._host = host
        self._line: FilterLine | None = None
        self._machine = MilterMachine(ROOM)
        self._hello = ""
        self._of_session: MilterAnswer | None = None
        self._word: MilterAnswer | None = None
        self._told: list[str] = []

    async def begin(self, arrival: Arrival, sender: str, id: str = "") -> MilterAnswer:
        """A message from `sender` begins."""
        await self._forget_message()
        if self._line is None:
            await self._call(arrival)
        if self._of_session is None and arrival.hello != self._hello:
            self._hello = arrival.hello
            self._for_session(await self._ask("H", texts(_octets(arrival.hello)), {"tls_version": arrival.tls}))
        if self._of_session is not None:
            return self._of_session
        macros = {"i": id, "mail_addr": sender, "auth_authen": arrival.user, "tls_version": arrival.tls}
        return self._for_message(await self._ask("M", texts(_octets(f"<{sender}>")), macros))

    async def recipient(self, recipient: str) -> MilterAnswer:
        """The message that has begun is for this one, too. What is said against him is said of him alone."""
        if self._silent:
            return CONTINUE
        answer = await self._ask("R", texts(_octets(f"<{recipient}>")), {"rcpt_addr": recipient})
        self._told.append(recipient)
        return answer if answer.act in ("refuse", "tempfail") else self._for_message(answer)

    async def judge(self, mail: MilterMail, recipients: Sequence[str]) -> tuple[MilterAnswer, MilterMail]:
        """The milter's word on a message for `recipients`, and the message as it wants it."""
        for each in recipients:
            if each not in self._told:
                await self.recipient(each)
        if self._silent:
            return self._word or self._of_session or CONTINUE, mail
        try:
            for letter in ("T", "L", "N", "B"):
                if (answer := await self._content(letter, mail)).act not in ("continue", "skip"):
                    return self._for_message(answer), mail
            answer = await self._ask("E", b"")
            wishes = self._machine.wishes if answer.act in ("continue", "accept", "hold") else []
            return answer, mail.changed(wishes) if wishes else mail
        finally:
            self._told = []

    async def _content(self, letter: str, mail: MilterMail) -> MilterAnswer:
        if letter == "L":
            return await self._header(mail)
        return await self._body(mail.body) if letter == "B" else await self._ask(letter, b"")

    async def _header(self, mail: MilterMail) -> MilterAnswer:
        if not self._machine.told("L"):
            return CONTINUE
        for name, value in mail.shown(leading=bool(self._machine.steps & MilterSteps.LEADING_SPACE)):
            if (answer := await self._ask("L", texts(name, value))).act != "continue":
                return answer
        return CONTINUE

    async def _body(self, body: memoryview) -> MilterAnswer:
        if not self._machine.told("B"):
            return CONTINUE
        for start in range(0, len(body), PIECE):
            if (answer := await self._ask("B", bytes(body[start : start + PIECE]))).act != "continue":
                return answer
        return CONTINUE

    async def ping(self) -> str:
        """Whether it is there, and agrees with us. Raises `OSError` and `ScanError`."""
        self._line = await FilterLine.open(self._section.place)
        try:
            await self._line.send(self._machine.start())
            await self._answer()
            return f"it agrees to version {self._machine.version}"
        finally:
            await self.end()

    async def end(self) -> None:
        """The session is over. Raises nothing."""
        with suppress(OSError, ScanError):
            if self._line is not None and not self._machine.waits:
                await self._line.send(self._machine.say("Q"))
        self.lose()

    def lose(self) -> None:
        """Give the session up: the next message begins another one."""
        if self._line is not None:
            self._line.close()
        self._line, self._of_session, self._word, self._hello, self._told = None, None, None, "", []

    @property
    def _silent(self) -> bool:
        """Whether it wants to hear no more of this message, or of this session."""
        return self._word is not None or self._of_session is not None

    def _for_session(self, answer: MilterAnswer) -> None:
        if answer.act != "continue":
            self._of_session = answer

    def _for_message(self, answer: MilterAnswer) -> MilterAnswer:
        if answer.act not in ("continue", "skip"):
            self._word = answer
        return answer

    async def _forget_message(self) -> None:
        """Say that a message which has begun, and was not judged to its end, is none."""
        self._word, self._told = None, []
        if self._line is not None and self._machine.begun:
            await self._line.send(self._machine.say("A"))

    async def _call(self, arrival: Arrival) -> None:
        self._machine = MilterMachine(ROOM)
        self._line = await FilterLine.open(self._section.place)
        await self._line.send(self._machine.start())
        await self._answer()
        macros = {"j": self._host, "daemon_name": DAEMON, "client_addr": arrival.ip, "client_name": _name(arrival), "v": DAEMON}
        self._for_session(await self._ask("C", _caller(arrival), macros))

    async def _ask(self, letter: str, data: bytes, macros: Mapping[str, str] | None = None) -> MilterAnswer:
        assert self._line is not None
        frame = self._machine.say(letter, data, {name: value for name, value in (macros or {}).items() if value})
        if not frame:
            return CONTINUE
        await self._line.send(frame)
        return await self._answer(2 if letter == "E" else 1) if self._machine.waits else CONTINUE

    async def _answer(self, times: int = 1) -> MilterAnswer:
        """The next answer; a sign that one will come, or a wish, gives it its time anew."""
        assert self._line is not None
        while True:
            async with asyncio.timeout(self._section.timeout and self._section.timeout * times):
                data = await self._line.hear()
            if answers := [answer for answer in self._machine.hear(data) if answer is not None]:
                return answers[0]


def _name(arrival: Arrival) -> str:
    return arrival.name or (f"[{arrival.ip}]" if arrival.ip else "localhost")


def _octets(text: str) -> bytes:
    """What a client has said, whatever that was."""
    return text.encode("utf-8", "replace")


def _caller(arrival: Arrival) -> bytes:
    """The client as CONNECT has it: its name, then its family, port and address; the port is not known any more."""
    if not arrival.ip:
        return texts(b"localhost") + b"U"
    family, prefix = (b"6", "IPv6:") if ":" in arrival.ip else (b"4", "")
    return texts(_octets(_name(arrival))) + family + pack(">H", 0) + texts(f"{prefix}{arrival.ip}".encode())
