"""The commands of a client (RFC 5321 §4.1), each checked while it is built.

A builder returns a `Command` or raises `CommandError`: an argument with a control character, a line
separator or a stray bracket never becomes a line, so nothing that a user, a header field or a remote host
wrote can end one command and begin another (CRLF injection). `line` is what goes on the wire.

Three of them are no commands of the standard but are answered like one: `CONNECT` (the greeting is its
reply), `RESPONSE` (a line within AUTH) and `CONTENT` (the end of the message). A `BLOCK`, part of a message
before its end, is answered by nobody.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from typing import NamedTuple

from .errors import CommandError


class Command(NamedTuple):
    """What is said: `verb` for the tables, `line` for the wire."""

    verb: str
    line: bytes

    def __repr__(self) -> str:
        return f"Command({self.verb!r})"  # the line of an AUTH is a secret, that of a CONTENT is long


CONNECT = Command("CONNECT", b"")
STARTTLS = Command("STARTTLS", b"STARTTLS\r\n")  # RFC 3207 §4
DATA = Command("DATA", b"DATA\r\n")
RSET = Command("RSET", b"RSET\r\n")
NOOP = Command("NOOP", b"NOOP\r\n")
QUIT = Command("QUIT", b"QUIT\r\n")
EMPTY = Command("CONTENT", b".\r\n")  # a message of nothing, for nobody, RFC 2920 §3.1
CANCEL = Command("RESPONSE", b"*\r\n")  # RFC 4954 §4


def ehlo(name: str) -> Command:
    """Who we are, and the question what is offered."""
    return Command("EHLO", b"EHLO " + _word("the EHLO name", name) + b"\r\n")


def helo(name: str) -> Command:
    """Who we are, for a server that knows no EHLO."""
    return Command("HELO", b"HELO " + _word("the HELO name", name) + b"\r\n")


def mail(sender: str, *, size: int = 0, eight_bit: bool = False, utf8: bool = False) -> Command:
    """The reverse-path (``""`` is the null one); parameters only where the server offers their extension."""
    line = b"MAIL FROM:<" + (_path("the sender", sender) if sender else b"") + b">"
    if size:
        line += b" SIZE=%d" % size  # RFC 1870 §3
    if eight_bit:
        line += b" BODY=8BITMIME"  # RFC 6152 §2
    if utf8:
        line += b" SMTPUTF8"  # RFC 6531 §3.4
    return Command("MAIL", line + b"\r\n")


def rcpt(recipient: str) -> Command:
    """One recipient."""
    return Command("RCPT", b"RCPT TO:<" + _path("the recipient", recipient) + b">\r\n")


def auth(mechanism: str, initial: bytes | None = None) -> Command:
    """Begin AUTH; `initial` is the first response where the mechanism has one to give unasked."""
    line = b"AUTH " + _word("the mechanism", mechanism)
    if initial is not None:
        line += b" " + (_base64(initial) or b"=")  # RFC 4954 §4: "=" is an empty one
    return Command("AUTH", line + b"\r\n")


def response(data: bytes) -> Command:
    """A response within AUTH."""
    return Command("RESPONSE", _base64(data) + b"\r\n")


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)


def _word(what: str, text: str) -> bytes:
    """An argument that is one word of printable ASCII."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise CommandError(f"{what} {text!a} is empty, or holds a blank or a character that no command can carry")
    return text.encode()


def _path(what: str, address: str) -> bytes:
    """An address that goes between angle brackets."""
    if not address.isprintable():  # C0, DEL, C1, U+2028, U+2029, lone surrogates
        raise CommandError(f"{what} {address!a} holds a control character")
    if not address or " " in address or "<" in address or ">" in address:
        _check_quoted(what, address)
    return address.encode()


def _check_quoted(what: str, address: str) -> None:
    """Blanks and brackets may stand in a quoted local part, RFC 5321 §4.1.2, and nowhere else."""
    if not _QUOTED.fullmatch(address):
        raise CommandError(f"{what} {address!a} is empty, or holds a blank or a bracket outside quotes")


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)+"@[^ <>"]+')
