"""Whoever may send to us may send this: it is kept, costs no more time and memory than its length allows, and what is told has a limit."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.mail.entity import MAX_DEPTH, MAX_PARTS
from mailer.mime import addresses, header, text
from mailer.mime.packed import from_tree
from mailer.mime.rendered import Rendered, render
from mailer.mime.tree import every

ROOT = Path(__file__).parents[2]
SECONDS = 6.0  # of a processor that others use too; what grows with the square takes hours
MEMORY = 256  # MB above what the message has, the interpreter included

FROM = b"From: anna@example.org\r\n"


def nested(depth: int, kind: bytes = b"mixed") -> bytes:
    """Multiparts within multiparts."""
    return (
        FROM + b"".join(b'Content-Type: multipart/%b; boundary="b%d"\r\n\r\n--b%d\r\n' % (kind, at, at) for at in range(depth)) + b"\r\nx"
    )


def flat(parts: int, head: bytes = b"") -> bytes:
    """Parts side by side."""
    return FROM + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n%b\r\nx\r\n" % head * parts + b"--b--\r\n"


def body(octets: bytes, kind: bytes = b"text/html; charset=utf-8", encoding: bytes = b"8bit") -> bytes:
    """A message of this text."""
    return FROM + b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b\r\n" % (kind, encoding, octets)


MANY = 200_000
BOMBS: dict[str, Callable[[], bytes]] = {
    "10,000 parts": lambda: flat(10_000),
    "100,000 parts": lambda: flat(100_000, b"Content-Type: a/b\r\n"),
    "depth 10,000": lambda: nested(10_000),
    "messages in messages": lambda: FROM + b"Content-Type: message/rfc822\r\n\r\n" * 10_000 + b"x",
    "digests": lambda: nested(5_000, b"digest"),
    "1 MB of one header": lambda: FROM + b"To: " + b"x" * 1_000_000 + b"\r\n\r\nx",
    "50 MB of headers": lambda: FROM + b"X-A: some value\r\n" * 3_000_000 + b"\r\nx",
    "50 MB of a header without a body": lambda: FROM + b"a:\r\n" * 12_000_000,
    "delimiters in a header": lambda: (
        FROM + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (b"--b\r\n" + b"a:\r\n" * 100_000) * 100
    ),
    "headers of parts": lambda: flat(100, b"X-A: some value\r\n" * 20_000),
    "100,000 addresses": lambda: FROM + b"To: " + b"a@example.org,\r\n " * 100_000 + b"b@example.org\r\n\r\nx",
    "100,000 groups": lambda: FROM + b"To: " + b"g:a@b;" * 100_000 + b"\r\n\r\nx",
    "open groups": lambda: FROM + b"To: " + b"g:" * 100_000 + b"\r\n\r\nx",
    "open comments": lambda: FROM + b"To: " + b"(" * 200_000 + b"\r\n\r\nx",
    "open quotes": lambda: FROM + b'To: "' + b'\\"' * 100_000 + b"\r\n\r\nx",
    "empty local parts": lambda: FROM + b'To: ""@example.org, ' * 1000 + b"\r\n\r\nx",
    "10,000 fields": lambda: FROM + b"To: a@example.org\r\n" * 10_000 + b"\r\nx",
    "pieces of a parameter": lambda: FROM + b"Content-Type: a/b" + b"".join(b"; name*%d*=a" % at for at in range(10_000)) + b"\r\n\r\nx",
    "parameters": lambda: FROM + b"Content-Type: a/b" + b';x="' * 50_000 + b"\r\n\r\nx",
    "comments of a type": lambda: FROM + b"Content-Type: a/b;" + b"(" * 60_000 + b"\r\n\r\nx",
    "encoded words": lambda: FROM + b"Subject: " + b"=?utf-8?q?a?= " * 4000 + b"\r\n\r\nx",
    "beginnings of words": lambda: FROM + b"Subject: " + b"=?a?q?" * 10_000 + b"\r\n\r\nx",
    "delimiters that are none": lambda: FROM + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--c\r\n" * 1_000_000,
    "delimiters of all levels": lambda: nested(40) + b"".join(b"\r\n--b%d\r\n" % (at % 40) for at in range(MANY)),
    "line ends": lambda: body(b"\n" * 20_000_000, b"text/plain"),
    "open tags": lambda: body(b"<a " * MANY),
    "tags": lambda: body(b"<p>" * MANY),
    "open comments of HTML": lambda: body(b"<!--" * MANY),
    "open scripts": lambda: body(b"<script>" * MANY),
    "scripts": lambda: body(b"<script></scrip" * MANY),
    "entities": lambda: body(b"&amp" * MANY),
    "numbers": lambda: body(b"&#" + b"9" * 2000 + b";"),
    "quotes": lambda: body(b"> " * MANY, b"text/plain"),
    "utf-7": lambda: body(b"+AGE-" * MANY, b"text/plain; charset=utf-7"),
    "utf-16": lambda: body(b"\xd8\x00" * MANY, b"text/plain; charset=utf-16"),
    "escapes of Japanese": lambda: body(b"\x1b$B\x1b(B" * MANY, b"text/plain; charset=iso-2022-jp"),
    "punycode": lambda: body(b"a-" * MANY, b"text/plain; charset=punycode"),
    "a bomb of zlib": lambda: body(b"x" * MANY, b"text/plain; charset=zlib_codec"),
    "truncated UTF-8": lambda: body(b"\xf0\x9f\x98" * MANY, b"text/plain"),
    "base 64": lambda: body(b"QQ==" * MANY, b"text/plain", b"base64"),
    "quoted-printable": lambda: body(b"=" * MANY, b"text/plain", b"quoted-printable"),
    "ids": lambda: FROM + b"References: " + b"<a@b> " * 10_000 + b"\r\n\r\nx",
    "brackets of a subject": lambda: FROM + b"Subject: " + b"[a]" * 20_000 + b"re:" * 10_000 + b"\r\n\r\nx",
    "languages": lambda: FROM + b"Content-Type: a/b\r\nContent-Language: " + b"de," * 20_000 + b"\r\n\r\nx",
}
"""Each is made where it is used: together they are large."""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_kept_within_bounds(name: str) -> None:
    """Nothing raises, it takes seconds at most, and what is kept beside it has its limits."""
    bomb = BOMBS[name]()
    began = time.process_time()
    made = render(bomb)
    assert time.process_time() - began < SECONDS
    limited(made)
    assert '"anna"' in made.envelope.decode()


def limited(made: Rendered) -> None:
    """What is kept is no longer than the limits that are stated."""
    parts = list(every(from_tree(made.tree)))
    assert len(parts) <= MAX_PARTS
    assert len(made.envelope) <= 6 * addresses.MOST * 300
    assert len(made.structure) + len(made.tree) <= 5_000_000
    assert len(made.preview) <= text.PREVIEW
    assert len(made.header) <= text.HEADER_TEXT + header.FIELD
    assert len(made.body) <= 2 * text.TEXT


@pytest.mark.slow
def test_the_memory_is_bounded() -> None:
    """Of a process that reads all of them, one after the other."""
    done = subprocess.run([sys.executable, "-m", __name__], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) <= MEMORY


def test_what_lies_too_deep_is_a_file() -> None:
    """Below `MAX_DEPTH` a multipart is told as octets, and the levels above it as they are."""
    made = render(nested(1000))
    assert made.structure.count(b'"mixed"') == MAX_DEPTH
    assert b'"application" "octet-stream"' in made.structure


def test_the_last_part_has_what_is_beyond_the_limit() -> None:
    """Of more parts than are counted nothing is lost: they are text of the last one."""
    content = flat(MAX_PARTS + 10)
    tree = from_tree(render(content).tree)
    assert len(tree.parts) == MAX_PARTS - 1
    assert tree.parts[-1].end == len(content)


def test_addresses_beyond_the_limit_are_not_told() -> None:
    """ENVELOPE has the first `addresses.MOST` of a field."""
    made = render(FROM + b"To: " + b"a@example.org, " * 5000 + b"b@example.org\r\n\r\nx")
    assert made.envelope.count(b'"a" "example.org"') == addresses.MOST


if __name__ == "__main__":
    bombs = [make() for make in BOMBS.values()]
    before = max(map(len, bombs))
    for bomb in bombs:
        render(bomb)
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    print((peak * 1024 - sum(map(len, bombs)) - before) / 1e6)
