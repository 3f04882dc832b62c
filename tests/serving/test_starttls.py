"""What is said in the clear together with STARTTLS or STLS is thrown away, and the session forgets what it knew, in SMTP, IMAP and POP3.

One table of what an attacker puts there (CVE-2011-0411, CVE-2021-33515 and their kin) for the three machines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from mailer.imap.server import ImapServer, ImapSettings
from mailer.pop3.maildrop import Maildrop
from mailer.pop3.questions import PopLogin
from mailer.pop3.server import PopServer, PopSettings
from mailer.smtp.server import Server, ServerSettings


class SpokenProtocol(NamedTuple):
    """A protocol: its machine, what opens a session, what asks for TLS, a login that is injected, a command that tells whether it
    counted, how the answer to that begins where nobody is logged in, and what may not be behind the handshake."""

    machine: Callable[[], Any]
    hello: bytes
    asks: bytes
    login: bytes
    tells: bytes
    stranger: bytes


PROTOCOLS = {
    "smtp": SpokenProtocol(
        lambda: Server(ServerSettings("mx.example.com", starttls=True, mechanisms=("PLAIN",), clear_auth=True)),
        b"EHLO me\r\n",
        b"STARTTLS\r\n",
        b"EHLO me\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n",
        b"MAIL FROM:<a@b.example>\r\n",
        b"503 ",
    ),
    "imap": SpokenProtocol(
        lambda: ImapServer(ImapSettings(starttls=True, clear_auth=True)),
        b"a NOOP\r\n",
        b"b STARTTLS\r\n",
        b"c LOGIN ann secret\r\n",
        b"d SELECT INBOX\r\n",
        b"d BAD",
    ),
    "pop3": SpokenProtocol(
        lambda: PopServer(PopSettings(starttls=True, clear=True)),
        b"USER ann\r\n",
        b"STLS\r\n",
        b"USER ann\r\nPASS secret\r\n",
        b"STAT\r\n",
        b"-ERR ",
    ),
}

INJECTED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda login: b"",
    "a login": lambda login: login,
    "half a line": lambda login: login[: len(login) // 2],
    "a login without its end": lambda login: login[:-2],
    "line ends": lambda login: b"\r\n\r\n" + login,
    "bare line ends": lambda login: b"\n" + login.replace(b"\r\n", b"\n"),
    "a thousand of them": lambda login: login * 1000,
    "octets": lambda login: bytes(range(256)) + login,
    "a literal": lambda login: b"x LOGIN {300+}\r\n" + login,
    "what asks for TLS once more": lambda login: b"STARTTLS\r\nSTLS\r\nx STARTTLS\r\n" + login,
}


def pumped(machine: Any) -> bytes:
    """What is said until more has to come; whoever logs in is let in."""
    while (question := machine.next()) is not None:
        if isinstance(question, PopLogin):
            machine.admit("ann", Maildrop())
        else:
            machine.answer()
    said: bytes = machine.take()
    return said


@pytest.mark.parametrize("octets", [False, True], ids=["whole", "octet by octet"])
@pytest.mark.parametrize("injected", INJECTED)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_came_in_the_clear_does_not_count(protocol: str, injected: str, octets: bool) -> None:
    """One answer to all of it, and behind the handshake a stranger, to whom nothing is owed."""
    spoken = PROTOCOLS[protocol]
    machine = spoken.machine()
    pumped(machine)
    machine.feed(spoken.hello)
    pumped(machine)
    said = spoken.asks + INJECTED[injected](spoken.login)
    heard = b""
    for piece in [said[at : at + 1] for at in range(len(said))] if octets else [said]:
        machine.feed(piece)
        heard += pumped(machine)
    assert heard.count(b"\r\n") == 1
    machine.secured("TLSv1.3")
    assert pumped(machine) == b""
    machine.feed(spoken.tells)
    assert pumped(machine).startswith(spoken.stranger)
    assert not machine.user
