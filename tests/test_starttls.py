"""One law for all servers that begin TLS within a session: what was said before the handshake does not count after it.

RFC 3207 §4.2, RFC 9051 §6.2.1, RFC 2595 §4; CVE-2011-0411, CVE-2021-33515. The octets that came along with the command are thrown away,
however they are cut, and who was somebody before is a stranger again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from mailer.imap.server import ImapServer, ImapSettings, ImapState
from mailer.pop3.server import PopServer, PopSettings, PopState
from mailer.smtp.server import Server, ServerSettings, ServerState


class Speaker(NamedTuple):
    """A machine: how it is made, what is said before, the command, what follows it in the same segment, each of which must do nothing, and
    a question behind the handshake with what has to be in its answer, and what must not."""

    made: Callable[[], Any]
    handshake: object
    before: bytes
    command: bytes
    injected: tuple[bytes, ...]
    question: bytes
    wanted: bytes
    unwanted: bytes


SPEAKERS = {
    "smtp": Speaker(
        lambda: Server(ServerSettings(starttls=True, mechanisms=("PLAIN",), clear_auth=True)), ServerState.HANDSHAKE,
        b"EHLO client.example\r\n", b"STARTTLS\r\n",
        (b"RSET\r\n", b"EHLO x\r\n", b"MAIL FROM:<a@b.example>\r\n", b"NO", b"\r\n", b"\0", b"AUTH PLAIN AGEAYg==\r\n", b"QUIT\r\n",
         b"x" * 70_000),
        b"EHLO client.example\r\n", b"AUTH PLAIN", b"STARTTLS",
    ),
    "imap": Speaker(
        lambda: ImapServer(ImapSettings(starttls=True, clear_auth=True)), ImapState.HANDSHAKE, b'i ID ("name" "x")\r\n', b"a STARTTLS\r\n",
        (b"b NOOP\r\n", b"b LOGIN user secret\r\n", b"b LOGIN {6+}\r\n", b"b LOGIN {6}\r\nuser", b"\r\n", b"\0",
         b"b AUTHENTICATE PLAIN\r\n", b"b LOGOUT\r\n", b"x" * 70_000),
        b"c CAPABILITY\r\n", b"AUTH=PLAIN", b"STARTTLS",
    ),
    "pop3": Speaker(
        lambda: PopServer(PopSettings(starttls=True, clear=True)), PopState.HANDSHAKE, b"CAPA\r\n", b"STLS\r\n",
        (b"NOOP\r\n", b"USER ann\r\nPASS secret\r\n", b"USER ann\r\n", b"AU", b"\r\n", b"\0", b"AUTH PLAIN\r\n", b"QUIT\r\n",
         b"x" * 70_000),
        b"CAPA\r\n", b"USER", b"STLS",
    ),
}  # fmt: skip

CASES = [(name, injected) for name, speaker in SPEAKERS.items() for injected in speaker.injected]


def pumped(machine: Any) -> bytes:
    """What is said when each question gets its usual answer."""
    while machine.next() is not None:
        machine.answer()
    said: bytes = machine.take()
    return said


def heard(speaker: Speaker, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """What is said to `pieces`, in which the command is, and to the question behind the handshake."""
    machine = speaker.made()
    pumped(machine)
    machine.feed(speaker.before)
    pumped(machine)
    said = b""
    for piece in pieces:
        machine.feed(piece)
        said += pumped(machine)
    assert machine.state is speaker.handshake
    machine.secured("TLSv1.3")
    assert pumped(machine) == b""
    assert not machine.user
    machine.feed(speaker.question)
    return said, pumped(machine)


@pytest.mark.parametrize(("name", "injected"), CASES)
def test_what_comes_with_the_command_is_thrown_away(name: str, injected: bytes) -> None:
    """In the same segment, in one behind it, and cut anywhere: it is answered by nothing, and joined to nothing."""
    speaker = SPEAKERS[name]
    plain = heard(speaker, [speaker.command])
    assert speaker.wanted in plain[1]
    assert speaker.unwanted not in plain[1]
    assert heard(speaker, [speaker.command + injected]) == plain
    assert heard(speaker, [speaker.command, injected]) == plain
    for at in (1, len(speaker.command) - 1):
        assert heard(speaker, [speaker.command[:at], speaker.command[at:] + injected]) == plain


@pytest.mark.parametrize("name", SPEAKERS)
def test_it_is_said_that_something_was_thrown_away(name: str) -> None:
    """Whoever drives the machine can log it."""
    speaker = SPEAKERS[name]
    machine = speaker.made()
    pumped(machine)
    machine.feed(speaker.before)
    pumped(machine)
    machine.feed(speaker.command + b"NOOP\r\n")
    pumped(machine)
    assert machine.discarded == 6


@pytest.mark.parametrize("name", SPEAKERS)
def test_within_tls_there_is_none(name: str) -> None:
    """A second handshake is refused, and what follows it in the same segment is a command."""
    speaker = SPEAKERS[name]
    machine = speaker.made()
    pumped(machine)
    machine.feed(speaker.before)
    pumped(machine)
    machine.feed(speaker.command)
    pumped(machine)
    machine.secured("TLSv1.3")
    machine.feed(speaker.before + speaker.command + speaker.question)
    assert speaker.wanted in pumped(machine)
    assert machine.state is not speaker.handshake
