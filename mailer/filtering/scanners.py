"""The filters that are called over a socket for each message: clamd, spamd and rspamd. What they speak is `mailer.scan`."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

from mailer.net.aside import aside
from mailer.scan import clamd, rspamd, spamd
from mailer.scan.opinion import ScanError

from .line import FilterLine

if TYPE_CHECKING:
    from mailer.config.sections.filtering import FilterSection
    from mailer.scan.opinion import Opinion

    from .letter import FilterLetter


class Scanner(Protocol):
    """A filter that is asked of a whole message."""

    async def ask(self, letter: FilterLetter) -> Opinion:
        """What it thinks of `letter`. Raises `OSError` where it is not to be had, and `ScanError` where it says nothing of use."""

    async def ping(self) -> str:
        """How it is, in a few words, where it is well. Raises what `ask` raises."""


class ClamdScanner:
    """ClamAV's daemon."""

    def __init__(self, section: FilterSection) -> None:
        self._place = section.place

    async def ask(self, letter: FilterLetter) -> Opinion:
        """Ask whether it finds a virus in the message as it came; what it says before it hangs up counts."""
        with await FilterLine.open(self._place) as line:
            await line.offer(clamd.pieces(letter.content))
            return clamd.read(await self._answer(line))

    async def ping(self) -> str:
        """Ask whether it is there. Raises `OSError` and `ScanError`."""
        with await FilterLine.open(self._place) as line:
            await line.send(clamd.PING)
            if await self._answer(line) != clamd.PONG:
                raise ScanError("clamd does not answer PING with PONG")
        return "it answers"

    async def _answer(self, line: FilterLine) -> bytes:
        heard = b""
        while not clamd.is_whole(heard):
            try:
                piece = await line.hear()
            except ConnectionError:
                break
            if not piece:
                break
            heard += piece
        return heard


class SpamdScanner:
    """SpamAssassin's daemon."""

    def __init__(self, section: FilterSection) -> None:
        self._place = section.place
        self._weight = section.weight

    async def ask(self, letter: FilterLetter) -> Opinion:
        """What it scores, and for what."""
        parts = letter.parts
        with await FilterLine.open(self._place) as line:
            if await line.offer((spamd.request(sum(map(len, parts))), *parts)):
                line.done()
            return spamd.read(await self._answer(line), weight=self._weight)

    async def ping(self) -> str:
        """Ask whether it is there. Raises `OSError` and `ScanError`."""
        with await FilterLine.open(self._place) as line:
            await line.send(spamd.PING)
            line.done()
            if not spamd.is_pong(await self._answer(line)):
                raise ScanError("spamd does not answer PING with PONG")
        return "it answers"

    async def _answer(self, line: FilterLine) -> bytes:
        """All that it says: it tells the length of no answer that matters."""
        heard = bytearray()
        while len(heard) <= spamd.MOST and (piece := await line.hear()):
            heard += piece
        return bytes(heard)


class RspamdScanner:
    """Rspamd, asked over HTTP."""

    def __init__(self, section: FilterSection) -> None:
        self._place = section.place
        self._weight = section.weight

    async def ask(self, letter: FilterLetter) -> Opinion:
        """What it scores, and what it would do."""
        host = "localhost" if self._place.path else str(self._place)
        parts = letter.parts
        length = sum(map(len, parts))
        request = rspamd.request(length, letter.arrival, letter.sender, letter.recipients, host, letter.id)
        body = (await self._answer(request, *parts)).body
        if len(body) > rspamd.SLOW:
            return await aside(partial(rspamd.read, body, self._weight))
        return rspamd.read(body, self._weight)

    async def ping(self) -> str:
        """Ask whether it is there. Raises `OSError` and `ScanError`."""
        ear = await self._answer(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return f"it answers {ear.body.strip()[:20].decode('ascii', 'replace')}"

    async def _answer(self, *request: bytes) -> rspamd.RspamdEar:
        ear = rspamd.RspamdEar()
        with await FilterLine.open(self._place) as line:
            await line.offer(request)
            while not ear.whole:
                ear.hear(await line.hear())
                await asyncio.sleep(0)
        return ear


SCANNERS: dict[str, type[ClamdScanner | SpamdScanner | RspamdScanner]] = {
    "clamd": ClamdScanner, "spamd": SpamdScanner, "rspamd": RspamdScanner,
}  # fmt: skip
"""By the kind in the configuration."""
