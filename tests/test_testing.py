"""The servers that users test their programs with."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import time
from typing import Any

import pytest
import trustme

from mailer import Email, Login, RetrySettings, SmtpClient, SmtpError, SyncSmtpClient, testing
from mailer.testing import Hang, Moods, Script, Sink, SinkThread, Turn, turns
from mailer.tlspolicy import Requirement
from mailer.transport.route import Timeouts

LATER = """
    # a server that greylists
    S: 220 mx.example.com
    C: EHLO *
    S: 250-mx.example.com
    S: 250 8BITMIME
    C: MAIL FROM:<ann@example.org>*
    S: 451 4.7.1 come back later
"""
WHOLE = """
    S: 220 mx.example.com
    C: EHLO me.example.org
    S: 250 mx.example.com
    C: MAIL FROM:<ann@example.org>
    S: 250 ok
    C: RCPT TO:<bob@example.net>
    S: 250 ok
    C: DATA
    S: 354 go
    MESSAGE
    S: 250 2.0.0 taken
"""
ONCE = RetrySettings(max_attempts=1)
MAIL = Email(from_="ann@example.org", to="bob@example.net", text=".\nhello")


def client(port: int, **settings: Any) -> SyncSmtpClient:
    """A client of the server on this port."""
    return SyncSmtpClient("127.0.0.1", port, tls="none", hello="me.example.org", retry=ONCE, **settings)


def test_a_script_is_followed() -> None:
    """In a thread for code that waits, with stars for what may vary, and the message kept as it was meant."""
    with Script(LATER) as script, client(script.port) as sending, pytest.raises(SmtpError, match="come back later"):
        sending.send(MAIL)
    with Script(WHOLE) as script, client(script.port) as sending:
        sending.send(MAIL)
    assert script.messages[0].endswith(b"\r\n\r\n.\r\nhello\r\n")
    assert b"\r\n..\r\nhello\r\n.\r\nQUIT\r\n" in script.received


def test_a_script_that_is_not_followed() -> None:
    """What was said instead is in the error, wherever it happened."""
    for script, wrong in (
        (WHOLE.replace("me.example.org", "you.example.org"), "was said instead of b'EHLO you.example.org"),
        (LATER.replace("EHLO *", "HELO *"), r"b'EHLO me.example.org\\r\\n' was said instead of b'HELO \*\\r\\n'"),
        (LATER.replace("451", "250"), "was said after the end"),
        ("S: 220 x\nC: EHLO me.example.org\nC: NOOP", "was said, and then nothing"),
        ("S: 220 x\nMESSAGE", "the message has no end"),
    ):
        with pytest.raises(AssertionError, match=wrong):
            _talk(script)


def _talk(text: str) -> None:
    with Script(text) as script:
        try:
            with client(script.port, timeouts=Timeouts(ehlo=0.1)) as sending:
                sending.send(MAIL)
        except SmtpError:
            pass


def test_an_error_within_goes_first() -> None:
    """A test that fails for another reason says that one."""
    with pytest.raises(ZeroDivisionError), Script(WHOLE) as script, client(script.port):
        _ = 1 / 0


def test_scripts_with_tls() -> None:
    """With a certificate of the test's own; the server may close whenever it likes."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("mx.example.com").configure_cert(context)

    async def run() -> None:
        text = "TLS\n" + WHOLE.partition("    C: MAIL")[0] + "END"
        with ca.cert_pem.tempfile() as path:
            tls = Requirement("implicit", ca_file=path, server_name="mx.example.com")
            async with (
                Script(text, context) as script,
                SmtpClient("127.0.0.1", script.port, tls=tls, hello="me.example.org", retry=ONCE) as sending,
            ):
                with pytest.raises(SmtpError):
                    await sending.send(MAIL)
            assert script.received == b"EHLO me.example.org\r\n"

    asyncio.run(run())


def test_the_lines_of_a_script() -> None:
    """Lines of one side are one turn, escapes are octets, and what is no line is refused."""
    assert turns("S: a\nS> b\nC: x\nC: y\nC: z*\nC: \\*\nTLS\nEND") == [
        Turn("S", b"a\r\nb"),
        Turn("C", b"x\r\ny\r\n"),
        Turn("LINE", b"z*\r\n"),
        Turn("C", b"*\r\n"),
        Turn("TLS"),
        Turn("END"),
    ]
    assert turns(r"S> \r\n\t\0\\\xff ü")[0].data == b"\r\n\t\0\\\xff " + "ü".encode()
    for bad in ("X: y", "S", "TLS now", "hello"):
        with pytest.raises(ValueError, match="no line of a script"):
            turns(bad)


def test_a_server_that_is_silent() -> None:
    """It answers as often as it was told to, and then lets its client wait."""
    with Hang(b"220 x\r\n", [b"250 x\r\n"]) as server, smtplib.SMTP("127.0.0.1", server.port, timeout=60) as session:
        session.ehlo()
        session.sock.settimeout(0.1)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            session.noop()
        session.close()


def test_a_client_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody closes is a mistake that a test should know of."""
    monkeypatch.setattr(testing, "PATIENCE", 0.1)
    with pytest.raises(AssertionError, match="left its connection open"):
        _stay()


def _stay() -> None:
    with socket.socket() as stays, Hang() as server:
        stays.connect(("127.0.0.1", server.port))
        while not server.sessions:
            time.sleep(0.01)


def test_the_sink_is_here_too() -> None:
    """The one in memory, awaited or in a thread, with its moods."""

    async def run() -> None:
        async with Sink(Moods(magic=False)) as sink, SmtpClient("127.0.0.1", sink.port, tls="none") as sending:
            await sending.send(MAIL)
            assert (await sink.received(1))[0].sender == "ann@example.org"

    asyncio.run(run())
    with SinkThread(users={"ann": "x"}) as sink:
        with SyncSmtpClient("127.0.0.1", sink.port, tls="none", credentials=Login("ann", lambda: "x", True)) as sending:
            sending.send(MAIL)
        assert sink.messages[0].user == "ann"
