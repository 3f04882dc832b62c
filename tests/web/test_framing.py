"""Where requests begin and end, and what is none: whole, octet by octet, and with more behind."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mailer.web.framing import Framing, FramingLimits, RequestHead, WebRefusal

from .oddities import GET, GOOD, ODD, chunked

LIMITS = FramingLimits(body=100_000)


def read(data: bytes, step: int = 0) -> tuple[bytes, bytes]:
    """The body of the first request, and what is left."""
    framing, passed, left = Framing(LIMITS), b"", b""
    step = step or len(data)
    for at in range(0, len(data), step):
        more, ahead = framing.feed(left + data[at : at + step])
        passed, left = passed + more, ahead
        if framing.whole:
            return passed, left + data[at + step :]
    assert not left
    return passed, b""


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_is_refused(what: str) -> None:
    """With its status, whole and with another request behind."""
    data, status = ODD[what]
    for octets in (data, data + GET + b"\r\n"):
        with pytest.raises(WebRefusal) as refusal:
            read(octets)
        assert refusal.value.status == status


@pytest.mark.parametrize("what", [what for what, (data, _) in ODD.items() if len(data) < 5000])
def test_what_is_odd_is_refused_octet_by_octet(what: str) -> None:
    """The same, however the network cuts it."""
    data, status = ODD[what]
    for step in (1, 7):
        with pytest.raises(WebRefusal) as refusal:
            read(data, step)
        assert refusal.value.status == status


@pytest.mark.parametrize("what", GOOD)
def test_what_is_right_is_read(what: str) -> None:
    """It has the body that is meant, and what is behind is left for the next."""
    data, body = GOOD[what]
    for step in (0, 1, 1000) if len(data) < 5000 else (0, 4096):
        assert read(data + GET, step) == (body, GET)


def test_small_chunks_are_one_piece() -> None:
    """What came at once is handed on at once, however small its chunks were."""
    assert read(chunked(b"1\r\n \r\n" * 3000 + b"0\r\n\r\n")) == (b" " * 3000, b"")


def head(data: bytes) -> RequestHead:
    """What the header says, which is all of it."""
    framing = Framing(LIMITS)
    framing.feed(data)
    assert framing.head
    return framing.head


def test_a_whole_url_becomes_a_path() -> None:
    """The host of it is that of the field, so nobody behind need know of it."""
    found = head(b"GET http://localhost?x=%20y HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert found == (b"GET", b"/?x=%20y", b"HTTP/1.1", [(b"host", b"localhost")], True, False)


@pytest.mark.parametrize(
    ("version", "fields", "persists", "expects"),
    [
        (b"1.1", b"", True, False),
        (b"1.0", b"", False, False),
        (b"1.0", b"Connection: keep-alive\r\nExpect: 100-continue\r\n", False, False),
        (b"1.1", b"Connection: x, Close\r\n", False, False),
        (b"1.1", b"Connection: x\r\nConnection: close\r\n", False, False),
        (b"1.1", b"Connection: closed\r\n", True, False),
        (b"1.1", b"Content-Length: 1\r\nExpect: 100-continue\r\n", True, True),
    ],
)
def test_what_the_client_wants_of_the_connection(version: bytes, fields: bytes, persists: bool, expects: bool) -> None:
    """Whether it goes on behind the answer, and whether the body is to be asked for."""
    found = head(b"GET / HTTP/" + version + b"\r\nHost: localhost\r\n" + fields + b"\r\n")
    assert (found.persists, found.expects) == (persists, expects)


def test_one_request_after_the_other() -> None:
    """Nothing of the next is looked at before its time."""
    framing = Framing(LIMITS)
    first, left = framing.feed(GET + b"\r\nnonsense\n\n")
    assert (first, left, framing.whole) == (b"", b"nonsense\n\n", True)
    assert framing.feed(left) == (b"", left)
    framing.again()
    with pytest.raises(WebRefusal):
        framing.feed(left)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        chunked(b"1\r\n \r\n" * 43_000),
        chunked(b"1;" + b"x" * 200 + b"\r\n \r\n") * 1200,
        GET + b"X: " + b" \t" * 7000 + b"\0\r\n\r\n",
        GET + b"A: b\r\n" * 40_000,
        GET + b"\r" * 250_000,
        b"G" * 250_000,
    ],
    ids=range(6),
)
def test_nothing_holds_the_loop_long(data: bytes) -> None:
    """The most that comes at once, of the worst kind, takes less than 50 ms."""

    def took() -> float:
        began = time.process_time()
        with contextlib.suppress(WebRefusal):
            Framing(FramingLimits()).feed(data[: 1 << 18])
        return time.process_time() - began

    assert min(took() for _ in range(5)) < 0.05


@given(some.binary(max_size=300), some.integers(1, 50))
def test_garbage_raises_one_class(data: bytes, step: int) -> None:
    """Behind a good beginning as well."""
    for octets in (data, GET + data, chunked(data)):
        with contextlib.suppress(WebRefusal):
            read(octets, step)
