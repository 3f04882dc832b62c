"""Messages that a careless sender or receiver damages. Each begins with ``X-Test``, which says whose it is."""

from __future__ import annotations

import uuid

USERNAME, PASSWORD = "ann", "open-sesame"

CROWD = [f"reader{number:03}" for number in range(160)]
REPORTED = [f"reports{number}" for number in range(10)]
READERS = ["ann", "bob", "mallory", "jörg", *REPORTED, *CROWD]
LATER = [f"later{number:02}" for number in range(20)]
STRANGERS = [f"nobody{number:02}" for number in range(20)]
"""At peer.example, readers have a mailbox, for those of `LATER` it is too early, strangers are unknown."""

HEAD = (
    b"From: me@here.example\r\nTo: ann@peer.example\r\nSubject: a test\r\n"
    b"Date: Sat, 21 Nov 2026 02:00:00 +0000\r\nMessage-ID: <%s@here.example>\r\n"
)
LETTERS = {
    "plain": b"\r\nHello.\r\n",
    "no body": b"",
    "empty body": b"\r\n",
    "no newline at the end of a paragraph, many between": b"\r\n\r\n\r\nHello\r\n\r\n\r\n\r\n",
    "dots": b"\r\n.\r\n..\r\n...\r\n.dot\r\n..dots\r\nno.dot\r\n.\r\n",
    "the end of data, quoted": b"\r\nend with\r\n\r\n.\r\n\r\nand QUIT\r\nMAIL FROM:<x@evil.example>\r\nDATA\r\n.\r\n",
    "8 bit": "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nÄpfel für “Ænne” 🍎\r\n".encode(),
    "every octet": b"\r\n" + bytes(octet for octet in range(1, 256) if octet not in b"\r\n") + b"\r\n",
    "long lines": b"\r\n" + b"".join(b"%d " % number + b"x" * 990 + b"\r\n" for number in range(10, 40)),
    "lines of just the limit": b"\r\n" + b"y" * 998 + b"\r\n." + b"z" * 997 + b"\r\n",
    "spaces at line ends": b"\r\nsignature follows\r\n-- \r\n\tme \t\r\n",
    "a megabyte": b"\r\n" + b".ten bytes\r\n" * 90_000,
}
"""For every test of letters."""

MORE = {
    "1 KB": b"\r\n" + b"twenty octets a line\r\n" * 36,
    "5 MB": b"\r\n" + b"".join(b"%076d\r\n" % number for number in range((5 << 20) // 78)),
    "25 MB": b"\r\n" + b"".join(b".%0990d\r\n" % number for number in range((25 << 20) // 993)),
    "UTF-8 header": "X-Ort: Köln 🍎\r\nContent-Transfer-Encoding: 8bit\r\n\r\nÄpfel\r\n".encode(),
}


def letter(name: str) -> tuple[str, bytes]:
    """A mark of its own for this message, and the message."""
    mark = uuid.uuid4().hex
    return mark, b"X-Test: %s\r\n" % mark.encode() + HEAD % mark.encode() + {**LETTERS, **MORE}[name]
