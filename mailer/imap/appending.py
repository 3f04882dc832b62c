"""The grammar of APPEND and REPLACE: messages that come, RFC 9051 §6.3.12, RFC 3502, RFC 8508, RFC 3516 §4.4, RFC 6855 §4.

What a message holds is kept octet by octet, whatever it is. By RFC 6855 §4 an APPEND with 8-bit octets in header fields is refused
to who has not enabled UTF8=ACCEPT. Here it is not: such mail is delivered as well, and who brings a mailbox from elsewhere (mbsync,
imapsync) would lose it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.flags import PLAIN

from . import command as said
from .answer import BadCommand, RefusedCommand
from .lexer import END, LITERAL

if TYPE_CHECKING:
    from .lexer import Tokens


def parse_append(tokens: Tokens, _: bool) -> said.Append:
    """APPEND of one message or several. Raises `BadCommand`, and `RefusedCommand` for a message that is empty: by that a client gives up
    (RFC 3502 §6.3.11)."""
    tokens.space()
    folder = tokens.folder()
    messages = [_message(tokens)]
    while tokens.peek() == 0x20:
        messages.append(_message(tokens))
    tokens.end()
    return said.Append(folder, messages)


def target(tokens: Tokens, verb: str) -> str | None:
    """The folder in which the message is to be put that is the last literal of what came so far of APPEND or REPLACE; None where that
    literal is the name of the folder itself. Raises `BadCommand`."""
    tokens.space()
    if verb == "REPLACE":
        _number(tokens)
        tokens.space()
    folder = tokens.folder()
    return None if tokens.peek() == END else folder


def _number(tokens: Tokens) -> int:
    return said.STAR if tokens.taken(b"*") else tokens.number(least=1)


def parse_replace(tokens: Tokens, uid: bool) -> said.Replace:
    """REPLACE of one message by another. RFC 8508 §5. Raises `BadCommand`, and `RefusedCommand` as APPEND does."""
    tokens.space()
    number = _number(tokens)
    tokens.space()
    folder = tokens.folder()
    message = _message(tokens)
    tokens.end()
    return said.Replace(number, uid, folder, message)


def _message(tokens: Tokens) -> said.AppendedMessage:
    """``[SP flags] [SP date-time] SP literal``, or ``UTF8 (literal8)`` for the literal."""
    tokens.space()
    flags, keywords = PLAIN, tuple[str, ...]()
    if tokens.peek() == ord("("):
        flags, keywords = tokens.flags()
        tokens.space()
    received = 0.0
    if tokens.peek() == ord('"'):
        received = tokens.date_time()
        tokens.space()
    utf8 = tokens.taken(b"UTF8")
    if utf8:
        tokens.space()
        tokens.expect(b"(")
    elif tokens.peek() != LITERAL:
        raise BadCommand("a message comes as a literal, behind its flags and its date")
    content, binary = tokens.literal()
    if utf8:
        if not (tokens.utf8 and binary):
            raise BadCommand("UTF8 has a binary literal, and is for those who enabled UTF8=ACCEPT")
        tokens.expect(b")")
    if not content:
        raise RefusedCommand("a message has at least one octet")
    return said.AppendedMessage(content, flags, keywords, received, binary and not utf8, utf8)
