"""The message on the wire, to and fro."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.message import is_normal, normalise
from mailer.smtp.data import BLOCK, Unstuffer, blocks

# E1 of the field study: what servers have taken for the end of a message.
VECTORS = [
    b"\n.\n",
    b"\n.\r",
    b"\r.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\r\n",
]
SMUGGLED = b"MAIL FROM:<admin@example.com>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nFrom: x\r\n\r\ny"

pieces = st.sampled_from([b".", b"..", b"\r\n", b"\r\n.", b"\r\n.\r\n", b"\n", b"\r", b"\0", b"x", b"\r\n.x", b""])
messages = st.lists(pieces | st.binary(max_size=5), max_size=30).map(b"".join)


def unstuffed(wire: bytes, sizes: list[int]) -> tuple[bytes, bytes]:
    """What a receiver reads, and what it finds behind the end."""
    reader, out = Unstuffer(), b""
    at = turn = 0
    while at < len(wire) and not reader.done:
        size = sizes[turn % len(sizes)]
        out += reader.feed(wire[at : at + size])
        at, turn = at + size, turn + 1
    assert reader.done
    return out, reader.rest + wire[at:]


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"", b".\r\n"),
        (b"x\r\n", b"x\r\n.\r\n"),
        (b"x", b"x\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.b\r\n..\r\n", b"a\r\n..b\r\n...\r\n.\r\n"),
        (b"a\n.b\n", b"a\r\n..b\r\n.\r\n"),
        (b"a.\r\n b.\r\n", b"a.\r\n b.\r\n.\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
    ],
)
def test_stuff(message: bytes, wire: bytes) -> None:
    """Each line that begins with a dot gets another; a line end is added where it is missing; a dot ends it."""
    assert b"".join(blocks(message)) == wire


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("before", [b"", b"Subject: x\r\n\r\nhello"])
@pytest.mark.parametrize("after", [b"", b"\r\n"])
def test_smuggling(vector: bytes, before: bytes, after: bytes) -> None:
    """No look-alike of the end reaches the wire: CRLF.CRLF stands there once, at the end, and nothing is bare."""
    wire = b"\r\n" + b"".join(blocks(before + vector + SMUGGLED + after))
    assert wire.count(b"\r\n.\r\n") == 1
    assert wire.endswith(b"\r\n.\r\n")
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
    assert b"\0" not in wire


@given(messages, st.lists(st.integers(1, 9), min_size=1))
def test_there_and_back(message: bytes, sizes: list[int]) -> None:
    """What is read is what was written, in whatever pieces it comes, and what follows the end is left alone."""
    normal = message if is_normal(message) else normalise(message) if message else b""
    wire = b"".join(blocks(message))
    assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1
    assert unstuffed(wire + b"QUIT\r\n", sizes) == (normal, b"QUIT\r\n")


@given(st.lists(st.sampled_from([b"x" * 1000, b".", b"\r\n", b"\r\n.", b"y" * BLOCK, b"\n."]), max_size=200))
def test_large_messages(parts: list[bytes]) -> None:
    """A large message is written in blocks of bounded size that are together what the whole would be."""
    message = normalise(b"".join(parts))
    made = list(blocks(message))
    expected = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    assert b"".join(made) == expected
    assert all(len(block) <= 2 * BLOCK for block in made)


@pytest.mark.parametrize("vector", VECTORS[:-1])
@pytest.mark.parametrize("sizes", [[1], [2], [3], [1000]])
def test_only_the_end_is_the_end(vector: bytes, sizes: list[int]) -> None:
    """A receiver is not taken in by anything but CRLF.CRLF."""
    message, rest = unstuffed(b"hello" + vector + b"more\r\n.\r\nrest", sizes)
    assert message == b"hello" + vector.replace(b"\r\n.", b"\r\n") + b"more\r\n"
    assert rest == b"rest"


@given(st.binary(max_size=200), st.lists(st.integers(1, 9), min_size=1))
def test_any_bytes_to_the_receiver(data: bytes, sizes: list[int]) -> None:
    """Where the end is does not depend on the pieces in which the bytes come."""
    wire = data + b"\r\n.\r\n"
    assert unstuffed(wire, sizes) == unstuffed(wire, [len(wire)])
