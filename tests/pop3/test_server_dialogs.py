"""Every dialog of tests/dialogs/pop3 against the receiving machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.pop3.questions import PopReply
from mailer.pop3.server import PopServer, PopSettings, PopState
from tests.fakes.dialog import DIALOGS, octets

from .talk import Household, pumped

FILES = sorted((DIALOGS / "pop3").glob("*.txt"))


class PopDialog:
    """What the client says between two handshakes, the lines that are wanted, what is removed, and whether it is over then."""

    def __init__(self, path: Path) -> None:
        self.settings: dict[str, Any] = {}
        self.tls = ""
        self.household: dict[str, Any] = {"messages": [], "gone": set()}
        self.flights: list[bytes] = []  # b"" is the handshake
        self.lines: list[str] = []
        self.removed: list[list[int]] = []
        self.over = False
        for line in path.read_text().splitlines():
            self._take(*line.partition(" ")[::2])

    def _take(self, mark: str, rest: str) -> None:
        if mark in ("C:", "C>"):
            self.flights.append(octets(rest) + (b"\r\n" if mark == "C:" else b""))
        elif mark == "S:":
            self.lines.append(octets(rest).decode())
        elif mark == "=":
            self.removed.append([int(word) for word in rest.split()])
        elif mark in ("TLS", "END"):
            self.flights += [b""] if mark == "TLS" else []
            self.over |= mark == "END"
        elif mark == "tls:":
            self.tls = rest
        elif mark in ("message:", "gone:", "stuck:", "refuse:"):
            self._take_household(mark, rest)
        elif mark not in ("", "#"):
            self.settings[mark[:-1]] = _value(mark[:-1], rest)

    def _take_household(self, mark: str, rest: str) -> None:
        first, _, text = rest.partition(" ")
        if mark == "message:":
            self.household["messages"].append((first, octets(text)))
        elif mark == "gone:":
            self.household["gone"].add(int(first))
        elif mark == "stuck:":
            self.household["stuck"] = True
        else:
            self.household["refuse"] = PopReply(text, first)


def _value(name: str, text: str) -> Any:
    if name == "mechanisms":
        return tuple(text.split(" "))
    return {"yes": True, "no": False}.get(text, int(text) if text.isdigit() else text)


def as_written(said: PopDialog) -> Iterator[bytes]:
    """Line by line."""
    yield from said.flights


def whole(said: PopDialog) -> Iterator[bytes]:
    """All that is said between two handshakes in one segment."""
    segment = b""
    for flight in said.flights:
        segment += flight
        if not flight:
            yield segment
            yield b""
            segment = b""
    yield segment


def octet_by_octet(said: PopDialog) -> Iterator[bytes]:
    """One segment for each octet."""
    for flight in said.flights:
        yield from (flight[at : at + 1] for at in range(len(flight)))
        if not flight:
            yield b""


def played(
    said: PopDialog, cut: Callable[[PopDialog], Iterator[bytes]], tail: bytes = b"", piece: int = 1 << 20
) -> tuple[list[str], Household, PopServer]:
    """The lines that are heard, the household, and the machine behind the end."""
    server, household = PopServer(PopSettings(**said.settings), said.tls), Household(**said.household, piece=piece)
    heard = pumped(server, household)
    for segment in (*cut(said), tail):
        if segment:
            server.feed(segment)
        elif server.state is PopState.HANDSHAKE:
            server.secured("TLSv1.3")
        heard += pumped(server, household)
    return heard.decode().removesuffix("\r\n").split("\r\n"), household, server


def fits(line: str, wanted: str) -> bool:
    """Whether a line is the one that is wanted: a first line of an answer begins so."""
    return line.startswith(wanted) if wanted.startswith(("+OK", "-ERR", "+")) else line == wanted


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_server_answers_as_the_dialog_says(path: Path) -> None:
    """It makes no difference in which pieces the client speaks; behind the end of the session nothing is read."""
    said = PopDialog(path)
    for cut, piece in ((as_written, 1 << 20), (whole, 3), (octet_by_octet, 1)):
        lines, household, server = played(said, cut, piece=piece)
        assert len(lines) == len(said.lines), lines
        for line, wanted in zip(lines, said.lines, strict=True):
            assert fits(line, wanted), (wanted, lines)
        assert household.removed == said.removed
        assert (server.state is PopState.CLOSED) is said.over
        longer, after, _ = played(said, cut, b"QUIT\r\n", piece)
        assert longer[: len(lines)] == lines
        if said.over:
            assert longer == lines
            assert after.removed == said.removed
