"""Messages that are made to be costly, and a program that reads one: ``python -m tests.dsn.bombs NAME`` prints what it took."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mailer.dsn.reading import read

HEAD = b"From: MAILER-DAEMON@x.example\r\nReturn-Path: <>\r\nSubject: Undelivered Mail\r\nMIME-Version: 1.0\r\n"
MIXED = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
STATUS = (
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n'
    b"\r\n"
    b"--b\r\n"
    b"Content-Type: message/delivery-status\r\n"
    b"\r\n"
    b"Reporting-MTA: dns; x\r\n"
    b"\r\n"
)
BLOCK = b"Final-Recipient: rfc822; u%d@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"


def _blocks(count: int) -> bytes:
    content = bytearray(HEAD + STATUS)
    for number in range(count):
        content += BLOCK % number
    return bytes(content)


def _nested(count: int) -> bytes:
    content = bytearray(HEAD + b'Content-Type: multipart/mixed; boundary="b0"\r\n\r\n')
    for number in range(count):
        content += b'--b%d\r\nContent-Type: multipart/mixed; boundary="b%d"\r\n\r\n' % (number, number + 1)
    return bytes(content)


BOMBS: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "recipient blocks": (100_000, _blocks),
    "nested parts": (10_000, _nested),
    "messages in messages": (10_000, lambda n: HEAD + b"\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * n),
    "parts": (500_000, lambda n: HEAD + MIXED + b"--b\r\n\r\nx\r\n" * n),
    "almost boundaries": (200_000, lambda n: HEAD + MIXED + b"\r\n--b x" * n),
    "a long line": (10_000_000, lambda n: HEAD + b"\r\nfailed to deliver " + b"a" * n),
    "a long field": (700_000, lambda n: b"From: MAILER-DAEMON\r\nSubject: " + b"=?utf-8?q?a?= " * n + b"\r\n\r\nx\r\n"),
    "lines like addresses": (5_600_000, lambda n: HEAD + b"\r\nfailed\r\n" + b"a.b.c@d.e.f\n" * (n // 12)),
    "at signs": (5_600_000, lambda n: HEAD + b"\r\nfailed\r\n" + b"@" * n),
    "refused addresses": (180_000, lambda n: HEAD + b"\r\nfailed\r\n" + b"<user@example.com>: 550 5.1.1 x\n" * n),
    "styles": (700_000, lambda n: HEAD + b"Content-Type: text/html\r\n\r\n" + b"<style>" * n),
    "tags": (700_000, lambda n: HEAD + b"Content-Type: text/html\r\n\r\n" + b"<p <a" * n),
    "line ends": (5_000_000, lambda n: HEAD + b"\n" + b"x\n" * n),
    "failed recipients": (1_000_000, lambda n: b"From: MAILER-DAEMON\r\nX-Failed-Recipients: " + b"a@b.c," * n + b"\r\n\r\n"),
    "fields To": (500_000, lambda n: b"From: MAILER-DAEMON@x\r\n" + b"To: a@b.c\r\n" * n + b"\r\nundeliverable: x@y.example\r\n"),
    "quoted printable": (
        3_000_000,
        lambda n: HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=41" * n,
    ),
    "a long boundary": (9_000_000, lambda n: HEAD + b'Content-Type: multipart/mixed; boundary="' + b"b" * n + b'"\r\n\r\nx'),
    "parameters": (1_500_000, lambda n: HEAD + b"Content-Type: multipart/mixed; " + b"a*0=b;" * n + b"boundary=b\r\n\r\n--b\r\n\r\nx"),
    "zeros": (10_000_000, bytes),
}
"""What each is made of: how many of something, and a function that makes so many."""


def peak() -> float:
    """The most memory that this program had so far, in MB. getrusage(2) would tell that of whoever started it, too."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Read one: of which kind, and which part of its size, as in ``1`` or ``4``."""
    read(HEAD + b"\r\nfailed: a@b.example\r\n")  # the tables are read once
    count, make = BOMBS[sys.argv[1]]
    content = make(count // int(sys.argv[2]))
    before, began = peak(), time.process_time()
    report = read(content)
    found: dict[str, object] = {"seconds": time.process_time() - began, "before": before, "peak": peak()}
    print(json.dumps({**found, "kind": report.kind, "many": len(report.recipients), "unread": report.unread}))


if __name__ == "__main__":
    main()
