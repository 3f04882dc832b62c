"""A message on its way: line ends, dots, and as much of it as TOP wants, in whatever pieces it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.pop3.content import END, Sending, lengthening

PIECES = st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"a", b"\0", b"word", b"\r\n.\r\n", b"\n.\n", b"\r\n\r\n"]), max_size=20)


def sent(content: bytes, lines: int | None = None, step: int = 1 << 20, *, even: bool = False) -> bytes:
    """All that goes out."""
    sending = Sending(lines, even=even)
    out = b"".join(sending.feed(content[at : at + step]) for at in range(0, len(content), step))
    return out + sending.end()


def received(out: bytes) -> bytes:
    """What a client makes of it, RFC 1939 §3; it must not see the end before the end."""
    *lines, last, nothing = out.split(b"\r\n")
    assert (last, nothing) == (b".", b"")
    assert b"." not in lines
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)


@given(PIECES, st.integers(1, 5))
def test_a_message_comes_as_it_is_in_lines(pieces: list[bytes], step: int) -> None:
    """With CRLF for a bare LF, and behind the last line; of so many octets more as was said; whatever pieces it comes in."""
    content = b"".join(pieces)
    out = sent(content)
    got = received(out)
    assert sent(content, step=step) == out
    assert len(got) == len(content) + lengthening(content)
    assert got.count(b"\n") == got.count(b"\r\n")
    assert got.replace(b"\r\n", b"\n").removesuffix(b"\n") == content.replace(b"\r\n", b"\n").removesuffix(b"\n")
    if not lengthening(content):
        assert got == content
        assert sent(content, step=step, even=True) == out


@given(PIECES, st.integers(0, 6), st.integers(1, 5))
def test_the_top_is_the_header_and_some_lines(pieces: list[bytes], lines: int, step: int) -> None:
    """And the empty line between them, RFC 1939 §7; whatever pieces it comes in."""
    content = b"".join(pieces)
    whole = received(sent(content))
    at = 0 if whole.startswith(b"\r\n") else whole.find(b"\r\n\r\n") + 2
    wanted = whole if at == 1 else whole[: at + 2] + b"".join(line + b"\r\n" for line in whole[at + 2 :].split(b"\r\n")[:-1][:lines])
    assert received(sent(content, lines)) == wanted
    assert sent(content, lines, step) == sent(content, lines)


@pytest.mark.parametrize(
    ("content", "out"),
    [
        (b"", END),
        (b".", b"..\r\n.\r\n"),
        (b"\r", b"\r\r\n.\r\n"),
        (b"\r\r\n", b"\r\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\n.\r\n", b"a\r\n..\r\n.\r\n"),
        (b"..\r\n", b"...\r\n.\r\n"),
    ],
)
def test_what_goes_out(content: bytes, out: bytes) -> None:
    """Dots of the message are never the one that ends it."""
    assert sent(content) == sent(content, step=1) == out


def test_nothing_is_made_of_what_is_not_wanted() -> None:
    """Behind the lines that TOP wants."""
    sending = Sending(1)
    assert sending.feed(b"a: b\r\n\r\none\r\ntwo\r\n") == b"a: b\r\n\r\none\r\n"
    assert sending.enough
    assert sending.feed(b"three\r\n") == b""
    assert sending.end() == END
