"""Text from outside, made fit for a report: one line, no control characters, no line too long.

What a remote server said goes into a message that we sign with our name. It must not begin a field or a
part of its own there, whatever bytes it is made of.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp

LIMIT = 900  # characters of one value: with its field's name it stays below 998, RFC 5322 §2.1.1
WIDTH = 76


def one_line(text: str, limit: int = LIMIT) -> str:
    """`text` without control, format and bidirectional characters, blanks run together, at most `limit` long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def ascii_line(text: str, limit: int = LIMIT) -> str:
    """The same for a place where only ASCII may stand; anything else becomes ``?``."""
    return one_line(text, limit).encode("ascii", "replace").decode()


def field(name: str, value: str) -> str:
    """A header field or a field of a status block, folded at blanks, with its line end.

    `value` is one line already. Only what stands between two words is folded, so unfolding gives it back.
    """
    lines = [f"{name}:"]
    for word in value.split(" "):
        if len(lines[-1]) + 1 + len(word) > WIDTH and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += " " + word
    return "\r\n".join(lines) + "\r\n"


def encoded(text: str) -> str:
    """`text` as the value of a header field that people read: encoded words where it is not ASCII, RFC 2047 §2."""
    if text.isascii() and "=?" not in text:
        return text
    return " ".join(f"=?utf-8?b?{b2a_base64(piece.encode(), newline=False).decode()}?=" for piece in _pieces(text))


def _pieces(text: str) -> list[str]:
    """Parts of at most 45 octets: 60 in base64, and an encoded word may have 75. No character is divided."""
    pieces = [""]
    for char in text:
        if len((pieces[-1] + char).encode()) > 45:
            pieces.append("")
        pieces[-1] += char
    return pieces


def transfer(data: bytes) -> tuple[str, bytes]:
    """(content transfer encoding, body) for `data`, normalised: as it is if 7 bits and short lines allow it."""
    if is_plain(data):
        return "7bit", data
    return "quoted-printable", b2a_qp(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")


def is_plain(data: bytes) -> bool:
    """Whether every server takes normalised `data` as it is: ASCII, no line above 998 octets (RFC 5322 §2.1.1)."""
    return data.isascii() and max(map(len, data.split(b"\r\n"))) <= 998


def address(text: str) -> str:
    """An address for a header field: a domain of letters beyond ASCII in its ASCII form, if the rest is ASCII.

    An address that stays international makes the report one that needs SMTPUTF8; so did the message.
    """
    local, _, domain = text.rpartition("@")
    if not local.isascii() or domain.isascii():
        return text
    try:
        return f"{local}@{domain.encode('idna').decode()}"  # RFC 5891 §5
    except UnicodeError:
        return text
