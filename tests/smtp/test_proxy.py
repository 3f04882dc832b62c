"""The PROXY protocol: who is believed to have called."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.proxy import NoProxyHeader, Proxied, header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.2") + b"\xd4\x31\x00\x19"
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "2001:db8::2") + b"\xd4\x31\x00\x19"
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.1") + bytes(16) + b"\xd4\x31\x00\x19"


def block(command: int, family: int, addresses: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(addresses).to_bytes(2, "big") + addresses


def read(said: bytes) -> tuple[Proxied | None, bytes]:
    """Who called, and what is left. Raises `EOFError` where more would have been read than there is."""
    reader = header()
    wanted = next(reader)
    while True:
        if len(said) < wanted:
            raise EOFError
        piece, said = said[:wanted], said[wanted:]
        try:
            wanted = reader.send(piece)
        except StopIteration as stop:
            return stop.value, said


@pytest.mark.parametrize(
    ("said", "caller"),
    [
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 54321 25\r\n", Proxied("192.0.2.1", 54321)),
        (b"PROXY TCP6 2001:DB8:0::1 2001:db8::2 54321 25\r\n", Proxied("2001:db8::1", 54321)),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 25\r\n", Proxied("192.0.2.1", 1)),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        (b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", None),
        (block(0x21, 0x11, V4), Proxied("192.0.2.1", 54321)),
        (block(0x21, 0x21, V6), Proxied("2001:db8::1", 54321)),
        (block(0x21, 0x21, MAPPED), Proxied("192.0.2.1", 54321)),
        (block(0x21, 0x11, V4 + b"\x04\x00\x01x"), Proxied("192.0.2.1", 54321)),
        (block(0x21, 0x11, V4 + bytes(508)), Proxied("192.0.2.1", 54321)),
        (block(0x20, 0x11, V4), None),
        (block(0x20, 0, b""), None),
        (block(0x21, 0, b""), None),
    ],
)
@pytest.mark.parametrize("tail", [b"", b"EHLO x\r\n", b"\x16\x03\x01"])
def test_who_called(said: bytes, caller: Proxied | None, tail: bytes) -> None:
    """Both versions tell the caller, or that it is the proxy itself, and nothing behind the header is read."""
    assert read(said + tail) == (caller, tail)


@pytest.mark.parametrize(
    "said",
    [
        b"EHLO mx.example.com\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20),
        b"PROXY TCP4 192.0.2.1 198.51.100.2 54321 25\n" + b"x" * 100,
        b"PROXY TCP4 192.0.2.1 198.51.100.2 54321\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 54321 25 26\r\n",
        b"PROXY TCP4  192.0.2.1 198.51.100.2 54321 25\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 54321 25\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.2 54321 25\r\n",
        b"PROXY TCP6 fe80::1%eth0 2001:db8::2 54321 25\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.2 54321 25\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.2 54321 25\r\n",
        b"PROXY X\r\nEHLO me\r\n",
        b"PROXY TCP4 \xff.0.2.1 198.51.100.2 54321 25\r\n",
        b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
        block(0x21, 0x12, V4),
        block(0x21, 0x31, bytes(216)),
        block(0x21, 0x11, V4[:-1]),
        block(0x21, 0x21, V4),
        block(0x11, 0x11, V4),
        block(0x22, 0x11, V4),
        block(0x21, 0x11, V4 + bytes(509)),
    ],
)
def test_what_is_no_header(said: bytes) -> None:
    """Nobody is believed who does not say it as the protocol has it, and no more than its longest header is read of them."""
    with pytest.raises(NoProxyHeader):
        read(said)


@given(st.binary(max_size=600) | st.binary(max_size=100).map(b"PROXY ".__add__) | st.binary(max_size=300).map(SIGNATURE.__add__))
def test_garbage(said: bytes) -> None:
    """Whatever comes, there is a caller, or none, or one kind of error."""
    try:
        read(said + b"\n")
    except (NoProxyHeader, EOFError):
        pass
