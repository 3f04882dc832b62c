"""Dialogs of IMAP as text files, and how they are played; `tests/dialogs/imap/README.md` says how they are written."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, cast

from mailer.imap.lexer import Tokens
from mailer.imap.server import ImapSettings
from mailer.imapd.converse import converse
from mailer.imapd.handlers import HANDLERS
from mailer.mailbox.api import NewMail, Role
from mailer.net.peer import Peer
from mailer.net.stream import Stream
from tests.fakes.dialog import octets
from tests.mailbox.premises import told

from .house import ImapHouse

Cut = Literal["lines", "whole", "octets"]
CUTS: tuple[Cut, ...] = ("lines", "whole", "octets")
PATIENCE = 100.0  # seconds, which pass only while nobody has anything to do

_HEADERS = frozenset({"tls", "quota", "login", "enable", "select", "folder", "message", "recent", "greeting"})
_MARK = re.compile(r"([2-9]?)(C:|C>|S:|S~)\Z")
_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n\Z")
_STATUS = re.compile(r"\+ |\S+ (OK|NO|BAD|BYE)\b")
_LOGIN = b"0 LOGIN ann@example.com correct-horse\r\n"


@dataclass
class ImapDialog:
    """`turns` are (client, what it says), with what is heard up to then; b"" is the handshake."""

    settings: dict[str, Any] = field(default_factory=dict)
    tls: str = ""
    quota: int = 0
    greeting: bool = False
    recent: bool = False
    before: list[bytes] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    messages: list[tuple[str, str, bytes]] = field(default_factory=list)
    turns: list[tuple[str, bytes, dict[str, int]]] = field(default_factory=list)
    heard: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    over: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """One file."""
        dialog = cls()
        for line in path.read_text("utf-8").splitlines():
            mark, _, rest = line.partition(" ")
            if line and not line.startswith("#"):
                dialog._take(mark, rest)
        return dialog

    def _take(self, mark: str, rest: str) -> None:
        if (found := _MARK.match(mark)) is not None:
            self._said(found[1], found[2], rest)
        elif mark == "TLS":
            self._turn("", b"")
        elif mark == "---":
            self._turn("-", b"")
        elif mark == "END":
            self.over = True
        elif mark[:-1] in _HEADERS:
            self._prepare(mark[:-1], rest)
        else:
            assert mark.endswith(":"), mark
            self.settings[mark[:-1]] = _value(mark[:-1], rest)

    def _said(self, who: str, mark: str, rest: str) -> None:
        if mark[0] == "C":
            self._turn(who, octets(rest) + (b"\r\n" if mark == "C:" else b""))
        else:
            self.heard.setdefault(who, []).append((octets(rest).decode("utf-8", "surrogateescape"), mark == "S~"))

    def _turn(self, who: str, said: bytes) -> None:
        self.turns.append((who, said, {who: len(lines) for who, lines in self.heard.items()}))

    def _prepare(self, name: str, rest: str) -> None:
        if name == "tls":
            self.tls = rest
        elif name == "quota":
            self.quota = int(rest)
        elif name == "greeting":
            self.greeting = True
        elif name == "recent":  # the messages that are there were told to nobody
            self.recent = True
        elif name == "folder":
            self.folders.append(rest)
        elif name == "message":
            folder, _, more = rest.partition(" ")
            flags, _, content = more.partition(") ")
            self.messages.append((folder, octets(flags + ")").decode(), octets(content)))
        else:
            self.before.append(
                {"login": _LOGIN, "enable": b"0 ENABLE %b\r\n", "select": b"0 SELECT %b\r\n"}[name].replace(b"%b", rest.encode())
            )


def _value(name: str, text: str) -> Any:
    if name in ("hide", "mechanisms"):
        return (frozenset if name == "hide" else tuple)(text.split(" "))
    return {"yes": True, "no": False}.get(text, int(text) if text.isdigit() else text)


class PlayedStream:
    """A stream whose octets come in the segments that are given to it."""

    def __init__(self, tls: str) -> None:
        self.tls_version = tls
        self.gone = self.full = False
        self.said = b""
        self.idle = asyncio.Event()  # all that was given is read, and more is waited for
        self.spoken = asyncio.Event()
        self._segments: list[bytes] = []
        self._given = asyncio.Event()

    def give(self, *segments: bytes) -> None:
        self._segments += segments
        self.idle.clear()
        self._given.set()

    async def read(self, most: int) -> bytes:
        while not self._segments:
            self._given.clear()
            self.idle.set()
            await self._given.wait()
        segment = self._segments[0]
        self._segments[0] = segment[most:]
        if not self._segments[0]:
            del self._segments[0]
        return segment[:most]

    def write(self, data: bytes) -> None:
        self.said += data
        self.spoken.set()

    async def answer_tls(self, context: object, seconds: float) -> None:
        self._segments.clear()
        self.tls_version = "TLSv1.3"

    def allow(self, seconds: float) -> None:
        pass

    async def flush(self) -> None:
        pass

    async def room(self) -> None:
        pass


def lines(said: bytes) -> list[str]:
    """The lines of what was said, with their literals in them; what is not complete is none."""
    found, line = [], b""
    while (end := said.find(b"\r\n")) >= 0:
        line, said = line + said[: end + 2], said[end + 2 :]
        if literal := _LITERAL.search(line):
            size = int(literal[1])
            line, said = line + said[:size], said[size:]
            continue
        found.append(line[:-2].decode("utf-8", "surrogateescape"))
        line = b""
    return found


class ImapPlay:
    """A dialog that is played in a house; `clients` are who speak, by the mark that they have in it."""

    def __init__(self, house: ImapHouse, dialog: ImapDialog, cut: Cut) -> None:
        self._house = house
        self._dialog = dialog
        self._cut = cut
        self._settings = ImapSettings("mail.example.com", known=house.desk.known(b"", "imap"), **({"clear_auth": True} | dialog.settings))
        self.clients: dict[str, PlayedStream] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._skipped: dict[str, int] = {}  # lines that were heard before it began

    async def run(self, tail: bytes = b"") -> dict[str, list[str]]:
        """All that is heard, by client."""
        self._furnish()
        await self._client("")
        flight, last = b"", ""
        for who, said, before in self._dialog.turns:
            if flight and (who != last or not said or self._cut == "lines"):
                await self._say(last, flight)
                flight = b""
            if who != last or not said or self._cut == "lines":
                await self._hear(before)
            if who != "-":
                last = who
            if said:
                flight += said
        await self._say(last, flight)
        await self._hear({who: len(heard) for who, heard in self._dialog.heard.items()})
        if tail:
            await self._say("", tail)
        return {who: self._lines(who) for who in self.clients}

    def _furnish(self) -> None:
        with self._house.premises.ann() as box:
            for name in self._dialog.folders:
                box.create(name, role=cast("Role", ""))
            for folder, flags, content in self._dialog.messages:
                known, keywords = read_flags(flags)
                box.put([NewMail(folder, content, flags=known, keywords=keywords, received=self._house.premises.now)])
            if not self._dialog.recent:
                told(box)

    async def _client(self, who: str) -> PlayedStream:
        """The client who has this mark; he connects where he has not."""
        if who not in self.clients:
            stream = self.clients[who] = PlayedStream(self._dialog.tls)
            self._skipped[who] = 0
            house, peer = self._house, Peer("192.0.2.1", 1)
            self.tasks[who] = asyncio.create_task(
                converse(
                    cast("Stream", stream), peer, self._settings, house.terms, HANDLERS, house.loop, cast("Any", object()), house.common
                )
            )
            await self._settled(who)
            for line in self._dialog.before if not who else ():
                stream.give(line)
                await self._settled(who)
                assert lines(stream.said)[-1].startswith("0 OK"), stream.said
            self._skipped[who] = 0 if self._dialog.greeting and not who else len(lines(stream.said))
        return self.clients[who]

    async def _say(self, who: str, said: bytes) -> None:
        stream = await self._client(who)
        if said:
            stream.give(*(said[at : at + 1] for at in range(len(said))) if self._cut == "octets" else [said])
            await self._settled(who)

    async def _settled(self, who: str) -> None:
        """Wait until all is read and answered, or the session is over."""
        idle = asyncio.create_task(self.clients[who].idle.wait())
        await asyncio.wait([idle, self.tasks[who]], return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        if self.tasks[who].done():
            self.tasks[who].result()

    async def _hear(self, wanted: dict[str, int]) -> None:
        """Wait until so many lines are heard."""
        for who, many in wanted.items():
            stream = await self._client(who)
            try:
                async with asyncio.timeout(PATIENCE):
                    while len(self._lines(who)) < many:
                        stream.spoken.clear()
                        await stream.spoken.wait()
            except TimeoutError:
                raise AssertionError(f"client {who or 1} hears {self._lines(who)}, and not {self._dialog.heard[who][:many]}") from None

    def _lines(self, who: str) -> list[str]:
        return lines(self.clients[who].said)[self._skipped[who] :]

    async def leave(self) -> None:
        """Everybody leaves."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


def read_flags(text: str) -> tuple[Any, tuple[str, ...]]:
    """Flags as a dialog writes them."""
    return Tokens([text.encode()]).flags()


def fits(line: str, wanted: str) -> bool:
    """Whether a line is the one that is wanted."""
    open = wanted.endswith("...") or _STATUS.match(wanted) is not None
    pattern = re.escape(wanted.removesuffix("...")).replace(re.escape("{*}"), ".*?")
    return re.fullmatch(pattern + (".*" if open else ""), line, re.DOTALL) is not None


def unlike(heard: list[str], wanted: list[tuple[str, bool]]) -> Iterator[str]:
    """What was heard and is not wanted, or the other way round."""
    if len(heard) != len(wanted):
        yield f"{len(heard)} lines are heard, and {len(wanted)} wanted"
    at = 0
    while at < min(len(heard), len(wanted)):
        end = at + 1
        while wanted[at][1] and end < len(wanted) and wanted[end][1]:
            end += 1
        left = Counter(heard[at:end])
        for line, _ in wanted[at:end]:
            found = next((each for each in left if fits(each, line)), None)
            if found is None:
                yield f"wanted {line!r}, heard {sorted(left)}"
            else:
                left -= Counter([found])
        at = end
