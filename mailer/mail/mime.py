"""How text becomes lines that every mail system takes: folded fields, encoded words, transfer encodings.

Used by whoever writes a message of our own, a composed one or a report. The rules are of RFC 5322 §2.1.1
(no line above 998 octets), RFC 2047 (header fields) and RFC 2045 §6 (bodies). Deterministic: nothing
here is random, so the same parts make the same message.
"""

from __future__ import annotations

from binascii import a2b_qp, b2a_base64, b2a_qp

from .message import blocks, long_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_WORD = 900  # of a field's value: with the name of the field it stays below MAX_LINE
WIDTH = 76  # of our own lines
PIECE = 60  # characters of a parameter's value on one line
BASE64_LINE = 57  # octets that make 76 characters, RFC 2045 §6.8
BLOCK = 1024 * BASE64_LINE  # octets that are encoded together

_ATTRIBUTE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`{|}~")  # RFC 2231 §7


def field(name: str, value: str) -> str:
    """A header field folded at blanks, with its line end; unfolding it (RFC 5322 §2.2.3) gives `value` back.

    `value` is printable and has no word above `MAX_WORD`; its maker sees to that.
    """
    lines = [f"{name}:"]
    for word in value.split(" "):
        if word and len(lines[-1]) + 1 + len(word) > WIDTH and lines[-1].strip(" ") != f"{name}:":
            lines.append("")
        lines[-1] += " " + word
    return "\r\n".join(lines) + "\r\n"


def encoded(text: str) -> str:
    """`text` as the value of a field that people read: as encoded words (RFC 2047 §2) where it has to be."""
    if text.isascii() and "=?" not in text and max(map(len, text.split(" "))) <= MAX_WORD and " " * WIDTH not in text:
        return text
    return " ".join(f"=?utf-8?b?{b2a_base64(piece.encode(), newline=False).decode()}?=" for piece in _pieces(text))


def _pieces(text: str) -> list[str]:
    """Parts of at most 39 octets, which make words of 64: with the name of most fields a line has no more than 76, RFC 2047 §2.

    No character is divided.
    """
    pieces = [""]
    size = 0
    for char in text:
        octets = len(char.encode())
        if size + octets > 39:
            pieces.append("")
            size = 0
        pieces[-1] += char
        size += octets
    return pieces


def phrase(name: str) -> str:
    """A display name: as it is, in quotes, or as encoded words; RFC 5322 §3.2.5, RFC 2047 §5."""
    written = encoded(name)
    if written != name or all(c.isalnum() or c in " !#$%&'*+-/=?^_`{|}~" for c in name):
        return written
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def parameter(name: str, value: str) -> Iterator[str]:
    """A parameter of a field on lines of its own: in quotes, or as RFC 2231 §4 has it, in several pieces (§3) if it is long."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    if value.isascii() and len(quoted) <= PIECE:
        yield f';\r\n {name}="{quoted}"'
        return
    pieces = [""]
    for octet in value.encode():
        char = chr(octet) if octet in _ATTRIBUTE else f"%{octet:02X}"
        if len(pieces[-1]) + len(char) > PIECE:
            pieces.append("")
        pieces[-1] += char
    pieces[0] = "utf-8''" + pieces[0]
    for number, piece in enumerate(pieces):
        serial = f"*{number}" if len(pieces) > 1 else ""
        yield f";\r\n {name}{serial}*={piece}"


def transfer(data: bytes) -> tuple[str, bytes]:
    """(content transfer encoding, body) for `data`, normalised: as it is if that is plain, else the better one."""
    if is_plain(data):
        return "7bit", data
    encoding, made = transferred(data, 0, len(data))
    return encoding, b"".join(made)


def transferred(data: bytes, start: int, end: int) -> tuple[str, Iterable[bytes]]:
    """A transfer encoding for the text in ``data[start:end]``, and that text in pieces that take no time, whatever its lines are like."""
    if is_plain(data, start, end):
        return "7bit", blocks(data, start, end)
    room = 2 * (end - start)  # people can still read what is no longer
    for piece in quoted(data, start, end):
        room -= len(piece)
        if room < 0:
            return "base64", base64_lines(data, start, end)
    return "quoted-printable", quoted(data, start, end)


def quoted(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Text as quoted-printable, RFC 2045 §6.7: the same as if it were encoded at once."""
    while start < end:
        stop = _line_end(data, start, end)
        made = b2a_qp(data[start : stop or start + BLOCK].replace(b"\r\n", b"\n"))
        if not stop:  # within a line: what would be on its last line is encoded with what follows
            at = made.rfind(b"\n")
            if made.endswith((b"=20", b"=09")):  # a blank at the end is written longer, which may have made the line before shorter
                at = made.rfind(b"\n", 0, at)
            last = made[at + 1 :]
            made, stop = made.removesuffix(last), start + BLOCK - len(a2b_qp(last))
        yield made.replace(b"\n", b"\r\n")
        start = stop


def _line_end(data: bytes, start: int, end: int) -> int:
    """Behind the last line end of what is encoded together; 0 if there is none."""
    if end - start <= BLOCK:
        return end
    last = data.rfind(b"\r\n", start, start + BLOCK)
    return last + 2 if last >= 0 else 0


def base64_lines(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Octets as base 64 in lines, RFC 2045 §6.8."""
    for first in range(start, end, BLOCK):
        block = data[first : min(first + BLOCK, end)]
        yield b"".join([b2a_base64(block[at : at + BASE64_LINE], newline=False) + b"\r\n" for at in range(0, len(block), BASE64_LINE)])


def repacked(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Base 64 with whatever lines in lines of `WIDTH`."""
    left = b""
    for block in blocks(data, start, end):
        text = left + block.translate(None, b" \t\r\n\v\f")
        whole = len(text) - len(text) % WIDTH
        yield b"".join([text[at : at + WIDTH] + b"\r\n" for at in range(0, whole, WIDTH)])
        left = text[whole:]
    yield left and left + b"\r\n"


def is_plain(data: bytes, start: int = 0, end: int | None = None) -> bool:
    """Whether every server takes this much of normalised `data` as it is: ASCII, and no line too long."""
    last = len(data) if end is None else end
    return all(block.isascii() for block in blocks(data, start, last)) and long_line(data, start, last) == last


def part(type: str, data: bytes) -> bytes:
    """A part of a message: its two fields, an empty line, and `data` (normalised) in the encoding that it needs."""
    encoding, body = transfer(data)
    return f"Content-Type: {type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def multipart(type: str, parts: Iterable[bytes], seed: str, preamble: str = "") -> bytes:
    """Parts under one Content-Type `type`, which may have parameters; RFC 2046 §5.1.

    `seed` (letters, digits, at most 40) makes the boundary; it is counted up past any part that has it.
    """
    parts = list(parts)
    serial = 0
    while any(f"--=_{seed}.{serial}".encode() in part for part in parts):
        serial += 1
    boundary = f"=_{seed}.{serial}"
    head = f'Content-Type: {type};\r\n boundary="{boundary}"\r\n\r\n{preamble}'
    divider = f"\r\n--{boundary}\r\n"
    return b"".join([head.encode(), *(divider.encode() + part for part in parts), f"\r\n--{boundary}--\r\n".encode()])
