"""Where requests begin and end, and what is none: whole, octet by octet, and with more behind."""

from __future__ import annotations

import contextlib
import time

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mailer.web.framing import Framing, FramingLimits, WebRefusal

from .oddities import GET, GOOD, ODD, chunked

LIMITS = FramingLimits(body=100_000)


def read(data: bytes, step: int = 0) -> tuple[bytes, bytes]:
    """What the library gets of the first request, and what is left."""
    framing, passed, left = Framing(LIMITS), b"", b""
    step = step or len(data)
    for at in range(0, len(data), step):
        more, ahead = framing.feed(left + data[at : at + step])
        passed, left = passed + more, ahead
        if framing.whole:
            return passed, left + data[at + step :]
    assert not left
    return passed, b""


def body_of(data: bytes) -> bytes:
    """What the library understands of it."""
    connection = h11.Connection(h11.SERVER, 20_000)
    connection.receive_data(data)
    found = b""
    while (event := connection.next_event()) is not h11.NEED_DATA and not isinstance(event, h11.EndOfMessage):
        found += bytes(event.data) if isinstance(event, h11.Data) else b""
    assert isinstance(event, h11.EndOfMessage)
    return found


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
    """The library has the body that is meant, and what is behind is left for the next."""
    data, body = GOOD[what]
    for step in (0, 1, 1000) if len(data) < 5000 else (0, 4096):
        passed, left = read(data + GET, step)
        assert body_of(passed) == body
        assert left == GET


def test_small_chunks_are_one_for_the_library() -> None:
    """What came at once costs it one event, however small its chunks were."""
    passed, _ = read(chunked(b"1\r\n \r\n" * 3000 + b"0\r\n\r\n"))
    assert passed.endswith(b"\r\nbb8\r\n" + b" " * 3000 + b"\r\n0\r\n\r\n")


def test_a_whole_url_becomes_a_path() -> None:
    """The host of it is that of the field, so the library need not know of it."""
    data = b"GET http://localhost?x=%20y HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert read(data)[0] == b"GET /?x=%20y HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_one_request_after_the_other() -> None:
    """Nothing of the next is looked at before its time."""
    framing = Framing(LIMITS)
    first, left = framing.feed(GET + b"\r\nnonsense\n\n")
    assert (first, left, framing.whole) == (GET + b"\r\n", b"nonsense\n\n", True)
    assert framing.feed(left) == (b"", left)
    framing.again()
    with pytest.raises(WebRefusal):
        framing.feed(left)


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
