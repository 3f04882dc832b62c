"""A message as it arrives at the receiving side."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.message import is_normal
from mailer.smtp.reply import Reply
from mailer.smtp.server import ServerSettings
from mailer.smtp.server_message import MAX_CHUNKS, MAX_EMPTY, Arriving
from tests.smtp.talk import TRANSACTION, codes, ready

pieces = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b"x", b".", b"", b"hello\r\n"]), max_size=12)
CHUNKING = ServerSettings(offer=("CHUNKING",), max_size=1_000_000)


@given(pieces)
def test_whether_it_is_normal_is_seen_as_it_comes(parts: list[bytes]) -> None:
    """However the pieces are cut, a message is normal if the whole of it is."""
    arriving = Arriving(0)
    for part in parts:
        arriving.add(part)
    whole = b"".join(parts)
    assert arriving.normal is (not whole or is_normal(whole))
    assert arriving.raw() == whole
    assert arriving.size == len(whole)


@given(pieces)
def test_what_is_strict_is_normal(parts: list[bytes]) -> None:
    """Nothing stray comes through, and a last line without an end is given one."""
    arriving = Arriving(0)
    for part in parts:
        arriving.add(part)
    whole, content = b"".join(parts), arriving.strict()
    if arriving.refusal is None:
        assert content in (whole, whole + b"\r\n")
        assert not content or is_normal(content)
    else:
        assert content == b""
        assert not is_normal(whole + b"\r\n")


def test_what_is_too_large_is_counted_and_not_kept() -> None:
    """Behind the limit nothing is held, and the refusal stands."""
    arriving = Arriving(10)
    for _ in range(1000):
        arriving.add(b"12345678")
    assert arriving.size == 8000
    assert arriving.raw() == b""
    assert arriving.refusal is not None
    assert arriving.refusal.code == 552


@pytest.mark.slow
def test_tiny_chunks_take_no_room_of_their_own() -> None:
    """A message in ten thousand chunks of two octets is held in not much more than what it has."""
    talk = ready(CHUNKING)
    talk.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n")
    block = b"BDAT 2\r\nab" * 1000
    tracemalloc.start()
    try:
        for _ in range(MAX_CHUNKS // 1000):
            assert set(codes(talk.say(block))) == {250}
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 2 * 2 * MAX_CHUNKS + 65536
    assert codes(talk.say(b"BDAT 2\r\nab")) == [421]


def test_chunks_are_no_commands_without_a_message() -> None:
    """A large message in small chunks is taken whole, however many they are up to their own limit."""
    talk = ready(CHUNKING)
    talk.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n")
    for _ in range(400):
        assert codes(talk.say(b"BDAT 2000\r\n" + b"x" * 1998 + b"\r\n")) == [250]
    assert codes(talk.say(b"BDAT 0 LAST\r\n")) == [250]
    assert len(talk.bodies()[0].content) == 800_000


def test_empty_chunks_come_to_an_end() -> None:
    """A hundred of them are taken, and nobody has a use for more."""
    talk = ready(CHUNKING)
    talk.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n")
    assert codes(talk.say(b"BDAT 0\r\n" * (MAX_EMPTY + 5))) == [250] * MAX_EMPTY + [421]


def test_what_was_given_up_is_refused_at_its_end() -> None:
    """A message that is given up on the way is read to its end, and refused there; the next one is taken."""
    for begin, end in [(b"DATA\r\nx\r\n", b"y\r\n.\r\n"), (b"BDAT 3\r\nx\r\n", b"BDAT 3 LAST\r\ny\r\n")]:
        talk = ready(CHUNKING)
        talk.say(TRANSACTION.removesuffix(b"DATA\r\n") + begin)
        assert talk.server.arriving > 0
        talk.server.forgo(Reply.own(452, "4.3.1", "no room"))
        assert talk.code(end) == 452
        assert not talk.bodies()
        assert talk.code(b"RCPT TO:<c@d.example>\r\n") == 503
        assert codes(talk.say(TRANSACTION + b".\r\n")) == [250, 250, 354, 250]
