"""Commands: what they look like, and what never becomes one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailer.smtp import command
from mailer.smtp.command import Command
from mailer.smtp.reply import CommandError

# E6 of the field study: C0, DEL, NEL, line and paragraph separator.
CONTROLS = [*map(chr, range(0x20)), "\x7f", "\x85", "\u2028", "\u2029"]

BUILDERS: dict[str, Callable[[str], Command]] = {
    "EHLO": lambda x: command.ehlo(f"mail{x}.example.com"),
    "HELO": lambda x: command.helo(f"mail{x}.example.com"),
    "MAIL": lambda x: command.mail(f"al{x}ice@example.org"),
    "MAIL domain": lambda x: command.mail(f"alice@exam{x}ple.org"),
    "MAIL quoted": lambda x: command.mail(f'"al{x}ice"@example.org'),
    "RCPT": lambda x: command.rcpt(f"b{x}ob@example.com"),
    "RCPT end": lambda x: command.rcpt(f"bob@example.com{x}"),
    "RCPT quoted": lambda x: command.rcpt(f'"b{x}ob"@example.com'),
    "AUTH": lambda x: command.auth(f"PLA{x}IN"),
    "LHLO": lambda x: command.lhlo(f"mail{x}.example.com"),
    "MAIL parameter": lambda x: command.mail("", more=[f"ENVID=a{x}b"]),
    "RCPT parameter": lambda x: command.rcpt("bob@example.com", [f"NOTIFY=NE{x}VER"]),
    "VRFY": lambda x: command.vrfy(f"bo{x}b", utf8=True),
    "EXPN": lambda x: command.expn(f"li{x}st", utf8=True),
    "HELP": lambda x: command.help_(f"MA{x}IL"),
}


@pytest.mark.parametrize(
    ("built", "line"),
    [
        (command.ehlo("[192.0.2.1]"), b"EHLO [192.0.2.1]\r\n"),
        (command.helo("mail.example.com"), b"HELO mail.example.com\r\n"),
        (command.mail(""), b"MAIL FROM:<>\r\n"),
        (command.mail("a@b.example", size=5), b"MAIL FROM:<a@b.example> SIZE=5\r\n"),
        (
            command.mail("ü@b.example", size=5, body="8BITMIME", utf8=True),
            "MAIL FROM:<ü@b.example> SIZE=5 BODY=8BITMIME SMTPUTF8\r\n".encode(),
        ),
        (command.rcpt("a@[IPv6:::1]"), b"RCPT TO:<a@[IPv6:::1]>\r\n"),
        (command.rcpt('"a > b"@c.example'), b'RCPT TO:<"a > b"@c.example>\r\n'),
        (command.rcpt('"a\\" b"@c.example'), b'RCPT TO:<"a\\" b"@c.example>\r\n'),
        (command.auth("PLAIN", b"\0a\0b"), b"AUTH PLAIN AGEAYg==\r\n"),
        (command.auth("PLAIN", b""), b"AUTH PLAIN =\r\n"),
        (command.auth("LOGIN"), b"AUTH LOGIN\r\n"),
        (command.response(b"x" * 90), b"eHh4" * 30 + b"\r\n"),
        (command.response(b""), b"\r\n"),
        (command.lhlo("mail.example.com"), b"LHLO mail.example.com\r\n"),
        (command.mail("a@b.example", body="BINARYMIME", more=["RET=HDRS"]), b"MAIL FROM:<a@b.example> BODY=BINARYMIME RET=HDRS\r\n"),
        (command.rcpt("a@b.example", ["NOTIFY=NEVER"]), b"RCPT TO:<a@b.example> NOTIFY=NEVER\r\n"),
        (command.chunk(b"\0\n."), b"BDAT 3\r\n\0\n."),
        (command.chunk(b"", last=True), b"BDAT 0 LAST\r\n"),
        (command.vrfy("Ann Example"), b"VRFY Ann Example\r\n"),
        (command.vrfy("ann@bücher.example"), b"VRFY ann@xn--bcher-kva.example\r\n"),
        (command.vrfy("jörg", utf8=True), "VRFY jörg SMTPUTF8\r\n".encode()),
        (command.expn("staff"), b"EXPN staff\r\n"),
        (command.help_(), b"HELP\r\n"),
        (command.help_("MAIL"), b"HELP MAIL\r\n"),
    ],
)
def test_lines(built: Command, line: bytes) -> None:
    """A command is one line, as the standards write it."""
    assert built.line == line


@pytest.mark.parametrize("name", BUILDERS)
def test_control_characters(name: str) -> None:
    """No argument carries a control character or a line separator into a command."""
    BUILDERS[name]("")
    for control in CONTROLS:
        with pytest.raises(CommandError):
            pytest.fail(f"{control!r} in {BUILDERS[name](control)}")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a@b.example> SIZE=0",
        "a@b.example>SIZE=0",
        "<a@b.example",
        "a@b.example>\tNOTIFY=NEVER",
        "a b@c.example",
        "<a@b.example>",
        "a@b.example> BODY=8BITMIME <x@y.example",
        '"a"@b.example> SIZE=0',
        '"a" b"@c.example',
        '"a\\"@c.example> X',
        '"a@b.example\r\nRCPT TO:<x@y.example>"@c.example',
        "a@b.example\udc80",
    ],
)
def test_addresses_that_would_be_more(address: str) -> None:
    """An address cannot end its brackets and go on with parameters."""
    with pytest.raises(CommandError):
        command.rcpt(address)
    if address:
        with pytest.raises(CommandError):
            command.mail(address)


@pytest.mark.parametrize("name", ["", "a b", "bücher.example"])
def test_names_that_are_no_word(name: str) -> None:
    """The name in EHLO is one word of ASCII."""
    with pytest.raises(CommandError):
        command.ehlo(name)


def test_secrets_stay_out_of_sight() -> None:
    """Neither the repr of a command nor an error shows what it carries."""
    assert "c2VjcmV0" not in repr(command.response(b"secret"))
    assert "AHNlY3JldA" not in repr(command.auth("PLAIN", b"\0me\0secret"))
