"""What mending costs, whatever the message is, and that nothing of it is lost."""

from __future__ import annotations

import email
import email.policy
import gc
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.downgrade import seven_bit
from mailer.mail.header_repair import MOST_CHANGES, single
from mailer.mail.message import Change, Message, has_long_line, normalise
from mailer.mail.repair import repaired
from tests.fakes.pauses import LONGEST, longest_pause
from tests.mail.mended import LONG, mend, nested, read, text_of

pytestmark = pytest.mark.slow

PIECES = st.sampled_from([
    b"Subject: ", b"To: ", b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: text/plain\r\n", b"\r\n", b"\r\n\r\n",
    b"--b\r\n", b"--b--\r\n", LONG, "ü".encode(), b"\xff", b"Content-Transfer-Encoding: 8bit\r\n", b" ", b";", b",", b":", b"=\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"<", b">", b'"', b"a@example.org", b"=?utf-8?q?x?=",
    b'Content-Disposition: attachment; filename="\xc3\xbc"\r\n',
])  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_anything_comes_out_mended_or_is_said_to_be_left(data: bytes) -> None:
    """Whatever comes in; nothing fails, header and body stay apart, and what is not said to be left has no long line."""
    made, changes = mend(data)
    before, after = Message.split(normalise(data)), Message.split(made)
    kept = [name for name, _ in before.fields() if not name.startswith((b"content-", b"mime-"))]
    assert [name for name, _ in after.fields() if not name.startswith((b"content-", b"mime-"))] == kept
    if not any(change.action == "left" for change in changes):
        assert not has_long_line(made + b"\r\n")


@given(st.binary(max_size=3000))
def test_no_octet_of_a_body_is_lost(body: bytes) -> None:
    """Whatever it holds, what is decoded is what was there after normalisation."""
    data = normalise(b"Subject: x\r\n\r\n" + body)
    made, _ = mend(data)
    assert text_of(read(made)).decode("latin-1") == data.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n").decode("latin-1")


@pytest.mark.parametrize(
    ("piece", "count", "before", "after"),
    [
        (b"a:\xff\r\n", 20_000, b"", b"\r\nx\r\n"),
        ("ü <a@example.org>,".encode(), 10_000, b"To: ", b"\r\n\r\n"),
        ('"ü'.encode(), 100_000, b"To: ", b"\r\n\r\n"),
        (b'"\xc3\xbc\\', 50_000, b"Content-Type: a/b;a=", b"\r\n\r\n"),
        (b"--b\r\n\r\n\xff\r\n", 20_000, b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b""),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 20_000, b"", b"\r\n\xff\r\n"),
        (b"x", 5_000_000, b"\r\n", b"\r\n"),
        (b" ", 500_000, b"Subject: \xff", b"\xff\r\n\r\n"),
    ],
)
def test_no_message_keeps_the_machine_busy(piece: bytes, count: int, before: bytes, after: bytes) -> None:
    """Fields, people, parameters, parts and depth without end: the cost grows with the length, and with nothing else."""
    message = Message.split(normalise(before + piece * count + after))
    begun = time.thread_time()
    repaired(message, [])
    assert time.thread_time() - begun < 10


LEAVES = st.tuples(
    st.sampled_from(["text/plain", "text/html; charset=iso-8859-1", "application/x", "image/png"]),
    st.sampled_from(["", "7bit", "8bit", "base64"]),
    st.lists(st.sampled_from([b"short", b"--b1", b"--b1x", "grüße".encode(), b"\xfc", LONG, b"", b"."]), max_size=8).map(b"\r\n".join),
)


def leaves(data: bytes) -> list[tuple[str, bytes]]:
    """Type and contents of each part that has no parts, as a reader sees them."""
    found = [part for part in email.message_from_bytes(data).walk() if not part.is_multipart()]
    return [(part.get_content_type(), part.get_payload(decode=True).replace(b"\r\n", b"\n")) for part in found]  # type: ignore[union-attr]


@given(st.lists(LEAVES, min_size=1, max_size=4), st.integers(0, 12))
def test_each_part_of_each_level_comes_through(parts: list[tuple[str, str, bytes]], depth: int) -> None:
    """Mended, and made 7-bit, it holds the same parts with the same contents, and no octet and no line is left that not all take."""
    data = nested(parts, depth)
    made, changes = mend(data)
    assert leaves(made) == leaves(data)
    assert all(change.action == "mended" for change in changes)
    assert not has_long_line(made)
    narrow = seven_bit(data)
    assert narrow is not None
    assert narrow.isascii()
    assert leaves(narrow) == leaves(data)


@pytest.mark.parametrize("act", [lambda data: repaired(Message.split(data), []), seven_bit], ids=["mended", "7-bit"])
def test_memory_grows_with_the_size_and_not_with_the_depth(act: Callable[[bytes], object]) -> None:
    """Fifty levels take no more than one: what stays is not copied on each."""
    data = nested([("text/plain; charset=utf-8", "", "Grüße aus Köln\r\n".encode() * 40_000)], 24)
    gc.collect()
    tracemalloc.start()
    try:
        assert act(data) is not None
        assert tracemalloc.get_traced_memory()[1] < 4 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("act", [repaired, single], ids=["mended", "single"])
def test_memory_grows_with_a_header_and_not_with_its_fields(act: Callable[[Message, list[Change]], object]) -> None:
    """A field may have five octets; what is made of it has more, but nothing is kept of each."""
    message, changes = Message.split(b"Subject: a\r\n" * 2 + b"X:\xfc\r\n" * 40_000 + b"\r\n"), [Change("", "", "", "", "")] * MOST_CHANGES
    gc.collect()
    tracemalloc.start()
    try:
        act(message, changes)
        assert tracemalloc.get_traced_memory()[1] < 18 * len(message)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("act", [lambda message: repaired(message, []), lambda message: seven_bit(bytes(message))], ids=["mended", "7-bit"])
@pytest.mark.parametrize("text", ["Grüße aus Köln\r\n", "ü", "ü\r\n" + "\r\n" * 50])
def test_no_message_holds_the_interpreter(text: str, act: Callable[[Message], object]) -> None:
    """In a thread, whatever it is, it lets the others go on."""
    message = Message(b"Content-Type: text/plain; charset=utf-8\r\n", normalise(b"\r\n" + text.encode() * (3_000_000 // len(text))))
    assert longest_pause(lambda: lambda: act(message)) < LONGEST
