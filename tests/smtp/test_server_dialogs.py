"""Every dialog of tests/dialogs/receiving against the receiving machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply, ReplyReader
from mailer.smtp.server import Server, ServerSettings, ServerState
from tests.fakes.dialog import DIALOGS, octets

FILES = sorted((DIALOGS / "receiving").glob("*.txt"))
SETS = frozenset({"require", "hide"})
LISTS = frozenset({"mechanisms", "offer"})


class Said:
    """One dialog: what the client says between two handshakes, the replies that are wanted, the messages, and whether it is over then."""

    def __init__(self, path: Path) -> None:
        self.settings: dict[str, Any] = {}
        self.answers: dict[str, Reply] = {}
        self.flights: list[bytes] = []  # b"" is the handshake
        self.replies: list[str] = []
        self.messages: list[bytes] = []
        self.over = False
        for line in path.read_text().splitlines():
            self._take(*line.partition(" ")[::2])

    def _take(self, mark: str, rest: str) -> None:
        if mark in ("C:", "C>"):
            self.flights.append(octets(rest) + (b"\r\n" if mark == "C:" else b""))
        elif mark == "S:":
            self.replies.append(rest)
        elif mark == "=":
            sender, recipient, *text = rest.split(" ", 2)
            self.messages.append(f"{sender} {recipient} ".encode() + octets(*text or [""]))
        elif mark in ("TLS", "END"):
            self.flights += [b""] if mark == "TLS" else []
            self.over |= mark == "END"
        elif mark == "answer:":
            phase, code, text = rest.split(" ")
            self.answers[phase] = Reply.own(int(code), "", text)
        elif mark not in ("", "#"):
            self.settings[mark[:-1]] = _value(mark[:-1], rest)


def _value(name: str, text: str) -> Any:
    if name in SETS | LISTS:
        return (frozenset if name in SETS else tuple)(text.split(" "))
    return {"yes": True, "no": False}.get(text, int(text) if text.isdigit() else text)


def as_written(said: Said) -> Iterator[bytes]:
    """Line by line."""
    yield from said.flights


def whole(said: Said) -> Iterator[bytes]:
    """All that is said between two handshakes in one segment."""
    segment = b""
    for flight in said.flights:
        segment += flight
        if not flight:
            yield segment
            yield b""
            segment = b""
    yield segment


def octet_by_octet(said: Said) -> Iterator[bytes]:
    """One segment for each octet."""
    for flight in said.flights:
        yield from (flight[at : at + 1] for at in range(len(flight)))
        if not flight:
            yield b""


def played(said: Said, cut: Callable[[Said], Iterator[bytes]], tail: bytes = b"") -> tuple[list[str], list[bytes], Server]:
    """The replies, the messages, and the machine behind the end."""
    server = Server(ServerSettings(**said.settings))
    replies, messages = ReplyReader(), []
    heard: list[Reply] = []

    def pump() -> None:
        while (question := server.next()) is not None:
            if isinstance(question, ask.Body):
                messages.append(f"{question.sender or '<>'} {' '.join(question.recipients)} ".encode() + question.content)
            server.answer(said.answers.get(question.phase))
        heard.extend(replies.feed(server.take()))

    pump()
    for segment in (*cut(said), tail):
        if segment:
            server.feed(segment)
        elif server.state is ServerState.HANDSHAKE:
            server.secured("TLSv1.3")
        pump()
    return [str(reply) for reply in heard], messages, server


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_server_answers_as_the_dialog_says(path: Path) -> None:
    """It makes no difference in which pieces the client speaks; behind the end of the session nothing is read."""
    said = Said(path)
    for cut in (as_written, whole, octet_by_octet):
        replies, messages, server = played(said, cut)
        assert len(replies) == len(said.replies), replies
        for reply, wanted in zip(replies, said.replies, strict=True):
            assert reply.startswith(wanted), replies
        assert messages == said.messages
        assert (server.state is ServerState.CLOSED) is said.over
        longer, more, _ = played(said, cut, b"NOOP\r\n")
        assert longer[: len(replies)] == replies
        assert more == messages
        assert not (said.over and longer[len(replies) :])
