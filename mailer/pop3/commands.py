"""The lines of a client of POP3, read: RFC 1939 §3, RFC 2449 §4.

Used by `server`. Strict where two readers could differ (line ends, control characters, numbers), lenient where nobody can be misled: case,
and blanks at the end of a line whose command has no password in it.
"""

from __future__ import annotations

from typing import Final

LONGEST_LINE: Final = 255  # octets with its end, RFC 2449 §4
LONGEST_RESPONSE: Final = 8192  # octets of a line within AUTH, and of AUTH with its first response: tokens are long
MOST_DIGITS: Final = 10


class PopRefused(Exception):
    """A command that cannot be carried out; the text is what the client is told, with a `code` of RFC 2449 §8 or RFC 3206.

    `last`: the session is over with it.
    """

    def __init__(self, text: str, code: str = "", *, last: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.last = last


def verb_and_rest(line: bytes) -> tuple[str, str]:
    """The verb in capitals and what follows it, of a line without its end. Raises `PopRefused`."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise PopRefused("the command is not UTF-8") from None
    if not text.isprintable():  # C0, DEL, C1, U+2028: none of them has a place in a command
        raise PopRefused("the command holds a control character")
    verb, _, rest = text.partition(" ")
    verb = verb.upper()
    return verb, rest if verb == "PASS" else rest.strip(" ")


def alone(verb: str, rest: str) -> None:
    """Raises `PopRefused` where something follows a command that stands alone."""
    if rest:
        raise PopRefused(f"{verb} stands alone")


def number(verb: str, text: str) -> int:
    """The number of a message, or of lines. Raises `PopRefused`."""
    if not (text.isascii() and text.isdigit()) or len(text) > MOST_DIGITS:
        raise PopRefused(f"{verb} is followed by {'two numbers' if verb == 'TOP' else 'the number of a message'}")
    return int(text)


def two_numbers(verb: str, text: str) -> tuple[int, int]:
    """The number of a message, and a number of lines. Raises `PopRefused`."""
    first, _, second = text.partition(" ")
    return number(verb, first), number(verb, second.lstrip(" "))
