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
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailer.mail.address import ascii_address

from .reply import CommandError


class Command(NamedTuple):
    """A command of the client: `verb` for the tables, `line` for the wire."""

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
    """EHLO: our name, and the question what is offered. RFC 5321 §4.1.1.1"""
    return Command("EHLO", b"EHLO " + _word("the EHLO name", name) + b"\r\n")


def helo(name: str) -> Command:
    """HELO: our name, for a server that knows no EHLO. RFC 5321 §4.1.1.1"""
    return Command("HELO", b"HELO " + _word("the HELO name", name) + b"\r\n")


def lhlo(name: str) -> Command:
    """LHLO: the EHLO of LMTP. RFC 2033 §4.1"""
    return Command("LHLO", b"LHLO " + _word("the LHLO name", name) + b"\r\n")


def mail(sender: str, *, size: int = 0, body: str = "", utf8: bool = False, more: Sequence[str] = ()) -> Command:
    """MAIL: the reverse-path (``""`` is the null one), `size` in octets; parameters only where the server offers their extension.

    `body` is 8BITMIME or BINARYMIME where the message is (RFC 6152 §2, RFC 3030 §3); `more` are parameters as
    `mailer.smtp.extension` writes them.
    """
    line = b"MAIL FROM:<" + (_path("the sender", sender) if sender else b"") + b">"
    if size:
        line += b" SIZE=%d" % size  # RFC 1870 §3
    if body:
        line += b" BODY=" + _word("BODY", body)
    if utf8:
        line += b" SMTPUTF8"  # RFC 6531 §3.4
    if more:
        line += _parameters(more)
    return Command("MAIL", line + b"\r\n")


def rcpt(recipient: str, more: Sequence[str] = ()) -> Command:
    """RCPT: one recipient. RFC 5321 §4.1.1.3"""
    line = b"RCPT TO:<" + _path("the recipient", recipient) + b">"
    if more:
        line += _parameters(more)
    return Command("RCPT", line + b"\r\n")


def chunk(data: bytes, *, last: bool = False) -> Command:
    """BDAT: a piece of a message as it is, or the last one. RFC 3030 §2"""
    verb = "BDAT LAST" if last else "BDAT"
    return Command(verb, b"BDAT %d%s\r\n" % (len(data), b" LAST" if last else b"") + data)


def vrfy(text: str, *, utf8: bool = False) -> Command:
    """VRFY: the question whether there is a mailbox `text`. RFC 5321 §4.1.1.6; `utf8` where the server offers SMTPUTF8, RFC 6531 §3.7.4.2.

    Without that the domain of an address is asked for in its A-labels.
    """
    return _question("VRFY", text if utf8 else ascii_address(text), utf8)


def expn(text: str, *, utf8: bool = False) -> Command:
    """EXPN: the question who is on the list `text`. RFC 5321 §4.1.1.7"""
    return _question("EXPN", text, utf8)


def help_(topic: str = "") -> Command:
    """HELP, about everything or a `topic`. RFC 5321 §4.1.1.8"""
    return Command("HELP", b"HELP" + (b" " + _text("the topic", topic) if topic else b"") + b"\r\n")


def _question(verb: str, text: str, utf8: bool) -> Command:
    return Command(verb, verb.encode() + b" " + _text(f"what is asked with {verb}", text, utf8) + (b" SMTPUTF8" if utf8 else b"") + b"\r\n")


def auth(mechanism: str, initial: bytes | None = None) -> Command:
    """AUTH; `initial` is the first response where the mechanism has one to give unasked. RFC 4954 §4"""
    line = b"AUTH " + _word("the mechanism", mechanism)
    if initial is not None:
        line += b" " + (_base64(initial) or b"=")  # RFC 4954 §4: "=" is an empty one
    return Command("AUTH", line + b"\r\n")


def response(data: bytes) -> Command:
    """A response within AUTH, in base 64. RFC 4954 §4"""
    return Command("RESPONSE", _base64(data) + b"\r\n")


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)


def _word(what: str, text: str) -> bytes:
    """An argument that is one word of printable ASCII."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise CommandError(f"{what} {text!a} is empty, or holds a blank or a character that no command can carry")
    return text.encode()


def _text(what: str, text: str, utf8: bool = False) -> bytes:
    """An argument that goes on to the end of the line."""
    if not text.strip() or not text.isprintable() or not (utf8 or text.isascii()):
        raise CommandError(f"{what} {text!a} is empty, or holds a character that no command can carry")
    return text.encode()


def _parameters(words: Iterable[str]) -> bytes:
    return b"".join(b" " + _word("a parameter", word) for word in words)


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
